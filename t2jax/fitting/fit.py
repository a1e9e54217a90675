"""Point fits: from many starts to the best optimum, with a status in English and what the rows do not determine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.fitting.cautions import refuse_unsolved, several_tasks
from t2jax.fitting.edges import edges_of, limits_of
from t2jax.fitting.identification import Identification, curvature, identification
from t2jax.fitting.problem import FitProblem, prepare
from t2jax.fitting.remedies import remedy
from t2jax.fitting.starts import draw, keep_best
from t2jax.fitting.turning_points import turning_points
from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law
from t2jax.laws.check import not_finite
from t2jax.noise.protocol import Noise
from t2jax.numerics.damped_newton import Limits, minimise
from t2jax.tables.measurements import Measurements
from t2jax.tables.table import Table
from t2jax.typing import Array
from t2jax.working_precision import scope, to_host

DRAWS_PER_START = 32
SAME = 1e-10  # relative difference of values that say nothing of which start ended better
SOLVED_DRAWS_PER_START = 16  # where coefficients are solved for, fewer draws start as well


@dataclass(frozen=True)
class Fit:
    """The result of `fit`. `law` has Python floats as leaves.

    objective: summed penalty at the optimum. gradient_norm: in centred unconstrained coordinates. converged: whether
    an optimum was reached. status: in English. agreement: share of starts that ended at it. identification: rank of
    the Hessian, standard errors, and the parameters that the rows do not determine. noise_values: scales, estimated or
    held.
    """

    law: Law
    objective: float
    gradient_norm: float
    converged: bool
    status: str
    starts: int
    agreement: float
    identification: Identification
    noise_values: dict[str, float]
    problem: FitProblem = field(repr=False)

    @property
    def undetermined(self) -> tuple[str, ...]:
        """Names of parameters whose fitted value is arbitrary, since others fit as well."""
        return self.identification.flat


@check_arguments
def fit(
    law: type[Law],
    table: Table,
    *,
    key: Array,
    noise: Noise | None = None,
    fixed: Mapping[str, float] | None = None,
    starts: int = 8,
) -> Fit:
    """Fit a law to a table: minimise the noise model's penalty, summed over rows, from many starts.

    law: a law class. noise: by default what suits the law and the table's columns (`noise.default_noise`). fixed:
    parameters to hold, by name, scales too that the noise would estimate; without a `loss` column a law's `gauge` is
    held too. starts: kept out of 32 times as many random draws (16 where the law is linear in its coefficients).
    Deterministic given the key. Failure is told in `status` and `converged`, never raised.

    Raises TableError for columns the law needs and the table lacks, for fewer rows than parameters, and for a law of
    pass@k where no sample of any model is right; ValueError for a fixed name that is no parameter, or a fixed value
    outside its parameter's domain; TypeError for a law that does not give one number for each row.
    """
    if starts < 1:
        raise ValueError(f"fit: starts is {starts}, expected at least 1")
    problem, data = prepare(law, table, noise, fixed or {})
    table.require_rows(len(problem.names), needed_by=law.__name__)
    refuse_unsolved(problem, table)
    with scope() as dtype:
        data = jax.tree.map(lambda leaf: leaf.astype(dtype) if leaf.dtype.kind == "f" else leaf, data.padded())
        run = np.pad(table.runs(), (0, len(data.weight) - len(table)))
        found = jax.tree.map(np.asarray, _solve(problem, data, run, limits_of(problem), starts, key))
    best, noise_values = to_host((found.law, found.noise_values))
    values = best.values() | noise_values
    values = {name: values[name] for name in problem.names}
    known = identification(found.hessian, found.slope, found.meat, found.own, values, edges_of(problem))
    if np.isfinite(found.value):
        # a curvature that is no number says nothing of what the rows determine
        known_said = (known.sentence, remedy(best, table, known.flat)) if np.all(np.isfinite(found.hessian)) else ()
        outcome = _outcome(found, problem.names, starts)
        said = (several_tasks(table), outcome, *known_said, turning_points(best, table))
    else:
        where = not_finite(law, table, tuple(data.columns))
        said = ("failed: the objective was not finite from any start", where)
    return Fit(
        law=best,
        objective=float(found.value),
        gradient_norm=float(np.linalg.norm(found.gradient)),
        converged=bool(found.converged),
        status="; ".join(part for part in said if part),
        starts=starts,
        agreement=float(found.agreement),
        identification=known,
        noise_values=noise_values,
        problem=problem,
    )


class _Found(NamedTuple):
    law: Law
    noise_values: dict[str, Array]
    value: Array
    converged: Array
    agreement: Array
    hessian: Array
    slope: Array
    gradient: Array
    meat: Array
    own: Array


@partial(jax.jit, static_argnames="starts")
def _solve(problem: FitProblem, data: Measurements, run: Array, limits: Limits, starts: int, key: Array) -> _Found:
    """Minimises the objective from the best of many random starts, and computes the curvature at the optimum."""
    rows = data.weighted(jnp.ones_like(data.weight))
    objective = partial(problem.objective, rows=rows)
    draw_key, noise_key = jax.random.split(key)
    count = starts * (SOLVED_DRAWS_PER_START if problem.law.linear else DRAWS_PER_START)
    scale_keys = jax.random.split(noise_key, len(problem.scales))
    draws = draw(problem.law, problem.coordinates, rows, count, draw_key, scale_keys)
    draws = draws.astype(rows["weight"].dtype)
    values = jax.vmap(objective)(draws)
    # starts in parallel use the vector units of short tables; for long tables, one at a time, each stops early
    batch_size = min(starts, max(1, 4096 // len(rows["weight"])))
    search = partial(minimise, objective, limits=limits)
    ends = jax.lax.map(search, keep_best(values, draws, starts), batch_size=batch_size)
    end_values = jnp.where(jnp.isfinite(ends.value), ends.value, jnp.inf)
    lowest_value = jnp.min(end_values)
    # rows without noise end at rounding, so equality is relative to the objective of a bad fit
    rounding = 1e-16 * jnp.nanmedian(jnp.where(jnp.isfinite(values), jnp.abs(values), jnp.nan))
    agree = end_values <= lowest_value + 1e-6 * jnp.abs(lowest_value) + rounding
    # of equally good ends take the nearest to the starts: undetermined parameters may end anywhere
    candidate_values = jnp.where(agree, end_values - jnp.where(ends.converged, rounding, 0.0), jnp.inf)
    is_best = candidate_values <= jnp.min(candidate_values) + SAME * jnp.abs(lowest_value)
    median, spread = jnp.nanmedian(draws, axis=0, keepdims=True), jnp.nanstd(draws, axis=0, keepdims=True)
    distance = jnp.max(jnp.abs(ends.u - median) / (1 + spread), axis=1)
    best = jnp.argmin(jnp.where(is_best, distance, jnp.inf))
    u = ends.u[best]
    law, noise_values = problem.split(u)
    penalties = partial(problem.penalties, rows=data.columns)
    curvature_parts = curvature(penalties, problem.coordinates, u, data.weight, data.place, run)
    derivatives = (ends.hessian[best], ends.gradient[best])
    return _Found(
        law, noise_values, end_values[best], ends.converged[best], jnp.mean(agree), *derivatives, *curvature_parts
    )


def _outcome(found: _Found, names: tuple[str, ...], starts: int) -> str:
    said = f"{round(float(found.agreement) * starts)} of {starts} starts reached the best optimum"
    if found.converged:
        return f"converged: {said}"
    slopes = np.column_stack([found.gradient, found.hessian])
    broken = ", ".join(name for name, row in zip(names, slopes, strict=True) if not np.all(np.isfinite(row)))
    why = (
        f"the derivatives of {type(found.law).__name__} in {broken} are not finite"
        if broken
        else "the solver stopped short of an optimum"
    )
    return f"not converged: {why}; {said}"
