"""Bootstrap: the fit repeated on resampled tables, as a batch of laws with a leading axis."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from t2jax.fitting.cautions import FEWEST_RUNS, shared_errors
from t2jax.fitting.edges import limits_of, off_the_edges
from t2jax.fitting.fit import Fit
from t2jax.fitting.problem import FitProblem
from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law
from t2jax.noise.protocol import Rows
from t2jax.numerics.bands import Band, band, too_few_draws
from t2jax.numerics.programs.devices import device_mesh, spread_over
from t2jax.numerics.programs.stored_programs import StoredProgram
from t2jax.numerics.solvers.damped_newton import Limits, Solution, minimise_each
from t2jax.printing import format_interval, summary
from t2jax.tables.measurements import Measurements
from t2jax.tables.table import Table
from t2jax.typing import Array, Float, Int
from t2jax.working_precision import scope, to_host

ResampledUnit = Literal["rows", "runs"]
LANES = 32
"""Number of tables that a device fits side by side."""
LARGEST = 2**17
"""Number of entries of all tables that a device fits side by side; more of them leave the caches."""
MEMORY = 2**28
"""Bytes of the tables that a device holds at once, whatever the number of draws."""
MOST_FAILED = 0.1
"""Failed draws are no random part of all, so more of them bias a band."""


@dataclass(frozen=True, repr=False)
class Bootstrap:
    """Result of `bootstrap` and `parametric_bootstrap`.

    Attributes:
        laws: Fitted law of every good draw, leaves of shape (draws - failed,).
        draws: Number of draws that were asked for.
        failed: Number of draws that reached no optimum and were left out.
        resampled: What was resampled: "rows", "runs" or "simulated tables".
        caution: Sentence on errors that the draws do not show, empty without such errors.
        undetermined: Parameters whose values are arbitrary, as in the fit.

    Examples:
        >>> boot = t2.bootstrap(fit, runs, draws=8, key=jax.random.key(0))
        >>> boot.status
        '8 of 8 draws over rows converged'
    """

    laws: Law
    draws: int
    failed: int
    resampled: str
    caution: str = ""
    undetermined: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Writes the status, then the median and the 90 % band of each parameter."""
        return summary("Bootstrap", self.status, {name: self._interval(name) for name in self.laws.values()})

    def _interval(self, name: str) -> str:
        """Formats the median and the 90 % band of a parameter, or the reason why it has none."""
        drawn = self.laws.values()[name]
        if name in self.undetermined:
            return "undetermined"
        if self.no_band():
            return f"{np.median(drawn):.4g} (no interval)"
        spread = band(drawn)
        return format_interval(spread.low, spread.mid, spread.high)

    @property
    def status(self) -> str:
        """How many draws converged, after cautions: many failed, or the draws do not show errors of whole runs."""
        good = f"{self.draws - self.failed} of {self.draws} draws over {self.resampled} converged"
        few = f"{self.failed} reached no optimum and were left out" if self.failed and not self._biased else ""
        return "; ".join(sentence for sentence in (self._biased, self.caution, good, few) if sentence)

    @property
    def _biased(self) -> str:
        """Sentence on too many failed draws, or an empty text."""
        if self.failed <= MOST_FAILED * self.draws:
            return ""
        return (
            f"{self.failed} of {self.draws} draws reached no optimum, so there are no intervals: they would be biased"
        )

    def no_band(self, level: float = 0.9) -> str:
        """Returns the reason why there is no band: too many draws failed, or too few are left for its ends.

        Args:
            level: Level of the band, in (0, 1).

        Returns:
            A sentence, empty where there is a band.

        Examples:
            >>> boot = t2.bootstrap(fit, runs, draws=8, key=jax.random.key(0))
            >>> boot.no_band(level=0.9)
            '8 draws are too few for the ends of a 90 % interval, which needs 20'
        """
        return self._biased or too_few_draws(self.draws - self.failed, level)

    def band(self, quantity: Callable[[Law], Array], level: float = 0.9) -> Band:
        """Computes a quantile band of anything computed from one law, as in `boot.band(lambda law: law(1e9, 2e10))`.

        Args:
            quantity: Function from a law to an array.
            level: Level of the band, in (0, 1).

        Returns:
            The band, with the shape of the quantity.

        Raises:
            ValueError: More than a tenth of the draws failed, or too few are left for the ends of the band.
        """
        if reason := self.no_band(level):
            raise ValueError(reason)
        with scope() as dtype:
            laws = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), self.laws)
            values = np.asarray(jax.jit(jax.vmap(quantity))(laws))
        return band(values, level)


