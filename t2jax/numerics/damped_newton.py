"""A damped Newton method with exact Hessians, as an Optax transformation, for objectives of about ten parameters.

Laws have few, strongly correlated parameters and many starts to try: dense second-order steps, batched over starts,
cost far less than line searches of first-order methods, and end at machine precision.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import optax

from t2jax.typing import Array, Float

Objective = Callable[[Array], Array]
MAX_STEPS = 200
TRIALS = (0.01, 0.15, 1.0, 10.0)  # dampings tried at each step, times the last accepted one


class DampedNewtonState(NamedTuple):
    """value: at the current point. damping: multiple of the Hessian's diagonal added to it.

    decrease: predicted by the last Newton step.
    step: largest coordinate of the last undamped step. stuck: no damping up to the largest gave a lower value.
    """

    value: Array
    damping: Array
    decrease: Array
    step: Array
    stuck: Array


def damped_newton(initial_damping: float = 1e-3) -> optax.GradientTransformationExtraArgs:
    """Newton's method with Levenberg-Marquardt damping (Marquardt 1963), the value checked at every step.

    Each update solves (|H| + λ·diag|H|) step = -g for a few dampings around the last accepted one and takes the step of
    lowest value; |H| has the absolute eigenvalues of H scaled by its diagonal (Dauphin et al. 2014). Where none lowers
    the value the step is zero and λ grows a thousandfold. `update` needs the extra arguments `value`, `hessian` and
    `value_fn`. The dampings tried are a heuristic.
    """

    def init(u: Array) -> DampedNewtonState:
        high = jnp.full((), jnp.inf, u.dtype)
        return DampedNewtonState(high, jnp.full((), initial_damping, u.dtype), high, high, jnp.zeros((), bool))

    def update(grads, state, params=None, *, value, hessian, value_fn: Objective, **_):
        eps = jnp.finfo(grads.dtype).eps
        scale = jnp.maximum(jnp.abs(jnp.diagonal(hessian)), eps * jnp.max(jnp.abs(jnp.diagonal(hessian))))
        scale = jnp.where(scale > 0, scale, 1.0)
        dampings = jnp.maximum(state.damping * jnp.array(TRIALS, grads.dtype), 1e-3 * eps)

        root = jnp.sqrt(scale)
        curvatures, axes = jnp.linalg.eigh(hessian / jnp.outer(root, root))
        slopes = axes.T @ (grads / root)

        def trial(damping: Array) -> tuple[Array, Array]:
            # along a direction of negative curvature its size still says how far the quadratic model reaches
            step = -(axes @ (slopes / (jnp.abs(curvatures) + damping))) / root
            reached = value_fn(params + step)
            return step, jnp.where(jnp.isfinite(reached), reached, jnp.inf)

        steps, values = jax.vmap(trial)(dampings)
        best = jnp.argmin(values)
        decrease = -grads @ steps[best]
        # near the optimum the value no longer resolves the decrease that the gradient still shows
        allowed = value + jnp.where(decrease < 1e3 * eps * jnp.abs(value), 100 * eps * jnp.abs(value), 0.0)
        accepted = (values[best] <= allowed) & jnp.isfinite(values[best])
        damping = jnp.where(accepted, dampings[best], 1e3 * state.damping)
        new = DampedNewtonState(
            value=jnp.where(accepted, values[best], value),
            damping=damping,
            decrease=jnp.where(accepted, decrease, state.decrease),
            step=jnp.where(accepted, jnp.max(jnp.abs(steps[best])), state.step),
            stuck=damping > 1e12,
        )
        return jnp.where(accepted, steps[best], jnp.zeros_like(grads)), new

    return optax.GradientTransformationExtraArgs(init, update)  # pyright: ignore[reportArgumentType]


class Solution(NamedTuple):
    """Where a minimisation ended: u (free,), value (), steps taken, and whether it converged.

    gradient (free,) and hessian (free, free) are those of the last step's beginning. `minimise` takes one step more
    than convergence asks for, so that this lies within rounding of the end.
    """

    u: Float[Array, " free"]
    value: Array
    gradient: Float[Array, " free"]
    hessian: Float[Array, "free free"]
    steps: Array
    converged: Array


class _Walk(NamedTuple):
    u: Array
    state: DampedNewtonState
    gradient: Array
    hessian: Array
    steps: Array
    converged: Array
    over: Array
    settled: Array  # over already before the last step


def minimise(objective: Objective, start: Float[Array, " free"]) -> Solution:
    """Minimise a smooth scalar objective from one start; `jax.vmap` over `start` for many.

    Converged means: the decrease that the last Newton step promised was about rounding of the value, or the step was
    about rounding of the coordinates; the step was taken, so what remains is its square. A non-finite value at the
    start ends at once, unconverged, and so do MAX_STEPS steps.
    """
    walk = jax.lax.while_loop(lambda walk: ~walk.settled, partial(_advance, objective), _begin(start))
    return Solution(walk.u, walk.state.value, walk.gradient, walk.hessian, walk.steps, walk.converged)


def minimise_each(
    objective: Callable[[Array, Any], Array], start: Float[Array, " free"], items: Any, lanes: int = 32
) -> Solution:
    """Minimise objective(u, item) from the same start for every item along the leading axis of the tree `items`.

    As `jax.vmap(minimise)`, whose every problem takes as many steps as the longest: here `lanes` problems advance side
    by side, and a lane that is done takes the next item.
    """
    count = len(jax.tree.leaves(items)[0])
    lanes = min(lanes, count)
    fresh = _begin(start)
    walks = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (lanes, *leaf.shape)), fresh)
    ended = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count, *leaf.shape)), fresh)

    def advance(carry: tuple[_Walk, _Walk, Array]) -> tuple[_Walk, _Walk, Array]:
        walks, ended, at = carry
        mine = jax.tree.map(lambda leaf: leaf[jnp.minimum(at, count - 1)], items)
        walks = jax.vmap(lambda walk, item: _advance(lambda u: objective(u, item), walk))(walks, mine)
        place = jnp.where(walks.over, at, count)  # unfinished lanes write past the end, which drops
        ended = jax.tree.map(lambda to, leaf: to.at[place].set(leaf, mode="drop"), ended, walks)
        following = jnp.max(at) + jnp.cumsum(walks.over)
        restarted = jax.vmap(lambda walk: jax.tree.map(partial(jnp.where, walk.over), fresh, walk))(walks)
        return restarted, ended, jnp.where(walks.over, following, at)

    carry = (walks, ended, jnp.arange(lanes))
    _, ended, _ = jax.lax.while_loop(lambda carry: jnp.min(carry[2]) < count, advance, carry)
    return Solution(ended.u, ended.state.value, ended.gradient, ended.hessian, ended.steps, ended.converged)


def _begin(start: Array) -> _Walk:
    no = jnp.zeros((), bool)
    hessian = jnp.zeros((*start.shape, *start.shape), start.dtype)
    state = cast(DampedNewtonState, damped_newton().init(start))
    return _Walk(start, state, jnp.zeros_like(start), hessian, jnp.zeros((), int), no, no, no)


def _advance(objective: Objective, walk: _Walk) -> _Walk:
    eps = jnp.finfo(walk.u.dtype).eps
    value, gradient, hessian = second_order(objective, walk.u)
    method = damped_newton()
    moved = method.update(gradient, walk.state, walk.u, value=value, hessian=hessian, value_fn=objective)
    updates, state = cast(tuple[Array, DampedNewtonState], moved)
    small = (state.decrease <= 10 * eps * jnp.abs(value)) | (state.step <= 3e4 * eps)
    flat = jnp.max(jnp.abs(gradient)) <= jnp.sqrt(eps) * (1 + jnp.abs(value))
    converged = walk.converged | ((small | (state.stuck & flat)) & jnp.isfinite(value))
    steps = walk.steps + 1
    over = converged | state.stuck | ~jnp.isfinite(value) | (steps >= MAX_STEPS)
    return _Walk(walk.u + updates, state, gradient, hessian, steps, converged, over, walk.over)


def second_order(objective: Objective, u: Float[Array, " free"]) -> tuple[Array, Array, Array]:
    """Value, gradient and Hessian at u from one trace of the objective, which halves what has to be compiled."""

    def gradient(u: Array) -> tuple[Array, tuple[Array, Array]]:
        value, slope = jax.value_and_grad(objective)(u)
        return slope, (value, slope)

    hessian, (value, slope) = jax.jacfwd(gradient, has_aux=True)(u)
    return value, slope, hessian
