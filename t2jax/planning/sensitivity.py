"""What would change a plan, and by how much: elasticities, shadow prices, exchange rates, the delta method's band."""

from dataclasses import dataclass
from functools import partial
from statistics import NormalDist
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.fitting.fit import Fit
from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law
from t2jax.laws.coordinates import Coordinates
from t2jax.numerics.bands import Band
from t2jax.planning.budget import Budget
from t2jax.planning.frontier import allocate, check_problem
from t2jax.planning.plan import CONSTRAINTS, Plan
from t2jax.planning.problem import cost_of_target
from t2jax.typing import Array
from t2jax.working_precision import scope, to_host


@dataclass(frozen=True)
class Elasticities:
    """How the answers of a plan move: relative change of each per relative change of an input, at the optimum.

    params, tokens, samples, value, and where the plan has them queries and spent: by name of the input, x/y · dy/dx.
    The inputs are the law's parameters ("alpha"), the limits ("train") and the prices ("serving.on.price"). An
    elasticity of 0.5 in `train` says that four times the FLOPs ask for twice as much.
    """

    plan: Plan
    params: dict[str, float]
    tokens: dict[str, float]
    samples: dict[str, float]
    value: dict[str, float]
    queries: dict[str, float] | None = None
    spent: dict[str, float] | None = None


@check_arguments
def elasticities(law: Law, budget: Budget) -> Elasticities:
    """Elasticities of N*, D*, k*, the prediction there, and queries and spending, in every input of the problem.

    By implicit differentiation of the optimality conditions, with the limits that hold kept (`implicit`). Whole samples
    and listed sizes do not move with small changes. Raises ValueError as `allocate`, and where there is no optimum.
    """
    check_problem(type(law), budget)
    flat, tree = jax.tree.flatten((law, budget))
    with scope() as dtype:
        inputs = np.stack(np.broadcast_arrays(*flat)).astype(dtype)
        plan, slopes = to_host(_slopes(tree, inputs))
    _refuse(plan)
    names, found = _names((law, budget)), {}
    for answer, row in slopes.items():
        moves = row * inputs / getattr(plan, answer)
        found[answer] = dict(zip(names, moves.tolist(), strict=True))
    return Elasticities(plan, **found)


@dataclass(frozen=True)
class ShadowPrices:
    """What one more unit of each limit buys at the optimum.

    buys: by name of the limit, the decrease of the law's cost (with a target: of log spending, or the increase of log
    queries) per unit of it: per FLOP of `train`, per token of `tokens_max`. Zero for a limit that does not hold; where
    bounds are equal, the one that keeps the number from moving has the price. Bounds from below are relaxed by going
    down. A target is in units of the law's cost: of -log pass@k for laws of pass@k.
    """

    plan: Plan
    buys: dict[str, float]

    def exchange(self, one: str, other: str) -> float:
        """How many units of the limit `other` are worth as much as one unit of the limit `one`.

        `exchange("inference", "train")`: training FLOPs that one more serving FLOP per token is worth. Raises
        ValueError for a limit that the budget does not have or that does not hold.
        """
        for name in (one, other):
            if not self.buys.get(name):
                has = ", ".join(name for name, price in self.buys.items() if price) or "none"
                raise ValueError(f"{name} has no price here: limits of this budget that hold are {has}")
        return self.buys[one] / self.buys[other]


@check_arguments
def shadow_prices(law: Law, budget: Budget) -> ShadowPrices:
    """What one more training FLOP buys, one more serving FLOP, one more token: multipliers over limits.

    Raises ValueError as `allocate`, and where there is no optimum.
    """
    return worth_of(allocate(law, budget), law, budget)


def worth_of(plan: Plan, law: Law, budget: Budget) -> ShadowPrices:
    """The shadow prices of a plan that is already there. Raises ValueError where it is no optimum."""
    _refuse(plan)
    prices = dict(zip(CONSTRAINTS, np.asarray(plan.shadow_prices).tolist(), strict=True))
    given = budget.given()
    if budget.target is not None:
        given["target"] = cost_of_target(law, budget)
    return ShadowPrices(plan, {name: prices[name] / float(np.asarray(given[name])) for name in prices if name in given})


