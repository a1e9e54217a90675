"""Bands for measurements, not for the law: fitted laws drawn again, times what a measurement lies off the law."""

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
    """Where a new measurement at each row of the table should lie, low, mid and high (rows,), by the fitted rows alone.

    fit: to the table, whose rows of negligible weight (`held_out.left_out`) are to be predicted. laws: its bootstrap,
    leaves (draws,). Each law's prediction is put off by residuals of the fitted rows, drawn again in proportion to
    weight: in the log where the noise model compares logs, else added. The two spreads add up as in Davison & Hinkley
    1997, section 6.3.3. A residual is smaller than the error of its measurement, by √(1-h) in least squares with
    leverage h, so it is divided by that (their eq. 6.9; h at most 0.9, for a row that decides its own prediction shows
    no error). Residuals are not centred: a robust law need not run through the mean. Where errors grow or change
    beyond the fitted rows, or the law's form fails there, the band knows nothing of it: that is what coverage shows.

    Raises ValueError for counts, and where more than half of the draws have no prediction.
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
    """How much of each row's prediction its own measurement decides, 0 to 1, by least squares at the fit: w·J(JᵀWJ)⁺Jᵀ.

    Zero for rows that were left out. It sums to the rank of the fit. Directions that no row determines do not count.
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
    found = np.zeros(len(table))
    found[fitted] = np.square(left[:, singular > 1e-6 * singular[0]]).sum(axis=1)
    return found


@jax.jit
def _slopes(problem: FitProblem, u: Array, rows: Rows) -> Array:
    def value(u: Array) -> Array:
        law, _ = problem.split(u)
        predicted = law.predict(rows)
        return jnp.log(predicted) if problem.noise.compares == "log" else predicted

    return jax.jacfwd(value)(u)
