"""Sensitivities of a plan: elasticities, shadow prices, exchange rates and the delta method's band."""

from dataclasses import dataclass
from functools import partial
from statistics import NormalDist
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.fitting.fit import Fit
from t2jax.laws.arguments import check_arguments, renamed
from t2jax.laws.base import Law
from t2jax.laws.coordinates import Coordinates
from t2jax.numerics.bands import Band
from t2jax.numerics.programs.stored_programs import StoredProgram
from t2jax.planning.budget import Budget
from t2jax.planning.frontier import allocate, check_problem, without_names
from t2jax.planning.plan import CONSTRAINTS, Plan
from t2jax.planning.problem import cost_of_target
from t2jax.printing import format_interval, report
from t2jax.typing import Array
from t2jax.working_precision import scope, to_host

_SIZES = ("params", "tokens", "samples")
_ANSWERS = (*_SIZES, "value", "queries", "spent")


@dataclass(frozen=True, repr=False)
class Elasticities:
    """Result of `elasticities`: relative change of each answer per relative change of each input, x/y · dy/dx.

    Inputs are the law's parameters ("alpha"), the limits ("train") and the prices ("serving.on.price").
    An elasticity of 0.5 in `train` means that four times the FLOPs double the answer.

    Attributes:
        plan: The plan at which the elasticities are taken.
        params: Elasticities of N by name of the input.
        tokens: Elasticities of D by name of the input.
        samples: Elasticities of k by name of the input.
        value: Elasticities of the law's prediction by name of the input.
        queries: Elasticities of the number of queries, or None if the plan has none.
        spent: Elasticities of the spending, or None if the plan has none.
    """

    plan: Plan
    params: dict[str, float]
    tokens: dict[str, float]
    samples: dict[str, float]
    value: dict[str, float]
    queries: dict[str, float] | None = None
    spent: dict[str, float] | None = None

    def __repr__(self) -> str:
        """Prints the plan's status, then the elasticities of each answer."""
        answers = {name: getattr(self, name) for name in _ANSWERS if getattr(self, name) is not None}
        rows = {}
        for name, moves in answers.items():
            rows[name] = ", ".join(f"{of} {value:.3g}" for of, value in moves.items() if value) or "none"
        return report(f"Elasticities: {self.plan.status}", rows)


@check_arguments
def elasticities(law: Law, budget: Budget) -> Elasticities:
    """Computes elasticities of the optimal N, D, k, prediction, queries and spending in every input of the problem.

    They follow from implicit differentiation of the optimality conditions, with the active limits kept.
    Whole samples and listed sizes do not move with small changes.

    Args:
        law: One law with values.
        budget: One budget, of single numbers.

    Returns:
        Elasticities by answer and by name of the input.

    Raises:
        ValueError: As for `allocate`, or when there is no optimum.

    Examples:
        >>> round(t2.planning.elasticities(law, t2.Budget(train=1e21)).params["train"], 3)  # beta/(alpha + beta)
        0.514
    """
    check_problem(type(law), budget)
    flat, tree = jax.tree.flatten((law, without_names(budget)))
    with scope() as dtype:
        inputs = np.stack(np.broadcast_arrays(*flat)).astype(dtype)
        plan, slopes = to_host(_slopes(jax.tree.unflatten(tree, list(inputs))))
    _require_optimum(plan)
    names, moves_of = _names((law, budget)), {}
    for answer, row in slopes.items():
        relative = row * inputs / getattr(plan, answer)
        moves_of[answer] = dict(zip(names, relative.tolist(), strict=True))
    return Elasticities(plan, **moves_of)


