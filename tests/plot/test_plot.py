"""Figures show the arrays they were given, with units, on log axes where those belong, and leave pyplot alone."""

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from t2jax.numerics.bands import band
from t2jax.plot.fit import predicted_observed, residuals
from t2jax.plot.frontier import (
    Optima,
    frontier_panels,
    isoflop_curves,
    isoflop_points,
    optima_against_train,
    optima_on_isoflops,
)
from t2jax.plot.posterior import interval_observed
from t2jax.plot.style import legend_outside, log_ticks, number, shared_legend

RNG = np.random.default_rng(0)
TRAIN = np.geomspace(1e18, 1e24, 5)
PARAMS, TOKENS = 0.1 * np.sqrt(TRAIN), TRAIN / (0.6 * np.sqrt(TRAIN))
SPREAD = np.exp(0.1 * RNG.standard_normal((40, 1)))
T2 = Optima("T² optimum", PARAMS / 10, TOKENS * 10, PARAMS / 10 * SPREAD, TOKENS * 10 / SPREAD)
CHINCHILLA = Optima("Chinchilla optimum", PARAMS, TOKENS)


@pytest.fixture
def ax():
    return Figure().subplots()


def line(ax, label):
    return next(drawn for drawn in ax.get_lines() if drawn.get_label() == label)


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_predicted_against_observed(ax):
    observed, predicted = np.array([2.0, 2.5, 3.0, 0.0]), np.array([2.1, 2.4, 3.1, 0.5])
    assert predicted_observed(ax, observed, predicted) is ax
    np.testing.assert_array_equal(line(ax, "runs").get_xdata(), observed[:3])
    np.testing.assert_array_equal(line(ax, "runs").get_ydata(), predicted[:3])
    identity = line(ax, "predicted = observed")
    np.testing.assert_array_equal(identity.get_xdata(), identity.get_ydata())
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert ax.get_xlabel() == "observed loss (nats/token)"
    assert ax.get_ylabel() == "predicted loss (nats/token)"
    assert ax.get_title() == "1 of 4 observations are zero and not shown"


@pytest.mark.parametrize(("against", "label"), [("params", "parameters N"), ("tokens", "training tokens D")])
def test_residuals(ax, against, label):
    residuals(ax, PARAMS, np.log(SPREAD[:5, 0]), against=against)
    np.testing.assert_array_equal(ax.get_lines()[1].get_xdata(), PARAMS)
    np.testing.assert_array_equal(ax.get_lines()[1].get_ydata(), np.log(SPREAD[:5, 0]))
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
    assert ax.get_xlabel() == label


@pytest.mark.parametrize(
    ("quantity", "expected", "rule"),
    [
        ("params", PARAMS / 10, np.sqrt(TRAIN / 120)),
        ("tokens", TOKENS * 10, 20 * np.sqrt(TRAIN / 120)),
        ("tokens_per_param", TOKENS / PARAMS * 100, np.full(5, 20.0)),
    ],
)
def test_optima_against_training_compute(ax, quantity, expected, rule):
    optima_against_train(ax, TRAIN, [T2, CHINCHILLA], quantity=quantity)
    np.testing.assert_array_equal(line(ax, "T² optimum").get_xdata(), TRAIN)
    np.testing.assert_allclose(line(ax, "T² optimum").get_ydata(), expected, rtol=1e-12)
    np.testing.assert_allclose(line(ax, "D = 20 N").get_ydata(), rule, rtol=1e-12)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert ax.get_xlabel() == "training compute 6ND (FLOPs)"
    assert legend(ax) == ["T² optimum", "90 % bootstrap interval", "Chinchilla optimum", "D = 20 N"]
    drawn = ax.collections[0].get_paths()[0].vertices[:, 1]
    spread = band(T2.draws(quantity), 0.9)
    np.testing.assert_allclose([drawn.min(), drawn.max()], [spread.low.min(), spread.high.max()], rtol=1e-12)


def test_panels_share_the_legend_of_the_last():
    axes = Figure().subplots(1, 3)
    frontier_panels(axes, TRAIN, [T2, CHINCHILLA])
    assert [ax.get_legend() is None for ax in axes] == [True, True, False]
    assert legend(axes[2]) == ["T² optimum", "90 % bootstrap interval", "Chinchilla optimum", "D = 20 N"]
    names = [ax.get_ylabel() for ax in axes]
    assert names == ["optimal tokens per parameter D/N", "optimal parameters N", "optimal training tokens D"]


def test_a_shared_legend_names_what_any_panel_shows():
    axes = Figure().subplots(1, 2)
    for ax, labels in zip(axes, (("a", "b", "b"), ("c", "a")), strict=True):
        for label in labels:
            ax.plot([1, 2], label=label)
        legend_outside(ax, "title")
    shared_legend(axes)
    assert axes[0].get_legend() is None
    assert legend(axes[1]) == ["a", "b", "b", "c"]
    assert axes[1].get_legend().get_title().get_text() == "title"


