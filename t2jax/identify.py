"""Which parameters the rows determine: rank and null directions of the Hessian, and standard errors."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.params import Coordinates
from t2jax.solver import second_order
from t2jax.typing import Array, Float, Int

NULL_EIGENVALUE = 1e-12
NULL_SHARE = 1e-3
LOOSE = float(np.log(10.0))


@dataclass(frozen=True)
class Identification:
    """rank: of the Hessian in unconstrained coordinates. errors: standard error of each free parameter there, which
    for a positive parameter is its relative error. free: their names. undetermined: those the rows do not determine,
    because the objective is flat in them or because they are known only within a factor of ten either way.
    """

    rank: int
    errors: dict[str, float]
    free: tuple[str, ...]
    undetermined: tuple[str, ...]


def curvature(
    penalties: Callable[[Array], Float[Array, " rows"]],
    coordinates: Coordinates,
    u: Float[Array, " free"],
    weight: Float[Array, " rows"],
    place: Int[Array, " rows"],
    run: Int[Array, " rows"],
) -> tuple[Array, Array, Array, Array]:
    """Gradient, Hessian and score covariance of the weighted penalties; Jacobian from centred to own coordinates.

    penalties: of each different row, unweighted; place: which of them each row of the table is, with its weight.
    Rows of one run are one observation in the covariance of the scores (clusters, Liang & Zeger 1986).
    """
    size = u.shape[0]
    total = jax.ops.segment_sum(weight, place, num_segments=len(place))

    def objective(x: Array) -> Array:
        each = penalties(x)
        return jnp.sum(total[: len(each)] * each)

    _, gradient, hessian = second_order(objective, u)
    rows = weight[:, None] * jax.jacfwd(penalties)(u)[place]
    scores = jax.ops.segment_sum(rows, run, num_segments=len(run))
    uncentred = Coordinates(coordinates.declared, coordinates.fixed, {})
    count = len(coordinates.free)
    shear = jnp.eye(size, dtype=u.dtype)
    own = jax.jacfwd(lambda x: uncentred.unconstrain(coordinates.values(x)))(u[:count])
    return gradient, hessian, scores.T @ scores, shear.at[:count, :count].set(own)


def identification(hessian: np.ndarray, meat: np.ndarray, own: np.ndarray, names: tuple[str, ...]) -> Identification:
    """Judge the output of `curvature`; `names` label the coordinates. Source: White 1982 for the sandwich."""
    if not np.all(np.isfinite(hessian)):
        return Identification(0, dict.fromkeys(names, float("inf")), names, names)
    eigenvalues, vectors = np.linalg.eigh(hessian)
    null = eigenvalues < NULL_EIGENVALUE * max(float(eigenvalues.max()), np.finfo(float).tiny)
    share = np.square(vectors[:, null]).sum(axis=1)
    inverse = (vectors[:, ~null] / eigenvalues[~null]) @ vectors[:, ~null].T
    covariance = own @ inverse @ meat @ inverse @ own.T
    errors = np.where(share > NULL_SHARE, np.inf, np.sqrt(np.maximum(np.diag(covariance), 0.0)))
    loose = tuple(name for name, error in zip(names, errors, strict=True) if error > LOOSE)
    return Identification(int((~null).sum()), dict(zip(names, errors.tolist(), strict=True)), names, loose)
