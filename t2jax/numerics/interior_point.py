"""Minimise a smooth function of a few variables under smooth inequalities, with a certificate, by an interior point.

Made for budgets, whose logs are convex (often linear) in (log N, log D, log k). Primal-dual steps (Nocedal & Wright
2006, ch. 19) from a strictly feasible start, then Newton on the active limits alone, which ends at machine precision
and is what `implicit_derivative.differentiable` differentiates. Small and dense: made to be batched by `jax.vmap`. On
so few variables exact second-order steps end where Optax's first-order ones would still be creeping.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from t2jax.numerics.damped_newton import second_order
from t2jax.numerics.small_linear_algebra import downhill, solve_positive
from t2jax.typing import Array, Bool, Float

Objective = Callable[[Any, Float[Array, " n"]], Array]
Limits = Callable[[Any, Float[Array, " n"]], Float[Array, " m"]]
STEPS = (0.0, 1.0, 0.25, 0.03, 0.002)
"""Fractions of a step that are tried; zero is to stay."""


class Optimum(NamedTuple):
    """x (n,): the minimiser. multipliers (m,): of limits(x) <= 0, at least zero. active (m,): which hold with equality.

    kkt: largest of the gradient of the Lagrangian, the violation, the negative part of a multiplier and the product
    of slack and multiplier; zero at a stationary point, which for a convex objective is the global optimum.
    hessian (n, n): of the Lagrangian there, in the last step's beginning.
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


def best_of(objective: Objective, limits: Limits, theta: Any, starts: Float[Array, "s n"]) -> Optimum:
    """The best minimiser of objective(theta, x) under limits(theta, x) <= 0 over strictly feasible starts.

    Starts that are not strictly feasible lose, and ends with a large KKT residual lose to all others: what breaks a
    limit a little may have the lower value.
    """
    found = jax.vmap(partial(_solve, objective, limits, theta))(_begin(limits, theta, starts))
    sound = found.kkt < jnp.finfo(starts.dtype).eps ** 0.6
    judged = jnp.where(jnp.any(sound), sound, found.kkt < 1e-3)
    best = jnp.argmin(jnp.where(judged, found.value, jnp.inf))
    return jax.tree.map(lambda leaf: leaf[best], found)


def first_of(
    objective: Objective, limits: Limits, theta: Any, starts: Float[Array, "s n"], guess: Array | None = None
) -> Optimum:
    """The minimiser of a convex problem: the starts are taken in turn only until a minimum is certified.

    guess (n,): where the minimum may lie; it is polished first.
    """
    goal = _goal(starts.dtype)
    queue = _begin(limits, theta, starts)
    if guess is not None:
        # as the interior point would end there: the multiplier of a limit that holds is above its slack
        slacks = jnp.maximum(-limits(theta, guess), 0.1 * jnp.sqrt(goal))
        ended = _State(guess, goal / slacks, goal, jnp.zeros((), int), jnp.ones((), bool))
        queue = jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest]), ended, queue)

    def unsolved(carry: tuple[Array, Optimum]) -> Array:
        at, found = carry
        return (at < len(queue.x)) & ~(found.kkt < jnp.finfo(starts.dtype).eps ** 0.75)

    def following(carry: tuple[Array, Optimum]) -> tuple[Array, Optimum]:
        at, found = carry
        new = _solve(objective, limits, theta, jax.tree.map(lambda leaf: leaf[at], queue))
        return at + 1, jax.tree.map(partial(jnp.where, new.kkt < found.kkt), new, found)

    high, zero = jnp.full_like(goal, jnp.inf), jnp.zeros_like(queue.z[0])
    none = Optimum(jnp.zeros_like(starts[0]), zero, zero > 0, high, high, jnp.outer(starts[0], starts[0]))
    return jax.lax.while_loop(unsolved, following, (jnp.zeros((), int), none))[1]


def _goal(dtype: Any) -> Array:
    """The barrier at which the interior point ends."""
    return jnp.maximum(1e-10, 1e2 * jnp.finfo(dtype).eps).astype(dtype)


def _floor(dtype: Any) -> Array:
    """The least slack that rounding leaves a meaning."""
    return jnp.maximum(1e-3 * _goal(dtype), 8 * jnp.finfo(dtype).eps)


def _begin(limits: Limits, theta: Any, starts: Array) -> _State:
    mu = jnp.full((), 0.1, starts.dtype)

    def one(start: Array) -> _State:
        slack = jnp.maximum(-limits(theta, start), _floor(start.dtype))
        return _State(start, mu / slack, mu, jnp.zeros((), int), jnp.zeros((), bool))

    return jax.vmap(one)(starts)


def _solve(objective: Objective, limits: Limits, theta: Any, state: _State) -> Optimum:
    return _polish(objective, limits, theta, _interior(objective, limits, theta, state))


def _lagrangian(objective: Objective, limits: Limits, theta: Any, z: Array) -> Callable[[Array], Array]:
    return lambda x: objective(theta, x) + z @ limits(theta, x)


