"""Optima of draws with deviations, under budgets of every kind: without deviations they are those of the planner."""

from dataclasses import replace

import jax
import numpy as np
import pytest

import t2jax as t2
from t2jax.cli.frontier.smooth_draws import draw_smooth_optima
from t2jax.extrapolation.law_choice import LawChoice, choose_from
from t2jax.extrapolation.optimum import SizeLine, draw_optima, size_grid

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


@pytest.fixture(scope="module")
def choice() -> LawChoice:
    params, tokens = (column.ravel() for column in np.meshgrid(np.geomspace(1e8, 1e10, 6), np.geomspace(2e9, 2e11, 6)))
    loss = t2.predict(LAW, t2.Table.from_columns(params=params, tokens=tokens))
    runs = t2.Table.from_columns(params=params, tokens=tokens, loss=loss)
    return choose_from([t2.extrapolation.fit_discrepancy(t2.laws.Chinchilla, runs, key=jax.random.key(0))])


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


@pytest.mark.parametrize(
    "limits", [{"sizes": (1e9, 2e9)}, {"tokens_per_param": 20.0}, {"params_min": 1e9, "params_max": 1e9}]
)
def test_where_the_size_is_not_free_there_are_none(choice, limits):
    assert draw_smooth_optima(choice, replace(BUDGETS["training"], **limits), 0) is None


def test_an_end_of_the_search_is_no_optimum_and_a_limit_is_one(choice):
    """Sizes far below the optimum: every draw wants the largest, which only a budget may make the best."""
    params = size_grid(9.0)[:60]
    columns = [params, 1e22 / (6 * params), np.ones_like(params), 1e22 / (6 * params)]
    for is_limit in (False, True):
        drawn = draw_optima(choice, SizeLine(*columns, most_is_limit=is_limit), key=jax.random.key(0), draws=40)
        assert drawn.at_edge.all() == (not is_limit) and (drawn.params == params[-1]).all()
