"""What rows and priors tell of a law, to second order: its information matrix, and the slope of an answer in it.

All is in the coordinates u in which the law was fitted (`Coordinates`), where the prior of each parameter is
replaced by the normal one of equal median and central 68 %.
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
from t2jax.numerics.damped_newton import minimise
from t2jax.planning.budget import Budget
from t2jax.planning.frontier import allocate, frontier
from t2jax.pytrees import register
from t2jax.tables.table import Table
from t2jax.typing import Array, Float
from t2jax.working_precision import scope

OPEN = 1.0
"""Directions in which the rows' information is below this many times the prior's are open."""
SINGULAR = 1e-12
"""And below this share of the largest the rows alone determine nothing in them."""


@dataclass(frozen=True)
class Information:
    """Laws and what is known of each. A pytree but for law and transform.

    u (laws, p): the laws in the coordinates. matrix (laws, p, p): information of rows and prior. slopes (laws, p):
    of the log of the answer asked for. scale: standard deviation of one measurement.
    """

    law: type[Law]
    transform: Transform
    coordinates: Coordinates
    u: Float[Array, "laws p"]
    matrix: Float[Array, "laws p p"]
    slopes: Float[Array, "laws p"]
    scale: float

    def rows(self, columns: Mapping[str, Array]) -> Float[Array, "laws rows p"]:
        """Slopes in u of the predictions of measurements, over their scale: what each adds to the information is the
        outer product of its slopes."""
        return (
            jax.vmap(lambda u: _jacobian(self.law, self.transform, self.coordinates, u, columns))(self.u) / self.scale
        )


register(Information, ("coordinates", "u", "matrix", "slopes", "scale"), ("law", "transform"))


def inform(
    fit: Fit, table: Table, budget: Budget, of: str, scale: float | None, laws: Law | None
) -> tuple[Information, float, str]:
    """Information of a table's rows and the law's priors, the scale of the errors, and what the rows leave open.

    laws: a batch to average over, leaves (laws,); left out, the posterior mode under normal errors, which is the fit
    itself wherever the rows determine it. scale: left out, the root mean square of the residuals, with as many degrees
    of freedom as rows (their weights) less parameters. Raises ValueError where there is no one scale, and no
    optimum.
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
        start = _places(coordinates, _batch(fit.law, dtype))[0]
        if scale is None:
            scale = _residual_scale(fit, transform, coordinates, start, columns, observed, weight)
        if laws is None:
            u = _mode(problem.law, transform, coordinates, start, columns, observed, weight, prior, scale)[None]
        else:
            u = _places(coordinates, _batch(laws, dtype))
        budget = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), budget)
        if any(leaf.ndim for leaf in jax.tree.leaves(budget)):
            raise ValueError("a run is chosen for one budget; give next_runs a Budget of single numbers")
        measured, curvature, slopes = _known(problem.law, transform, of, coordinates, u, columns, weight, prior, budget)
        good = jnp.all(jnp.isfinite(slopes), axis=1) & jnp.all(jnp.isfinite(measured), axis=(1, 2))
        if 2 * int(good.sum()) < len(good) or not bool(good.any()):
            plans = frontier(jax.vmap(lambda u: problem.law(**coordinates.values(u)))(u), budget)
            raise ValueError(f"there is no optimum at the target to plan for ({plans.status})")
        u, measured, curvature, slopes = u[good], measured[good], curvature[good], slopes[good]
        if not jnp.any(slopes):
            raise ValueError(f"{of!r} at the target is the same whatever is measured, so no run tells more of it")
        measured = measured / jnp.square(scale)
        known = Information(problem.law, transform, coordinates, u, measured + curvature, slopes, scale)
        left = _left_open(coordinates.free, *(np.asarray(one).mean(0) for one in (measured, curvature, slopes)))
    return known, float(scale), left


def columns_of(law: type[Law], table: Table) -> dict[str, np.ndarray]:
    """The columns that a law's inputs are read from; one sample where the table has no samples. Raises TableError."""
    names = [INPUT_COLUMNS.get(name, name) for name in law.inputs()]
    needed = [INPUT_COLUMNS.get(name, name) for name in law.needed()]
    table.require(*(name for name in needed if name != "samples"), needed_by=law.__name__)
    single = {"samples": np.ones(len(table))} if "samples" in names else {}
    return single | {name: table[name] for name in names if name in table}


