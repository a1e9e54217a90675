"""Information of rows and priors about a law to second order, and the slope of an answer.

All is in the coordinates u in which the law was fitted (`Coordinates`). A normal prior with equal median and
central 68 % replaces the prior of each parameter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.fitting.fit import Fit
from t2jax.laws.base import Law
from t2jax.laws.coordinates import Coordinates
from t2jax.laws.parameter import INPUT_COLUMNS, Param
from t2jax.noise.protocol import Transform
from t2jax.noise.residuals import response
from t2jax.numerics.solvers.damped_newton import minimise
from t2jax.planning.budget import Budget
from t2jax.planning.frontier import allocate, frontier
from t2jax.pytrees import register
from t2jax.tables.table import Table
from t2jax.typing import Array, Float
from t2jax.working_precision import scope

OPEN = 1.0
"""A direction is weak if the rows' information is below this multiple of the prior's."""
SINGULAR = 1e-12
"""Below this share of the largest information, the rows alone do not determine a direction."""


@dataclass(frozen=True)
class Information:
    """Laws, with the information about each. It is a pytree apart from law and transform.

    Attributes:
        law: Class of the laws.
        transform: Transform of the response in which errors are additive.
        coordinates: Coordinates in which the law was fitted.
        u: The laws in these coordinates, shape (laws, p).
        matrix: Information of rows and prior, shape (laws, p, p).
        slopes: Slopes of the log of the answer, shape (laws, p).
        scale: Standard deviation of one measurement.
    """

    law: type[Law]
    transform: Transform
    coordinates: Coordinates
    u: Float[Array, "laws p"]
    matrix: Float[Array, "laws p p"]
    slopes: Float[Array, "laws p"]
    scale: float

    def rows(self, columns: Mapping[str, Array]) -> Float[Array, "laws rows p"]:
        """Computes slopes in u of the predictions, divided by the scale.

        The outer product of a row's slopes is the information that its measurement adds.
        """
        return (
            jax.vmap(lambda u: _jacobian(self.law, self.transform, self.coordinates, u, columns))(self.u) / self.scale
        )


register(Information, ("coordinates", "u", "matrix", "slopes", "scale"), ("law", "transform"))


def inform(
    fit: Fit, table: Table, budget: Budget, of: str, scale: float | None, laws: Law | None
) -> tuple[Information, float, str]:
    """Computes the information of rows and priors, the scale of the errors, and the weak directions.

    `laws` is a batch to average over, with leaves (laws,). By default it is the posterior mode under normal errors,
    which is the fit itself wherever the rows determine it. `scale` is by default the root mean square of the residuals.
    Its degrees of freedom are the rows' weights less the parameters. Raises ValueError without one scale or an optimum.
    """
    problem, transform = fit.problem, fit.problem.noise.error_scale
    coordinates = problem.law_coordinates
    columns = columns_of(problem.law, table)
    observed = table[response(problem.law, table)]
    weight = table.weights()
    with scope() as dtype:
        columns, observed, weight, coordinates = jax.tree.map(
            lambda leaf: jnp.asarray(leaf, dtype), (columns, observed, weight, coordinates)
        )
        prior = _prior(coordinates, dtype)
        start = _unconstrained(coordinates, _batch(fit.law, dtype))[0]
        if scale is None:
            scale = _residual_scale(fit, transform, coordinates, start, columns, observed, weight)
        if laws is None:
            u = _mode(problem.law, transform, coordinates, start, columns, observed, weight, prior, scale)[None]
        else:
            u = _unconstrained(coordinates, _batch(laws, dtype))
        budget = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), budget)
        if any(leaf.ndim for leaf in jax.tree.leaves(budget)):
            raise ValueError("a run is chosen for one budget; give next_runs a Budget of single numbers")
        law = problem.law
        measured, curvature, slopes = _second_order(law, transform, of, coordinates, u, columns, weight, prior, budget)
        valid = jnp.all(jnp.isfinite(slopes), axis=1) & jnp.all(jnp.isfinite(measured), axis=(1, 2))
        if 2 * int(valid.sum()) < len(valid) or not bool(valid.any()):
            plans = frontier(jax.vmap(lambda u: problem.law(**coordinates.values(u)))(u), budget)
            raise ValueError(f"there is no optimum at the target to plan for ({plans.status})")
        u, measured, curvature, slopes = u[valid], measured[valid], curvature[valid], slopes[valid]
        if not jnp.any(slopes):
            raise ValueError(
                f"{of!r} at the target does not depend on the law's parameters, so no run makes it more certain"
            )
        measured = measured / jnp.square(scale)
        information = Information(problem.law, transform, coordinates, u, measured + curvature, slopes, scale)
        means = (np.asarray(matrix).mean(0) for matrix in (measured, curvature, slopes))
        weak_directions = _weak_directions(coordinates.free, *means)
    return information, float(scale), weak_directions


def columns_of(law: type[Law], table: Table) -> dict[str, np.ndarray]:
    """Returns the columns of a law's inputs, with one sample if the table has no samples. Raises TableError."""
    names = [INPUT_COLUMNS.get(name, name) for name in law.inputs()]
    needed = [INPUT_COLUMNS.get(name, name) for name in law.needed()]
    table.require(*(name for name in needed if name != "samples"), needed_by=law.__name__)
    single = {"samples": np.ones(len(table))} if "samples" in names else {}
    return single | {name: table[name] for name in names if name in table}


@cache
def normal_prior(param: Param) -> tuple[float, float]:
    """Computes the median of a prior in unconstrained coordinates, and half the width of its central 68 % there."""
    shares = np.array([0.15865525393145707, 0.5, 0.8413447460685429])
    values = param.quantiles(shares)
    low, middle, high = np.asarray(param.unconstrain(values), float)
    return float(middle), float(abs(high - low) / 2)


