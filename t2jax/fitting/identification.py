"""Which parameters the rows determine: rank and null directions of the Hessian, standard errors, active bounds."""

from collections.abc import Callable
from dataclasses import dataclass, field

import jax
import numpy as np

from t2jax.laws.coordinates import Coordinates
from t2jax.typing import Array, ArrayLike, Float, Int

NULL_EIGENVALUE = 1e-12
NULL_SLOPES = 10.0
NULL_SHARE = 1e-3
LOOSE = float(np.log(10.0))


@dataclass(frozen=True)
class Identification:
    """rank: of the Hessian in unconstrained coordinates, parameters at a bound left out.

    errors: standard error of each free parameter that is at no bound, in its own unconstrained coordinate, which for a
    positive parameter is its relative error. flat: parameters along which the objective does not change, whose values
    are arbitrary. loose: those known only within a factor of ten either way (or, unconstrained, within 2.3). at_bound:
    those whose best value is the edge of their domain, with that edge. names, covariance (names, names): of the
    parameters at no bound, in the coordinates of errors; directions that the rows do not determine are left out of it.
    """

    rank: int
    errors: dict[str, float]
    flat: tuple[str, ...]
    loose: tuple[str, ...]
    at_bound: dict[str, float]
    names: tuple[str, ...] = ()
    covariance: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)), repr=False, compare=False)

    @property
    def sentence(self) -> str:
        """What the rows leave open, in English; empty if nothing."""
        factors = ", ".join(f"{name} within a factor of {np.exp(self.errors[name]):.3g}" for name in self.loose)
        said = (
            f"the rows do not determine {', '.join(self.flat)}: any value fits as well" if self.flat else "",
            f"the rows tell {factors} only" if self.loose else "",
            *(f"{name} is at the edge of its domain ({end:g})" for name, end in self.at_bound.items()),
        )
        return "; ".join(part for part in said if part)


def curvature(
    penalties: Callable[[Array], Float[Array, " rows"]],
    coordinates: Coordinates,
    u: Float[Array, " free"],
    weight: Float[Array, " rows"],
    place: Int[Array, " rows"],
    run: Int[Array, " rows"],
) -> tuple[Array, Array, Array]:
    """Gradient and score covariance of the weighted penalties; Jacobian from centred to own coordinates.

    penalties: of each different row, unweighted; place: which of them each row of the table is, with its weight.
    Rows of one run are one observation in the covariance of the scores (clusters, Liang & Zeger 1986).
    """
    rows = weight[:, None] * jax.jacfwd(penalties)(u)[place]
    scores = jax.ops.segment_sum(rows, run, num_segments=len(run))
    uncentred = Coordinates(coordinates.declared, coordinates.fixed, {})
    own = jax.jacfwd(lambda x: uncentred.unconstrain(coordinates.values(x)))(u)
    return scores.sum(0), scores.T @ scores, own


def identification(
    hessian: ArrayLike,
    slope: ArrayLike,
    meat: ArrayLike,
    own: ArrayLike,
    values: dict[str, float],
    bounds: dict[str, tuple[float, float, float]],
) -> Identification:
    """Judge the Hessian and the output of `curvature`. The covariance is the sandwich of White 1982.

    slope: the gradient where the Hessian was taken, zero but for rounding and the last step. A bent valley whose floor
    is level has a curvature of that size along straight lines, so nothing smaller counts as curvature.
    values: by name, in the order of the coordinates. bounds: of the names whose domain has an end, `Param.edge`.
    """
    names = tuple(values)
    at_bound = {
        name: low if values[name] - low <= near else high
        for name, (low, high, near) in bounds.items()
        if min(values[name] - low, high - values[name]) <= near
    }
    inner = np.array([name not in at_bound for name in names])
    if not np.all(np.isfinite(np.asarray(hessian))):
        return Identification(0, dict.fromkeys(names, float("inf")), names, (), at_bound)
    if not inner.any():
        return Identification(0, dict.fromkeys(names, float("nan")), (), (), at_bound)
    hessian, meat, own = (np.asarray(matrix, float)[np.ix_(inner, inner)] for matrix in (hessian, meat, own))
    eigenvalues, vectors = np.linalg.eigh(hessian)
    highest = max(float(eigenvalues.max()), np.finfo(float).tiny)
    null = eigenvalues < max(NULL_EIGENVALUE * highest, NULL_SLOPES * float(np.abs(np.asarray(slope)[inner]).max()))
    share = np.square(vectors[:, null]).sum(axis=1)
    inverse = (vectors[:, ~null] / eigenvalues[~null]) @ vectors[:, ~null].T
    covariance = own @ inverse @ meat @ inverse @ own.T
    spread = np.where(share > NULL_SHARE, np.inf, np.sqrt(np.maximum(np.diag(covariance), 0.0)))
    errors = dict.fromkeys(names, float("nan")) | dict(
        zip(np.array(names)[inner].tolist(), spread.tolist(), strict=True)
    )
    flat = tuple(name for name in names if np.isinf(errors[name]))
    loose = tuple(name for name in names if LOOSE < errors[name] < np.inf)
    free = tuple(np.array(names)[inner].tolist())
    return Identification(int((~null).sum()), errors, flat, loose, at_bound, free, covariance)