@cache
def normal_prior(one: Param) -> tuple[float, float]:
    """Median of a prior in unconstrained coordinates, and half the width of its central 68 % there."""
    shares = np.array([0.15865525393145707, 0.5, 0.8413447460685429])
    values = one.quantiles(shares)
    low, middle, high = np.asarray(one.unconstrain(values), float)
    return float(middle), float(abs(high - low) / 2)


def _batch(laws: Law, dtype: Any) -> Law:
    return jax.tree.map(lambda leaf: jnp.atleast_1d(jnp.asarray(leaf, dtype)), laws)


@jax.jit
def _places(coordinates: Coordinates, laws: Law) -> Array:
    return jax.vmap(lambda law: coordinates.unconstrain(law.values()))(laws)


def _prior(coordinates: Coordinates, dtype: Any) -> Array:
    declared = dict(coordinates.declared)
    return jnp.asarray([normal_prior(declared[name]) for name in coordinates.free], dtype)


def _predicted(law: type[Law], transform: Transform, coordinates: Coordinates, u: Array, columns: Any) -> Array:
    predicted = law(**coordinates.values(u)).predict(columns)
    return jnp.log(predicted) if transform == "log" else predicted


def _jacobian(law: type[Law], transform: Transform, coordinates: Coordinates, u: Array, columns: Any) -> Array:
    return jax.jacfwd(lambda u: _predicted(law, transform, coordinates, u, columns))(u)


def _own(coordinates: Coordinates, u: Array) -> Array:
    """The parameters in their own unconstrained coordinates, in which their priors are independent."""
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
    left = _residuals(fit.problem.law, transform, coordinates, u, columns, observed)
    rows, count = float(weight.sum()), len(coordinates.free)
    scale = float(jnp.sqrt(weight @ left**2 / (rows - count))) if rows >= count + 0.5 else np.nan
    if not (np.isfinite(scale) and scale > 0):
        what = "the law" if transform == "identity" else "the log of the law"
        raise ValueError(
            f"{rows:g} rows do not tell how far measurements scatter around {what} of {count} parameters: "
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
    """The most probable u, from the fit and from the prior's medians."""

    def objective(u: Array) -> Array:
        left = _residuals(law, transform, coordinates, u, columns, observed) / scale
        away = (_own(coordinates, u) - prior[:, 0]) / prior[:, 1]
        return 0.5 * (weight @ left**2 + away @ away)

    names = coordinates.free
    declared = dict(coordinates.declared)
    values = {name: declared[name].constrain(prior[i, 0]) for i, name in enumerate(names)}
    held = {name: jnp.asarray(value) for name, value in coordinates.fixed.items()}
    ends = jax.vmap(partial(minimise, objective))(jnp.stack([start, coordinates.unconstrain(values | held)]))
    return ends.u[jnp.argmin(jnp.where(jnp.isfinite(ends.value), ends.value, jnp.inf))]


@partial(jax.jit, static_argnums=(0, 1, 2))
def _known(
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
    """Information of the rows at a scale of one, of the prior, and the slopes of the log of the answer; for each u."""

    def answer(u: Array) -> Array:
        return jnp.log(getattr(allocate(law(**coordinates.values(u)), budget), of))

    def one(u: Array) -> tuple[Array, Array, Array]:
        rows = _jacobian(law, transform, coordinates, u, columns)
        own = jax.jacfwd(partial(_own, coordinates))(u)
        return rows.T @ (weight[:, None] * rows), own.T @ (own / prior[:, 1:] ** 2), jax.jacfwd(answer)(u)

    return jax.lax.map(one, u)


def _left_open(names: tuple[str, ...], measured: np.ndarray, prior: np.ndarray, slope: np.ndarray) -> str:
    """What the rows leave open, in English; empty if nothing."""
    half = np.linalg.inv(np.linalg.cholesky(prior))
    strengths, axes = np.linalg.eigh(half @ measured @ half.T)
    weak = strengths < OPEN
    if not weak.any():
        return ""
    share = np.square(axes[:, weak]).sum(axis=1)
    who = ", ".join(name for name, one in zip(names, share, strict=True) if one > 0.1)
    said = f"the rows tell less than the priors in {weak.sum()} of {len(names)} directions ({who})"
    unknown = strengths < max(SINGULAR * strengths[-1], 1e-9)
    infinite = np.abs(axes.T @ half @ slope)[unknown].max(initial=0.0) > 1e-6
    return said + ("; without the priors the variance would be infinite" if infinite else "")