@check_arguments
def bootstrap(fit: Fit, table: Table, *, draws: int, key: Array, over: ResampledUnit | None = None) -> Bootstrap:
    """Refits a law to resamples of its table, with replacement, each from the fitted law.

    For errors drawn from the fitted law see `parametric_bootstrap`. Sources: Efron 1979, and Besiroglu et al. 2024
    (2404.10102), who find that one start a draw is enough.

    Args:
        fit: A converged fit.
        table: The table that was fitted.
        draws: Number of resamples.
        key: JAX random key.
        over: "rows", or "runs" to resample all rows of a run together. Choose runs where rows of one run share errors:
            checkpoints, many k, or many questions of one model. None chooses by the table (`resampled_unit`).

    Returns:
        A `Bootstrap`.

    Raises:
        ValueError: The fit did not converge, another unit is asked for, or every draw failed. Also if errors are shared
            by rows, as with `Discrepancy`.

    Examples:
        >>> boot = t2.bootstrap(fit, runs, draws=20, key=jax.random.key(0))
        >>> round(float(boot.band(lambda law: law(1e9, 2e10)).mid), 3)
        2.464
    """
    over = resampled_unit(table) if over is None else over
    if over not in ("rows", "runs"):
        raise ValueError(f"a bootstrap is over 'rows' or 'runs', not {over!r}")
    if fit.problem.noise.not_resampled:
        raise ValueError(fit.problem.noise.not_resampled)
    unit = np.arange(len(table)) if over == "rows" else table.runs()
    with scope() as dtype:
        values, limits, data = _starting_point(fit, table)
        data = data.padded().on_device(dtype)
        units, unit = int(unit.max()) + 1, jnp.asarray(np.pad(unit, (0, len(data.weight) - len(table))))
        refits = _resampled(fit.problem, data, values, limits, unit, units, key, draws=draws, mesh=device_mesh(draws))
        return _collect(refits, draws, over, shared_errors(table, over), fit.undetermined)


def resampled_unit(table: Table) -> ResampledUnit:
    """Chooses the unit of a bootstrap: "runs" where rows share a `model`, else "rows".

    With fewer than five runs most resamples would lack a size or a length that the law needs, so it takes rows.
    """
    runs = len(set(table["model"].tolist())) if "model" in table else len(table)
    return "runs" if FEWEST_RUNS <= runs < len(table) else "rows"


@check_arguments
def parametric_bootstrap(fit: Fit, table: Table, *, draws: int, key: Array) -> Bootstrap:
    """Refits a law to tables simulated from the fit, on the same (N, D, k) and trials.

    For losses and pass@k, residuals of the fit are resampled and added to its predictions (Freedman 1981), on the scale
    of the noise model. Counts are drawn from the fitted law.

    Args:
        fit: A converged fit.
        table: The table that was fitted.
        draws: Number of simulated tables.
        key: JAX random key.

    Returns:
        A `Bootstrap`.

    Raises:
        ValueError: The fit did not converge, or every draw failed.

    Examples:
        >>> boot = t2.parametric_bootstrap(fit, runs, draws=8, key=jax.random.key(0))
        >>> round(float(np.median(boot.laws.alpha)), 3)
        0.35
    """
    with scope() as dtype:
        values, limits, data = _starting_point(fit, table)
        refits = _simulated(
            fit.problem, data.on_device(dtype).every_row(), values, limits, draws, key, device_mesh(draws)
        )
        shared = not fit.problem.noise.not_resampled  # a simulated table has the errors that its rows share
        caution = shared_errors(table, "simulated tables") if shared else ""
        return _collect(refits, draws, "simulated tables", caution, fit.undetermined)


def _starting_point(fit: Fit, table: Table) -> tuple[dict[str, float], Limits, Measurements]:
    """Returns the fitted values, the limits of the coordinates, and the rows."""
    if not fit.converged:
        raise ValueError(f"there is no fit to resample ({fit.status})")
    problem, data = fit.problem.read(table)
    table.require_rows(len(problem.names), needed_by=problem.law.__name__)
    return fit.law.values() | fit.noise_values, limits_of(fit.problem), data


