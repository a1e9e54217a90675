"""Point fits: many starts, the best optimum, its status, and what the rows do not determine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from t2jax.fitting.cautions import few_solved, no_errors, own_errors, refuse_unsolved, several_tasks, swept_setting
from t2jax.fitting.edges import edges_of, limits_of
from t2jax.fitting.identification import (
    DeterminedSum,
    Identification,
    curvature,
    determined_sums,
    identification,
    remedy,
)
from t2jax.fitting.problem import FitProblem, prepare
from t2jax.fitting.residual_summary import (
    ResidualSummary,
    measured_response,
    residual_summary,
    structured_residuals,
)
from t2jax.fitting.starts import draw, keep_best
from t2jax.fitting.turning_points import turning_points
from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law
from t2jax.laws.check import not_finite
from t2jax.noise.protocol import Noise
from t2jax.numerics.programs.devices import device_mesh, spread_over
from t2jax.numerics.programs.stored_programs import StoredProgram
from t2jax.numerics.solvers.damped_newton import Limits, minimise
from t2jax.printing import summary
from t2jax.tables.measurements import Measurements, largest, measuring_rows
from t2jax.tables.table import Table
from t2jax.typing import Array
from t2jax.working_precision import scope, to_host

DRAWS_PER_START = 32
SAME = 1e-10  # relative difference below which two starts ended equally well
ROUNDINGS = 64  # roundings of a sum over rows, in units of the last place
MORE = 4
"""If one of several starts reached the best optimum, the fit takes this many times as many."""
LESS_IS_BETTER = ("loss", "-log pass@k", "error")
SOLVED_DRAWS_PER_START = 16  # with coefficients solved for, fewer draws are enough


@dataclass(frozen=True, repr=False)
class Fit:
    """Result of `fit`.

    Attributes:
        law: The fitted law, with Python floats as values.
        objective: Sum of the penalties at the optimum.
        gradient_norm: Norm of the gradient there, in centred unconstrained coordinates.
        converged: Whether the fit reached an optimum.
        status: Cautions on the table, whether the fit converged and how many starts agree, and what the rows do not
            determine.
        starts: Number of starts, four times as many as asked for if only one of those reached the best optimum.
        agreement: Share of the starts that ended at the best optimum.
        identification: Rank of the Hessian, standard errors, and the parameters that the rows do not determine.
        noise_values: Scales of the noise by name, estimated or fixed.
        problem: The problem that was solved: law, noise and coordinates.
        table: The rows that were fitted.
        no_errors: Sentence on why the rows do not show how large the errors are. It is empty if they do.
        residuals: How far the law lies from its rows, None if it does not predict what was measured.

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
    table: Table
    no_errors: str = ""
    residuals: ResidualSummary | None = None

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

    @property
    def sums(self) -> tuple[DeterminedSum, ...]:
        """Sums that the rows determine where they do not determine the terms, such as E + A/N^alpha at one N."""
        return determined_sums(type(self.law), self.table, self.undetermined)


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
            law is linear in its coefficients. If only one of several starts reaches the best optimum, the fit takes
            four times as many.

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
        search = partial(_solve, problem, data, run, limits_of(problem), starts=starts, mesh=device_mesh(starts))
        solution, agree, tried = _best_of(search, starts, key)
    best, noise_values = to_host((solution.law, solution.noise_values))
    noise_values |= {name: float(data.columns[name]) for name in problem.noise.settled}
    values = best.values() | noise_values
    values = {name: values[name] for name in problem.names}
    curves = solution.hessian, solution.slope, solution.meat, solution.jacobian
    identified = identification(*curves, values, edges_of(problem))
    residuals, scarce = None, ""
    if np.isfinite(solution.value):
        # without a finite curvature it is open what the rows determine
        curved = np.all(np.isfinite(solution.hessian))
        sums = determined_sums(law, table, identified.flat) if curved else ()
        gaps = (identified.sentence, remedy(best, sums)) if curved else ()
        outcome = _outcome(solution, problem.names, agree, tried)
        free = len(problem.law_coordinates.free)
        scarce = no_errors(law, table, free) if solution.converged else ""
        unsolved = "" if solution.converged else few_solved(table, free)
        read, predicted = problem.noise.columns(law, table), np.asarray(solution.predicted)[: len(table)]
        weighty = measuring_rows(table)
        seen, predicted = (table, predicted) if weighty.all() else (table.where(weighty), predicted[weighty])
        residuals = residual_summary(law, seen, read, predicted)
        of, measured = measured_response(law, seen, read)
        sweep = "" if measured is None or of not in LESS_IS_BETTER else swept_setting(law, seen, measured, predicted)
        identified_and_solved = (*gaps, outcome, unsolved) if curved and identified.flat else (outcome, unsolved, *gaps)
        misfit = structured_residuals(law, seen, read, predicted)
        sentences = (scarce, several_tasks(table), sweep, *identified_and_solved, turning_points(best, table), misfit)
        sentences = (*sentences, own_errors(problem.noise, law, table))
    else:
        location = not_finite(law, table, tuple(data.columns))
        sentences = ("failed: the objective was not finite from any start", location)
    return Fit(
        law=best,
        objective=float(solution.value),
        gradient_norm=float(np.linalg.norm(solution.gradient)),
        converged=bool(solution.converged),
        status="; ".join(sentence for sentence in sentences if sentence),
        starts=tried,
        agreement=agree / tried,
        identification=identified,
        noise_values=noise_values,
        problem=problem,
        table=table,
        no_errors=scarce,
        residuals=residuals,
    )


