"""Joint draws of a law and its discrepancy at many places, for quantities such as an optimum."""

from collections.abc import Mapping

import numpy as np

from t2jax.extrapolation.discrepancy import DiscrepancyFit
from t2jax.extrapolation.sampled import SampledDiscrepancy, SmoothFit
from t2jax.noise.smooth.kernel import Kernel, spread_out
from t2jax.noise.smooth.scales import covariance_root
from t2jax.typing import Float

PROPOSALS = 4
"""Proposed laws for each draw; those that describe the rows better are taken more often."""
JITTER = 1e-8
MOST_PLACES, KNOTS = 256, 200
"""Most places at which a discrepancy is drawn directly, and the knots that it is drawn at for more."""


def draw_curves(
    fit: SmoothFit,
    columns: Mapping[str, np.ndarray],
    draws: int,
    rng: np.random.Generator,
) -> Float[np.ndarray, "draws rows"]:
    """Draws the mean response at rows, parameters and discrepancy together, on the scale of the comparison.

    The law is evaluated at each draw of its parameters, not linearised. The draws come from the linearised posterior
    and are resampled by the exact one (importance resampling). The discrepancy is then drawn given the rows that the
    draw of the law leaves unexplained. At many rows it is drawn at knots and interpolated by its own kernel. With
    knots a third of the kernel's length apart this leaves out about a hundredth of its amplitude.

    Args:
        fit: The law with its discrepancy.
        columns: Inputs of the rows by column, shape (rows,) each.
        draws: Number of draws.
        rng: Random generator.

    Returns:
        Draws, shape (draws, rows).
    """
    if isinstance(fit, SampledDiscrepancy):
        return fit.draw_curves(columns, draws, rng)
    places = fit.curve.places(columns)
    knots = places if len(places) <= MOST_PLACES else spread_out(places, KNOTS)
    fitted = fit.curve.read(fit.table)
    count = rng.multinomial(draws, fit.nodes.weight)
    curves = []
    for node in np.flatnonzero(count):
        u, left = _laws_of_node(fit, fitted, int(node), int(count[node]), rng)
        smooth = _discrepancies(fit, knots, int(node), left, rng)
        if knots is not places:
            smooth = smooth @ _interpolation(fit.spectra[fit.nodes.kernel[node]].kernel, places, knots).T
        curves.append(fit.curve.evaluate_many(u, columns) + smooth)
    return rng.permutation(np.concatenate(curves))


def _laws_of_node(
    fit: DiscrepancyFit, fitted: Mapping[str, np.ndarray], node: int, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draws coordinates at one node of the scales, and what each leaves of the rows, in modes of the covariance."""
    amplitude, noise = fit.nodes.amplitude[node : node + 1], fit.nodes.noise[node : node + 1]
    spectrum = fit.spectra[fit.nodes.kernel[node]]
    projected = fit.model.project(spectrum)
    shift, precision = (part[0] for part in projected.coordinates(amplitude, noise, fit.model.spread))
    mean, spread = fit.curve.prior
    variance = projected.variances(amplitude, noise)[0]
    standard = rng.standard_normal((PROPOSALS * count, len(shift)))
    proposed = mean + shift + standard @ covariance_root(precision).T
    measured = fit.curve.measured(fit.table)
    weighted = np.sqrt(fit.model.weight) * (measured - fit.curve.evaluate_many(proposed, fitted))
    left = weighted @ spectrum.vectors
    rest = np.maximum((weighted**2).sum(1) - (left**2).sum(1), 0.0) if projected.count else 0.0
    exact = -0.5 * ((left**2 / variance).sum(1) + rest / noise[0] ** 2 + (((proposed - mean) / spread) ** 2).sum(1))
    log_weight = np.where(np.isfinite(exact), exact + 0.5 * (standard**2).sum(1), -np.inf)
    if not np.isfinite(log_weight).any():
        chosen = rng.integers(len(proposed), size=count)
    else:
        weight = np.exp(log_weight - log_weight.max())
        chosen = rng.choice(len(proposed), size=count, p=weight / weight.sum())
    return proposed[chosen], left[chosen]


def _discrepancies(
    fit: DiscrepancyFit,
    places: Float[np.ndarray, "rows inputs"],
    node: int,
    left: Float[np.ndarray, "draws modes"],
    rng: np.random.Generator,
) -> Float[np.ndarray, "draws rows"]:
    """Draws the discrepancy at places, given what the laws leave of the rows."""
    amplitude, noise = fit.nodes.amplitude[node], fit.nodes.noise[node]
    if amplitude == 0:
        return np.zeros((len(left), len(places)))
    spectrum = fit.spectra[fit.nodes.kernel[node]]
    cross = spectrum.kernel.between(places, spectrum.knots) @ spectrum.cross
    gain = amplitude**2 / (amplitude**2 * spectrum.values + noise**2)
    remainder = spectrum.kernel.between(places, places) - (cross * gain) @ cross.T
    values, vectors = np.linalg.eigh(remainder + JITTER * np.eye(len(remainder)))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return (left * gain) @ cross.T + amplitude * rng.standard_normal((len(left), len(places))) @ root.T


def _interpolation(
    kernel: Kernel, places: Float[np.ndarray, "rows inputs"], knots: Float[np.ndarray, "knots inputs"]
) -> Float[np.ndarray, "rows knots"]:
    """Computes the weights of the knots in the most probable deviation at places."""
    covariance = kernel.between(knots, knots) + JITTER * np.eye(len(knots))
    return np.linalg.solve(covariance, kernel.between(knots, places)).T
