"""Optima of draws with deviations, under budgets of every kind: without deviations they are those of the planner."""

from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest

import t2jax as t2
from t2jax.cli.frontier.smooth_draws import draw_smooth_optima
from t2jax.cli.frontier.smooth_elasticities import draw_elasticities
from t2jax.extrapolation.law_choice import LawChoice, choose_from
from t2jax.extrapolation.optimum import SizeLine, draw_costs, draw_optima, size_grid

LAW = t2.laws.Chinchilla(E=1.7, A=400.0, B=1800.0, alpha=0.34, beta=0.36)
H100 = t2.accelerator("H100")
BUDGETS = {
    "training": t2.Budget(train=1e22),
    "a largest model": t2.Budget(train=1e22, params_max=3e9),
    "a smallest model": t2.Budget(train=1e22, params_min=5e10),
    "the most tokens": t2.Budget(train=1e22, tokens_max=5e10),
    "one purse for queries too": t2.Budget(total=1e22, queries=2e12),
    "dollars": t2.Budget(
        total=1e6,
        queries=1e9,
        training=t2.Training(on=t2.accelerator("H100")),
        serving=t2.Serving(on=t2.accelerator("H100")),
    ),
}


GRID = np.geomspace(1e8, 1e10, 6), np.geomspace(2e9, 2e11, 6)


def _runs(misfit: float) -> t2.Table:
    """Runs of the law, with a wave over sizes and lengths of an amplitude, and errors of a tenth of it."""
    params, tokens = (column.ravel() for column in np.meshgrid(*GRID))
    loss = t2.predict(LAW, t2.Table.from_columns(params=params, tokens=tokens))
    wave = np.sin(np.log10(params)) * np.cos(np.log10(tokens)) + 0.1 * np.random.default_rng(0).standard_normal(36)
    return t2.Table.from_columns(params=params, tokens=tokens, loss=loss * np.exp(misfit * wave))


@pytest.fixture(scope="module")
def choice() -> LawChoice:
    return choose_from([t2.extrapolation.fit_discrepancy(t2.laws.Chinchilla, _runs(0.0), key=jax.random.key(0))])


@pytest.mark.parametrize("name", BUDGETS)
def test_without_errors_every_draw_is_the_planners_optimum(choice, name):
    budget = BUDGETS[name]
    drawn, plan = draw_smooth_optima(choice, budget, 0), t2.allocate(LAW, budget)
    assert drawn is not None and drawn.ok.all() and drawn.params.shape == (400,)
    np.testing.assert_allclose(drawn.params, float(plan.params), rtol=0.02)  # a parabola over steps of 6 %
    np.testing.assert_allclose(drawn.tokens, float(plan.tokens), rtol=0.02)
    np.testing.assert_allclose(drawn.value, float(plan.value), rtol=3e-5)  # a limit within a step bends the curve
    if plan.queries is not None:
        assert drawn.queries is not None and drawn.spent is not None
        np.testing.assert_allclose(drawn.queries, float(plan.queries))
        np.testing.assert_allclose(drawn.spent, float(plan.spent), rtol=1e-3)


def test_a_frontier_has_the_draws_of_its_plans(choice):
    both = draw_smooth_optima(choice, t2.Budget(train=np.array([1e21, 1e22]), params_max=3e9), 0)
    assert both is not None and both.params.shape == (400, 2)
    for index, train in enumerate((1e21, 1e22)):
        alone = draw_smooth_optima(choice, t2.Budget(train=train, params_max=3e9), 0)
        assert alone is not None
        np.testing.assert_array_equal(both.params[:, index], alone.params)


TARGETS = {
    "the least training": t2.Budget(target=2.1),
    "the least of training and queries": t2.Budget(target=2.1, queries=2e12),
    "listed sizes": t2.Budget(target=2.1, sizes=(1e9, 4e9, 1.6e10)),
}


@pytest.mark.parametrize("name", TARGETS)
def test_without_errors_every_draw_reaches_a_target_as_the_planner_does(choice, name):
    budget = TARGETS[name]
    drawn, plan = draw_smooth_optima(choice, budget, 0), t2.allocate(LAW, budget)
    assert drawn is not None and drawn.ok.all() and drawn.spent is not None
    np.testing.assert_allclose(drawn.spent, float(plan.spent), rtol=1e-5)
    np.testing.assert_allclose(drawn.params, float(plan.params), rtol=0.005)
    np.testing.assert_allclose(drawn.tokens, float(plan.tokens), rtol=0.005)


