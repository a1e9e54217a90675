"""Bands for new measurements: bootstrap draws of the law combined with resampled residuals."""

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.evaluation.held_out import fitted_rows
from t2jax.fitting.fit import Fit
from t2jax.fitting.problem import FitProblem
from t2jax.laws.base import Law
from t2jax.laws.predict import predict
from t2jax.noise.protocol import Rows
from t2jax.noise.residuals import response
from t2jax.numerics.bands import Band, band
from t2jax.tables.table import Table
from t2jax.typing import Array, Float
from t2jax.working_precision import scope

PER_LAW = 10
LARGEST_LEVERAGE = 0.9


def predictive_band(fit: Fit, laws: Law, table: Table, *, key: Array, level: float = 0.9) -> Band:
    """Computes the band for a new measurement at each row of the table, from the fitted rows alone.

    The prediction of each law is shifted by residuals of the fitted rows, resampled in proportion to weight. The shift
    is in the log where the noise model compares logs. The two spreads add up as in Davison & Hinkley 1997, section
    6.3.3. A residual is smaller than the error of its measurement by √(1-h), with leverage h, so it is divided by that
    (their eq. 6.9). The leverage is limited to 0.9, because a row that decides its own prediction shows no error.
    Residuals are not centred, because a robust law need not run through the mean. The band does not cover a change of
    the errors, or a failure of the law, beyond the fitted rows. The coverage shows these.

    Args:
        fit: The fit to the table. Rows of negligible weight (`left_out`) are predicted.
        laws: Bootstrap draws of the law, leaves of shape (draws,).
        table: The table.
        key: JAX random key.
        level: Level of the band, in (0, 1).

    Returns:
        The band, shape (rows,).

    Raises:
        ValueError: The rows are counts, or more than half of the draws have no prediction.
    """
    logs = fit.problem.noise.compares == "log"
    observed = table[response(fit.problem.law, table)]
    at_fit = predict(fit.law, table)
    residual = np.log(observed / at_fit) if logs else observed - at_fit
    inflated = residual / np.sqrt(1 - np.minimum(leverage(fit, table), LARGEST_LEVERAGE))
    fitted = fitted_rows(table)
    weight = table.weights()[fitted]
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    drawn = predict(laws, table)
    errors = rng.choice(inflated[fitted], (PER_LAW, *drawn.shape), p=weight / weight.sum())
    measured = drawn * np.exp(errors) if logs else drawn + errors
    return band(measured.reshape(-1, len(table)), level)


def leverage(fit: Fit, table: Table) -> Float[np.ndarray, " rows"]:
    """Computes the share of each row's prediction that its own measurement decides, from 0 to 1: w·J(JᵀWJ)⁺Jᵀ.

    It is that of least squares at the fit, and zero for rows that were left out. Its sum is the rank of the fit.
    Directions that no row determines do not count.
    """
    problem, data = fit.problem.read(table)
    with scope() as dtype:
        rows = {name: jnp.asarray(column, dtype) for name, column in data.every_row().items()}
        u = problem.unconstrain(fit.law.values() | fit.noise_values).astype(dtype)
        slopes = np.asarray(_slopes(problem, u, rows), float)
    fitted = fitted_rows(table)
    rooted = slopes[fitted] * np.sqrt(np.asarray(data.weight)[fitted])[:, None]
    size = np.linalg.norm(rooted, axis=0)
    left, singular, _ = np.linalg.svd(rooted / np.where(size > 0, size, 1.0), full_matrices=False)
    values = np.zeros(len(table))
    values[fitted] = np.square(left[:, singular > 1e-6 * singular[0]]).sum(axis=1)
    return values


@jax.jit
def _slopes(problem: FitProblem, u: Array, rows: Rows) -> Array:
    """Computes the derivatives of the predictions, or of their logs, by the coordinates."""

    def value(u: Array) -> Array:
        law, _ = problem.split(u)
        predicted = law.predict(rows)
        return jnp.log(predicted) if problem.noise.compares == "log" else predicted

    return jax.jacfwd(value)(u)
