"""Which parameters the rows determine, and which sums of terms: rank, standard errors, active bounds, remedies."""

from collections.abc import Callable
from dataclasses import dataclass, field

import jax
import numpy as np

from t2jax.laws.base import Law
from t2jax.laws.coordinates import Coordinates
from t2jax.laws.frames import sum_frame
from t2jax.tables.table import Table
from t2jax.typing import Array, ArrayLike, Float, Int
from t2jax.working_precision import scope

NULL_EIGENVALUE = 1e-12
NULL_SLOPES = 10.0
NULL_SHARE = 1e-3
LOOSE = float(np.log(10.0))
LARGEST = float(np.log(1e6))


@dataclass(frozen=True)
class Identification:
    """Which parameters the rows determine, and how precisely.

    Attributes:
        rank: Rank of the Hessian in unconstrained coordinates, without parameters at a bound.
        errors: Standard error of each free parameter in its unconstrained coordinate. For a positive parameter this is
            its relative error. Parameters at a bound have NaN.
        flat: Parameters along which the objective does not change, so that their values are arbitrary.
        loose: Parameters with an error of more than a factor of ten either way (or 2.3 if unconstrained).
        at_bound: Parameters whose best value is an edge of their domain, with that edge.
        names: Parameters at no bound.
        covariance: Covariance of these in the coordinates of `errors`, shape (names, names). It leaves out directions
            that the rows do not determine.
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
        """Sentences on what the rows do not determine. The text is empty where they determine everything."""
        factors = {name: _format_factor(self.errors[name]) for name in self.loose}
        ranges = ", ".join(f"{name} only within a factor of {factor}" for name, factor in factors.items())
        sentences = (
            f"the rows do not determine {', '.join(self.flat)}: any value fits as well" if self.flat else "",
            f"the rows determine {ranges}" if self.loose else "",
            *(f"{name} is at the edge of its domain ({end:g})" for name, end in self.at_bound.items()),
        )
        return "; ".join(sentence for sentence in sentences if sentence)


def _format_factor(error: float) -> str:
    """Formats the factor of an error in logs; beyond a million its size means nothing, and it may overflow."""
    return f"{np.exp(error):.3g}" if error < LARGEST else "more than a million"


def curvature(
    penalties: Callable[[Array], Float[Array, " rows"]],
    coordinates: Coordinates,
    u: Float[Array, " free"],
    weight: Float[Array, " rows"],
    place: Int[Array, " rows"],
    run: Int[Array, " rows"],
) -> tuple[Array, Array, Array]:
    """Computes the gradient and score covariance of the weighted penalties, and a Jacobian of the coordinates.

    In the covariance, rows of one run count as one observation (clusters, Liang & Zeger 1986).

    Args:
        penalties: Unweighted penalty of each different row, as a function of the coordinates.
        coordinates: The centred coordinates.
        u: The optimum in them, shape (free,).
        weight: Weight of each row of the table, shape (rows,).
        place: Index of each row among the different rows, shape (rows,).
        run: Run of each row, shape (rows,).

    Returns:
        Gradient (free,), covariance (free, free), and Jacobian from centred to uncentred coordinates (free, free).
    """
    rows = weight[:, None] * jax.jacfwd(penalties)(u)[place]
    scores = jax.ops.segment_sum(rows, run, num_segments=len(run))
    uncentred = Coordinates(coordinates.declared, coordinates.fixed, {})
    jacobian = jax.jacfwd(lambda x: uncentred.unconstrain(coordinates.values(x)))(u)
    return scores.sum(0), scores.T @ scores, jacobian


def identification(
    hessian: ArrayLike,
    slope: ArrayLike,
    meat: ArrayLike,
    jacobian: ArrayLike,
    values: dict[str, float],
    bounds: dict[str, tuple[float, float, float]],
) -> Identification:
    """Derives rank, standard errors and undetermined parameters from the Hessian and the output of `curvature`.

    The covariance is the sandwich of White 1982.

    Args:
        hessian: Hessian of the objective, shape (free, free).
        slope: Gradient at the Hessian, which is zero up to rounding and the last step. A bent valley with a level floor
            has a curvature of that size along straight lines, so nothing smaller counts as curvature.
        meat: Covariance of the scores, shape (free, free).
        jacobian: Jacobian from centred to uncentred coordinates, shape (free, free).
        values: Parameter values by name, in the order of the coordinates.
        bounds: `Param.edge` of the parameters whose domain has an end.

    Returns:
        The identification.
    """
    names = tuple(values)
    at_bound = {
        name: low if values[name] - low <= distance else high
        for name, (low, high, distance) in bounds.items()
        if min(values[name] - low, high - values[name]) <= distance
    }
    inner = np.array([name not in at_bound for name in names])
    if not np.all(np.isfinite(np.asarray(hessian))):
        return Identification(0, dict.fromkeys(names, float("inf")), names, (), at_bound)
    if not inner.any():
        return Identification(0, dict.fromkeys(names, float("nan")), (), (), at_bound)
    hessian, meat, jacobian = (np.asarray(matrix, float)[np.ix_(inner, inner)] for matrix in (hessian, meat, jacobian))
    eigenvalues, vectors = np.linalg.eigh(hessian)
    highest = max(float(eigenvalues.max()), np.finfo(float).tiny)
    null = eigenvalues < max(NULL_EIGENVALUE * highest, NULL_SLOPES * float(np.abs(np.asarray(slope)[inner]).max()))
    share = np.square(vectors[:, null]).sum(axis=1)
    inverse = (vectors[:, ~null] / eigenvalues[~null]) @ vectors[:, ~null].T
    covariance = jacobian @ inverse @ meat @ inverse @ jacobian.T
    spread = np.where(share > NULL_SHARE, np.inf, np.sqrt(np.maximum(np.diag(covariance), 0.0)))
    errors = dict.fromkeys(names, float("nan")) | dict(
        zip(np.array(names)[inner].tolist(), spread.tolist(), strict=True)
    )
    flat = tuple(name for name in names if np.isinf(errors[name]))
    loose = tuple(name for name in names if LOOSE < errors[name] < np.inf)
    free = tuple(np.array(names)[inner].tolist())
    return Identification(int((~null).sum()), errors, flat, loose, at_bound, free, covariance)


@dataclass(frozen=True)
class DeterminedSum:
    """Terms that the rows determine only as a sum, such as E + A/N^alpha at one N.

    Attributes:
        terms: The sum as a formula, "E + A/N^alpha".
        group: Coefficients of the terms.
        exponents: Exponents that occur in the terms.
        inputs: Inputs of the row at which the terms are added, by name.
    """

    terms: str
    group: tuple[str, ...]
    exponents: tuple[str, ...]
    inputs: dict[str, float]

    def of(self, law: Law) -> np.ndarray:
        """Computes the sum of a law, or the sums of a batch of laws.

        Args:
            law: A law whose leaves are numbers, or have shape (draws,).

        Returns:
            The sum in the unit of the response, shape () or (draws,).
        """
        without = dict.fromkeys(set(type(law).linear) - set(self.group), 0.0)
        with scope():
            return np.asarray(type(law)(**(law.values() | without))(**self.inputs))


def determined_sums(law: type[Law], table: Table, flat: tuple[str, ...]) -> tuple[DeterminedSum, ...]:
    """Finds the terms of a law that the rows determine only as a sum.

    Args:
        law: The class of the fitted law.
        table: The table.
        flat: Parameters whose values are arbitrary.

    Returns:
        The sums that account for all of these parameters, none where other parameters are arbitrary too.
    """
    inputs = {of: table[column] for of, column in law.columns().items() if column in table}
    frame = sum_frame(law, inputs) if flat and set(inputs) >= law.needed() else None
    if frame is None:
        return ()
    declared, sums = law.declared(), []
    for group in frame.groups:
        exponents = tuple(dict.fromkeys(exponent for name in group for _, exponent in declared[name].power))
        if not set(flat) & set(group) or set(flat) - {*group, *exponents}:
            continue
        terms = [name + "".join(f"/{of}^{exponent}" for of, exponent in declared[name].power) for name in group]
        place = {of: float(np.asarray(value)) for of, value in frame.inputs.items()}
        sums.append(DeterminedSum(" + ".join(terms), group, exponents, place))
    return tuple(sums)


def remedy(law: Law, sums: tuple[DeterminedSum, ...]) -> str:
    """Writes a sentence on terms that the rows determine only as a sum.

    Args:
        law: The fitted law, whose sums are those that the rows determine.
        sums: Its determined sums.

    Returns:
        The sentence, or an empty text where no such terms exist.
    """
    declared, sentences = law.declared(), []
    for determined in sums:
        first, *others = determined.group
        fixed = [f"{name}=0" for name in others]
        fixed += [f"{exponent}={declared[exponent].median():.1g}" for exponent in determined.exponents]
        sentences.append(
            f"of these terms they determine only the sum, {determined.terms} = {float(determined.of(law)):.5g}; "
            f"to fit it as {first} alone, fix the others: --fixed {' '.join(fixed)}"
        )
    return "; ".join(sentences)
