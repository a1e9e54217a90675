"""Damped Newton method with exact Hessians, as an Optax transformation, for objectives of about ten parameters.

Laws have few, strongly correlated parameters and many starts. Dense second-order steps, batched over starts, cost far
less than line searches of first-order methods, and end at machine precision.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import jax
import jax.numpy as jnp

from t2jax.typing import Array, Float

if TYPE_CHECKING:
    import optax

Objective = Callable[[Array], Array]
Limits = tuple[Array, Array]
"""Lower and upper bounds of the coordinates, shape (free,) each. They are infinite for a coordinate without a bound."""
MAX_STEPS = 200
MAX_JUMPS = 3  # restarts with a coordinate at its limit, after a search that ends without an optimum
MAX_RESTARTS = 2  # restarts from the lowest end, if no jump has helped: curved valleys are long
TRIALS = (0.01, 0.15, 1.0, 10.0)  # dampings of each step, relative to the last accepted damping


class DampedNewtonState(NamedTuple):
    """State of `damped_newton`.

    Attributes:
        value: Objective at the current point.
        damping: Multiple of the Hessian's diagonal that is added to the Hessian.
        decrease: Decrease that the last Newton step predicted.
        step: Largest coordinate of the last accepted step.
        stuck: Whether no damping up to the largest gave a lower value.
    """

    value: Array
    damping: Array
    decrease: Array
    step: Array
    stuck: Array


def damped_newton(initial_damping: float = 1e-3) -> "optax.GradientTransformationExtraArgs":
    """Returns Newton's method with Levenberg-Marquardt damping (Marquardt 1963), which checks the value at every step.

    Each update solves (|H| + λ·diag|H|) step = -g for a few dampings around the last accepted one. It takes the step of
    lowest value. Here |H| has the absolute eigenvalues of H scaled by its diagonal (Dauphin et al. 2014).
    If no step lowers the value, the step is zero and λ grows a thousandfold.
    `update` needs the extra arguments `value`, `hessian` and `value_fn`. The extra argument `limits` bounds all trials.
    The choice of dampings is a heuristic.
    """

    def init(u: Array) -> DampedNewtonState:
        infinity, damping = jnp.full((), jnp.inf, u.dtype), jnp.full((), initial_damping, u.dtype)
        return DampedNewtonState(infinity, damping, infinity, infinity, jnp.zeros((), bool))

    def update(grads, state, params=None, *, value, hessian, value_fn: Objective, limits: Limits | None = None, **_):
        eps = jnp.finfo(grads.dtype).eps
        scale = jnp.maximum(jnp.abs(jnp.diagonal(hessian)), eps * jnp.max(jnp.abs(jnp.diagonal(hessian))))
        scale = jnp.where(scale > 0, scale, 1.0)
        dampings = jnp.maximum(state.damping * jnp.array(TRIALS, grads.dtype), 1e-3 * eps)

        root = jnp.sqrt(scale)
        curvatures, axes = jnp.linalg.eigh(hessian / jnp.outer(root, root))
        slopes = axes.T @ (grads / root)

        def trial(damping: Array) -> tuple[Array, Array]:
            # along negative curvature, its absolute value still estimates the reach of the quadratic model
            step = -(axes @ (slopes / (jnp.abs(curvatures) + damping))) / root
            if limits is not None:
                step = jnp.clip(params + step, *limits) - params  # pyright: ignore[reportOperatorIssue]
            trial_value = value_fn(params + step)
            return step, jnp.where(jnp.isfinite(trial_value), trial_value, jnp.inf)

        steps, values = jax.vmap(trial)(dampings)
        best = jnp.argmin(values)
        decrease = -grads @ steps[best]
        # near the optimum the predicted decrease is below the rounding of the value
        allowed = value + jnp.where(decrease < 1e3 * eps * jnp.abs(value), 100 * eps * jnp.abs(value), 0.0)
        accepted = (values[best] <= allowed) & jnp.isfinite(values[best])
        damping = jnp.where(accepted, dampings[best], 1e3 * state.damping)
        new_state = DampedNewtonState(
            value=jnp.where(accepted, values[best], value),
            damping=damping,
            decrease=jnp.where(accepted, decrease, state.decrease),
            step=jnp.where(accepted, jnp.max(jnp.abs(steps[best])), state.step),
            stuck=damping > 1e12,
        )
        return jnp.where(accepted, steps[best], jnp.zeros_like(grads)), new_state

    import optax  # slow to load, and only needed to trace a solver, which a stored program spares

    return optax.GradientTransformationExtraArgs(init, update)  # pyright: ignore[reportArgumentType]


class Solution(NamedTuple):
    """Result of a minimisation.

    `minimise` takes one step after convergence, so the derivatives are within rounding of those at `u`.

    Attributes:
        u: Minimiser, shape (free,).
        value: Objective at `u`.
        gradient: Gradient at the start of the last step, shape (free,).
        hessian: Hessian at the start of the last step, shape (free, free).
        steps: Number of steps of the last search.
        converged: Whether the search converged.
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
    ended: Array
    ended_before: Array  # whether the search had ended before the last step
    lowest: Array  # lowest value at which an earlier search ended
    lowest_u: Array  # coordinates of that value
    jumped: Array  # coordinates that have been moved to their limits, (free,)
    restarts: Array  # number of restarts without a jump


