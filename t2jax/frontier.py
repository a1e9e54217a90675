"""The compute-optimal N, D and k: one allocation, or many laws by many budgets in one compiled call."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.costs import Budget
from t2jax.interior import Optimum, minimise_under
from t2jax.laws.base import Law
from t2jax.path import balanced
from t2jax.plan import FAILED, FLAT, HELD, INFEASIBLE_INFERENCE, INFEASIBLE_TRAIN, NO_OPTIMUM, OPTIMAL, STATIONARY, Plan
from t2jax.precision import is_traced, scope, to_host
from t2jax.typing import Array

CHUNK = 512
STARTS = {True: (0.5,), False: (0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95)}
"""Where in the feasible range of log N the solver starts: once for a convex law, which has one optimum."""

ANSWERS = ("params", "tokens", "samples", "value")
"""What of a plan has derivatives."""

_ROWS = (  # constraints on (log N, log D, log k), in the order of plan.CONSTRAINTS
    (1.0, 1.0, 0.0),
    (-1.0, 0.0, 0.0),
    (1.0, 0.0, 0.0),
    (0.0, -1.0, 0.0),
    (0.0, 1.0, 0.0),
    (1.0, 0.0, 1.0),
    (0.0, 0.0, -1.0),
)


def allocate(law: Law, budget: Budget) -> Plan:
    """The compute-optimal N, D and k of one law under one budget: the law's `cost` is least, the limits are kept.

    Laws without k, and budgets without `inference`, are solved at k = 1. Differentiable in the law's parameters and in
    the budget's limits by `jax.grad`, `jax.jacobian` and so on, through the optimality conditions. In a program whose
    JAX is in float32, first derivatives only: computed in float64 and rounded, or in float32 under jit and vmap.
    An infeasible budget is told in `status`, with NaN for the numbers. Source: problems (P1) and (P2) of Roberts et
    al. 2026 (2604.01411).

    Raises ValueError for batches, and for a law of other inputs than N, D and perhaps k.
    Example: `t2.allocate(fit.law, t2.Budget(train=2.56e19, inference=2e9)).params`.
    """
    if any(np.ndim(leaf) for leaf in jax.tree.leaves((law, budget))):
        raise ValueError("allocate takes one law and one budget; use frontier for batches")
    if not is_traced((law, budget)):
        return frontier(law, budget)
    _refuse_without_sizes(type(law))
    law, budget = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), (law, budget))
    return _plan(law, budget) if jax.config.read("jax_enable_x64") else _rounded_plan(law, budget)


def frontier(laws: Law, budgets: Budget) -> Plan:
    """Allocations for every law and budget: leaves of `laws` may have a leading draw axis, `budgets` any shape.

    Returns a Plan whose arrays have shape (draws, *budgets); axes that are not there are left out. One compiled call.
    Not to be differentiated: use `allocate` under `jax.vmap` and a derivative. Raises ValueError for leaves of
    different shapes.
    """
    draws = {np.shape(leaf) for leaf in jax.tree.leaves(laws)} - {()}
    if len(draws) > 1 or any(len(one) > 1 for one in draws):
        raise ValueError(f"the leaves of a batch of laws must share one shape (draws,), not {sorted(draws)}")
    _refuse_without_sizes(type(laws))
    lead = next(iter(draws), ())
    with scope() as dtype:
        limits = {name: jnp.asarray(value, dtype) for name, value in budgets.given().items()}
        shape = jnp.broadcast_shapes(*(value.shape for value in limits.values()))
        flat = {name: jnp.broadcast_to(value, shape).ravel() for name, value in limits.items()}
        count = lead[0] if lead else 1
        batch = jax.tree.map(lambda leaf: jnp.broadcast_to(jnp.asarray(leaf, dtype), (count,)), laws)
        plan = _frontier(batch, replace(budgets, **flat))
        return to_host(jax.tree.map(lambda leaf: leaf.reshape((*lead, *shape, *leaf.shape[1:])), plan))


def _refuse_without_sizes(law: type[Law]) -> None:
    inputs = ", ".join(law.inputs())
    if not {"N", "D"} <= set(law.inputs()):
        raise ValueError(f"{law.__name__} says nothing of N and D, so it has no optimum; its inputs are {inputs}")
    if more := [name for name in law.inputs() if name not in ("N", "D", "k")]:
        raise ValueError(
            f"budgets choose N, D and k, but {law.__name__} reads {', '.join(more)} too: its inputs are {inputs}; "
            "hold it in a law of your own, or plan with the law under it (such as `law.loss`, where every token is new)"
        )


@jax.jit
def _frontier(laws: Law, budgets: Budget) -> Plan:
    size = len(jax.tree.leaves(budgets)[0])
    count = len(jax.tree.leaves(laws)[0])

    def one(index: Array) -> Plan:
        law = jax.tree.map(lambda leaf: leaf[index // size], laws)
        return _plan(law, jax.tree.map(lambda leaf: leaf[index % size], budgets))

    return jax.lax.map(one, jnp.arange(count * size), batch_size=CHUNK)


@jax.jit
def _plan(law: Law, budget: Budget) -> Plan:
    """One problem, in the precision of its inputs: k at 1, or free, or at the better of two whole numbers."""
    if "k" not in law.inputs() or budget.inference is None:
        return _at_samples(law, budget, jnp.ones(()))
    plan = _free_samples(law, budget)
    if not budget.whole_samples:
        return plan
    # for additive laws the cost is convex along k, so the best whole number is a neighbour of the best real one
    low = jnp.floor(jax.lax.stop_gradient(plan.samples) * (1 + 1e-9))
    below, above = (_at_samples(law, budget, jnp.maximum(low + i, 1.0)) for i in (0, 1))
    better = _cost(law, above) < _cost(law, below)
    chosen = jax.tree.map(partial(jnp.where, (above.code <= HELD) & (better | (below.code > HELD))), above, below)
    return jax.tree.map(partial(jnp.where, plan.code <= HELD), chosen, plan)


def _free_samples(law: Law, budget: Budget) -> Plan:
    def cost(law: Law, x: Array) -> Array:
        return _cost_at(law, jnp.exp(x[0]), jnp.exp(x[1]), jnp.exp(x[2]))

    b, feasible = _limits(budget, jnp.ones(()))
    found = _optimum(law, cost, law, b, 3)
    return _finish(law, found, jnp.exp(found.x[2]), feasible)


def _at_samples(law: Law, budget: Budget, samples: Array) -> Plan:
    def cost(problem: tuple[Law, Array], x: Array) -> Array:
        law, samples = problem
        return _cost_at(law, jnp.exp(x[0]), jnp.exp(x[1]), samples)

    b, feasible = _limits(budget, samples)
    samples = samples.astype(b.dtype)
    found = _optimum(law, cost, (law, jax.lax.stop_gradient(samples)), b[:6], 2)
    pad = jnp.zeros(1, b.dtype)
    found = found._replace(
        multipliers=jnp.concatenate([found.multipliers, pad]), active=jnp.concatenate([found.active, pad > 0])
    )
    return _finish(law, found, samples, feasible)


def _optimum(law: Law, cost: Callable[[Any, Array], Array], theta: Any, b: Array, size: int) -> Optimum:
    """The least cost(theta, x) over x = (log N, log D, log k)[:size] within the limits b."""
    rows = tuple(row[:size] for row in _ROWS[: len(b)])
    held, theta_held = jax.lax.stop_gradient((b, theta))
    high = jnp.minimum(jnp.minimum(held[2], held[0]), held[5])

    def start(fraction: float) -> Array:
        n = -held[1] + fraction * (high + held[1])
        return jnp.stack([n, 0.9 * jnp.minimum(held[0] - n, held[4]), 0.9 * (held[5] - n)][:size])

    starts = jnp.stack([start(fraction) for fraction in STARTS[law.convex]])
    guess = balanced(partial(cost, theta_held), held, size) if law.convex else None
    return minimise_under(cost, rows, theta, b, starts, guess)


def _limits(budget: Budget, samples: Array) -> tuple[Array, tuple[Array, Array]]:
    """Right-hand sides of `_ROWS`, and whether the training and the inference budget leave anything.

    Limits that are not set are put where they cannot bind. An infeasible problem is replaced by a harmless one, so that
    no NaN of it reaches the derivatives of its neighbours.
    """
    pairs = jnp.log(jnp.asarray(budget.train) / 6)
    zero = jnp.zeros_like(pairs)
    out_of_reach = pairs + 1

    def log_or(value: Any, otherwise: Array) -> Array:
        return otherwise if value is None else jnp.log(jnp.asarray(value, pairs.dtype))

    least, most = log_or(budget.params_min, zero), log_or(budget.params_max, out_of_reach)
    data = log_or(budget.tokens_max, out_of_reach)
    served = out_of_reach if budget.inference is None else jnp.log(jnp.asarray(budget.inference, pairs.dtype) / 2)
    served = served - jnp.log(samples.astype(pairs.dtype))
    train, inference = (pairs > least) & (data > 0), served > least
    b = jnp.stack([pairs, -least, most, zero, data, served, zero])
    harmless = jnp.array([50.0, 0.0, 51.0, 0.0, 51.0, 40.0, 0.0], b.dtype)
    return jnp.where(train & inference, b, harmless), (train, inference)


def _finish(law: Law, found: Optimum, samples: Array, feasible: tuple[Array, Array]) -> Plan:
    least, most, shortest, longest, once = (found.active[i] for i in (1, 2, 3, 4, 6))
    implied = shortest | (least & (found.x[0] <= 1e-6))
    good = found.kkt <= jnp.finfo(found.x.dtype).eps ** 0.7
    code = jnp.where(least | most | longest | once, HELD, OPTIMAL if law.convex else STATIONARY)
    code = jnp.where(good, jnp.where(implied, NO_OPTIMUM, code), FAILED)
    vanishing = jnp.max(found.multipliers) < 1e2 * jnp.finfo(found.x.dtype).eps ** 0.7
    code = jnp.where(vanishing | _level(law, found.x, samples), FLAT, code)
    code = jnp.where(feasible[0], jnp.where(feasible[1], code, INFEASIBLE_INFERENCE), INFEASIBLE_TRAIN)
    usable = code <= HELD
    params, tokens = jnp.exp(found.x[0]), jnp.exp(found.x[1])
    value = law(**_named(law, params, tokens, samples))

    def shown(x: Array) -> Array:
        return jnp.where(usable, x, jnp.nan)

    return Plan(
        params=shown(params),
        tokens=shown(tokens),
        samples=shown(samples),
        value=shown(value),
        kkt=found.kkt,
        shadow_prices=shown(found.multipliers),
        active=found.active & usable,
        code=code,
    )


def _level(law: Law, x: Array, samples: Array) -> Array:
    """Whether ten times as large or as small a model of the same training compute and samples costs just the same."""
    n, d = jnp.exp(x[0]), jnp.exp(x[1])
    here, larger, smaller = (_cost_at(law, n * step, d / step, samples) for step in (1.0, 10.0, 0.1))
    return jnp.maximum(jnp.abs(larger - here), jnp.abs(smaller - here)) <= 1e3 * jnp.finfo(x.dtype).eps * jnp.abs(here)


def _cost_at(law: Law, params: Array, tokens: Array, samples: Array) -> Array:
    return law.cost(**_named(law, params, tokens, samples))


def _named(law: Law, params: Array, tokens: Array, samples: Array) -> dict[str, Array]:
    return law.arguments({"params": params, "tokens": tokens, "samples": samples})


def _cost(law: Law, plan: Plan) -> Array:
    return _cost_at(law, plan.params, plan.tokens, plan.samples)


@jax.custom_jvp
def _rounded_plan(law: Law, budget: Budget) -> Plan:
    """`_plan` for a program in float32: solved in the working precision and rounded, or, inside jit, in float32.

    Under jit (and vmap) the numbers belong to a program that is compiled without 64-bit types, so there is no choice.
    """
    if is_traced((law, budget)):
        return _plan(law, budget)
    plan = frontier(law, budget)
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, float if np.asarray(leaf).dtype.kind == "f" else None), plan)


@_rounded_plan.defjvp
def _rounded_plan_jvp(primals: Any, tangents: Any) -> Any:
    leaves, tree = jax.tree.flatten(primals)
    # the Jacobian is a matrix of numbers in full precision, so that what JAX transposes is float32 throughout
    if is_traced(primals):
        jacobian = _jacobian(tree, jnp.stack(leaves))
    else:
        with scope() as dtype:
            jacobian = _jacobian(tree, jnp.stack([leaf.astype(dtype) for leaf in leaves])).astype(jnp.float32)
    plan = _rounded_plan(*primals)
    moved = jacobian @ jnp.stack(jax.tree.leaves(tangents))
    still = jax.tree.map(
        lambda leaf: np.zeros(leaf.shape, leaf.dtype if leaf.dtype == jnp.float32 else jax.dtypes.float0), plan
    )
    return plan, replace(still, **dict(zip(ANSWERS, moved, strict=True)))


@partial(jax.jit, static_argnums=0)
def _jacobian(tree: Any, inputs: Array) -> Array:
    """Derivatives (answers, inputs) of the plan of the law and budget that `tree` makes of the inputs."""

    def solve(inputs: Array) -> Array:
        plan = _plan(*jax.tree.unflatten(tree, list(inputs)))
        return jnp.stack([getattr(plan, name) for name in ANSWERS])

    return jax.jacfwd(solve)(inputs)
