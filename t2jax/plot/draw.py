"""Figures of frontiers and posteriors as functions of axes and results."""

from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law
from t2jax.planning.budget import Budget
from t2jax.planning.frontier import frontier
from t2jax.planning.plan import Plan
from t2jax.plot.frontier import Optima, Quantity, optima_against_train
from t2jax.plot.isoflop import draw_isoflops_of
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
def draw_frontier(
    ax: "Axes",
    train: ArrayLike,
    plan: Plan,
    *,
    draws: Plan | None = None,
    quantity: Quantity = "tokens_per_param",
    level: float = 0.9,
) -> "Axes":
    """Draws one optimal quantity against training compute, with a band over draws and the 20:1 rule.

    Budgets without an optimum are left out.

    Args:
        ax: Axes of Matplotlib.
        train: Training budgets in FLOPs, shape (budgets,).
        plan: Optima at these budgets, as `t2.frontier(fit.law, t2.Budget(train=train))` returns them.
        draws: Optima of every draw, shape (draws, budgets), as `t2.frontier(boot.laws, budget)` returns them.
        quantity: "tokens_per_param", "params" or "tokens".
        level: Probability of the band.

    Returns:
        The axes.

    Examples:
        >>> from matplotlib.figure import Figure
        >>> train = np.geomspace(1e20, 1e22, 5)
        >>> plan = t2.frontier(law, t2.Budget(train=train))
        >>> t2.plot.draw_frontier(Figure().subplots(), train, plan).get_ylabel()
        'optimal tokens per parameter D/N'
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
    """Draws the law over N at each training budget for one sample (k = 1), with optima, bands and measured rows.

    Budgets without an optimum are left out.

    Args:
        ax: Axes of Matplotlib.
        law: One law with values, such as `fit.law`.
        train: Training budgets in FLOPs, shape (budgets,).
        laws: Draws of the law, such as `boot.laws`, for bands. At most 200 of them are used.
        table: Its rows become points if their training compute is in the range of the budgets.
        level: Probability of the bands.

    Returns:
        The axes.

    Examples:
        >>> from matplotlib.figure import Figure
        >>> train = np.geomspace(1e19, 1e20, 3)
        >>> ax = t2.plot.draw_isoflops(Figure().subplots(), law, train, table=runs)
        >>> ax.get_ylabel()
        'loss (nats/token)'
    """
    budget = Budget(train=np.asarray(train, float))
    plan = frontier(law, budget)
    good = np.asarray(plan.ok)
    draws = None if laws is None else frontier(laws, budget)
    optima = [_optima(plan, draws, good)]
    return draw_isoflops_of(ax, law, np.asarray(train)[good], optima, laws=laws, table=table, level=level)


@check_arguments
def draw_posterior(ax: "Axes", post: Posterior, name: str) -> "Axes":
    """Draws a histogram of one parameter's draws, with the density of its prior over it.

    Args:
        ax: Axes of Matplotlib.
        post: Result of `t2.sample`. A posterior read from a file lacks the densities of its priors.
        name: Parameter of the law or the noise.

    Returns:
        The axes.

    Raises:
        ValueError: When there is no such parameter, or the posterior comes from a file.

    Examples:
        >>> from matplotlib.figure import Figure
        >>> fixed = {"A": 480.0, "B": 2100.0, "beta": 0.37, "sigma": 0.01}
        >>> post = t2.sample(t2.laws.Chinchilla, runs, key=jax.random.key(0), fixed=fixed)
        >>> t2.plot.draw_posterior(Figure().subplots(), post, "alpha").get_xlabel()
        'alpha'
    """
    density = post.density
    if density is None:
        raise ValueError("a posterior read from a file has draws of its priors only, not their densities")
    if name not in density.names:
        raise ValueError(f"there is no parameter {name!r}, expected one of {', '.join(density.names)}")
    declared = dict(density.coordinates.declared)[name]
    values = np.asarray(post.idata["posterior"][name].values).ravel()
    x = _points_around(values, declared.domain)
    with scope() as dtype:
        prior = np.asarray(jnp.exp(density.priors[name].log_prob(jnp.asarray(x, dtype))))
    marginal(ax, values, x, prior, name=name, unit=declared.unit)
    legend_outside(ax)
    return ax


def _optima(plan: Plan, draws: Plan | None, good: np.ndarray) -> Optima:
    """Returns the optima of the budgets that have one, with their draws."""
    params, tokens = np.asarray(plan.params)[good], np.asarray(plan.tokens)[good]
    if draws is None:
        return Optima(LABEL, params, tokens)
    return Optima(
        LABEL, params, tokens, np.asarray(draws.params)[:, good], np.asarray(draws.tokens)[:, good], "interval"
    )


def _points_around(values: np.ndarray, domain: tuple[float, float]) -> np.ndarray:
    """Returns points over the draws and a margin around them, inside the domain."""
    low, high = np.quantile(values, [0.002, 0.998])
    margin = 0.25 * (high - low)
    inside = np.nextafter(domain[0], np.inf), np.nextafter(domain[1], -np.inf)
    return np.linspace(max(low - margin, inside[0]), min(high + margin, inside[1]), 200)
