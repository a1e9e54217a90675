"""Point fits: many starts, the best optimum, its status, and what the rows do not determine."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.fitting.cautions import few_rows, few_solved, refuse_unsolved, several_tasks
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
from t2jax.printing import summary
from t2jax.tables.measurements import Measurements
from t2jax.tables.table import Table
from t2jax.typing import Array
from t2jax.working_precision import scope, to_host

DRAWS_PER_START = 32
SAME = 1e-10  # relative difference below which two starts ended equally well
SOLVED_DRAWS_PER_START = 16  # with coefficients solved for, fewer draws are enough


@dataclass(frozen=True, repr=False)
class Fit:
    """Result of `fit`.

    Attributes:
        law: The fitted law, with Python floats as values.
        objective: Sum of the penalties at the optimum.
        gradient_norm: Norm of the gradient there, in centred unconstrained coordinates.
        converged: Whether the fit reached an optimum.
        status: Whether the fit converged and how many starts agree, then what the rows do not determine.
        starts: Number of starts.
        agreement: Share of the starts that ended at the best optimum.
        identification: Rank of the Hessian, standard errors, and the parameters that the rows do not determine.
        noise_values: Scales of the noise by name, estimated or fixed.
        problem: The problem that was solved: law, noise and coordinates.

    Examples:
        >>> fit.converged, round(fit.law.alpha, 3), fit.undetermined
        (True, 0.35, ())
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
    problem: FitProblem

    def __repr__(self) -> str:
        """Writes the status, then the law, the noise and the objective."""
        scales = "".join(f", {name} = {value:.4g}" for name, value in self.noise_values.items())
        noise = f"{self.problem.noise}{scales}"
        answers = {"law": repr(self.law), "noise": noise, "objective": f"{self.objective:.6g}"}
        return summary("Fit", self.status, answers)

    @property
    def undetermined(self) -> tuple[str, ...]:
        """Names of parameters whose fitted value is arbitrary, because other values fit as well."""
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
    """Fits a law to a table: it minimises the noise model's penalty, summed over rows, from many starts.

    The result depends only on the arguments and the key. A failed fit raises no error: see `converged` and `status`.

    Args:
        law: The law class, such as `t2.laws.Chinchilla`.
        table: The table.
        key: JAX random key of the starts.
        noise: Noise model. The default suits the law and the table (`t2.noise.default_noise`).
        fixed: Values of fixed parameters by name, also of scales that the noise would estimate. Without a `loss` column
            the parameters in the law's `gauge` are fixed too.
        starts: Number of starts. They are the best of 32 times as many random draws, or of 16 times as many where the
            law is linear in its coefficients.

    Returns:
        A `Fit`.

    Raises:
        TableError: A column that the law needs is missing, or there are fewer rows than parameters. Also where the law
            predicts pass@k and no sample of any model is right.
        ValueError: `starts` is below 1, a fixed name is no parameter, or a fixed value lies outside its domain.
        TypeError: The law does not return one number for each row.

    Examples:
        >>> exact = t2.fit(t2.laws.Chinchilla, runs, key=jax.random.key(0), fixed={"E": 1.8})
        >>> exact.law.E, round(exact.law.alpha, 3)
        (1.8, 0.35)
    """
    if starts < 1:
        raise ValueError(f"fit: starts is {starts}, expected at least 1")
    problem, data = prepare(law, table, noise, fixed or {})
    table.require_rows(len(problem.names), needed_by=law.__name__)
    refuse_unsolved(problem, table)
    with scope() as dtype:
        data = jax.tree.map(lambda leaf: leaf.astype(dtype) if leaf.dtype.kind == "f" else leaf, data.padded())
        run = np.pad(table.runs(), (0, len(data.weight) - len(table)))
        solution = jax.tree.map(np.asarray, _solve(problem, data, run, limits_of(problem), starts, key))
    best, noise_values = to_host((solution.law, solution.noise_values))
    values = best.values() | noise_values
    values = {name: values[name] for name in problem.names}
    curves = solution.hessian, solution.slope, solution.meat, solution.own
    identified = identification(*curves, values, edges_of(problem))
    if np.isfinite(solution.value):
        # without a finite curvature it is open what the rows determine
        curved = np.all(np.isfinite(solution.hessian))
        gaps = (identified.sentence, remedy(best, table, identified.flat)) if curved else ()
        outcome = _outcome(solution, problem.names, starts)
        free = len(problem.law_coordinates.free)
        scarce = few_rows(table, free) if solution.converged else ""
        unsolved = "" if solution.converged else few_solved(table, free)
        sentences = (scarce, several_tasks(table), outcome, unsolved, *gaps, turning_points(best, table))
    else:
        location = not_finite(law, table, tuple(data.columns))
        sentences = ("failed: the objective was not finite from any start", location)
    return Fit(
        law=best,
        objective=float(solution.value),
        gradient_norm=float(np.linalg.norm(solution.gradient)),
        converged=bool(solution.converged),
        status="; ".join(sentence for sentence in sentences if sentence),
        starts=starts,
        agreement=float(solution.agreement),
        identification=identified,
        noise_values=noise_values,
        problem=problem,
    )


class _Found(NamedTuple):
    """Arrays of the best optimum, as the compiled solver returns them."""

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
    """Writes whether the fit converged, and how many starts agree."""
    agreement = f"{round(float(found.agreement) * starts)} of {starts} starts reached the best optimum"
    if found.converged:
        return f"converged: {agreement}"
    slopes = np.column_stack([found.gradient, found.hessian])
    broken = ", ".join(name for name, row in zip(names, slopes, strict=True) if not np.all(np.isfinite(row)))
    why = (
        f"the derivatives of {type(found.law).__name__} in {broken} are not finite"
        if broken
        else "the solver stopped short of an optimum"
    )
    return f"not converged: {why}; {agreement}"