def test_a_target_with_deviations_is_where_dense_grids_cross_it():
    """Draws of a misfitted table, against the least among 41 spendings at 41 sizes of curves drawn there."""
    choice = choose_from([t2.extrapolation.fit_discrepancy(t2.laws.Chinchilla, _runs(0.01), key=jax.random.key(0))])
    drawn = draw_smooth_optima(choice, t2.Budget(target=2.1), 0)
    assert drawn is not None and drawn.spent is not None and drawn.ok.mean() > 0.9
    logs = np.log10(float(t2.allocate(choice.law, t2.Budget(target=2.1)).spent)) + np.linspace(-0.1, 0.1, 41)
    sizes = np.log10(np.median(drawn.params)) + np.linspace(-0.4, 0.4, 41)
    params, spent = 10.0 ** np.stack(np.meshgrid(sizes, logs))
    columns = {"params": params.ravel(), "tokens": (spent / (6 * params)).ravel(), "samples": np.ones(params.size)}
    curves = draw_costs(choice, columns, key=jax.random.key(1), draws=400).reshape(400, *params.shape)
    least = curves.min(axis=2)  # of each spending, which a draw lowers as it rises
    crossed = [np.interp(-np.log(2.1), -row, logs) for row in np.minimum.accumulate(least, axis=1)]
    # other random numbers, so quantiles agree as those of 400 draws do
    for level in (0.1, 0.5, 0.9):
        shared = np.quantile(np.log10(drawn.spent[drawn.ok]), level)
        assert shared == pytest.approx(np.quantile(crossed, level), abs=0.4 * float(np.std(crossed)))


def test_a_listed_size_is_best_as_often_as_its_curve_is_lowest():
    choice = choose_from([t2.extrapolation.fit_discrepancy(t2.laws.Chinchilla, _runs(0.01), key=jax.random.key(0))])
    sizes = np.array([2e9, 4e9, 8e9, 1.6e10])
    drawn = draw_smooth_optima(choice, t2.Budget(train=1e22, sizes=tuple(sizes)), 0)
    columns = {"params": sizes, "tokens": 1e22 / (6 * sizes), "samples": np.ones(4)}
    costs = draw_costs(choice, columns, key=jax.random.key(1), draws=4000)
    assert drawn is not None and drawn.ok.all()
    for index, size in enumerate(sizes):  # 400 draws have a standard error of .025 at most
        assert np.mean(np.isclose(drawn.params, size)) == pytest.approx(
            np.mean(np.argmin(costs, axis=1) == index), abs=0.1
        )
    best = np.exp(costs.min(axis=1))
    assert np.mean(drawn.value) == pytest.approx(best.mean(), abs=0.3 * float(best.std()))


def test_whole_samples_are_those_of_the_planner():
    law = t2.laws.T2Loss(E=0.6, A=300.0, B=1500.0, alpha=0.34, beta=0.35, G=0.8, gamma=0.35)
    params, tokens, samples = (axis.ravel() for axis in np.meshgrid(*GRID, [1.0, 16.0, 256.0]))
    rows: Any = {"params": params, "tokens": tokens, "samples": samples}
    runs = t2.Table.from_columns(**rows, neg_log_pass=t2.evaluate(law, **rows))
    exact = choose_from([t2.extrapolation.fit_discrepancy(t2.laws.T2Loss, runs, key=jax.random.key(0))])
    budget = t2.Budget(train=1e22, inference=8e10, whole_samples=True)
    drawn, plan = draw_smooth_optima(exact, budget, 0), t2.allocate(law, budget)
    assert drawn is not None and drawn.ok.all() and float(plan.samples) % 1 == 0
    np.testing.assert_allclose(drawn.samples, float(plan.samples))
    np.testing.assert_allclose(drawn.params, float(plan.params), rtol=0.005)


def test_without_errors_elasticities_are_those_of_implicit_differentiation(choice):
    budget = t2.Budget(train=1e22)
    drawn, exact = draw_elasticities(choice, budget, ["train"], 0), t2.planning.elasticities(LAW, budget)
    assert drawn is not None
    for name in ("params", "tokens", "value"):
        np.testing.assert_allclose(drawn[name]["train"], getattr(exact, name)["train"], atol=0.005)
    assert draw_elasticities(choice, t2.Budget(target=2.1), ["target"], 0) is None


@pytest.mark.parametrize("limits", [{"tokens_per_param": 20.0}, {"params_min": 1e9, "params_max": 1e9}])
def test_where_the_size_is_not_free_there_are_none(choice, limits):
    assert draw_smooth_optima(choice, replace(BUDGETS["training"], **limits), 0) is None


def test_an_end_of_the_search_is_no_optimum_and_a_limit_is_one(choice):
    """Sizes far below the optimum: every draw wants the largest, which only a budget may make the best."""
    params = size_grid(9.0)[:60]
    columns = [params, 1e22 / (6 * params), np.ones_like(params), 1e22 / (6 * params)]
    for is_limit in (False, True):
        drawn = draw_optima(choice, SizeLine(*columns, most_is_limit=is_limit), key=jax.random.key(0), draws=40)
        assert drawn.at_edge.all() == (not is_limit) and (drawn.params == params[-1]).all()
