"""Linear algebra of two to four variables written out, so that it batches over problems as plain arithmetic."""

import jax
import jax.numpy as jnp

from t2jax.typing import Array, Float

SHIFTS = (0.0, 1e-3, 1e-2, 0.1, 1.0, 10.0)
"""Shifts of the Hessian that `downhill` tries, as multiples of its largest entry."""


def solve_positive(matrix: Float[Array, "n n"], vector: Float[Array, " n"]) -> Float[Array, " n"]:
    """Computes matrix⁻¹ vector by an unrolled Cholesky factorisation, or NaN if the matrix is not positive definite.

    It is meant for n up to about 4, because the code grows as n³.
    """
    n = vector.shape[0]
    lower: list[list[Array]] = []
    for i in range(n):
        row: list[Array] = []
        for j in range(i):
            row.append((matrix[i, j] - sum(row[m] * lower[j][m] for m in range(j))) / lower[j][j])
        row.append(jnp.sqrt(matrix[i, i] - sum(entry**2 for entry in row)))
        lower.append(row)
    forward: list[Array] = []
    for i in range(n):
        forward.append((vector[i] - sum(lower[i][m] * forward[m] for m in range(i))) / lower[i][i])
    x: list[Array] = [vector[0]] * n
    for i in reversed(range(n)):
        x[i] = (forward[i] - sum(lower[m][i] * x[m] for m in range(i + 1, n))) / lower[i][i]
    return jnp.stack(x)


def downhill(
    hessian: Float[Array, "n n"], rest: Float[Array, "n n"], gradient: Float[Array, " n"]
) -> Float[Array, " n"]:
    """Computes the Newton step -(hessian + rest + shift)⁻¹ gradient with the smallest shift of `SHIFTS` that is enough.

    A shift is enough if the sum is positive definite, so that the step descends.
    `rest` is a positive semidefinite part, such as the Hessian of a barrier. The result is zero if no shift is enough.
    """
    eye = jnp.eye(hessian.shape[0], dtype=hessian.dtype)
    scale = jnp.max(jnp.abs(hessian)) + jnp.finfo(hessian.dtype).tiny
    shifts = scale * jnp.array(SHIFTS, hessian.dtype)
    steps = jax.vmap(lambda shift: -solve_positive(hessian + rest + shift * eye, gradient))(shifts)
    finite = jnp.all(jnp.isfinite(steps), axis=1)
    return jnp.where(jnp.any(finite), steps[jnp.argmax(finite)], 0.0)