def minimise(objective: Objective, start: Float[Array, " free"], limits: Limits | None = None) -> Solution:
    """Minimises a smooth scalar objective from one start; use `jax.vmap` over `start` for many.

    Within limits this is the projected Newton method (Bertsekas 1982). A coordinate stays at its limit if the gradient
    pushes it outwards, and the step solves for the others. Its entry of the gradient is reported as zero.
    A search can end without an optimum, for example on the long way to an edge along a curved valley. It then restarts
    with the coordinate nearest to a limit at that limit. The new end counts if it is an optimum and no higher (a
    heuristic).

    The search has converged if the last Newton step predicted a decrease near rounding of the value, or was near
    rounding of the coordinates. That step is taken, so the remaining error is its square.
    A search also ends, unconverged, at a non-finite value or after MAX_STEPS steps.
    """
    if limits is not None:
        start = jnp.clip(start, *limits)
    walk = jax.lax.while_loop(lambda walk: ~walk.ended_before, partial(_advance, objective, limits), _start_walk(start))
    return Solution(walk.u, walk.state.value, walk.gradient, walk.hessian, walk.steps, walk.converged)


def minimise_each(
    objective: Callable[[Array, Any], Array],
    start: Float[Array, " free"],
    items: Any,
    lanes: int,
    limits: Limits | None = None,
) -> Solution:
    """Minimises objective(u, item) from the same start for every item along the leading axis of the tree `items`.

    With `jax.vmap(minimise)` every problem takes as many steps as the longest one. Here `lanes` problems advance side
    by side, and a lane that has ended takes the next item. A lane beyond the last item repeats it without a result.
    As in `minimise`, one step follows convergence, so that an end does not depend on the rounding of its start.
    """
    count = len(jax.tree.leaves(items)[0])
    if limits is not None:
        start = jnp.clip(start, *limits)
    fresh = _start_walk(start)
    walks = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (lanes, *leaf.shape)), fresh)
    ended = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count, *leaf.shape)), fresh)

    def advance(carry: tuple[_Walk, _Walk, Array]) -> tuple[_Walk, _Walk, Array]:
        walks, ended, at = carry
        lane_items = jax.tree.map(lambda leaf: leaf[jnp.minimum(at, count - 1)], items)
        walks = jax.vmap(lambda walk, item: _advance(lambda u: objective(u, item), limits, walk))(walks, lane_items)
        place = jnp.where(walks.ended_before, at, count)  # unfinished lanes write past the end, which drops
        ended = jax.tree.map(lambda results, leaf: results.at[place].set(leaf, mode="drop"), ended, walks)
        next_item = jnp.max(at) + jnp.cumsum(walks.ended_before)
        restarted = jax.vmap(lambda walk: jax.tree.map(partial(jnp.where, walk.ended_before), fresh, walk))(walks)
        return restarted, ended, jnp.where(walks.ended_before, next_item, at)

    carry = (walks, ended, jnp.arange(lanes))
    _, ended, _ = jax.lax.while_loop(lambda carry: jnp.min(carry[2]) < count, advance, carry)
    return Solution(ended.u, ended.state.value, ended.gradient, ended.hessian, ended.steps, ended.converged)