def _interior(objective: Objective, limits: Limits, theta: Any, begin: _State) -> _State:
    eps = jnp.finfo(begin.x.dtype).eps
    goal, floor = _goal(begin.x.dtype), _floor(begin.x.dtype)
    limit = partial(limits, theta)

    def barrier(x: Array, mu: Array) -> Array:
        slack = -limit(x)
        height = objective(theta, x) - mu * jnp.sum(jnp.log(jnp.maximum(slack, floor)))
        return jnp.where(jnp.isfinite(height) & jnp.all(slack > -floor), height, jnp.inf)

    def body(state: _State) -> _State:
        x, z, mu, count, _ = state
        s = jnp.maximum(-limit(x), floor)
        rows = jax.jacfwd(limit)(x)
        _, slope, hessian = second_order(_lagrangian(objective, limits, theta, z), x)
        weight = z / s
        normal = (weight[:, None] * rows).T
        dx = downhill(hessian, normal @ rows, slope + rows.T @ (mu / s - z))
        ds = -rows @ dx
        dz = mu / s - z - weight * ds
        reach = 0.995 * jnp.minimum(1.0, jnp.min(jnp.where(ds < 0, -s / ds, jnp.inf)))
        dual_reach = 0.995 * jnp.minimum(1.0, jnp.min(jnp.where(dz < 0, -z / dz, jnp.inf)))
        metric = normal @ rows + jnp.max(jnp.abs(hessian)) * jnp.eye(len(x), dtype=x.dtype)

        def moved(step: Array) -> Array:
            # close to a curved limit a straight step soon leaves it; this one bends as the limits do
            bent = limit(x + step * dx) - limit(x) + step * ds
            turn = -solve_positive(metric, normal @ bent)
            return x + step * dx + jnp.where(jnp.all(jnp.isfinite(turn)), turn, 0.0)

        # the barrier function must fall: of a few fractions of the step take the best
        steps = reach * jnp.array(STEPS, x.dtype)
        trials = jax.vmap(lambda step: barrier(moved(step), mu))(steps)
        best = jnp.argmin(trials)
        step = steps[best]
        # close to the end the barrier function no longer resolves the steps that Newton still takes
        step = jnp.where(jnp.max(jnp.abs(dx)) < 1e3 * jnp.sqrt(eps) * (1e-3 + mu), reach, step)
        error = jnp.max(jnp.abs(slope))
        centred = (error <= 10 * mu) & (jnp.max(s * z) <= 10 * mu)
        done = (mu <= goal) & centred
        mu = jnp.where(centred, jnp.maximum(jnp.minimum(0.1 * mu, 3 * mu**1.5), 0.5 * goal), mu)
        # a step of nothing counts for ten: where the law has underflowed none goes down
        return _State(moved(step), z + dual_reach * dz, mu, count + jnp.where(step == 0, 10, 1), done)

    return jax.lax.while_loop(lambda state: ~state.done & (state.count < 100), body, begin)


def _polish(objective: Objective, limits: Limits, theta: Any, state: _State) -> Optimum:
    """Newton on the KKT conditions with the active set read off the interior solution; kept where it is better.

    Also tried are the set with the strongest of the other limits, and without its own weakest or, as soon as two nearly
    coincide (like costs that differ in a small part) of which only one holds, without the weaker of those.
    """
    limit = partial(limits, theta)
    slack = jnp.maximum(-limit(state.x), _floor(state.x.dtype))
    # at the end the multipliers balance the slope of the objective, which may be a millionth where pass@k is near one
    # of a problem that no limit holds there is only what the barrier leaves, which is not to be taken for a slope
    rows = jax.jacfwd(limit)(state.x)
    slope = jnp.max(jnp.abs(rows.T @ state.z)) + 1e3 * _goal(slack.dtype)
    standing = state.z / (slope * slack)
    active = standing > 1
    length = jnp.sqrt(jnp.sum(rows**2, axis=1))
    alike = rows @ rows.T > (1 - 1e-6) * jnp.outer(length, length)
    doubled = jnp.any(alike & active[None, :] & (standing[None, :] > standing[:, None]), axis=1)
    weakest = jnp.argmin(jnp.where(active, jnp.where(doubled, -1 / standing, standing), jnp.inf))
    strongest = jnp.argmax(jnp.where(active, 0.0, standing))
    sets = jnp.stack([active, active.at[weakest].set(False), active.at[strongest].set(True)])

    def newton(active: Array) -> tuple[tuple[Array, Array], Array]:
        begin = (state.x, jnp.where(active, state.z, 0.0))
        end, hessians = jax.lax.scan(partial(step, active), begin, None, length=3)
        return end, jnp.where(jnp.all(jnp.isfinite(hessians[-1])), hessians[-1], hessians[0])

    def step(active: Array, point: tuple[Array, Array], _: Any) -> tuple[tuple[Array, Array], Array]:
        x, z = point
        rows = jax.jacfwd(limit)(x)
        _, slope, hessian = second_order(_lagrangian(objective, limits, theta, z), x)
        # a stiff penalty in place of exact multipliers: a millionth of the error is left, and no large matrix to solve
        stiff = jnp.where(active, 1e6 * jnp.max(jnp.abs(hessian)), 0.0)
        violation = limit(x)
        curved = hessian + rows.T @ (stiff[:, None] * rows)
        dx = -solve_positive(curved, slope + rows.T @ (stiff * violation))
        return (x + dx, z + stiff * (violation + rows @ dx)), hessian

    def certify(x: Array, z: Array) -> tuple[Array, Array]:
        value = objective(theta, x)
        slope = jax.grad(_lagrangian(objective, limits, theta, z))(x)
        slack = -limit(x)
        parts = jnp.concatenate([jnp.abs(slope), -slack, -z, jnp.abs(slack * z)])
        # asked outright: a vectorised maximum may pass over NaN
        sound = jnp.isfinite(value) & jnp.all(jnp.isfinite(parts))
        return value, jnp.where(sound, jnp.max(parts), jnp.inf)

    moved, hessians = jax.vmap(newton)(sets)
    ends = jax.tree.map(lambda ends, own: jnp.concatenate([ends, own[None]]), moved, (state.x, state.z))
    values, errors = jax.vmap(certify)(*ends)
    best = jnp.argmin(errors)
    found = (ends[0][best], ends[1][best], jnp.stack([*sets, active])[best], values[best], errors[best])
    return Optimum(*found, hessians[best % len(sets)])  # the last end stands where the first began
