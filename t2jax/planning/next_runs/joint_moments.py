"""Mean and covariance of the response at rows that no run has measured yet, under a law with its discrepancy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from t2jax.extrapolation.discrepancy import DiscrepancyFit
from t2jax.extrapolation.kriging import Kriging
from t2jax.extrapolation.law_choice import LawChoice
from t2jax.noise.smooth.kernel import distances
from t2jax.tables.table import Table
from t2jax.typing import Float


@dataclass(frozen=True)
class JointMoments:
    """Moments of the mean response at rows, and of one measurement about it, on the scale of the comparison.

    Attributes:
        mean: Means, shape (rows,).
        covariance: Covariance of the mean responses, shape (rows, rows).
        error: Variance of one new run about its mean response.
    """

    mean: Float[np.ndarray, " rows"]
    covariance: Float[np.ndarray, "rows rows"]
    error: float


def joint_moments(choice: LawChoice, tables: Sequence[Table]) -> JointMoments:
    """Computes the moments of the mixture over laws and over the scales of their discrepancies.

    The covariance of a mixture is the mean of its components' covariances plus the covariance of their means.
    So it holds the law's parameters, its misfit, and how far laws and scales disagree.

    Args:
        choice: Laws with their discrepancies and weights.
        tables: Inputs of the rows, in several tables that follow each other.

    Returns:
        The moments. The covariance is multiplied by the square of the choice's widening.

    Raises:
        ValueError: A fit is a posterior, whose moments have no closed form.
    """
    means, weights, error = [], [], 0.0
    count = sum(map(len, tables))
    within = np.zeros((count, count))
    for fit, weight in zip(choice.fits, choice.weights, strict=True):
        if not isinstance(fit, DiscrepancyFit):
            raise ValueError("runs are chosen with a fit by `choose_law` or `fit_discrepancy`, not with a posterior")
        share = weight * fit.nodes.weight
        parts = [fit.curve.read(table) for table in tables]
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        mean, covariance = _moments_of_nodes(fit, columns, share)
        means.append(mean)
        weights.append(share)
        within += covariance
        run_share = np.array([spectrum.kernel.run_share for spectrum in fit.spectra])[fit.nodes.kernel]
        error += float(share @ (fit.nodes.amplitude**2 * run_share + fit.nodes.noise**2))
    every, share = np.concatenate(means), np.concatenate(weights)
    centre = share @ every
    apart = np.sqrt(share)[:, None] * (every - centre)
    return JointMoments(centre, choice.widening**2 * (within + apart.T @ apart), error)


def _moments_of_nodes(
    fit: DiscrepancyFit, columns: Mapping[str, np.ndarray], share: Float[np.ndarray, " nodes"]
) -> tuple[Float[np.ndarray, "nodes rows"], Float[np.ndarray, "rows rows"]]:
    """Computes the mean at each node of the scales, and the sum over nodes of share times covariance."""
    values, slopes = fit.curve.evaluate(fit.u, columns)
    places, start = fit.curve.places(columns), values - slopes @ (fit.u - fit.curve.prior[0])
    means = np.empty((len(share), len(values)))
    total = np.zeros((len(values), len(values)))
    for index, spectrum in enumerate(fit.spectra):
        at = np.flatnonzero(fit.nodes.kernel == index)
        if not at.size:
            continue
        kriging = Kriging.of(fit.model, spectrum, fit.nodes.amplitude[at], fit.nodes.noise[at])
        distance = distances(places, spectrum.knots)
        means[at] = start + kriging.predict(distance, slopes)[0]
        cross = spectrum.kernel.at(distance)
        inner = cross @ kriging.modes
        total += share[at] @ kriging.amplitude**2 * spectrum.kernel.between(places, places)
        total -= (inner * (kriging.narrowing @ share[at])) @ inner.T
        for node, root in enumerate(kriging.spread):
            effect = (slopes - cross @ kriging.slopes[:, node]) @ root
            total += share[at[node]] * effect @ effect.T
    return means, total