def _start_walk(start: Array) -> _Walk:
    """Returns the state of a search before its first step."""
    false = jnp.zeros((), bool)
    hessian = jnp.zeros((*start.shape, *start.shape), start.dtype)
    state = cast(DampedNewtonState, damped_newton().init(start))
    zeros, zero, infinity = jnp.zeros_like(start), jnp.zeros((), int), jnp.full((), jnp.inf, start.dtype)
    return _Walk(
        start, state, zeros, hessian, zero, false, false, false, infinity, start, jnp.zeros(start.shape, bool), zero
    )


def _advance(objective: Objective, limits: Limits | None, walk: _Walk) -> _Walk:
    """Takes one step of a search. Coordinates at a limit stay there if the gradient pushes them outwards."""
    eps = jnp.finfo(walk.u.dtype).eps
    value, gradient, hessian = second_order(objective, walk.u)
    model_hessian = hessian
    if limits is not None:
        low, high = limits
        at_limit = ((walk.u <= low) & (gradient > 0)) | ((walk.u >= high) & (gradient < 0))
        gradient = jnp.where(at_limit, 0.0, gradient)
        model_hessian = jnp.where(at_limit[:, None] | at_limit[None, :], 0.0, hessian)
        model_hessian = model_hessian + jnp.diag(
            jnp.where(at_limit, jnp.max(jnp.abs(jnp.diagonal(model_hessian))), 0.0)
        )
    method = damped_newton()
    update = method.update(
        gradient, walk.state, walk.u, value=value, hessian=model_hessian, value_fn=objective, limits=limits
    )
    updates, state = cast(tuple[Array, DampedNewtonState], update)
    is_small = (state.decrease <= 10 * eps * jnp.abs(value)) | (state.step <= 3e4 * eps)
    is_flat = jnp.max(jnp.abs(gradient)) <= jnp.sqrt(eps) * (1 + jnp.abs(value))
    converged = walk.converged | ((is_small | (state.stuck & is_flat)) & jnp.isfinite(value))
    steps = walk.steps + 1
    ended = converged | state.stuck | ~jnp.isfinite(value) | (steps >= MAX_STEPS)
    history = walk.lowest, walk.lowest_u, walk.jumped, walk.restarts
    walk = _Walk(walk.u + updates, state, gradient, hessian, steps, converged, ended, walk.ended, *history)
    return walk if limits is None else _restart(limits, walk)


def _restart(limits: Limits, walk: _Walk) -> _Walk:
    """Returns the search itself, or a new one if it has just ended without an optimum.

    The new search starts at the lowest end so far, if possible with the coordinate nearest to a limit at that limit.
    """
    low, high = limits
    value = walk.state.value
    lower = value <= walk.lowest + 1e-10 * jnp.abs(walk.lowest)
    failed = walk.ended & ~walk.ended_before & ~(walk.converged & lower)
    lowest, lowest_u = jnp.where(lower, value, walk.lowest), jnp.where(lower, walk.u, walk.lowest_u)
    room = jnp.minimum(lowest_u - low, high - lowest_u)
    room = jnp.where((room > 0) & ~walk.jumped, room, jnp.inf)
    nearest = jnp.arange(len(room)) == jnp.argmin(room)
    jumps = jnp.isfinite(jnp.min(room)) & (jnp.sum(walk.jumped) < MAX_JUMPS)
    restarts = failed & jnp.isfinite(lowest) & (jumps | (walk.restarts < MAX_RESTARTS))
    nearest = nearest & jumps
    start = jnp.where(nearest, jnp.where(lowest_u - low <= high - lowest_u, low, high), lowest_u)
    new_walk = _start_walk(start)._replace(
        lowest=lowest, lowest_u=lowest_u, jumped=walk.jumped | nearest, restarts=walk.restarts + ~jumps
    )
    # without an optimum, the result is the lowest end of all searches
    final_walk = walk._replace(u=lowest_u, state=walk.state._replace(value=lowest), converged=jnp.zeros((), bool))
    ended_walk = jax.tree.map(partial(jnp.where, failed), final_walk, walk)
    return jax.tree.map(partial(jnp.where, restarts), new_walk, ended_walk)


def second_order(objective: Objective, u: Float[Array, " free"]) -> tuple[Array, Array, Array]:
    """Returns value, gradient and Hessian at u.

    One trace of the objective yields all three, which halves the code to compile.
    """

    def gradient(u: Array) -> tuple[Array, tuple[Array, Array]]:
        value, slope = jax.value_and_grad(objective)(u)
        return slope, (value, slope)

    hessian, (value, slope) = jax.jacfwd(gradient, has_aux=True)(u)
    return value, slope, hessian
