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
Limits = tuple[Array, Array]
"""The least and the largest value of each coordinate, (free,) each, infinite where there is none."""
MAX_STEPS = 200
MAX_JUMPS = 3  # to limits, from where a search ended without an optimum
MAX_GOES = 2  # once more from there, where no jump has helped: bent valleys are long
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
    `value_fn`; with the extra argument `limits` no point outside them is tried. The dampings tried are a heuristic.
    """

    def init(u: Array) -> DampedNewtonState:
        high = jnp.full((), jnp.inf, u.dtype)
        return DampedNewtonState(high, jnp.full((), initial_damping, u.dtype), high, high, jnp.zeros((), bool))

    def update(grads, state, params=None, *, value, hessian, value_fn: Objective, limits: Limits | None = None, **_):
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
            if limits is not None:
                step = jnp.clip(params + step, *limits) - params  # pyright: ignore[reportOperatorIssue]
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
    """Where a minimisation ended: u (free,), value (), steps of the last search, and whether it converged.

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
    lowest: Array  # value where the searches ended that the present one began from
    bottom: Array  # and coordinates there
    jumped: Array  # which coordinates have been put at their limits
    goes: Array  # how often the search went on from where it had ended


def minimise(objective: Objective, start: Float[Array, " free"], limits: Limits | None = None) -> Solution:
    """Minimise a smooth scalar objective from one start; `jax.vmap` over `start` for many.

    Within limits this is the projected Newton method (Bertsekas 1982): a coordinate that is at its limit, and that the
    gradient pushes outwards, stays there, and the step solves for the others. Its gradient is given as zero. A search
    that ends without an optimum, as on the long way to an edge along a bent valley, goes on from where its coordinate
    nearest to a limit is at it; what it finds there counts if it is an optimum and no higher (a heuristic).

    Converged means: the decrease that the last Newton step promised was about rounding of the value, or the step was
    about rounding of the coordinates; the step was taken, so what remains is its square. A non-finite value at the
    start ends at once, unconverged; MAX_STEPS steps end a search.
    """
    if limits is not None:
        start = jnp.clip(start, *limits)
    walk = jax.lax.while_loop(lambda walk: ~walk.settled, partial(_advance, objective, limits), _begin(start))
    return Solution(walk.u, walk.state.value, walk.gradient, walk.hessian, walk.steps, walk.converged)


def minimise_each(
    objective: Callable[[Array, Any], Array],
    start: Float[Array, " free"],
    items: Any,
    lanes: int = 32,
    limits: Limits | None = None,
) -> Solution:
    """Minimise objective(u, item) from the same start for every item along the leading axis of the tree `items`.

    As `jax.vmap(minimise)`, whose every problem takes as many steps as the longest: here `lanes` problems advance side
    by side, and a lane that is done takes the next item.
    """
    count = len(jax.tree.leaves(items)[0])
    lanes = min(lanes, count)
    if limits is not None:
        start = jnp.clip(start, *limits)
    fresh = _begin(start)
    walks = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (lanes, *leaf.shape)), fresh)
    ended = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count, *leaf.shape)), fresh)

    def advance(carry: tuple[_Walk, _Walk, Array]) -> tuple[_Walk, _Walk, Array]:
        walks, ended, at = carry
        mine = jax.tree.map(lambda leaf: leaf[jnp.minimum(at, count - 1)], items)
        walks = jax.vmap(lambda walk, item: _advance(lambda u: objective(u, item), limits, walk))(walks, mine)
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
    empty, steps, high = jnp.zeros_like(start), jnp.zeros((), int), jnp.full((), jnp.inf, start.dtype)
    return _Walk(start, state, empty, hessian, steps, no, no, no, high, start, jnp.zeros(start.shape, bool), steps)


def _advance(objective: Objective, limits: Limits | None, walk: _Walk) -> _Walk:
    eps = jnp.finfo(walk.u.dtype).eps
    value, gradient, hessian = second_order(objective, walk.u)
    bend = hessian
    if limits is not None:
        low, high = limits
        held = ((walk.u <= low) & (gradient > 0)) | ((walk.u >= high) & (gradient < 0))
        gradient = jnp.where(held, 0.0, gradient)
        bend = jnp.where(held[:, None] | held[None, :], 0.0, hessian)
        bend = bend + jnp.diag(jnp.where(held, jnp.max(jnp.abs(jnp.diagonal(bend))), 0.0))
    method = damped_newton()
    moved = method.update(gradient, walk.state, walk.u, value=value, hessian=bend, value_fn=objective, limits=limits)
    updates, state = cast(tuple[Array, DampedNewtonState], moved)
    small = (state.decrease <= 10 * eps * jnp.abs(value)) | (state.step <= 3e4 * eps)
    flat = jnp.max(jnp.abs(gradient)) <= jnp.sqrt(eps) * (1 + jnp.abs(value))
    converged = walk.converged | ((small | (state.stuck & flat)) & jnp.isfinite(value))
    steps = walk.steps + 1
    over = converged | state.stuck | ~jnp.isfinite(value) | (steps >= MAX_STEPS)
    kept = walk.lowest, walk.bottom, walk.jumped, walk.goes
    moved = _Walk(walk.u + updates, state, gradient, hessian, steps, converged, over, walk.over, *kept)
    return moved if limits is None else _jump(limits, moved)


def _jump(limits: Limits, walk: _Walk) -> _Walk:
    """The walk itself unless it has just ended without an optimum: then one that begins at another limit, if any."""
    low, high = limits
    value = walk.state.value
    lower = value <= walk.lowest + 1e-10 * jnp.abs(walk.lowest)
    failed = walk.over & ~walk.settled & ~(walk.converged & lower)
    lowest, bottom = jnp.where(lower, value, walk.lowest), jnp.where(lower, walk.u, walk.bottom)
    room = jnp.minimum(bottom - low, high - bottom)
    room = jnp.where((room > 0) & ~walk.jumped, room, jnp.inf)
    nearest = jnp.arange(len(room)) == jnp.argmin(room)
    leap = jnp.isfinite(jnp.min(room)) & (jnp.sum(walk.jumped) < MAX_JUMPS)
    more = failed & jnp.isfinite(lowest) & (leap | (walk.goes < MAX_GOES))
    nearest = nearest & leap
    at = jnp.where(nearest, jnp.where(bottom - low <= high - bottom, low, high), bottom)
    again = _begin(at)._replace(lowest=lowest, bottom=bottom, jumped=walk.jumped | nearest, goes=walk.goes + ~leap)
    # where no search found an optimum, the lowest end of any is what there is
    last = walk._replace(u=bottom, state=walk.state._replace(value=lowest), converged=jnp.zeros((), bool))
    ended = jax.tree.map(partial(jnp.where, failed), last, walk)
    return jax.tree.map(partial(jnp.where, more), again, ended)


def second_order(objective: Objective, u: Float[Array, " free"]) -> tuple[Array, Array, Array]:
    """Value, gradient and Hessian at u from one trace of the objective, which halves what has to be compiled."""

    def gradient(u: Array) -> tuple[Array, tuple[Array, Array]]:
        value, slope = jax.value_and_grad(objective)(u)
        return slope, (value, slope)

    hessian, (value, slope) = jax.jacfwd(gradient, has_aux=True)(u)
    return value, slope, hessian