@partial(StoredProgram, settings=("draws", "mesh"))
def _resampled(
    problem: FitProblem,
    data: Measurements,
    values: dict[str, Array],
    limits: Limits,
    unit: Int[Array, " rows"],
    units: Array,
    key: Array,
    *,
    draws: int,
    mesh: Mesh | None,
) -> tuple[Law, Array]:
    """Refits the law to resamples, and returns the laws and whether each converged."""
    start, most = off_the_edges(problem.unconstrain(values), limits), len(unit)

    def resample(key: Array) -> Rows:
        # as many draws as there can be units; only the first `units` count, so another number of units compiles nothing
        chosen = jax.random.randint(key, (most,), 0, units)
        counted = jnp.where(jnp.arange(most) < units, 1.0, 0.0).astype(start.dtype)
        # how often each unit was drawn is its weight: rows stay in place and every draw has the same shape
        rows = data.weighted(jnp.zeros(most, start.dtype).at[chosen].add(counted)[unit])
        return {name: column for name, column in rows.items() if name not in data.columns}

    once = data.weighted(jnp.ones_like(data.weight))
    columns = {name: column for name, column in once.items() if name in data.columns}

    def objective(u: Array, drawn: Rows) -> Array:
        return problem.objective(u, {**columns, **drawn})

    ends = _refit(mesh, resample, objective, start, limits, jax.random.split(key, draws))
    return jax.vmap(lambda u: problem.split(u)[0])(ends.u), ends.converged


@partial(jax.jit, static_argnames=("draws", "mesh"))
def _simulated(
    problem: FitProblem,
    rows: Rows,
    values: dict[str, Array],
    limits: Limits,
    draws: int,
    key: Array,
    mesh: Mesh | None,
) -> tuple[Law, Array]:
    """Refits the law to simulated tables, and returns the laws and whether each converged."""
    u = problem.unconstrain(values)
    law, nuisance = problem.split(u)
    start = off_the_edges(u, limits)

    def objective(u: Array, columns: Rows) -> Array:
        return problem.objective(u, {**rows, **columns})

    simulate = partial(problem.noise.simulate, law, rows, nuisance)
    ends = _refit(mesh, simulate, objective, start, limits, jax.random.split(key, draws))
    return jax.vmap(lambda u: problem.split(u)[0])(ends.u), ends.converged


def _refit(
    mesh: Mesh | None,
    draw: Callable[[Array], Any],
    objective: Callable[[Array, Any], Array],
    start: Array,
    limits: Limits,
    keys: Array,
) -> Solution:
    """Draws a table for each key and minimises the objective on it, the keys spread over devices."""
    size = sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(draw, keys[0])))
    # as many on every device, so that a result does not depend on their number
    lanes = min(LANES, len(keys), max(1, LARGEST // size))
    chunk = max(lanes, MEMORY // (8 * size))

    def refit(keys: Array) -> Solution:
        drawn = jax.lax.map(draw, keys, batch_size=lanes)
        return minimise_each(objective, start, drawn, lanes, limits)

    def refit_in_chunks(keys: Array) -> Solution:
        chunks = -(-len(keys) // chunk)
        place = jnp.minimum(jnp.arange(chunks * chunk), len(keys) - 1).reshape(chunks, chunk)
        ends = jax.lax.map(lambda part: refit(keys[part]), place)
        return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[: len(keys)], ends)

    return spread_over(mesh, refit if len(keys) <= chunk else refit_in_chunks, keys)


def _collect(
    refits: tuple[Law, Array], draws: int, resampled: str, caution: str = "", undetermined: tuple[str, ...] = ()
) -> Bootstrap:
    """Leaves out the failed draws."""
    laws, good = to_host(refits)
    count = int(np.sum(good))
    if count == 0:
        raise ValueError(f"none of the {draws} draws over {resampled} reached an optimum")

    def good_draws(leaf: Float[np.ndarray, " draws"]) -> np.ndarray:
        return np.asarray(leaf)[np.asarray(good)]

    return Bootstrap(jax.tree.map(good_draws, laws), draws, draws - count, resampled, caution, undetermined)
