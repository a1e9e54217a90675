"""Linear algebra of two to four variables written out, so that it batches over problems as plain arithmetic."""

import jax
import jax.numpy as jnp

from t2jax.typing import Array, Float

SHIFTS = (0.0, 1e-3, 1e-2, 0.1, 1.0, 10.0)
"""Multiples of the largest curvature that `downhill` tries to add."""


def solve_positive(matrix: Float[Array, "n n"], vector: Float[Array, " n"]) -> Float[Array, " n"]:
    """matrix⁻¹ vector by an unrolled Cholesky factorisation; NaN where the matrix is not positive definite.

    For n up to about 4: the code grows as n³.
    """
    n = vector.shape[0]
    low: list[list[Array]] = []
    for i in range(n):
        row: list[Array] = []
        for j in range(i):
            row.append((matrix[i, j] - sum(row[m] * low[j][m] for m in range(j))) / low[j][j])
        row.append(jnp.sqrt(matrix[i, i] - sum(entry**2 for entry in row)))
        low.append(row)
    half: list[Array] = []
    for i in range(n):
        half.append((vector[i] - sum(low[i][m] * half[m] for m in range(i))) / low[i][i])
    x: list[Array] = [vector[0]] * n
    for i in reversed(range(n)):
        x[i] = (half[i] - sum(low[m][i] * x[m] for m in range(i + 1, n))) / low[i][i]
    return jnp.stack(x)


def downhill(
    hessian: Float[Array, "n n"], rest: Float[Array, "n n"], gradient: Float[Array, " n"]
) -> Float[Array, " n"]:
    """The Newton step -(hessian + rest + shift)⁻¹ gradient with the least shift of `SHIFTS` that makes it go down.

    rest: a positive semidefinite part, as that of a barrier. Shifts are in units of the hessian's largest entry.
    """
    eye = jnp.eye(hessian.shape[0], dtype=hessian.dtype)
    scale = jnp.max(jnp.abs(hessian)) + jnp.finfo(hessian.dtype).tiny
    shifts = scale * jnp.array(SHIFTS, hessian.dtype)
    steps = jax.vmap(lambda shift: -solve_positive(hessian + rest + shift * eye, gradient))(shifts)
    good = jnp.all(jnp.isfinite(steps), axis=1)
    return jnp.where(jnp.any(good), steps[jnp.argmax(good)], 0.0)
