"""Interior-point minimisation of a smooth function of a few variables under smooth inequalities, with a certificate.

It is made for budgets, whose logs are convex (often linear) in (log N, log D, log k).
Primal-dual steps (Nocedal & Wright 2006, ch. 19) begin at a strictly feasible start.
Newton steps on the active constraints alone follow. They end at machine precision, and
`implicit_derivative.differentiable` differentiates their conditions.
Problems are small and dense, for batches by `jax.vmap`. On so few variables exact second-order steps converge long
before Optax's first-order ones.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from t2jax.numerics.solvers.damped_newton import second_order
from t2jax.numerics.solvers.small_linear_algebra import downhill, solve_positive
from t2jax.typing import Array, Bool, Float

Objective = Callable[[Any, Float[Array, " n"]], Array]
Constraints = Callable[[Any, Float[Array, " n"]], Float[Array, " m"]]
STEPS = (0.0, 1.0, 0.25, 0.03, 0.002)
"""Fractions of a step that are tried. Zero stays at the point."""


class Optimum(NamedTuple):
    """A minimiser with its certificate.

    Attributes:
        x: Minimiser, shape (n,).
        multipliers: Multipliers of constraints(x) <= 0, at least zero, shape (m,).
        active: Whether each constraint holds with equality, shape (m,).
        value: Objective at `x`.
        kkt: KKT residual, zero at a stationary point; for a convex problem that is the global optimum.
            It is the largest of four errors: the gradient of the Lagrangian, the violation of a constraint,
            the negative part of a multiplier, and the product of slack and multiplier.
        hessian: Hessian of the Lagrangian at the start of the last step, shape (n, n).
    """

    x: Float[Array, " n"]
    multipliers: Float[Array, " m"]
    active: Bool[Array, " m"]
    value: Array
    kkt: Array
    hessian: Float[Array, "n n"]


class _State(NamedTuple):
    x: Array
    z: Array  # multipliers, positive
    mu: Array
    count: Array
    done: Array


def best_of(objective: Objective, constraints: Constraints, theta: Any, starts: Float[Array, "s n"]) -> Optimum:
    """Minimises objective(theta, x) under constraints(theta, x) <= 0 from strictly feasible starts; the best end wins.

    Starts that are not strictly feasible lose. Ends with a large KKT residual lose to all others, because a point that
    violates a constraint slightly may have a lower value.
    """
    ends = jax.vmap(partial(_solve, objective, constraints, theta))(_initialise(constraints, theta, starts))
    certified = ends.kkt < jnp.finfo(starts.dtype).eps ** 0.6
    eligible = jnp.where(jnp.any(certified), certified, ends.kkt < 1e-3)
    best = jnp.argmin(jnp.where(eligible, ends.value, jnp.inf))
    return jax.tree.map(lambda leaf: leaf[best], ends)


def first_of(
    objective: Objective, constraints: Constraints, theta: Any, starts: Float[Array, "s n"], guess: Array | None = None
) -> Optimum:
    """Minimises a convex problem from one start after another until a minimum is certified.

    `guess` (n,) is a likely minimiser, which is tried first.
    """
    goal = _final_barrier(starts.dtype)
    queue = _initialise(constraints, theta, starts)
    if guess is not None:
        # a search that ends there: the multiplier of an active constraint exceeds its slack
        slacks = jnp.maximum(-constraints(theta, guess), 0.1 * jnp.sqrt(goal))
        guessed_state = _State(guess, goal / slacks, goal, jnp.zeros((), int), jnp.ones((), bool))
        queue = jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest]), guessed_state, queue)

    def unsolved(carry: tuple[Array, Optimum]) -> Array:
        index, optimum = carry
        return (index < len(queue.x)) & ~(optimum.kkt < jnp.finfo(starts.dtype).eps ** 0.75)

    def solve_next(carry: tuple[Array, Optimum]) -> tuple[Array, Optimum]:
        index, optimum = carry
        next_optimum = _solve(objective, constraints, theta, jax.tree.map(lambda leaf: leaf[index], queue))
        return index + 1, jax.tree.map(partial(jnp.where, next_optimum.kkt < optimum.kkt), next_optimum, optimum)

    infinity, zero = jnp.full_like(goal, jnp.inf), jnp.zeros_like(queue.z[0])
    unsolved_optimum = Optimum(
        jnp.zeros_like(starts[0]), zero, zero > 0, infinity, infinity, jnp.outer(starts[0], starts[0])
    )
    return jax.lax.while_loop(unsolved, solve_next, (jnp.zeros((), int), unsolved_optimum))[1]


def _final_barrier(dtype: Any) -> Array:
    """Returns the barrier parameter at which the interior-point steps end."""
    return jnp.maximum(1e-10, 1e2 * jnp.finfo(dtype).eps).astype(dtype)


def _least_slack(dtype: Any) -> Array:
    """Returns the least slack that is above rounding."""
    return jnp.maximum(1e-3 * _final_barrier(dtype), 8 * jnp.finfo(dtype).eps)


def _initialise(constraints: Constraints, theta: Any, starts: Array) -> _State:
    """Returns the initial states of the starts."""
    mu = jnp.full((), 0.1, starts.dtype)

    def initialise(start: Array) -> _State:
        slack = jnp.maximum(-constraints(theta, start), _least_slack(start.dtype))
        return _State(start, mu / slack, mu, jnp.zeros((), int), jnp.zeros((), bool))

    return jax.vmap(initialise)(starts)


def _solve(objective: Objective, constraints: Constraints, theta: Any, state: _State) -> Optimum:
    return _polish(objective, constraints, theta, _follow_barrier(objective, constraints, theta, state))


def _lagrangian(objective: Objective, constraints: Constraints, theta: Any, z: Array) -> Callable[[Array], Array]:
    return lambda x: objective(theta, x) + z @ constraints(theta, x)


def _follow_barrier(objective: Objective, constraints: Constraints, theta: Any, initial: _State) -> _State:
    """Takes primal-dual steps until the barrier parameter is at its goal."""
    eps = jnp.finfo(initial.x.dtype).eps
    goal, floor = _final_barrier(initial.x.dtype), _least_slack(initial.x.dtype)
    constraint_values = partial(constraints, theta)

    def barrier(x: Array, mu: Array) -> Array:
        slack = -constraint_values(x)
        height = objective(theta, x) - mu * jnp.sum(jnp.log(jnp.maximum(slack, floor)))
        return jnp.where(jnp.isfinite(height) & jnp.all(slack > -floor), height, jnp.inf)

    def advance(state: _State) -> _State:
        x, z, mu, count, _ = state
        slack = jnp.maximum(-constraint_values(x), floor)
        jacobian = jax.jacfwd(constraint_values)(x)
        _, slope, hessian = second_order(_lagrangian(objective, constraints, theta, z), x)
        weight = z / slack
        normal = (weight[:, None] * jacobian).T
        dx = downhill(hessian, normal @ jacobian, slope + jacobian.T @ (mu / slack - z))
        ds = -jacobian @ dx
        dz = mu / slack - z - weight * ds
        primal_length = 0.995 * jnp.minimum(1.0, jnp.min(jnp.where(ds < 0, -slack / ds, jnp.inf)))
        dual_length = 0.995 * jnp.minimum(1.0, jnp.min(jnp.where(dz < 0, -z / dz, jnp.inf)))
        metric = normal @ jacobian + jnp.max(jnp.abs(hessian)) * jnp.eye(len(x), dtype=x.dtype)

        def curved_step(step: Array) -> Array:
            # near a curved constraint a straight step soon becomes infeasible; this one follows the curvature
            bend = constraint_values(x + step * dx) - constraint_values(x) + step * ds
            correction = -solve_positive(metric, normal @ bend)
            return x + step * dx + jnp.where(jnp.all(jnp.isfinite(correction)), correction, 0.0)

        # the barrier function must fall: take the best of a few fractions of the step
        steps = primal_length * jnp.array(STEPS, x.dtype)
        trials = jax.vmap(lambda step: barrier(curved_step(step), mu))(steps)
        best = jnp.argmin(trials)
        step = steps[best]
        # near the end the useful Newton steps change the barrier function by less than its rounding
        step = jnp.where(jnp.max(jnp.abs(dx)) < 1e3 * jnp.sqrt(eps) * (1e-3 + mu), primal_length, step)
        stationarity = jnp.max(jnp.abs(slope))
        centred = (stationarity <= 10 * mu) & (jnp.max(slack * z) <= 10 * mu)
        done = (mu <= goal) & centred
        mu = jnp.where(centred, jnp.maximum(jnp.minimum(0.1 * mu, 3 * mu**1.5), 0.5 * goal), mu)
        # a zero step counts for ten: if the law has underflowed, no step descends
        return _State(curved_step(step), z + dual_length * dz, mu, count + jnp.where(step == 0, 10, 1), done)

    return jax.lax.while_loop(lambda state: ~state.done & (state.count < 100), advance, initial)


def _polish(objective: Objective, constraints: Constraints, theta: Any, state: _State) -> Optimum:
    """Takes Newton steps on the KKT conditions with the active set of the interior solution, and returns the best end.

    Two other sets are tried: with the strongest inactive constraint added, and with one active constraint removed.
    The removed one is the weakest. If two constraints nearly coincide (costs that differ in a small part), only one of
    them is active, and the weaker one is removed.
    """
    constraint_values = partial(constraints, theta)
    slack = jnp.maximum(-constraint_values(state.x), _least_slack(state.x.dtype))
    # the multipliers balance the objective's slope, which may be a millionth if pass@k is near one
    # without an active constraint only the barrier's remainder is left, so its size is added to the slope
    jacobian = jax.jacfwd(constraint_values)(state.x)
    slope = jnp.max(jnp.abs(jacobian.T @ state.z)) + 1e3 * _final_barrier(slack.dtype)
    strength = state.z / (slope * slack)
    active = strength > 1
    norm = jnp.sqrt(jnp.sum(jacobian**2, axis=1))
    parallel = jacobian @ jacobian.T > (1 - 1e-6) * jnp.outer(norm, norm)
    redundant = jnp.any(parallel & active[None, :] & (strength[None, :] > strength[:, None]), axis=1)
    weakest = jnp.argmin(jnp.where(active, jnp.where(redundant, -1 / strength, strength), jnp.inf))
    strongest = jnp.argmax(jnp.where(active, 0.0, strength))
    sets = jnp.stack([active, active.at[weakest].set(False), active.at[strongest].set(True)])

    def newton(active: Array) -> tuple[tuple[Array, Array], Array]:
        initial = (state.x, jnp.where(active, state.z, 0.0))
        final, hessians = jax.lax.scan(partial(step, active), initial, None, length=3)
        return final, jnp.where(jnp.all(jnp.isfinite(hessians[-1])), hessians[-1], hessians[0])

    def step(active: Array, point: tuple[Array, Array], _: Any) -> tuple[tuple[Array, Array], Array]:
        x, z = point
        jacobian = jax.jacfwd(constraint_values)(x)
        _, slope, hessian = second_order(_lagrangian(objective, constraints, theta, z), x)
        # a stiff penalty leaves a millionth of the error, and needs no larger matrix than the Hessian
        stiff = jnp.where(active, 1e6 * jnp.max(jnp.abs(hessian)), 0.0)
        violation = constraint_values(x)
        curved = hessian + jacobian.T @ (stiff[:, None] * jacobian)
        dx = -solve_positive(curved, slope + jacobian.T @ (stiff * violation))
        return (x + dx, z + stiff * (violation + jacobian @ dx)), hessian

    def certify(x: Array, z: Array) -> tuple[Array, Array]:
        value = objective(theta, x)
        slope = jax.grad(_lagrangian(objective, constraints, theta, z))(x)
        slack = -constraint_values(x)
        parts = jnp.concatenate([jnp.abs(slope), -slack, -z, jnp.abs(slack * z)])
        # an explicit check, because a vectorised maximum may ignore NaN
        finite = jnp.isfinite(value) & jnp.all(jnp.isfinite(parts))
        return value, jnp.where(finite, jnp.max(parts), jnp.inf)

    polished, hessians = jax.vmap(newton)(sets)
    ends = jax.tree.map(lambda ends, interior: jnp.concatenate([ends, interior[None]]), polished, (state.x, state.z))
    values, errors = jax.vmap(certify)(*ends)
    best = jnp.argmin(errors)
    optimum = (ends[0][best], ends[1][best], jnp.stack([*sets, active])[best], values[best], errors[best])
    return Optimum(*optimum, hessians[best % len(sets)])  # the last end is the start of the first
