"""Linear algebra of two or three variables written out, so that it batches over problems as plain arithmetic."""

import jax.numpy as jnp

from t2jax.typing import Array, Float


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


def lowest_eigenvalue(matrix: Float[Array, "n n"]) -> Array:
    """Smallest eigenvalue of a symmetric 2×2 or 3×3 matrix, in closed form (Smith 1961 for three).

    Raises ValueError for another size.
    """
    n = matrix.shape[0]
    mean = jnp.trace(matrix) / n
    rest = matrix - mean * jnp.eye(n, dtype=matrix.dtype)
    spread = jnp.sqrt(jnp.sum(rest**2) / (n * (n - 1)))
    if n == 2:
        return mean - spread
    if n != 3:
        raise ValueError(f"the closed form is for 2×2 and 3×3 matrices, not {n}×{n}")
    safe = jnp.where(spread > 0, spread, 1.0)
    (a, b, c), (_, d, e), (_, _, f) = (rest / safe)[0], (rest / safe)[1], (rest / safe)[2]
    half_determinant = 0.5 * (a * (d * f - e * e) - b * (b * f - c * e) + c * (b * e - c * d))
    angle = jnp.arccos(jnp.clip(half_determinant, -1.0, 1.0)) / 3
    return mean + 2 * spread * jnp.cos(angle + 2 * jnp.pi / 3)