@dataclass(frozen=True)
class DeltaBand:
    """Bands of N*, D* and k* from the covariance of a fit, and the standard errors of their logs in `errors`."""

    plan: Plan
    params: Band
    tokens: Band
    samples: Band
    errors: dict[str, float]


@check_arguments
def delta_band(fit: Fit, budget: Budget, level: float = 0.9) -> DeltaBand:
    """Bands of an allocation by the delta method: the slopes of log N*, log D*, log k* times the fit's covariance.

    The covariance is the sandwich of White 1982 (`identify`), the logs are taken as normal: quick, and right for small
    errors. `bootstrap` and `sample` need neither. Parameters at the edge of their domain are held there. Raises
    ValueError for a fit that did not converge or leaves parameters undetermined, and where there is no optimum.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, not {level!r}")
    if not fit.converged:
        raise ValueError(f"there is no fit to take a covariance from ({fit.status})")
    known = fit.identification
    if fit.undetermined:
        raise ValueError(f"the fit leaves {', '.join(fit.undetermined)} undetermined, so the delta method has no band")
    plan = allocate(fit.law, budget)
    _refuse(plan)
    of_law = fit.problem.law_coordinates
    own = Coordinates(of_law.declared, of_law.fixed, {})
    with scope() as dtype:
        u = own.unconstrain(jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), fit.law.values()))
        limits = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), budget)
        slopes = np.asarray(_log_slopes(fit.problem.law, own, limits, u))
    at = [own.free.index(name) for name in known.names if name in own.free]
    kept = [i for i, name in enumerate(known.names) if name in own.free]
    covariance = known.covariance[np.ix_(kept, kept)]
    errors = np.sqrt(np.einsum("ai,ij,aj->a", slopes[:, at], covariance, slopes[:, at]))
    z = NormalDist().inv_cdf(0.5 + level / 2)

    def around(name: str, error: float) -> Band:
        mid = getattr(plan, name)
        return Band(mid * np.exp(-z * error), mid, mid * np.exp(z * error), level)

    named: dict[str, float] = dict(zip(_SIZES, errors.tolist(), strict=True))
    bands = [around(name, error) for name, error in named.items()]
    return DeltaBand(plan, *bands, errors=named)


_SIZES = ("params", "tokens", "samples")
_ANSWERS = (*_SIZES, "value", "queries", "spent")


def _refuse(plan: Plan) -> None:
    if not plan.ok:
        raise ValueError(f"there is no optimum here ({plan.status})")


@partial(jax.jit, static_argnums=0)
def _slopes(tree: Any, inputs: Array) -> tuple[Plan, dict[str, Array]]:
    """The plan of the law and budget that `tree` makes of the inputs, and the slopes of its answers in them."""

    def solve(inputs: Array) -> tuple[dict[str, Array], Plan]:
        plan = allocate(*jax.tree.unflatten(tree, list(inputs)))
        return {name: one for name in _ANSWERS if (one := getattr(plan, name)) is not None}, plan

    slopes, plan = jax.jacfwd(solve, has_aux=True)(inputs)
    return plan, slopes


@partial(jax.jit, static_argnums=0)
def _log_slopes(law: type[Law], own: Coordinates, budget: Budget, u: Array) -> Array:
    def solve(u: Array) -> Array:
        plan = allocate(law(**own.values(u)), budget)
        return jnp.log(jnp.stack([getattr(plan, name) for name in _SIZES]))

    return jax.jacfwd(solve)(u)


def _names(inputs: tuple[Law, Budget]) -> list[str]:
    """Names of the leaves: those of a law's parts without the part, those of prices with their path."""
    paths = [path for path, _ in jax.tree_util.tree_flatten_with_path(inputs)[0]]
    return [path[-1].name if path[0].idx == 0 else ".".join(key.name for key in path[1:]) for path in paths]