class _Solution(NamedTuple):
    """Arrays of the best optimum, as the compiled solver returns them."""

    law: Law
    noise_values: dict[str, Array]
    value: Array
    converged: Array
    agree: Array
    tolerance: Array
    predicted: Array
    hessian: Array
    slope: Array
    gradient: Array
    meat: Array
    jacobian: Array


@partial(StoredProgram, settings=("starts", "mesh"))
def _solve(
    problem: FitProblem, data: Measurements, run: Array, limits: Limits, key: Array, *, starts: int, mesh: Mesh | None
) -> _Solution:
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
    batch_size = min(starts, max(1, 4096 // largest(rows)))
    search = partial(minimise, objective, limits=limits)
    search_all = partial(jax.lax.map, search, batch_size=batch_size)
    ends = spread_over(mesh, search_all, keep_best(values, draws, starts))
    end_values = jnp.where(jnp.isfinite(ends.value), ends.value, jnp.inf)
    lowest_value = jnp.min(end_values)
    # rows without noise end at rounding, so equality is relative to the objective of a bad fit
    rounding = 1e-16 * jnp.nanmedian(jnp.where(jnp.isfinite(values), jnp.abs(values), jnp.nan))
    # in float32 the values of equally good ends differ by tens of roundings, in float64 by less than SAME
    roundings = ROUNDINGS * float(jnp.finfo(draws.dtype).eps)
    tolerance = max(1e-6, roundings) * jnp.abs(lowest_value) + rounding
    agree = end_values <= lowest_value + tolerance
    # of equally good ends take the nearest to the starts: undetermined parameters may end anywhere
    candidate_values = jnp.where(agree, end_values - jnp.where(ends.converged, rounding, 0.0), jnp.inf)
    is_best = candidate_values <= jnp.min(candidate_values) + max(SAME, roundings) * jnp.abs(lowest_value)
    median, spread = jnp.nanmedian(draws, axis=0, keepdims=True), jnp.nanstd(draws, axis=0, keepdims=True)
    if roundings > SAME:  # the lowest value is then chance, and may lie far along a valley: take the end in the middle
        median = jnp.nanmedian(jnp.where(is_best[:, None], ends.u, jnp.nan), axis=0, keepdims=True)
    distance = jnp.max(jnp.abs(ends.u - median) / (1 + spread), axis=1)
    best = jnp.argmin(jnp.where(is_best, distance, jnp.inf))
    u = ends.u[best]
    law, noise_values = problem.split(u)
    penalties = partial(problem.penalties, rows=data.columns)
    curvature_parts = curvature(penalties, problem.coordinates, u, data.weight, data.place, run)
    derivatives = (ends.hessian[best], ends.gradient[best])
    different = jax.eval_shape(penalties, u).shape  # a law of no column predicts one number
    predicted = jnp.broadcast_to(law.predict(data.columns), different)[data.place]
    reached = (end_values[best], ends.converged[best], jnp.sum(agree), tolerance, predicted)
    return _Solution(law, noise_values, *reached, *derivatives, *curvature_parts)


def _best_of(search: Callable[[Array], _Solution], starts: int, key: Array) -> tuple[_Solution, int, int]:
    """Returns the best optimum, how many starts reached it, and how many there were.

    Where one of several starts reached it, the same compiled program takes more of them, from other keys.
    """
    first: _Solution = jax.tree.map(np.asarray, search(key))
    if starts == 1 or first.agree != 1:
        return first, int(first.agree), starts
    keys = [jax.random.fold_in(key, i) for i in range(1, MORE)]
    solutions = [first, *(jax.tree.map(np.asarray, search(other)) for other in keys)]
    lowest = min(float(solution.value) for solution in solutions)
    same = [solution for solution in solutions if solution.value <= lowest + solution.tolerance]
    best = next((solution for solution in same if solution.converged), same[0])
    return best, sum(int(solution.agree) for solution in same), MORE * starts


def _outcome(solution: _Solution, names: tuple[str, ...], agree: int, starts: int) -> str:
    """Writes whether the fit converged, and how many starts agree."""
    agreement = f"{agree} of {starts} starts reached the best optimum"
    agreement += ", and an optimum found once may not be the best" if agree == 1 < starts else ""
    if solution.converged:
        return f"converged: {agreement}"
    slopes = np.column_stack([solution.gradient, solution.hessian])
    broken = ", ".join(name for name, row in zip(names, slopes, strict=True) if not np.all(np.isfinite(row)))
    why = (
        f"the derivatives of {type(solution.law).__name__} in {broken} are not finite"
        if broken
        else "the solver stopped short of an optimum"
    )
    return f"not converged: {why}; {agreement}"