@dataclass(frozen=True, repr=False)
class ShadowPrices:
    """Result of `shadow_prices`: what one more unit of each limit buys at the optimum.

    Attributes:
        plan: The plan at which the prices are taken.
        buys: By name of the limit, the decrease of the law's cost per unit: per FLOP of `train`, per token of
            `tokens_max`. With a target it is the decrease of log spending, or the increase of log queries. A limit that
            does not bind has a price of zero. If bounds are equal, the one that keeps the quantity from moving has the
            price. Lower bounds are relaxed downwards. A target is in units of the law's cost: -log pass@k for laws of
            pass@k.
    """

    plan: Plan
    buys: dict[str, float]

    def __repr__(self) -> str:
        """Prints the plan's status, then the price of each limit that has one."""
        rows = {name: f"{price:.4g} per unit" for name, price in self.buys.items() if price}
        return report(f"ShadowPrices: {self.plan.status}", rows)

    @renamed(one="limit")
    def exchange(self, limit: str, other: str) -> float:
        """Computes how many units of another limit are worth one unit of a limit.

        `exchange("inference", "train")` is the training FLOPs that one more serving FLOP per token is worth.

        Args:
            limit: Name of a limit.
            other: Name of another limit.

        Returns:
            Units of `other` per unit of `limit`.

        Raises:
            ValueError: When the budget lacks one of the limits, or it does not bind.
        """
        for name in (limit, other):
            if not self.buys.get(name):
                priced = ", ".join(name for name, price in self.buys.items() if price) or "none"
                raise ValueError(f"{name} has no price here: the binding limits of this budget are {priced}")
        return self.buys[limit] / self.buys[other]


@check_arguments
def shadow_prices(law: Law, budget: Budget) -> ShadowPrices:
    """Computes what one more unit of each limit buys: multipliers divided by limits.

    Args:
        law: One law with values.
        budget: One budget, of single numbers.

    Returns:
        Prices by name of the limit, and the plan.

    Raises:
        ValueError: As for `allocate`, or when there is no optimum.

    Examples:
        >>> prices = t2.planning.shadow_prices(law, t2.Budget(train=1e21, tokens_max=3e10))
        >>> tokens = prices.exchange("tokens_max", "train") / 1e9
        >>> f"One more token is worth {tokens:.0f} billion training FLOPs."
        'One more token is worth 19 billion training FLOPs.'
    """
    return worth_of(allocate(law, budget), law, budget)


def worth_of(plan: Plan, law: Law, budget: Budget) -> ShadowPrices:
    """Computes the shadow prices of a given plan. Raises ValueError if it is no optimum."""
    _require_optimum(plan)
    prices = dict(zip(CONSTRAINTS, np.asarray(plan.shadow_prices).tolist(), strict=True))
    given = budget.given()
    if budget.target is not None:
        given["target"] = cost_of_target(law, budget)
    return ShadowPrices(plan, {name: prices[name] / float(np.asarray(given[name])) for name in prices if name in given})


@dataclass(frozen=True, repr=False)
class DeltaBand:
    """Result of `delta_band`: bands of the optimal N, D and k.

    Attributes:
        plan: The plan of the fitted law.
        params: Band of N.
        tokens: Band of D.
        samples: Band of k.
        errors: Standard errors of log N, log D and log k, by name.
    """

    plan: Plan
    params: Band
    tokens: Band
    samples: Band
    errors: dict[str, float]

    def __repr__(self) -> str:
        """Prints the plan's status, then each band."""
        bands = {name: getattr(self, name) for name in _SIZES}
        rows = {name: format_interval(band.low, band.mid, band.high) for name, band in bands.items()}
        return report(f"DeltaBand: {self.plan.status}", rows)


