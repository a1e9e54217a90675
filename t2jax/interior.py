"""Minimise a smooth function of a few variables under linear inequalities, with a certificate, by an interior point.

Made for budgets, which are linear in (log N, log D, log k). Primal-dual steps (Nocedal & Wright 2006, ch. 19) from a
strictly feasible start, then Newton on the active constraints alone, which ends at machine precision and is what the
implicit derivative differentiates. Small and dense: made to be batched by `jax.vmap` over many thousands of problems.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from t2jax.dense import lowest_eigenvalue, solve_positive
from t2jax.solver import second_order
from t2jax.typing import Array, Bool, Float

Objective = Callable[[Any, Float[Array, " n"]], Array]


class Optimum(NamedTuple):
    """x (n,): the minimiser. multipliers (m,): of A x <= b, at least zero. active (m,): which hold with equality.

    kkt: largest of the gradient of the Lagrangian, the violation, the negative part of a multiplier and the product
    of slack and multiplier; zero at a stationary point, which for a convex objective is the global optimum.
    """

    x: Float[Array, " n"]
    multipliers: Float[Array, " m"]
    active: Bool[Array, " m"]
    value: Array
    kkt: Array


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def minimise_under(
    objective: Objective, a_rows: tuple, theta: Any, b: Array, starts: Array, guess: Array | None = None
) -> Optimum:
    """The best minimiser of objective(theta, x) under A x <= b over the given strictly feasible starts (s, n).

    a_rows: A as a tuple of tuples. guess (n,): of a convex objective, where the minimum may lie; it is polished first,
    and the starts are taken in turn only until a minimum is certified. Differentiable in theta and b, any order and
    both modes: the derivative is that of the KKT conditions with the active set held, so multipliers differentiate
    too. starts and guess carry no derivative.
    """

    def solve(state: _State) -> Optimum:
        return _polish(objective, a_rows, theta, b, _interior(objective, a_rows, theta, state))

    goal = _goal(starts.dtype)
    matrix = jnp.asarray(a_rows, starts.dtype)
    states = jax.vmap(lambda start: _central(start, b - matrix @ start, jnp.full_like(goal, 0.1)))(starts)
    if guess is None:
        found = jax.vmap(solve)(states)
        best = jnp.argmin(jnp.where(found.kkt < 1e-3, found.value, jnp.inf))
        return jax.tree.map(lambda leaf: leaf[best], found)

    # as the interior point would end there: the multiplier of a limit that holds is above its slack
    slacks = jnp.maximum(b - matrix @ guess, 0.1 * jnp.sqrt(goal))
    ended = _central(guess, slacks, goal)._replace(done=jnp.ones((), bool))
    queue = jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest]), ended, states)

    def unsolved(carry: tuple[Array, Optimum]) -> Array:
        at, found = carry
        return (at <= len(starts)) & ~(found.kkt < jnp.finfo(starts.dtype).eps ** 0.75)

    def following(carry: tuple[Array, Optimum]) -> tuple[Array, Optimum]:
        return carry[0] + 1, solve(jax.tree.map(lambda leaf: leaf[carry[0]], queue))

    high, zero = jnp.full_like(goal, jnp.inf), jnp.zeros_like(b)
    none = Optimum(jnp.zeros_like(guess), zero, zero > 0, high, high)
    return jax.lax.while_loop(unsolved, following, (jnp.zeros((), int), none))[1]


@minimise_under.defjvp
def _implicit(objective, a_rows, primals, tangents):
    theta, b, *where = primals
    theta_dot, b_dot, *_ = tangents
    found = minimise_under(objective, a_rows, theta, b, *where)
    matrix = jnp.asarray(a_rows, found.x.dtype)
    gradient = jax.grad(objective, argnums=1)
    _, pull = jax.jvp(lambda t: gradient(t, found.x), (theta,), (theta_dot,))
    rhs = jnp.concatenate([-pull, jnp.where(found.active, b_dot, 0.0)])
    move = _kkt_solve(jax.hessian(objective, argnums=1)(theta, found.x), matrix, found.active, rhs)
    x_dot, z_dot = move[: len(found.x)], move[len(found.x) :]
    _, value_dot = jax.jvp(objective, (theta, found.x), (theta_dot, x_dot))
    zero_active = jnp.zeros(found.active.shape, jax.dtypes.float0)
    return found, Optimum(x_dot, z_dot, zero_active, value_dot, jnp.zeros_like(found.kkt))  # pyright: ignore


class _State(NamedTuple):
    x: Array
    s: Array  # slacks b - A x, positive
    z: Array  # multipliers, positive
    mu: Array
    count: Array
    done: Array


def _goal(dtype: Any) -> Array:
    """The barrier at which the interior point ends."""
    return jnp.maximum(1e-10, 1e2 * jnp.finfo(dtype).eps).astype(dtype)


def _central(x: Array, s: Array, mu: Array) -> _State:
    return _State(x, s, mu / s, mu, jnp.zeros((), int), jnp.zeros((), bool))


def _interior(objective: Objective, a_rows: tuple, theta: Any, begin: _State) -> _State:
    matrix = jnp.asarray(a_rows, begin.x.dtype)
    eps = jnp.finfo(begin.x.dtype).eps
    goal = _goal(begin.x.dtype)

    def body(state: _State) -> _State:
        x, s, z, mu, count, _ = state
        value, gradient, hessian = second_order(partial(objective, theta), x)
        weight = z / s
        curved = _convexified(hessian) + matrix.T @ (weight[:, None] * matrix)
        dx = -solve_positive(curved, gradient + matrix.T @ (mu / s))
        ds = -matrix @ dx
        dz = mu / s - z - weight * ds
        reach = 0.995 * jnp.minimum(1.0, jnp.min(jnp.where(ds < 0, -s / ds, jnp.inf)))
        dual_reach = 0.995 * jnp.minimum(1.0, jnp.min(jnp.where(dz < 0, -z / dz, jnp.inf)))
        # the barrier function must fall: of a few fractions of the step take the best
        steps = reach * jnp.array([1.0, 0.25, 0.03], x.dtype)

        def barrier(value: Array, slack: Array) -> Array:
            # one log of the product costs a seventh of a sum of logs, and a handful of slacks does not overflow it
            height = value - mu * jnp.log(jnp.prod(slack))
            return jnp.where(jnp.isfinite(height), height, jnp.inf)

        trials = jax.vmap(lambda step: barrier(objective(theta, x + step * dx), s + step * ds))(steps)
        best = jnp.argmin(trials)
        step = jnp.where(trials[best] < barrier(value, s), steps[best], 0.0)
        # close to the end the barrier function no longer resolves the steps that Newton still takes
        step = jnp.where(jnp.max(jnp.abs(dx)) < 1e3 * jnp.sqrt(eps) * (1e-3 + mu), reach, step)
        error = jnp.max(jnp.abs(gradient + matrix.T @ z))
        centred = (error <= 10 * mu) & (jnp.max(s * z) <= 10 * mu)
        done = (mu <= goal) & centred
        mu = jnp.where(centred, jnp.maximum(jnp.minimum(0.1 * mu, 3 * mu**1.5), 0.5 * goal), mu)
        return _State(x + step * dx, s + step * ds, z + dual_reach * dz, mu, count + 1, done)

    return jax.lax.while_loop(lambda state: ~state.done & (state.count < 100), body, begin)


def _polish(objective: Objective, a_rows: tuple, theta: Any, b: Array, state: _State) -> Optimum:
    """Newton on the KKT conditions with the active set read off the interior solution; kept where it is better.

    Where one constraint is nearly indifferent, the set with that one changed is tried too.
    """
    matrix = jnp.asarray(a_rows, state.x.dtype)
    active = state.z > state.s
    unclear = jnp.argmin(jnp.abs(jnp.log(state.z / state.s)))
    sets = jnp.stack([active, active.at[unclear].set(~active[unclear])])

    def newton(active: Array) -> tuple[Array, Array]:
        begin = (state.x, jnp.where(active, state.z, 0.0))
        return jax.lax.scan(partial(step, active), begin, None, length=3)[0]

    def step(active: Array, point: tuple[Array, Array], _: Any) -> tuple[tuple[Array, Array], None]:
        x, z = point
        _, gradient, hessian = second_order(partial(objective, theta), x)
        # a stiff penalty in place of exact multipliers: a millionth of the error is left, and no large matrix to solve
        stiff = jnp.where(active, 1e6 * jnp.max(jnp.abs(hessian)), 0.0)
        violation = matrix @ x - b
        curved = hessian + matrix.T @ (stiff[:, None] * matrix)
        dx = -solve_positive(curved, gradient + matrix.T @ (z + stiff * violation))
        return (x + dx, z + stiff * (violation + matrix @ dx)), None

    def certify(x: Array, z: Array) -> tuple[Array, Array]:
        value, gradient = jax.value_and_grad(objective, argnums=1)(theta, x)
        slack = b - matrix @ x
        parts = jnp.concatenate([jnp.abs(gradient + matrix.T @ z), -slack, -z, jnp.abs(slack * z)])
        # asked outright: a vectorised maximum may pass over NaN
        sound = jnp.isfinite(value) & jnp.all(jnp.isfinite(parts))
        return value, jnp.where(sound, jnp.max(parts), jnp.inf)

    ends = jax.tree.map(
        lambda ends, own: jnp.concatenate([ends, own[None]]), jax.vmap(newton)(sets), (state.x, state.z)
    )
    values, errors = jax.vmap(certify)(*ends)
    best = jnp.argmin(errors)
    return Optimum(ends[0][best], ends[1][best], jnp.stack([*sets, active])[best], values[best], errors[best])


def _kkt_solve(hessian: Array, matrix: Array, active: Array, rhs: Array) -> Array:
    """Solve [H Aᵀ; A 0] on the active rows, with inactive multipliers held: (dx, dz) for rhs (stationarity, rows)."""
    lower = jnp.where(active[:, None], matrix, 0.0)
    corner = jnp.diag(jnp.where(active, 0.0, 1.0).astype(rhs.dtype))
    upper = jnp.where(active[:, None], matrix, 0.0).T
    return jnp.linalg.solve(jnp.block([[hessian, upper], [lower, corner]]), rhs)


def _convexified(hessian: Array) -> Array:
    """H with a multiple of the identity added where it is not positive definite."""
    floor = 1e-10 * jnp.max(jnp.abs(hessian)) + jnp.finfo(hessian.dtype).tiny
    shift = jnp.maximum(0.0, floor - lowest_eigenvalue(hessian))
    return hessian + shift * jnp.eye(hessian.shape[0], dtype=hessian.dtype)
