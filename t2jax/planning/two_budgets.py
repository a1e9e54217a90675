"""Solver for the linear budgets of the paper: 6ND and 2Nk apart, linear in (log N, log D, log k).

It solves 100,000 problems in one call and applies `Budget.whole_samples`. `any_budget` solves all other budgets.
For a convex law it guesses the optimum in closed form up to one unknown (`balanced`), and then certifies it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.laws.base import Law
from t2jax.numerics.solvers.implicit_derivative import differentiable
from t2jax.numerics.solvers.interior_point import Optimum, best_of, first_of
from t2jax.planning.budget import Budget
from t2jax.planning.outcome import Outcome
from t2jax.planning.plan import AT_BOUND, CONSTRAINTS, INFEASIBLE_INFERENCE, INFEASIBLE_TRAIN, Plan
from t2jax.planning.problem import cost_at, solver_cost
from t2jax.planning.starts import MANY
from t2jax.typing import Array, Float

FEW = ((0.5,), (0.9,), (0.9,))
"""Starts of convex laws, as `starts.MANY`."""

_ROWS = (  # constraints on (log N, log D, log k), in the order of plan.CONSTRAINTS
    (1.0, 1.0, 0.0),
    (-1.0, 0.0, 0.0),
    (1.0, 0.0, 0.0),
    (0.0, -1.0, 0.0),
    (0.0, 1.0, 0.0),
    (1.0, 0.0, 1.0),
    (0.0, 0.0, -1.0),
)


def plan_separate(law: Law, budget: Budget) -> Plan:
    """Solves one problem of linear limits (`Budget.linear`) in the precision of its inputs. k is 1, free or whole."""
    if "k" not in law.inputs() or budget.inference is None:
        return _at_samples(law, budget, jnp.ones(()))
    plan = _free_samples(law, budget)
    if not budget.whole_samples:
        return plan
    # for additive laws the cost is convex along k, so the best whole number is a neighbour of the best real one;
    # for pass@k that holds in every problem of `frontier_check`, and is not proved
    low = jnp.floor(jax.lax.stop_gradient(plan.samples) * (1 + 1e-9))
    below, above = (_at_samples(law, budget, jnp.maximum(low + i, 1.0)) for i in (0, 1))
    better = _cost(law, budget, above) < _cost(law, budget, below)
    take_above = (above.code <= AT_BOUND) & (better | (below.code > AT_BOUND))
    chosen = jax.tree.map(partial(jnp.where, take_above), above, below)
    return jax.tree.map(partial(jnp.where, plan.code <= AT_BOUND), chosen, plan)


def _free_samples(law: Law, budget: Budget) -> Plan:
    def cost(law: Law, x: Array) -> Array:
        return solver_cost(law, cost_at(law, budget, jnp.exp(x[0]), jnp.exp(x[1]), jnp.exp(x[2])))

    b, feasible = _limits(budget, jnp.ones(()))
    optimum = _optimum(law, cost, law, b, 3)
    return _finish(law, budget, optimum, jnp.exp(optimum.x[2]), feasible)


def _at_samples(law: Law, budget: Budget, samples: Array) -> Plan:
    def cost(problem: tuple[Law, Array], x: Array) -> Array:
        law, samples = problem
        return solver_cost(law, cost_at(law, budget, jnp.exp(x[0]), jnp.exp(x[1]), samples))

    b, feasible = _limits(budget, samples)
    samples = samples.astype(b.dtype)
    optimum = _optimum(law, cost, (law, jax.lax.stop_gradient(samples)), b[:6], 2)
    pad = jnp.zeros(1, b.dtype)
    optimum = optimum._replace(
        multipliers=jnp.concatenate([optimum.multipliers, pad]), active=jnp.concatenate([optimum.active, pad > 0])
    )
    return _finish(law, budget, optimum, samples, feasible)


def _optimum(law: Law, cost: Callable[[Any, Array], Array], theta: Any, b: Array, size: int) -> Optimum:
    """Minimises `cost(theta, x)` over x = (log N, log D, log k)[:size] within the limits b."""
    rows = np.array([row[:size] for row in _ROWS[: len(b)]])

    def objective(problem: tuple[Any, Array], x: Array) -> Array:
        return cost(problem[0], x)

    def limits(problem: tuple[Any, Array], x: Array) -> Array:
        return jnp.asarray(rows, x.dtype) @ x - problem[1]

    fixed_b, fixed_theta = jax.lax.stop_gradient((b, theta))
    high = jnp.minimum(jnp.minimum(fixed_b[2], fixed_b[0]), fixed_b[5])

    def place_at(i: Array, j: Array, m: Array) -> Array:
        n = -fixed_b[1] + i * (high + fixed_b[1])
        return jnp.stack([n, j * jnp.minimum(fixed_b[0] - n, fixed_b[4]), m * (fixed_b[5] - n)][:size])

    sizes, *shares = (jnp.asarray(np.array(part), fixed_b.dtype) for part in (FEW if law.convex else MANY))
    tokens, samples = (share.ravel() for share in jnp.meshgrid(*shares))
    places = jax.vmap(lambda i: jax.vmap(lambda j, m: place_at(i, j, m))(tokens, samples))(sizes)
    starts = places[:, 0]
    if len(tokens) > 1:
        costs = jax.vmap(jax.vmap(partial(cost, fixed_theta)))(places)
        best = jnp.argmin(jnp.where(jnp.isfinite(costs), costs, jnp.inf), axis=1)
        starts = jnp.take_along_axis(places, best[:, None, None], axis=1)[:, 0]
    if law.convex:
        guess = balanced(partial(cost, fixed_theta), fixed_b, size)
        optimum = first_of(objective, limits, (fixed_theta, fixed_b), starts, guess)
    else:
        optimum = best_of(objective, limits, (fixed_theta, fixed_b), starts)
    return differentiable(objective, limits, (theta, b), optimum)


def balanced(cost: Callable[[Array], Array], b: Float[Array, " limits"], size: int) -> Float[Array, " size"]:
    """Returns (log N, log D, log k)[:size] at which d cost/d log N vanishes along the budgets, or the nearest end.

    At a given N, a law that falls in D and k is least with all the tokens and samples that the budgets leave.
    The problem then has one unknown: the balance in log N between what a larger model gains and costs.
    A law that rises in D or k, or is not convex, may have its optimum elsewhere.
    Newton's method solves for the log of (gain of N)/(gain of D and k). For sums of power laws it is concave and nearly
    linear in log N, so a few steps suffice from anywhere. A negative gain has no log, and the guess is then NaN.
    `b` holds log limits of ND, 1/N, N, 1/D, D and Nk.
    """
    pairs, least, most, longest, served = b[0], -b[1], b[2], b[4], b[5]
    high = jnp.minimum(jnp.minimum(most, pairs), served)
    gains_at = jax.grad(lambda x: -cost(x))

    def place_at(n: Array) -> Array:
        return jnp.stack([n, jnp.minimum(pairs - n, longest), served - n][:size])

    # below this size there is compute for more tokens than there are: a larger model costs samples, but no tokens
    kink = jnp.clip(pairs - longest, least, high)
    gains = gains_at(place_at(kink))
    above, below = gains[0] > jnp.sum(gains[1:]), gains[0] < jnp.sum(gains[2:])
    low, high = jnp.where(below, least, kink), jnp.where(above, high, kink)
    given_up = jnp.stack([jnp.where(below, 0.0, 1.0).astype(b.dtype), jnp.ones_like(pairs)])[: size - 1]
    direction = jnp.concatenate([jnp.ones_like(pairs)[None], -given_up])
    tolerance = 10 * jnp.sqrt(jnp.finfo(b.dtype).eps)

    def newton(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        n, _, count = state
        gains, curvature = jax.jvp(gains_at, (place_at(n),), (direction,))
        loss_of_data = given_up @ gains[1:]
        slope = curvature[0] / gains[0] - given_up @ curvature[1:] / loss_of_data
        following = jnp.clip(n - jnp.log(gains[0] / loss_of_data) / slope, low, high)
        return following, jnp.abs(following - n), count + 1

    start = (0.5 * (low + high), jnp.full_like(pairs, jnp.inf), jnp.zeros((), int))
    n, _, _ = jax.lax.while_loop(lambda state: (state[1] > tolerance) & (state[2] < 30), newton, start)
    return place_at(n)


def _limits(budget: Budget, samples: Array) -> tuple[Array, tuple[Array, Array]]:
    """Returns the right-hand sides of `_ROWS`, and whether the training and inference budgets are feasible.

    Limits that are not set get values that cannot bind. A harmless problem replaces an infeasible one, so that no NaN
    reaches the derivatives of its neighbours.
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


