"""Bootstrap: the fit repeated on resampled tables, as a batch of laws with a leading axis."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.fitting.edges import limits_of, off_the_edges
from t2jax.fitting.fit import Fit
from t2jax.fitting.problem import FitProblem
from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law
from t2jax.noise.protocol import Rows
from t2jax.numerics.bands import Band, band
from t2jax.numerics.damped_newton import Limits, minimise_each
from t2jax.tables.measurements import Measurements
from t2jax.tables.table import Table
from t2jax.typing import Array, Float, Int
from t2jax.working_precision import scope, to_host

ResampledUnit = Literal["rows", "runs"]
FEWEST_RUNS = 5  # of which resamples differ enough to tell a spread
MANY = 0.1  # the draws that fail are not a random part of all


@dataclass(frozen=True)
class Bootstrap:
    """The result of `bootstrap`. laws: the fitted law of every good draw, leaves (draws - failed,).

    draws: asked for. failed: how many draws reached no optimum and were left out. resampled: what was drawn again.
    """

    laws: Law
    draws: int
    failed: int
    resampled: str

    @property
    def status(self) -> str:
        """How many draws were fitted, in English."""
        good = self.draws - self.failed
        said = f"{good} of {self.draws} draws over {self.resampled} converged"
        if not self.failed:
            return said
        many = self.failed > MANY * self.draws
        said += f"; {self.failed} reached no optimum and were left out"
        return f"{said}, more than a tenth, so bands may be too narrow" if many else said

    def band(self, quantity: Callable[[Law], Array], level: float = 0.9) -> Band:
        """Quantile band of anything computed from one law: `boot.band(lambda law: law(1e9, 2e10))`."""
        with scope() as dtype:
            laws = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), self.laws)
            values = np.asarray(jax.jit(jax.vmap(quantity))(laws))
        return band(values, level)


@check_arguments
def bootstrap(fit: Fit, table: Table, *, draws: int, key: Array, over: ResampledUnit | None = None) -> Bootstrap:
    """Refit a law to `draws` resamples of its table, with replacement, each from the fitted law.

    over: "rows", or "runs" for all rows of a run together, where rows of one run share their errors (checkpoints, many
    k or many questions of one model); None for what `resampled_unit` says of the table. For errors drawn from the
    fitted law see `parametric_bootstrap`. Source: Efron 1979; one start a draw, as Besiroglu et al. 2024 (2404.10102),
    who find it enough.

    Raises ValueError when the fit itself did not converge or another unit is asked for.
    """
    over = resampled_unit(table) if over is None else over
    if over not in ("rows", "runs"):
        raise ValueError(f"a bootstrap is over 'rows' or 'runs', not {over!r}")
    unit = np.arange(len(table)) if over == "rows" else table.runs()
    with scope() as dtype:
        values, limits, data = _begin(fit, table)
        data = data.padded().on_device(dtype)
        units, unit = int(unit.max()) + 1, jnp.asarray(np.pad(unit, (0, len(data.weight) - len(table))))
        found = _resampled(fit.problem, data, values, limits, unit, units, draws, key)
        return _collect(found, draws, over)


def resampled_unit(table: Table) -> ResampledUnit:
    """What to draw again: "runs" where the column `model` says that rows share one, else "rows".

    Of fewer than five runs most resamples would lack a size or a length that the law needs, and then it is rows.
    """
    runs = len(set(table["model"].tolist())) if "model" in table else len(table)
    return "runs" if FEWEST_RUNS <= runs < len(table) else "rows"


@check_arguments
def parametric_bootstrap(fit: Fit, table: Table, *, draws: int, key: Array) -> Bootstrap:
    """Refit a law to `draws` tables simulated from the fit, each measured on the same (N, D, k) and trials.

    Losses and pass@k: residuals of the fit are drawn again and put on its predictions (Freedman 1981), in the scale
    that the noise model compares; counts: drawn from the fitted law. Raises ValueError as `bootstrap`.
    """
    with scope() as dtype:
        values, limits, data = _begin(fit, table)
        found = _simulated(fit.problem, data.on_device(dtype).every_row(), values, limits, draws, key)
        return _collect(found, draws, "simulated tables")


def _begin(fit: Fit, table: Table) -> tuple[dict[str, float], Limits, Measurements]:
    if not fit.converged:
        raise ValueError(f"there is no fit to resample ({fit.status})")
    problem, data = fit.problem.read(table)
    table.require_rows(len(problem.names), needed_by=problem.law.__name__)
    return fit.law.values() | fit.noise_values, limits_of(fit.problem), data


@partial(jax.jit, static_argnames="draws")
def _resampled(
    problem: FitProblem,
    data: Measurements,
    values: dict[str, Array],
    limits: Limits,
    unit: Int[Array, " rows"],
    units: Array,
    draws: int,
    key: Array,
) -> tuple[Law, Array]:
    start, most = off_the_edges(problem.unconstrain(values), limits), len(unit)

    def weights(key: Array) -> Array:
        # as many draws as there can be units, of which the first `units` count: another number compiles nothing
        chosen = jax.random.randint(key, (most,), 0, units)
        counted = jnp.where(jnp.arange(most) < units, 1.0, 0.0).astype(start.dtype)
        # how often each unit was drawn is its weight: rows stay in place and every draw has the same shape
        return data.weighted(jnp.zeros(most, start.dtype).at[chosen].add(counted)[unit])["weight"]

    def objective(u: Array, weight: Array) -> Array:
        return problem.objective(u, {**data.columns, "weight": weight})

    drawn = jax.lax.map(weights, jax.random.split(key, draws), batch_size=64)
    ends = minimise_each(objective, start, drawn, limits=limits)
    return jax.vmap(lambda u: problem.split(u)[0])(ends.u), ends.converged


@partial(jax.jit, static_argnames="draws")
def _simulated(
    problem: FitProblem, rows: Rows, values: dict[str, Array], limits: Limits, draws: int, key: Array
) -> tuple[Law, Array]:
    u = problem.unconstrain(values)
    law, nuisance = problem.split(u)
    start = off_the_edges(u, limits)

    def objective(u: Array, columns: Rows) -> Array:
        return problem.objective(u, {**rows, **columns})

    simulate = partial(problem.noise.simulate, law, rows, nuisance)
    drawn = jax.lax.map(simulate, jax.random.split(key, draws), batch_size=64)
    ends = minimise_each(objective, start, drawn, limits=limits)
    return jax.vmap(lambda u: problem.split(u)[0])(ends.u), ends.converged


def _collect(found: tuple[Law, Array], draws: int, resampled: str) -> Bootstrap:
    laws, good = to_host(found)
    count = int(np.sum(good))
    if count == 0:
        raise ValueError(f"none of the {draws} draws over {resampled} reached an optimum")

    def kept(leaf: Float[np.ndarray, " draws"]) -> np.ndarray:
        return np.asarray(leaf)[np.asarray(good)]

    return Bootstrap(jax.tree.map(kept, laws), draws, draws - count, resampled)