@pytest.mark.parametrize(
    ("ends", "labels", "between"),
    [
        ((2.0, 3.5), ["2", "2.25", "2.5", "2.75", "3", "3.25", "3.5"], False),
        ((0.01, 0.6), ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5"], True),
        ((1e8, 6e8), ["10⁸", "2·10⁸", "3·10⁸", "4·10⁸", "5·10⁸", "6·10⁸"], False),
        ((1e7, 1e12), ["10⁷", "10⁸", "10⁹", "10¹⁰", "10¹¹", "10¹²"], False),
    ],
)
def test_ticks_of_log_axes(ax, ends, labels, between):
    ax.set(xscale="log", xlim=ends)
    log_ticks(ax)
    ax.figure.draw_without_rendering()
    shown = [tick.label1.get_text() for tick in ax.xaxis.get_major_ticks() if ends[0] <= tick.get_loc() <= ends[1]]
    assert shown == labels
    assert bool(len(ax.xaxis.get_minorticklocs())) == between
    assert ax.yaxis.get_scale() == "linear"


def test_numbers():
    written = [number(x) for x in (0, 0.02, 1234.5, 12345.0, 1e-5, -2.5e8, 1e24)]
    assert written == ["0", "0.02", "1234", "1.234·10⁴", "10⁻⁵", "-2.5·10⁸", "10²⁴"]
    assert number(1.778279e22, 3) == "1.78·10²²"


def test_isoflops_with_points_and_optima(ax):
    params = np.tile(np.geomspace(1e7, 1e9, 20), (5, 1))
    values = 2 + (1e8 / params) ** 0.3 + (1e20 / TRAIN[:, None]) ** 0.1
    values[0, 15:] = np.nan
    draws = values * SPREAD[:, :, None]
    isoflop_curves(ax, params, values, TRAIN, draws=draws, quantity="neg_log_pass")
    isoflop_points(ax, params[1], values[1], np.full(20, TRAIN[1]), TRAIN)
    optima_on_isoflops(ax, [T2, CHINCHILLA], [values[:, 0], values[:, 1]])
    for i, name in enumerate(("10¹⁸", "3.16·10¹⁹", "10²¹", "3.16·10²²", "10²⁴")):
        there = np.isfinite(values[i])
        np.testing.assert_array_equal(line(ax, name).get_xdata(), params[i, there])
        np.testing.assert_array_equal(line(ax, name).get_ydata(), values[i, there])
    assert ax.get_xlabel() == "parameters N"
    assert ax.get_ylabel() == "mean of -log pass@k (nats)"
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert ax.get_legend().get_title().get_text() == "training compute 6ND (FLOPs)\nbands: 90 % bootstrap interval"
    assert "T² optimum\n(bars: 90 % bootstrap interval of N)" in legend(ax)
    assert {"Chinchilla optimum", "measured"} <= set(legend(ax))
    bars, _ = ax.containers[0], ax.containers[1]
    np.testing.assert_array_equal(bars.lines[0].get_xdata(), T2.params)
    spread = band(T2.params_draws, 0.9)
    ends = np.array([segment[:, 0] for segment in bars.lines[2][0].get_segments()])
    np.testing.assert_allclose(ends, np.stack([spread.low, spread.high], axis=1), rtol=1e-12)


def test_a_legend_outside_covers_no_data(ax):
    optima_against_train(ax, TRAIN, [T2], quantity="params")
    ax.figure.draw_without_rendering()
    assert ax.get_legend().get_window_extent().x0 >= ax.get_window_extent().x1


def test_plotting_leaves_pyplot_alone():
    code = "import sys, t2jax.plot.frontier; print('matplotlib.pyplot' in sys.modules, 'matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_pictures_without_a_value_above_zero_are_empty_and_say_so(tmp_path):
    figure = Figure()
    axes, none = figure.subplots(1, 3), np.zeros(5)
    predicted_observed(axes[0], none, none + 0.1, quantity="pass_at_k")
    residuals(axes[1], none[:0], none[:0])
    interval_observed(axes[2], none, none, none + 0.1, none + 0.2, level=0.9, what="prior", quantity="pass_at_k")
    figure.savefig(tmp_path / "none.png")
    assert axes[0].get_title() == "5 of 5 observations are zero and not shown"
    assert axes[2].get_title() == "5 of 5 rows are zero and not shown"


def test_budgets_beyond_the_largest_run_are_shaded():
    axes = list(Figure().subplots(1, 3))
    frontier_panels(axes, TRAIN, [T2], largest_run=float(TRAIN[1]))
    assert [patch.get_label() for patch in axes[0].patches] == ["beyond the largest run"]
    (shade,) = axes[1].patches
    assert shade.get_x() == TRAIN[1] and shade.get_x() + shade.get_width() == pytest.approx(TRAIN[-1])  # pyright: ignore
    inside = list(Figure().subplots(1, 3))
    frontier_panels(inside, TRAIN, [T2], largest_run=1e99)
    assert not inside[0].patches
