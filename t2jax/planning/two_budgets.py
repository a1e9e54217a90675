"""The paper's problem: separate budgets of 6ND and 2Nk, linear in (log N, log D, log k); 100,000 of them in a call.

Where the law is convex the optimum is guessed in closed form up to one unknown (`path.balanced`) and then certified.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.laws.base import Law
from t2jax.numerics.implicit_derivative import differentiable
from t2jax.numerics.interior_point import Optimum, best_of, first_of
from t2jax.planning.balance import balanced
from t2jax.planning.budget import Budget
from t2jax.planning.plan import (
    CONSTRAINTS,
    FAILED,
    FLAT,
    HELD,
    INFEASIBLE_INFERENCE,
    INFEASIBLE_TRAIN,
    NO_OPTIMUM,
    OPTIMAL,
    STATIONARY,
    Plan,
)
from t2jax.planning.problem import FAR, cost_at, idle, inputs_at, is_flat_in_size, shaped, unshaped
from t2jax.typing import Array

PARTS = {
    True: ((0.5,), (0.9,), (0.9,)),
    False: ((0.03, 0.12, 0.25, 0.4, 0.5, 0.6, 0.75, 0.88, 0.97), (0.3, 0.5, 0.7, 0.85, 0.97), (0.02, 0.3, 0.6, 0.9)),
}
"""Places of the starts, for convex laws and others: fractions of the feasible logs of N, then of those of D and k. At
each N the best of the others is a start."""

_ROWS = (  # constraints on (log N, log D, log k), in the order of plan.CONSTRAINTS
    (1.0, 1.0, 0.0),
    (-1.0, 0.0, 0.0),
    (1.0, 0.0, 0.0),
    (0.0, -1.0, 0.0),
    (0.0, 1.0, 0.0),
    (1.0, 0.0, 1.0),
    (0.0, 0.0, -1.0),
)

_PURSES = (0, 5)  # of these, the rows of training and inference


def plan_separate(law: Law, budget: Budget) -> Plan:
    """One problem of linear limits (`Budget.linear`), in the precision of its inputs: k at 1, or free, or whole."""
    if "k" not in law.inputs() or budget.inference is None:
        return _at_samples(law, budget, jnp.ones(()))
    plan = _free_samples(law, budget)
    if not budget.whole_samples:
        return plan
    # for additive laws the cost is convex along k, so the best whole number is a neighbour of the best real one
    low = jnp.floor(jax.lax.stop_gradient(plan.samples) * (1 + 1e-9))
    below, above = (_at_samples(law, budget, jnp.maximum(low + i, 1.0)) for i in (0, 1))
    better = _cost(law, budget, above) < _cost(law, budget, below)
    chosen = jax.tree.map(partial(jnp.where, (above.code <= HELD) & (better | (below.code > HELD))), above, below)
    return jax.tree.map(partial(jnp.where, plan.code <= HELD), chosen, plan)


def _free_samples(law: Law, budget: Budget) -> Plan:
    def cost(law: Law, x: Array) -> Array:
        return shaped(law, cost_at(law, budget, jnp.exp(x[0]), jnp.exp(x[1]), jnp.exp(x[2])))

    b, feasible = _limits(budget, jnp.ones(()))
    found = _optimum(law, cost, law, b, 3)
    return _finish(law, budget, found, jnp.exp(found.x[2]), feasible)


def _at_samples(law: Law, budget: Budget, samples: Array) -> Plan:
    def cost(problem: tuple[Law, Array], x: Array) -> Array:
        law, samples = problem
        return shaped(law, cost_at(law, budget, jnp.exp(x[0]), jnp.exp(x[1]), samples))

    b, feasible = _limits(budget, samples)
    samples = samples.astype(b.dtype)
    found = _optimum(law, cost, (law, jax.lax.stop_gradient(samples)), b[:6], 2)
    pad = jnp.zeros(1, b.dtype)
    found = found._replace(
        multipliers=jnp.concatenate([found.multipliers, pad]), active=jnp.concatenate([found.active, pad > 0])
    )
    return _finish(law, budget, found, samples, feasible)


def _optimum(law: Law, cost: Callable[[Any, Array], Array], theta: Any, b: Array, size: int) -> Optimum:
    """The least cost(theta, x) over x = (log N, log D, log k)[:size] within the limits b."""
    rows = np.array([row[:size] for row in _ROWS[: len(b)]])

    def objective(problem: tuple[Any, Array], x: Array) -> Array:
        return cost(problem[0], x)

    def limits(problem: tuple[Any, Array], x: Array) -> Array:
        return jnp.asarray(rows, x.dtype) @ x - problem[1]

    held, theta_held = jax.lax.stop_gradient((b, theta))
    high = jnp.minimum(jnp.minimum(held[2], held[0]), held[5])

    def start(i: Array, j: Array, m: Array) -> Array:
        n = -held[1] + i * (high + held[1])
        return jnp.stack([n, j * jnp.minimum(held[0] - n, held[4]), m * (held[5] - n)][:size])

    sizes, *shares = (jnp.asarray(np.array(part), held.dtype) for part in PARTS[law.convex])
    tokens, samples = (one.ravel() for one in jnp.meshgrid(*shares))
    tried = jax.vmap(lambda i: jax.vmap(lambda j, m: start(i, j, m))(tokens, samples))(sizes)
    starts = tried[:, 0]
    if len(tokens) > 1:
        costs = jax.vmap(jax.vmap(partial(cost, theta_held)))(tried)
        best = jnp.argmin(jnp.where(jnp.isfinite(costs), costs, jnp.inf), axis=1)
        starts = jnp.take_along_axis(tried, best[:, None, None], axis=1)[:, 0]
    if law.convex:
        guess = balanced(partial(cost, theta_held), held, size)
        found = first_of(objective, limits, (theta_held, held), starts, guess)
    else:
        found = best_of(objective, limits, (theta_held, held), starts)
    return differentiable(objective, limits, (theta, b), found)


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


def _finish(law: Law, budget: Budget, found: Optimum, samples: Array, feasible: tuple[Array, Array]) -> Plan:
    least, most, shortest, longest, once = (found.active[i] for i in (1, 2, 3, 4, 6))
    implied = shortest | (least & (found.x[0] <= 1e-6))
    # the derivatives of pass@k lose a digit or two that those of a sum of powers keep
    good = found.kkt <= jnp.finfo(found.x.dtype).eps ** (0.7 if law.convex else 0.6)
    code = jnp.where(least | most | longest | once, HELD, OPTIMAL if law.convex else STATIONARY)
    code = jnp.where(good, jnp.where(implied, NO_OPTIMUM, code), FAILED)
    vanishing = jnp.max(found.multipliers) < 1e2 * jnp.finfo(found.x.dtype).eps ** 0.7
    code = jnp.where(vanishing | is_flat_in_size(law, budget, found.x, samples), FLAT, code)
    code = jnp.where(feasible[0], jnp.where(feasible[1], code, INFEASIBLE_INFERENCE), INFEASIBLE_TRAIN)
    usable = code <= HELD
    params, tokens = jnp.exp(found.x[0]), jnp.exp(found.x[1])
    value = law(**inputs_at(law, budget, params, tokens, samples))

    def shown(x: Array) -> Array:
        return jnp.where(usable, x, jnp.nan)

    def named(rows: Array) -> Array:
        return jnp.pad(rows, (0, len(CONSTRAINTS) - len(_ROWS)))

    left = [jnp.log(jnp.asarray(budget.train) / (6 * params * tokens))]
    left += [] if budget.inference is None else [jnp.log(budget.inference / (2 * params * samples))]
    purses = np.array(_PURSES[: len(left)])
    spare = jnp.zeros(len(CONSTRAINTS), bool).at[purses].set(idle(jnp.stack(left), found.multipliers[purses]))
    # the Lagrangian of a convex problem lies above its tangent, over a box that is no longer than FAR on any side
    gap = found.kkt * (len(_ROWS) + 3 * FAR) if law.convex else jnp.full_like(found.kkt, jnp.inf)
    return Plan(
        params=shown(params),
        tokens=shown(tokens),
        samples=shown(samples),
        value=shown(value),
        kkt=found.kkt,
        shadow_prices=shown(named(unshaped(law, found.multipliers, cost_at(law, budget, params, tokens, samples)))),
        active=named(found.active) & usable,
        code=code,
        gap=gap,
        spare=spare & usable,
    )


def _cost(law: Law, budget: Budget, plan: Plan) -> Array:
    return cost_at(law, budget, plan.params, plan.tokens, plan.samples)
