"""Pictures of results, each a function (ax, results) -> ax; `t2jax.plot` hands them on."""

from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law
from t2jax.laws.predict import evaluate
from t2jax.planning.budget import Budget
from t2jax.planning.frontier import frontier
from t2jax.planning.plan import Plan
from t2jax.plot.fit import predicted_observed, residuals
from t2jax.plot.frontier import Optima, Quantity, optima_against_train
from t2jax.plot.isoflop import draw_isoflops_of
from t2jax.plot.measured import measured_columns, response_name
from t2jax.plot.posterior import marginal
from t2jax.plot.style import legend_outside
from t2jax.posterior.posterior import Posterior
from t2jax.tables.table import Table
from t2jax.typing import ArrayLike
from t2jax.working_precision import scope

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABEL = "optimum"


@check_arguments
def draw_predicted_observed(ax: "Axes", law: Law, table: Table) -> "Axes":
    """Draw the law's prediction against the measurement of each row, on log axes with the line of equality.

    Args:
        ax: axes of Matplotlib.
        law: one law with values, such as `fit.law`.
        table: the rows that were measured; of counts, pass@1 of each run.
    Returns:
        The axes.
    Example: `t2.plot.draw_predicted_observed(plt.gca(), fit.law, table)`.
    """
    rows = measured_columns(law, table)
    return predicted_observed(ax, rows["observed"], evaluate(law, **rows), quantity=response_name(law, table))


@check_arguments
def draw_residuals(ax: "Axes", law: Law, table: Table, against: str = "params") -> "Axes":
    """Draw log(observed / predicted) of each row against one of its columns; rows that measured zero are left out.

    Args:
        ax: axes of Matplotlib.
        law: one law with values, such as `fit.law`.
        table: the rows that were measured; of counts, pass@1 of each run.
        against: the column on the x axis, "params", "tokens" or another input of the law.
    Returns:
        The axes.
    """
    rows = measured_columns(law, table)
    there = rows["observed"] > 0
    prediction = evaluate(law, **rows)
    return residuals(ax, rows[against][there], np.log(rows["observed"][there] / prediction[there]), against=against)


@check_arguments
def draw_frontier(
    ax: "Axes",
    train: ArrayLike,
    plan: Plan,
    *,
    draws: Plan | None = None,
    quantity: Quantity = "tokens_per_param",
    level: float = 0.9,
) -> "Axes":
    """Draw one optimal quantity against training compute, with a band over draws and the 20:1 rule.

    Args:
        ax: axes of Matplotlib.
        train: training budgets in FLOPs, shape (budgets,).
        plan: the optima at these budgets, as `t2.frontier(fit.law, t2.Budget(train=train))` gives them.
        draws: the optima of every draw, shape (draws, budgets), as `t2.frontier(boot.laws, budget)` gives them.
        quantity: "tokens_per_param", "params" or "tokens".
        level: of the band.
    Returns:
        The axes. Budgets without an optimum are left out.
    """
    good = np.asarray(plan.ok)
    return optima_against_train(
        ax, np.asarray(train)[good], [_optima(plan, draws, good)], quantity=quantity, level=level
    )


@check_arguments
def draw_isoflops(
    ax: "Axes",
    law: Law,
    train: ArrayLike,
    *,
    laws: Law | None = None,
    table: Table | None = None,
    level: float = 0.9,
) -> "Axes":
    """Draw the law over N at each training budget for one sample (k = 1), with its optima, bands and measured rows.

    Args:
        ax: axes of Matplotlib.
        law: one law with values, such as `fit.law`.
        train: training budgets in FLOPs, shape (budgets,).
        laws: draws of the law, such as `boot.laws`, for bands; at most 200 of them are used.
        table: its rows become points, where their training compute is in the range of the budgets.
        level: of the bands.
    Returns:
        The axes. Budgets without an optimum are left out.
    """
    budget = Budget(train=np.asarray(train, float))
    plan = frontier(law, budget)
    good = np.asarray(plan.ok)
    draws = None if laws is None else frontier(laws, budget)
    optima = [_optima(plan, draws, good)]
    return draw_isoflops_of(ax, law, np.asarray(train)[good], optima, laws=laws, table=table, level=level)


@check_arguments
def draw_posterior(ax: "Axes", post: Posterior, name: str) -> "Axes":
    """Draw the draws of one parameter as a histogram, with the density of its prior over it.

    Args:
        ax: axes of Matplotlib.
        post: a posterior that `t2.sample` made; one read from a file does not know the densities of its priors.
        name: the parameter, of the law or the noise.
    Returns:
        The axes.
    Raises:
        ValueError: for another name, or a posterior read from a file.
    """
    density = post.density
    if density is None:
        raise ValueError("a posterior read from a file knows draws of its priors only, not their densities")
    if name not in density.names:
        raise ValueError(f"there is no parameter {name!r}, expected one of {', '.join(density.names)}")
    declared = dict(density.coordinates.declared)[name]
    values = np.asarray(post.idata["posterior"][name].values).ravel()
    x = _around(values, declared.domain)
    with scope() as dtype:
        prior = np.asarray(jnp.exp(density.priors[name].log_prob(jnp.asarray(x, dtype))))
    marginal(ax, values, x, prior, name=name, unit=declared.unit)
    legend_outside(ax)
    return ax


def _optima(plan: Plan, draws: Plan | None, good: np.ndarray) -> Optima:
    """The optima of the budgets that have one, with their draws."""
    params, tokens = np.asarray(plan.params)[good], np.asarray(plan.tokens)[good]
    if draws is None:
        return Optima(LABEL, params, tokens)
    return Optima(
        LABEL, params, tokens, np.asarray(draws.params)[:, good], np.asarray(draws.tokens)[:, good], "interval"
    )


def _around(values: np.ndarray, domain: tuple[float, float]) -> np.ndarray:
    """Points over the draws and a little of what lies around them, inside the domain."""
    low, high = np.quantile(values, [0.002, 0.998])
    room = 0.25 * (high - low)
    inside = np.nextafter(domain[0], np.inf), np.nextafter(domain[1], -np.inf)
    return np.linspace(max(low - room, inside[0]), min(high + room, inside[1]), 200)