@check_arguments
def delta_band(fit: Fit, budget: Budget, level: float = 0.9) -> DeltaBand:
    """Computes bands of an allocation by the delta method.

    The variances are those of the slopes of log N, log D and log k times the fit's covariance, the sandwich of White
    1982. Logs are taken as normal. The method is fast and right for small errors. `bootstrap` and `sample` need neither
    assumption. Parameters at the edge of their domain are fixed there.

    Args:
        fit: A fit that converged and determines all parameters.
        budget: One budget, of single numbers.
        level: Probability of the central interval.

    Returns:
        Bands of N, D and k, with the plan in their middle.

    Raises:
        ValueError: When the fit did not converge or leaves parameters undetermined, or there is no optimum.

    Examples:
        >>> noisy = runs.with_columns(loss=runs["loss"] * np.exp(0.01 * np.sin(np.arange(24.0))))
        >>> noisy_fit = t2.fit(t2.laws.Chinchilla, noisy, key=jax.random.key(0))
        >>> bands = t2.planning.delta_band(noisy_fit, t2.Budget(train=1e21))
        >>> bool(bands.params.low < bands.plan.params < bands.params.high)
        True
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, not {level!r}")
    if not fit.converged:
        raise ValueError(f"there is no fit to take a covariance from ({fit.status})")
    identification = fit.identification
    if fit.undetermined:
        raise ValueError(f"the fit leaves {', '.join(fit.undetermined)} undetermined, so the delta method has no band")
    plan = allocate(fit.law, budget)
    _require_optimum(plan)
    law_coordinates = fit.problem.law_coordinates
    coordinates = Coordinates(law_coordinates.declared, law_coordinates.fixed, {})
    with scope() as dtype:
        u = coordinates.unconstrain(jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), fit.law.values()))
        limits = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), budget)
        slopes = np.asarray(_log_slopes(fit.problem.law, coordinates, limits, u))
    rows = [coordinates.free.index(name) for name in identification.names if name in coordinates.free]
    columns = [i for i, name in enumerate(identification.names) if name in coordinates.free]
    covariance = identification.covariance[np.ix_(columns, columns)]
    errors = np.sqrt(np.einsum("ai,ij,aj->a", slopes[:, rows], covariance, slopes[:, rows]))
    z = NormalDist().inv_cdf(0.5 + level / 2)

    def band_around(name: str, error: float) -> Band:
        mid = getattr(plan, name)
        return Band(mid * np.exp(-z * error), mid, mid * np.exp(z * error), level)

    error_of: dict[str, float] = dict(zip(_SIZES, errors.tolist(), strict=True))
    bands = [band_around(name, error) for name, error in error_of.items()]
    return DeltaBand(plan, *bands, errors=error_of)


def _require_optimum(plan: Plan) -> None:
    if not plan.ok:
        raise ValueError(f"there is no optimum here ({plan.status})")


@StoredProgram
def _slopes(problem: tuple[Law, Budget]) -> tuple[Plan, dict[str, Array]]:
    """Computes the plan of a law and a budget, and the slopes of its answers in all their leaves."""
    leaves, tree = jax.tree.flatten(problem)

    def solve(inputs: Array) -> tuple[dict[str, Array], Plan]:
        plan = allocate(*jax.tree.unflatten(tree, list(inputs)))
        return {name: answer for name in _ANSWERS if (answer := getattr(plan, name)) is not None}, plan

    slopes, plan = jax.jacfwd(solve, has_aux=True)(jnp.stack(leaves))
    return plan, slopes


@partial(jax.jit, static_argnums=0)
def _log_slopes(law: type[Law], coordinates: Coordinates, budget: Budget, u: Array) -> Array:
    def solve(u: Array) -> Array:
        plan = allocate(law(**coordinates.values(u)), budget)
        return jnp.log(jnp.stack([getattr(plan, name) for name in _SIZES]))

    return jax.jacfwd(solve)(u)


def names_of(budget: Budget) -> list[str]:
    """Returns names of the leaves of a budget. Prices have their path."""
    return [".".join(_name_of(key) for key in path) for path, _ in jax.tree_util.tree_flatten_with_path(budget)[0]]


def _names(inputs: tuple[Law, Budget]) -> list[str]:
    """Returns names of the leaves. Parts of a law appear without the part, prices with their path."""
    law, budget = inputs
    return [path[-1].name for path, _ in jax.tree_util.tree_flatten_with_path(law)[0]] + names_of(budget)


def _name_of(key: Any) -> str:
    """Returns the name of a field, or the key of a mapping."""
    return key.key if isinstance(key, jax.tree_util.DictKey) else key.name
