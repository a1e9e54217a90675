"""Least squares with the law's priors as a penalty, for errors whose covariance is given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from t2jax.noise.smooth.response_curve import DeviceRows, ResponseCurve
from t2jax.typing import Float

FIRST_NOISE = 0.01
ROUNDS = 60
DAMPING_STEPS = 12
SETTLED = 1e-12

Whiten = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class PenalisedFit:
    """Coordinates of least penalised squares.

    Attributes:
        u: The coordinates, shape (free,).
        cost: Half of the squared residuals in units of their errors, plus the penalty of the priors.
    """

    u: np.ndarray
    cost: float


def minimise_squares(
    curve: ResponseCurve,
    columns: Mapping[str, np.ndarray] | DeviceRows,
    measured: Float[np.ndarray, " rows"],
    start: Float[np.ndarray, " free"],
    whiten: Whiten,
) -> PenalisedFit:
    """Minimises ½|W(measured - curve(u))|² + ½|(u - mean)/sd|² by damped Gauss-Newton steps (Levenberg-Marquardt).

    Args:
        curve: The law.
        columns: Inputs of the rows.
        measured: Measurements on the scale of the comparison.
        start: Coordinates of the start.
        whiten: Function that multiplies a matrix (rows, ...) by W, so that its rows are in units of independent errors.

    Returns:
        The fit; its cost is infinite where the start has no finite cost.
    """
    (mean, spread), rows = curve.prior, DeviceRows.of(columns)

    def evaluate(u: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        values, slopes = curve.evaluate(u, rows)
        both = whiten(np.column_stack([measured - values, slopes]))
        residual, slope = both[:, 0], both[:, 1:]
        cost = 0.5 * float(residual @ residual) + 0.5 * float(np.sum(((u - mean) / spread) ** 2))
        return (cost if np.isfinite(cost) and np.isfinite(slope).all() else np.inf), residual, slope

    u, damping = np.asarray(start, float), 1e-3
    cost, residual, slope = evaluate(u)
    if not np.isfinite(cost):
        return PenalisedFit(u, np.inf)
    for _ in range(ROUNDS):
        gradient = -slope.T @ residual + (u - mean) / spread**2
        curvature = slope.T @ slope + np.diag(1 / spread**2)
        for _ in range(DAMPING_STEPS):
            step = np.linalg.solve(curvature + damping * np.diag(np.diag(curvature)), -gradient)
            trial = evaluate(u + step)
            if trial[0] < cost:
                break
            damping *= 5
        else:
            break
        settled = cost - trial[0] < SETTLED * max(1.0, cost)
        u, (cost, residual, slope), damping = u + step, trial, max(damping / 8, 1e-14)
        if settled:
            break
    return PenalisedFit(u, cost)


def first_fit(
    curve: ResponseCurve,
    columns: Mapping[str, np.ndarray] | DeviceRows,
    measured: Float[np.ndarray, " rows"],
    weight: Float[np.ndarray, " rows"],
    draws: Float[np.ndarray, "draws free"],
    starts: int,
) -> tuple[np.ndarray, float]:
    """Fits by least squares with independent errors, from the best of many draws.

    The size of the errors starts at 1 % and then follows the residuals.

    Args:
        curve: The law.
        columns: Inputs of the rows.
        measured: Measurements on the scale of the comparison.
        weight: Precision of each row relative to the others.
        draws: Coordinates that may be starts.
        starts: Number of the best draws from which a fit starts.

    Returns:
        The coordinates, and the weighted root mean square of the residuals.

    Raises:
        ValueError: The law is finite at no start.
    """
    rows, root = DeviceRows.of(columns), np.sqrt(weight)
    if len(draws) > starts:
        with np.errstate(all="ignore"):
            squares = np.square(root * (measured - curve.evaluate_many(draws, rows))).sum(axis=1)
        draws = draws[np.argsort(np.where(np.isfinite(squares), squares, np.inf))[:starts]]
    fits = [minimise_squares(curve, rows, measured, u, lambda x: root[:, None] * x / FIRST_NOISE) for u in draws]
    best = min(fits, key=lambda fit: fit.cost)
    if not np.isfinite(best.cost):
        raise ValueError(f"{curve.law.__name__}: the prediction is not finite at any start")
    error = FIRST_NOISE
    for _ in range(12):
        values, _ = curve.evaluate(best.u, rows)
        size = max(float(np.sqrt(np.mean(weight * (measured - values) ** 2))), 1e-13)
        if size > 0.5 * error:
            break
        error = size
        best = minimise_squares(curve, rows, measured, best.u, lambda x, error=error: root[:, None] * x / error)
    values, _ = curve.evaluate(best.u, rows)
    return best.u, max(float(np.sqrt(np.mean(weight * (measured - values) ** 2))), 1e-13)
