"""Densities of rows whose covariance is given by its modes, in JAX."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular

from t2jax.noise.smooth.kernel import Spectrum
from t2jax.typing import Array, Float


def spread_modes(spectra: Sequence[Spectrum], rows: np.ndarray, left_out: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Stacks the largest modes of kernels, shape (kernels, table, modes), zero at rows that are not read.

    It leaves out modes that have together less than the share `left_out` of the variance.
    """
    most = max(_mode_count(spectrum, rows, left_out) for spectrum in spectra)
    vectors, variances = np.zeros((len(spectra), len(rows), most)), np.zeros((len(spectra), most))
    for i, spectrum in enumerate(spectra):
        chosen = np.argsort(-spectrum.values)[:most]
        variances[i, : len(chosen)] = spectrum.values[chosen]
        vectors[i, rows, : len(chosen)] = spectrum.vectors[:, chosen]
    return vectors, variances


def _mode_count(spectrum: Spectrum, rows: np.ndarray, left_out: float) -> int:
    """Counts the modes to read; of all rows, as many as the table has, so that rows left out compile nothing anew."""
    values = spectrum.values
    if not left_out:
        return len(rows) if len(values) == rows.sum() else len(values)
    sums = np.cumsum(np.sort(values)[::-1])
    return min(int(np.searchsorted(sums, (1 - left_out) * sums[-1])) + 1, len(values))


def scaled_modes(rows: Array, vectors: Array, factor: Array) -> Float[Array, " rows"]:
    """Multiplies the part of rows in each mode by a factor."""
    return rows + vectors @ ((factor - 1) * (vectors.T @ rows))


def log_normal(residual: Array, seen: Array, amplitude: Array, sigma: Array, vectors: Array, variances: Array) -> Array:
    """Computes the log density of residuals with the covariance amplitude² V diag(variances) Vᵀ + sigma²."""
    modes = vectors.T @ residual
    rest = residual - vectors @ modes
    variance = amplitude**2 * variances + sigma**2
    size = jnp.sum(modes**2 / variance) + jnp.sum(rest**2) / sigma**2
    count = jnp.sum(seen, dtype=residual.dtype)
    volume = jnp.sum(jnp.log(variance)) + (count - len(variances)) * 2 * jnp.log(sigma)
    return -0.5 * (size + volume + count * np.log(2 * np.pi))


def log_normal_weighted(
    residual: Array, precision: Array, seen: Array, amplitude: Array, sigma: Array, vectors: Array, variances: Array
) -> Array:
    """Computes the log density of residuals whose errors have variance sigma²/precision (Woodbury's identity)."""
    features = amplitude / sigma * jnp.sqrt(variances)[None, :] * vectors
    gram = jnp.eye(len(variances), dtype=residual.dtype) + features.T @ (precision[:, None] * features)
    lower = jnp.linalg.cholesky(gram)
    inner = solve_triangular(lower, features.T @ (precision * residual), lower=True)
    size = (jnp.sum(precision * residual**2) - jnp.sum(inner**2)) / sigma**2
    count = jnp.sum(seen, dtype=residual.dtype)
    volume = 2 * jnp.sum(jnp.log(jnp.diag(lower))) + 2 * count * jnp.log(sigma)
    volume -= jnp.sum(jnp.where(seen, jnp.log(precision), 0.0))
    return -0.5 * (size + volume + count * np.log(2 * np.pi))
