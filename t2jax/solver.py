"""A damped Newton method with exact Hessians, as an Optax transformation, for objectives of about ten parameters.

Laws have few, strongly correlated parameters and many starts to try: dense second-order steps, batched over starts,
cost far less than line searches of first-order methods, and end at machine precision.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from t2jax.typing import Array, Float

Objective = Callable[[Array], Array]


class DampedNewtonState(NamedTuple):
    """damping: multiple of the Hessian's diagonal added to it. decrease: predicted by the last Newton step.

    step: largest coordinate of the last undamped step. stuck: no damping up to the largest gave a lower value.
    """

    damping: Array
    decrease: Array
    step: Array
    stuck: Array


def damped_newton(initial_damping: float = 1e-3) -> optax.GradientTransformationExtraArgs:
    """Newton's method with Levenberg-Marquardt damping (Marquardt 1963), the value checked at every step.

    Each update solves (H + λ·diag|H|) step = -g for three dampings around the last accepted one, and takes the one of
    lowest value; where none lowers the value the step is zero and λ grows a thousandfold. `update` needs the extra
    arguments `value`, `hessian` and `value_fn`. The trial of three dampings and their factor of ten are heuristics.
    """

    def init(u: Array) -> DampedNewtonState:
        high = jnp.full((), jnp.inf, u.dtype)
        return DampedNewtonState(jnp.full((), initial_damping, u.dtype), high, high, jnp.zeros((), bool))

    def update(grads, state, params=None, *, value, hessian, value_fn: Objective, **_):
        eps = jnp.finfo(grads.dtype).eps
        scale = jnp.maximum(jnp.abs(jnp.diagonal(hessian)), eps * jnp.max(jnp.abs(jnp.diagonal(hessian))))
        scale = jnp.where(scale > 0, scale, 1.0)
        dampings = jnp.maximum(state.damping * jnp.array([0.01, 1.0, 30.0], grads.dtype), 1e-3 * eps)

        def trial(damping: Array) -> tuple[Array, Array]:
            step = -_solve_positive(hessian + jnp.diag(damping * scale), grads)
            reached = value_fn(params + step)
            return step, jnp.where(jnp.isfinite(reached), reached, jnp.inf)

        steps, values = jax.vmap(trial)(dampings)
        best = jnp.argmin(values)
        decrease = -grads @ steps[best]
        # near the optimum the value no longer resolves the decrease that the gradient still shows
        allowed = value + jnp.where(decrease < 1e3 * eps * jnp.abs(value), 10 * eps * jnp.abs(value), 0.0)
        accepted = (values[best] <= allowed) & jnp.isfinite(values[best])
        damping = jnp.where(accepted, dampings[best], 1e3 * state.damping)
        new = DampedNewtonState(
            damping=damping,
            decrease=jnp.where(accepted, decrease, state.decrease),
            step=jnp.where(accepted, jnp.max(jnp.abs(steps[best])), state.step),
            stuck=damping > 1e12,
        )
        return jnp.where(accepted, steps[best], jnp.zeros_like(grads)), new

    return optax.GradientTransformationExtraArgs(init, update)  # pyright: ignore[reportArgumentType]


class Solution(NamedTuple):
    """Where one minimisation ended: u (free,), value (), gradient (free,), steps taken, and whether it converged."""

    u: Float[Array, " free"]
    value: Array
    gradient: Float[Array, " free"]
    steps: Array
    converged: Array


def minimise(objective: Objective, start: Float[Array, " free"], max_steps: int = 200) -> Solution:
    """Minimise a smooth scalar objective from one start; `jax.vmap` over `start` for many.

    Converged means: the decrease that Newton's model still predicts is below rounding of the value, or the step is
    below rounding of the coordinates. A non-finite value at the start ends at once, unconverged.
    """
    method = damped_newton()
    eps = jnp.finfo(start.dtype).eps
    value_and_grad = jax.value_and_grad(objective)

    def body(carry):
        u, state, _, _, count = carry
        value, gradient = value_and_grad(u)
        updates, state = method.update(
            gradient, state, u, value=value, hessian=jax.hessian(objective)(u), value_fn=objective
        )
        small = (state.decrease <= 1e-2 * eps * jnp.abs(value)) | (state.step <= 3e4 * eps)
        done = small | (state.stuck & (jnp.max(jnp.abs(gradient)) <= jnp.sqrt(eps) * (1 + jnp.abs(value))))
        return u + updates, state, done, state.stuck | ~jnp.isfinite(value), count + 1

    def unfinished(carry):
        _, _, done, failed, count = carry
        return ~done & ~failed & (count < max_steps)

    begin = (start, method.init(start), jnp.zeros((), bool), jnp.zeros((), bool), jnp.zeros((), int))
    u, _, done, _, count = jax.lax.while_loop(unfinished, body, begin)
    value, gradient = value_and_grad(u)
    return Solution(u, value, gradient, count, done & jnp.isfinite(value))


def _solve_positive(matrix: Float[Array, "n n"], vector: Float[Array, " n"]) -> Float[Array, " n"]:
    """matrix⁻¹ vector by Cholesky; NaN where the matrix is not positive definite, which the caller rejects."""
    factor = jax.lax.linalg.cholesky(matrix, symmetrize_input=False)
    half = jax.lax.linalg.triangular_solve(factor, vector[:, None], left_side=True, lower=True)
    return jax.lax.linalg.triangular_solve(factor, half, left_side=True, lower=True, transpose_a=True)[:, 0]
