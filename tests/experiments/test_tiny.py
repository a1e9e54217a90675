"""Every experiment in its tiny configuration: it runs, finds what it should, and writes what it promises."""

import ast
import dataclasses
import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import t2jax as t2
from experiments.checks import (
    isoflop_bias,
    passk_on_pythia,
    passk_posterior,
    pooled_tasks,
    posterior_frontier,
    report_levers,
)
from experiments.paper import approach1, approach2, chinchilla_replication, t2_loss_on_porian, t2_on_code_models
from experiments.shared import code_models_optima, pooled_tables, real_tables, record
from t2jax.extrapolation.predictions import as_choice
from tests.helpers.experiments import check_figures, check_numbers, check_output, need

ROOT = Path(record.__file__).parents[2]
EXPERIMENTS = sorted(path for path in (ROOT / "experiments").rglob("*.py") if path.stem != "__init__")
SCRIPTS = [path for path in EXPERIMENTS if path.parent.name != "shared"]
OTHERS = (
    "experiments.benchmarks.bench_large",
    "experiments.benchmarks.bench_solver",
    "experiments.benchmarks.law_zoo",
    "experiments.benchmarks.passk_forecast",
    "experiments.benchmarks.scalebench",
    "experiments.benchmarks.zoo_counts",
    "experiments.checks.calibration",
    "experiments.checks.deployed_check",
    "experiments.checks.doors",
    "experiments.checks.extrapolation_bands",
    "experiments.checks.extrapolation_simulations",
    "experiments.checks.few_rows",
    "experiments.checks.inverse_plans",
    "experiments.checks.passk_dearer_runs",
    "experiments.checks.passk_estimates",
    "experiments.checks.passk_posterior",
    "experiments.checks.portfolio_check",
    "experiments.checks.posterior_frontier",
    "experiments.paper.planning",
    "experiments.paper.rq2_overtrained_losses",
    "experiments.paper.where_overtraining_pays",
)


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_experiments_stand_alone_and_are_short(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 320
    for line in text.splitlines():
        if line.startswith(("from experiments", "import experiments")):
            assert line.startswith("from experiments.shared."), line
    if path in SCRIPTS:
        assert re.search(r"^    command\(Config, run, words(, figures)?\)$", text, re.MULTILINE)


@pytest.mark.tiny
@pytest.mark.parametrize("name", OTHERS)
def test_as_a_command(name, tmp_path):
    """Experiments that no other test marked `tiny` runs: the command ends well and writes its numbers and figures."""
    module = importlib.import_module(name)
    command = [sys.executable, "-m", name, "-o", str(tmp_path / "out"), "tiny"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "written to" in done.stdout.splitlines()[-1] and len(done.stdout.splitlines()) > 2
    check_numbers(module, tmp_path / "out")
    if hasattr(module, "figures"):
        check_figures(tmp_path / "out")


def test_every_experiment_has_one_tiny_run():
    """Each script is in OTHERS or has a test marked `tiny` that runs its small mode: neither none nor two."""
    covered = list(OTHERS)
    for path in Path(__file__).parents[1].rglob("test_*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for test in (node for node in tree.body if isinstance(node, ast.FunctionDef)):
            if "pytest.mark.tiny" in map(ast.unparse, test.decorator_list):
                runs = re.findall(r"(\w+)\.run\((?:\w+\.)?Config\.tiny\(\)\)", ast.unparse(test))
                covered += [f"experiments.{path.parent.name}.{path.stem}" for path in SCRIPTS if path.stem in runs]
    assert sorted(covered) == [f"experiments.{path.parent.name}.{path.stem}" for path in SCRIPTS]


@pytest.mark.tiny
def test_chinchilla_replication(tmp_path):
    need("chinchilla-epoch")
    result = chinchilla_replication.run(chinchilla_replication.Config.tiny())
    assert result.objective == pytest.approx(1.018274017801e-3, rel=1e-9)
    fitted = {name: estimate.value for name, estimate in result.parameters.items()}
    expected = {"E": 1.81722, "A": 477.826, "B": 2143.42, "alpha": 0.347310, "beta": 0.367172}
    assert fitted == pytest.approx(expected, rel=1e-5)
    assert result.objective_besiroglu / result.objective - 1 == pytest.approx(0.0045, abs=2e-4)
    assert result.objective_hoffmann > 3 * result.objective
    assert result.closed_form_error < 1e-12
    assert np.all(result.ratio_low <= result.ratio) and np.all(result.ratio <= result.ratio_high)
    check_output(chinchilla_replication, result, tmp_path)


@pytest.mark.tiny
def test_t2_loss_on_porian(tmp_path):
    try:
        real_tables.porian()
    except FileNotFoundError as error:
        pytest.skip(f"{error}: this table is local only, in the folder that T2JAX_DATA names")
    result = t2_loss_on_porian.run(t2_loss_on_porian.Config.tiny())
    assert result.undetermined == ("E", "G", "gamma")
    for exponent in (result.all_rows, result.without_short_runs):
        assert exponent.low < t2_loss_on_porian.AUTHORS[0] < exponent.high
    # the more that samples can gain, the smaller the model
    sizes = [scenario.params for scenario in result.scenarios]
    assert result.chinchilla_params > sizes[0] > sizes[1]
    check_output(t2_loss_on_porian, result, tmp_path)


@pytest.mark.tiny
def test_t2_on_code_models(tmp_path):
    try:
        real_tables.code_models()
    except FileNotFoundError as error:
        pytest.skip(f"{error}: this table is local only, in the folder that T2JAX_DATA names")
    result = t2_on_code_models.run(t2_on_code_models.Config.tiny())
    assert (result.models, result.rows, result.zero_rows) == (57, 456, 8)
    law, naive, smooth = result.forecasts
    assert law.fitted_runs + law.predicted_runs == smooth.fitted_runs + smooth.predicted_runs == 57
    assert law.errors.mean_absolute < 0.2 < naive.errors.mean_absolute
    assert smooth.errors.mean_absolute < 0.2 and smooth.coverage > law.coverage
    assert smooth.coverage_50 is not None and smooth.coverage_50 < smooth.coverage
    for optima in result.optima:
        assert all(low <= mid <= high for low, mid, high in optima.with_samples.values())
        assert optima.more_tokens > 0.9 and optima.gain[1] > 0
    wide, narrow = (optima.with_samples["params"] for optima in result.optima)
    assert wide[2] / wide[0] > narrow[2] / narrow[0]
    # the best of the measured models is never worse than the best for one sample
    assert len(result.measured) >= 4 and all(row.gain >= 0 for row in result.measured)
    check_output(t2_on_code_models, result, tmp_path)


def test_optima_with_samples_and_for_one_share_draws():
    """Of rows with errors of 0.1 % both are those of the law, and the gain is never below zero, draw by draw."""
    law = t2.laws.T2PassK(
        E=0.0, A=300.0, B=800.0, alpha=0.3, beta=0.3, theta0=1.0, theta1=1.0, theta2=0.8, theta3=0.0, theta4=0.0
    )
    size, ratio, k = (axis.ravel() for axis in np.meshgrid([1e8, 3e8, 1e9, 3e9], [5.0, 20.0, 80.0], [1.0, 8.0, 64.0]))
    inputs: Any = {"params": size, "tokens": ratio * size, "samples": k}
    error = 1e-3 * np.random.default_rng(0).normal(size=len(k))
    table = t2.Table.from_columns(**inputs, pass_at_k=np.exp(-law.cost(size, ratio * size, k) + error))
    choice = as_choice(t2.extrapolation.fit_discrepancy(t2.laws.T2PassK, table, key=jax.random.key(0)))
    pair = code_models_optima.draw_pair(choice, 1e20, 4e9, seed=0, draws=50)
    n = np.geomspace(1e7, 2e9, 2000)
    for quantiles, served in ((pair.with_samples, 2e9 / n), (pair.one_sample, np.ones_like(n))):
        passed = np.exp(-law.cost(n, 1e20 / (6 * n), served))
        best = np.argmax(passed)
        expected = (n[best], 1e20 / (6 * n[best]), 1e20 / (6 * n[best] ** 2), served[best], passed[best])
        for name, value in zip(code_models_optima.QUANTITIES, expected, strict=True):
            assert np.median(quantiles[name]) == pytest.approx(value, rel=0.05), name
    assert np.all(pair.gain >= -1e-6) and pair.more_tokens.all() and not pair.at_edge.any()


@pytest.mark.tiny
def test_passk_on_pythia(tmp_path):
    need("pythia-gsm8k")
    result = passk_on_pythia.run(passk_on_pythia.Config.tiny())
    assert (result.checkpoints, result.rows) == (54, 54 * 24)
    assert [fit.agreement for fit in result.fits] == [1.0, 1.0]
    errors = {(error.law, error.definition, error.samples): error for error in result.errors}
    # every question has at least 128 samples: up to k = 100 there is one definition
    assert abs(errors["T2PassK", "complete", 100].bias) < 1
    assert errors["naive", "complete", 100].bias > 9
    for definition in ("complete", "plug-in", "long runs"):
        ours, naive = (errors[law, definition, 1000].absolute for law in ("T2PassK", "naive"))
        assert ours < 0.4 * naive
    assert errors["T2PassK", "upper", 1000].absolute < errors["naive", "upper", 1000].absolute
    unlimited, limited = result.optima
    assert np.all(np.diff(unlimited.samples[1]) > 0)
    assert np.all(limited.tokens <= 3e11 * (1 + 1e-9))
    assert np.all(limited.pass_at_k[1] <= unlimited.pass_at_k[1])
    check_output(passk_on_pythia, result, tmp_path)


def test_observed_pass_at_k_by_each_definition():
    counts = t2.Table.from_columns(
        model=["a", "a", "b", "b"],
        params=1e9,
        tokens=1e10,
        question=["1", "2", "1", "2"],
        trials=[4.0, 4.0, 4.0, 2.0],
        correct=[1.0, 0.0, 1.0, 0.0],
    )
    expected = {
        "complete": [0.375, np.nan],
        "plug-in": [0.375, 0.375],
        "upper": [0.375, 0.875],
        "long runs": [0.375, 0.75],
    }
    for definition, values in expected.items():
        observed = passk_on_pythia.observe(counts, (3,), definition)[:, 0]
        np.testing.assert_allclose(observed, values, rtol=1e-12, err_msg=definition)


@pytest.mark.tiny
def test_report_levers(tmp_path):
    pytest.importorskip("selenium", reason="Selenium is not installed: it moves the levers of a report")
    if not shutil.which("chromium") or not shutil.which("chromedriver"):
        pytest.skip("Chromium with its driver is not installed")
    result = report_levers.run(report_levers.Config.tiny())
    (row,) = result.rows
    assert row.compared >= 6 and row.contradicted == 0 and row.complaints == ()
    assert max(row.largest.values()) < 5e-3 and row.megabytes < 6
    check_output(report_levers, result, tmp_path)


@pytest.mark.tiny
def test_approach1(tmp_path):
    result = approach1.run(approach1.Config.tiny())

    def true_cost(log_n):  # with both budgets spent, as every optimum of a law that falls in N, D and k
        e, a, b, alpha, beta, g, gamma = approach1.TRUTH.values().values()
        n = np.exp(log_n)
        return e + a * n**-alpha + b * (2.56e19 / 6 / n) ** -beta + g * (2e9 / 2 / n) ** -gamma

    best: Any = minimize_scalar(true_cost, bounds=np.log([1e6, 1e9]), method="bounded", options={"xatol": 1e-10})
    assert np.log(result.true_params_optimum) == pytest.approx(best.x, abs=1e-6)
    for recipe in result.recipes:
        assert recipe.params_error < 0.1
        assert recipe.errors["gamma"] < 0.1
    check_output(approach1, result, tmp_path)


@pytest.mark.tiny
def test_approach2(tmp_path):
    result = approach2.run(approach2.Config.tiny())
    for recipe in result.recipes:
        assert recipe.params_error < 0.15
        assert recipe.errors["theta1"] < 0.1
    check_output(approach2, result, tmp_path)


@pytest.mark.tiny
def test_isoflop_bias(tmp_path):
    """The published errors of D*, their closed form, and none by the law itself."""
    result = isoflop_bias.run(isoflop_bias.Config.tiny())
    assert len(result.grids) == 16
    for grid in result.grids:
        assert grid.parabola == pytest.approx(grid.published, abs=1e-6)
        assert grid.closed_form is None or grid.parabola == pytest.approx(grid.closed_form, abs=1e-9)
        assert abs(grid.law) < 1e-8
        # without drift the exponents are right, and wrong with it
        assert abs(grid.exponent) < 1e-10 or grid.drift == 3
    assert min(grid.exponent for grid in result.grids if grid.drift == 3) > 1e-3
    check_output(isoflop_bias, result, tmp_path)


def test_the_choice_with_samples_gains_where_draws_agree():
    law = t2.laws.T2PassK(
        E=2.1, A=110.0, B=330.0, alpha=0.45, beta=0.35, theta0=1.0, theta1=1.0, theta2=0.9, theta3=0.0, theta4=0.0
    )
    laws = jax.tree.map(lambda leaf: np.array([leaf, leaf]), law)
    budgets: Any = {"train": np.array([1e11, 1e12]), "inference": 1.28e8}
    question = dataclasses.replace(posterior_frontier.QUESTIONS[1], **budgets)
    post: Any = SimpleNamespace(laws=laws, status="converged")
    study = posterior_frontier.study(question, post, 1e13, posterior_frontier.Config(planned=2))
    assert study.gain is not None and study.gain.shape == (5, 2)
    np.testing.assert_allclose(study.gain[0], study.gain[-1])
    assert np.all(study.gain > 0) and np.all(study.wins == 1) and np.all(study.more_tokens == 1)
    # two equal draws: the bands have no width
    np.testing.assert_allclose(study.bands["params"][0], study.bands["params"][-1])


def test_pooled_tasks_never_fits_what_it_judges():
    size, data, k = (axis.ravel() for axis in np.meshgrid([1e7, 1e8, 1e9], [1e9, 1e10, 1e11], [1.0, 16.0]))
    table = t2.Table.from_columns(params=size, tokens=data, samples=k, neg_log_pass=1.0)
    cost = size * data
    for third, fitted in (("checkpoints", 4), ("rows", 4)):
        judged, every, some = pooled_tables.choose("dearest", third, table, np.random.default_rng(0))
        assert (judged.sum(), every.sum(), some.sum()) == (6, 12, fitted)
        assert not np.any(judged & every) and np.all(every[some])
        assert cost[judged].min() >= cost[every].max()
    # whole checkpoints: both k of each
    judged, every, some = pooled_tables.choose("random", "checkpoints", table, np.random.default_rng(0))
    assert set(np.bincount(table.runs()[some])) <= {0, 2}


class Chances(NamedTuple):
    """Stands for a law: Beta(a, b) over questions whatever the run."""

    a: Any
    b: Any

    def questions(self, params, tokens):
        return self.a + 0 * params, self.b + 0 * tokens


def test_pythia_is_simulated_by_laws_however_narrow():
    """pass@1 of 200 questions of one chance, 0.25, has a standard error of 0.01; of Beta(1, 3) one of 0.014."""
    question = np.arange(200).astype(str)
    columns: Any = {"model": "m", "question": question, "params": 1e9, "tokens": 1e10, "trials": 10.0}
    counts = t2.Table.from_columns(**columns, correct=np.zeros(200))
    # the last has a mean of 2e-8, and NaN for SciPy's quantiles
    laws = Chances(np.array([1e16, 1.0, 9.9e15]), np.array([3e16, 3.0, 5e23]))
    config, rng = passk_posterior.Config(targets=(1,)), np.random.default_rng(0)
    simulated = passk_posterior.simulate(laws, np.zeros(3), np.zeros(3), np.zeros((3, 1)), counts, config, rng)
    assert simulated.shape == (3, 1, 1)
    np.testing.assert_allclose(simulated.ravel(), [0.25, 0.25, 0.0], atol=0.05)


def test_a_line_through_other_tasks_finds_a_combination_of_them():
    """Of 200 rows of which 100 are seen, against scikit-learn's definition of a ridge by an augmented least squares."""
    rng = np.random.default_rng(0)
    a, b = np.exp(0.3 * rng.normal(size=(2, 200)))
    k = np.tile([1.0, 16.0], 100)
    columns: Any = {"params": np.geomspace(1e6, 1e9, 200), "tokens": 1e10, "samples": k}
    tables = {
        name: t2.Table.from_columns(**columns, neg_log_pass=values)
        for name, values in (("a", a), ("b", b), ("c", a**0.7 * b**-0.2 * k**-0.1))
    }
    seen = np.arange(200) % 2 + np.arange(200) // 2 % 2 == 1
    x = np.log([a, b, k]).T
    x = (x - x[seen].mean(axis=0)) / x[seen].std(axis=0)
    y = np.log(tables["c"]["neg_log_pass"])
    augmented = np.r_[x[seen], np.eye(3)], np.r_[y[seen] - y[seen].mean(), np.zeros(3)]
    expected = y[seen].mean() + x @ np.linalg.lstsq(*augmented, rcond=None)[0]
    prediction = pooled_tables.ridge(tables, "c", seen)
    np.testing.assert_allclose(prediction, expected, rtol=1e-9, atol=1e-12)
    assert np.abs(prediction - y).max() < 0.05


@pytest.mark.tiny
def test_pooled_tasks(tmp_path):
    result = pooled_tasks.run(pooled_tasks.Config.tiny())
    (means,) = result.means
    assert 0.05 < means.error[0] < 0.5 and means.ratio[2] == pytest.approx(means.error[2] / means.error[0])
    check_output(pooled_tasks, result, tmp_path)