def _batch(laws: Law, dtype: Any) -> Law:
    return jax.tree.map(lambda leaf: jnp.atleast_1d(jnp.asarray(leaf, dtype)), laws)


@jax.jit
def _unconstrained(coordinates: Coordinates, laws: Law) -> Array:
    return jax.vmap(lambda law: coordinates.unconstrain(law.values()))(laws)


def _prior(coordinates: Coordinates, dtype: Any) -> Array:
    declared = dict(coordinates.declared)
    return jnp.asarray([normal_prior(declared[name]) for name in coordinates.free], dtype)


def _predicted(law: type[Law], transform: Transform, coordinates: Coordinates, u: Array, columns: Any) -> Array:
    predicted = law(**coordinates.values(u)).predict(columns)
    return jnp.log(predicted) if transform == "log" else predicted


def _jacobian(law: type[Law], transform: Transform, coordinates: Coordinates, u: Array, columns: Any) -> Array:
    return jax.jacfwd(lambda u: _predicted(law, transform, coordinates, u, columns))(u)


def _prior_coordinates(coordinates: Coordinates, u: Array) -> Array:
    """Returns the parameters in the unconstrained coordinates in which their priors are independent."""
    return Coordinates(coordinates.declared, coordinates.fixed, {}).unconstrain(coordinates.values(u))


@partial(jax.jit, static_argnums=(0, 1))
def _residuals(
    law: type[Law], transform: Transform, coordinates: Coordinates, u: Array, columns: Any, observed: Array
) -> Array:
    measured = jnp.log(observed) if transform == "log" else observed
    return _predicted(law, transform, coordinates, u, columns) - measured


def _residual_scale(
    fit: Fit, transform: Transform, coordinates: Coordinates, u: Array, columns: Any, observed: Array, weight: Array
) -> float:
    residuals = _residuals(fit.problem.law, transform, coordinates, u, columns, observed)
    rows, count = float(weight.sum()), len(coordinates.free)
    scale = float(jnp.sqrt(weight @ residuals**2 / (rows - count))) if rows >= count + 0.5 else np.nan
    if not (np.isfinite(scale) and scale > 0):
        quantity = "the law" if transform == "identity" else "the log of the law"
        raise ValueError(
            f"{rows:g} rows cannot determine the scatter of measurements around {quantity} of {count} parameters: "
            "give scale=, the standard deviation of one (0.005 for half a per cent of the loss)"
        )
    return scale


@partial(jax.jit, static_argnums=(0, 1))
def _mode(
    law: type[Law],
    transform: Transform,
    coordinates: Coordinates,
    start: Array,
    columns: Any,
    observed: Array,
    weight: Array,
    prior: Array,
    scale: Array,
) -> Array:
    """Finds the most probable u from two starts: the fit, and the prior's medians.

    `prior` is the median and the spread of each coordinate, shape (free, 2). `scale` is the size of a residual.
    """

    def objective(u: Array) -> Array:
        residuals = _residuals(law, transform, coordinates, u, columns, observed) / scale
        scores = (_prior_coordinates(coordinates, u) - prior[:, 0]) / prior[:, 1]
        return 0.5 * (weight @ residuals**2 + scores @ scores)

    names = coordinates.free
    declared = dict(coordinates.declared)
    values = {name: declared[name].constrain(prior[i, 0]) for i, name in enumerate(names)}
    fixed = {name: jnp.asarray(value) for name, value in coordinates.fixed.items()}
    ends = jax.vmap(partial(minimise, objective))(jnp.stack([start, coordinates.unconstrain(values | fixed)]))
    return ends.u[jnp.argmin(jnp.where(jnp.isfinite(ends.value), ends.value, jnp.inf))]


@partial(jax.jit, static_argnums=(0, 1, 2))
def _second_order(
    law: type[Law],
    transform: Transform,
    of: str,
    coordinates: Coordinates,
    u: Array,
    columns: Any,
    weight: Array,
    prior: Array,
    budget: Budget,
) -> tuple[Array, Array, Array]:
    """Computes the information of the rows at unit scale and of the prior, and the slopes of the log answer."""

    def answer(u: Array) -> Array:
        return jnp.log(getattr(allocate(law(**coordinates.values(u)), budget), of))

    def at_place(u: Array) -> tuple[Array, Array, Array]:
        rows = _jacobian(law, transform, coordinates, u, columns)
        scores = jax.jacfwd(partial(_prior_coordinates, coordinates))(u)
        return rows.T @ (weight[:, None] * rows), scores.T @ (scores / prior[:, 1:] ** 2), jax.jacfwd(answer)(u)

    return jax.lax.map(at_place, u)


def _weak_directions(names: tuple[str, ...], measured: np.ndarray, prior: np.ndarray, slope: np.ndarray) -> str:
    """Describes in English the directions in which the priors are stronger than the rows. Empty if there are none."""
    prior_root = np.linalg.inv(np.linalg.cholesky(prior))
    strengths, axes = np.linalg.eigh(prior_root @ measured @ prior_root.T)
    weak = strengths < OPEN
    if not weak.any():
        return ""
    share = np.square(axes[:, weak]).sum(axis=1)
    names_of_weak = ", ".join(name for name, part in zip(names, share, strict=True) if part > 0.1)
    sentence = f"the priors are stronger than the rows in {weak.sum()} of {len(names)} directions ({names_of_weak})"
    undetermined = strengths < max(SINGULAR * strengths[-1], 1e-9)
    infinite = np.abs(axes.T @ prior_root @ slope)[undetermined].max(initial=0.0) > 1e-6
    return sentence + ("; without the priors the variance would be infinite" if infinite else "")