def _finish(law: Law, budget: Budget, optimum: Optimum, samples: Array, feasible: tuple[Array, Array]) -> Plan:
    params, tokens = jnp.exp(optimum.x[0]), jnp.exp(optimum.x[1])
    slacks = jnp.full(len(CONSTRAINTS), jnp.inf, optimum.x.dtype)
    slacks = slacks.at[CONSTRAINTS.index("train")].set(jnp.log(jnp.asarray(budget.train) / (6 * params * tokens)))
    if budget.inference is not None:
        served = jnp.log(budget.inference / (2 * params * samples))
        slacks = slacks.at[CONSTRAINTS.index("inference")].set(served)

    def pad_constraints(rows: Array) -> Array:
        return jnp.pad(rows, (0, len(CONSTRAINTS) - len(_ROWS)))

    zeros = jnp.zeros(len(CONSTRAINTS), optimum.x.dtype)
    return Outcome(
        place=jnp.stack([params, tokens, samples, jnp.zeros_like(params)]),
        kkt=optimum.kkt,
        multipliers=pad_constraints(optimum.multipliers),
        prices=zeros,
        slacks=slacks,
        active=pad_constraints(optimum.active),
        sides=(len(_ROWS), 3),
        feasible=feasible[0] & feasible[1],
        failure=jnp.where(feasible[0], INFEASIBLE_INFERENCE, INFEASIBLE_TRAIN),
        conflict=zeros > 0,
        tied=jnp.zeros((), bool),
        curved=jnp.zeros((), bool),
    ).plan(law, budget)


def _cost(law: Law, budget: Budget, plan: Plan) -> Array:
    """Computes the predicted loss, or -log pass@k, of a plan: what the solver minimises, not its price."""
    return cost_at(law, budget, plan.params, plan.tokens, plan.samples)
