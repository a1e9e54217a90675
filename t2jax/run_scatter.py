"""Counts of runs that scatter about the law: none is exact, and a run that solves more than it says does so throughout.

Without this every question of a checkpoint counts as new evidence of the law, so that bands shrink with the number of
questions however badly the law fits the checkpoints.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from numpyro.distributions import LogNormal

from t2jax.laws.base import Law
from t2jax.measurements import Measurements, inputs_of_runs
from t2jax.noise import BetaBinomial, Rows
from t2jax.params import Param, param
from t2jax.precision import scope
from t2jax.special import log_beta_binomial
from t2jax.table import Table
from t2jax.typing import Array, ArrayLike, Float

__all__ = ["RunScatter", "run_deviations", "run_rows", "shifted"]

STEP, REACH = 1.0, 6.0  # of the trapezoid rule, in widths of the peak: exact to 1e-6 for a normal one
FINE = 0.2  # step of the grid on which deviations are drawn
PEAK_STEPS = 12
FARTHEST = 600.0  # logits beyond which a chance is zero to float64


@dataclass(frozen=True)
class RunScatter:
    """Beta-binomial counts of runs whose mean success lies off the law's: logit μ_m + τ z_m with standard normal z_m.

    The law gives each run Beta(μν, (1-μ)ν) over questions; the run has the same ν. z_m is integrated out, by the
    trapezoid rule about its peak (error of a run's log-likelihood below 1e-5 up to τ = 1.5; at τ = 3, 0.02 for a run of
    five questions of which none is solved), so `tau` is the one parameter. Towards τ = 0 it is `BetaBinomial`. What is
    left out together is a run, so `t2.loo` says how well a new one is predicted. A row's `weight` counts it as so many
    questions. For `t2.sample` alone: losses in the table are not read, and there is no point fit. What a run's own rows
    say of its deviation: `run_deviations`.

    Prior: runs within 4 % of the law's odds (τ = 0.04) to a factor of three off (τ = 1.2) at 90 %.
    Source: overdispersion by a normal random effect in the logit, Williams 1982 (Appl. Stat. 31:144), model III.

    Raises TableError for a run whose inputs differ between rows; TypeError where points are fitted, and inside `Joint`.
    Example: `t2.sample(t2.laws.T2PassK, counts, t2.RunScatter(), key=jax.random.key(0))`.
    """

    nuisance: ClassVar[Mapping[str, Param]] = {
        "tau": param(LogNormal(-1.5, 1.0), unit="logits", doc="deviation of a run's mean success from the law's")
    }
    estimated: ClassVar[tuple[str, ...]] = ()

    def columns(self, law: type[Law], table: Table) -> tuple[str, ...]:
        return BetaBinomial().columns(law, table)

    def penalty(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        """Raises TypeError: there is no point fit."""
        raise TypeError("RunScatter is for sampling (t2.sample); fit points with noise.BetaBinomial")

    def simulate(self, law: Law, rows: Rows, nuisance: Rows, key: Array) -> dict[str, Array]:
        """Raises TypeError, as `penalty`: only point fits are simulated again."""
        raise TypeError("RunScatter is for sampling (t2.sample); simulate with noise.BetaBinomial")

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Float[Array, " runs"]:
        """Log-likelihood of each run; rows: the columns of `run_rows`."""
        if "times" not in rows:
            raise TypeError("RunScatter reads runs, not rows: it is for t2.sample alone, not inside Joint")
        a, b = law.questions(**law.arguments(rows, but="k"))
        held = a, b, nuisance["tau"]
        middle, width = _peak(rows, *map(jax.lax.stop_gradient, held))
        z = middle[:, None] + width[:, None] * _grid(STEP)[None, :]
        log_step = jnp.log(STEP * width) - 0.5 * np.log(2 * np.pi)
        return logsumexp(_log_run(rows, *held, z), axis=1) + log_step


def run_rows(law: type[Law], table: Table, noise: RunScatter) -> Measurements:
    """The table as `RunScatter` reads it: one row a run, numbered as by `Table.runs`.

    Beside the law's inputs, (runs,): trials, correct and times (runs, counts), each different count of a run once and
    how many questions (or weight of them) showed it, 0 where a run has fewer. Raises TableError as `inputs_of_runs`.
    """
    names = [name for name in noise.columns(law, table) if name not in ("trials", "correct")]
    run, held = inputs_of_runs(table, names)
    runs = np.arange(run.max() + 1)
    weight = table["weight"] if "weight" in table else np.ones(len(table))
    counts = np.stack([table["trials"], table["correct"]])
    kinds = [np.unique(counts[:, run == m], axis=1, return_inverse=True) for m in runs]
    shape = len(runs), max(pairs.shape[1] for pairs, _ in kinds)
    trials, correct, times = np.ones(shape), np.zeros(shape), np.zeros(shape)
    for m, (pairs, which) in enumerate(kinds):
        count = pairs.shape[1]
        trials[m, :count], correct[m, :count] = pairs
        times[m, :count] = np.bincount(np.ravel(which), weight[run == m])
    columns: Any = {**held, "trials": trials, "correct": correct, "times": times}
    whole: Any = np.ones(len(runs)), runs
    return Measurements(columns, *whole)


def run_deviations(
    laws: Law, tau: Float[np.ndarray, " draws"], table: Table, *, key: Array
) -> Float[np.ndarray, "draws runs"]:
    """How far off each draw's law each run of a table is, in logits, given its own rows: one random draw of τ z_m each.

    laws, tau: of the posterior of `RunScatter`, leaves (draws,). `shifted` applies it; for a run that is not in the
    table the deviation is normal with standard deviation τ. Raises TableError as `run_rows`.
    """
    with scope() as dtype:
        data = run_rows(type(laws), table, RunScatter())
        rows = {name: jnp.asarray(column, dtype) for name, column in data.columns.items()}
        keys = jax.random.split(key, len(tau))
        drawn = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), (laws, tau))
        return np.asarray(_deviations(rows, *drawn, keys))


@jax.jit
def _deviations(rows: Rows, laws: Law, tau: Array, keys: Array) -> Array:
    def one(drawn: tuple[Law, Array, Array]) -> Array:
        law, scale, key = drawn
        held = *law.questions(**law.arguments(rows, but="k")), scale
        middle, width = _peak(rows, *held)
        z = middle[:, None] + width[:, None] * _grid(FINE)[None, :]
        chance = jax.nn.softmax(_log_run(rows, *held, z), axis=1)
        reached = jnp.cumsum(chance, axis=1) - 0.5 * chance
        u = jax.random.uniform(key, middle.shape, middle.dtype)
        return scale * jax.vmap(jnp.interp)(u, reached, z)

    return jax.lax.map(one, (laws, tau, keys))


def shifted(a: ArrayLike, b: ArrayLike, deviation: ArrayLike) -> tuple[Array, Array]:
    """Beta(a, b) with the logit of its mean moved by `deviation` and a + b as it was; shapes broadcast."""
    a, b = jnp.asarray(a), jnp.asarray(b)
    logit = jnp.clip(jnp.log(a) - jnp.log(b) + deviation, -FARTHEST, FARTHEST)
    return (a + b) * jax.nn.sigmoid(logit), (a + b) * jax.nn.sigmoid(-logit)


def _grid(step: float) -> Array:
    return jnp.asarray(step * np.arange(-round(REACH / step), round(REACH / step) + 1))


def _log_run(rows: Rows, a: Array, b: Array, tau: Array, z: Float[Array, "runs nodes"]) -> Float[Array, "runs nodes"]:
    """Log-likelihood of each run at deviations z, and of z itself but for its constant."""
    one, other = shifted(a[:, None], b[:, None], tau * z)
    correct, trials = rows["correct"][:, None, :], rows["trials"][:, None, :]
    each = log_beta_binomial(correct, trials, one[:, :, None], other[:, :, None])
    return jnp.sum(rows["times"][:, None, :] * each, axis=2) - 0.5 * z**2


def _peak(rows: Rows, a: Array, b: Array, tau: Array) -> tuple[Array, Array]:
    """Where the likelihood of each run is highest in z, and the width of its peak, (runs,) each, by Newton's steps."""

    def slopes(z: Array) -> tuple[Array, Array]:
        along = jnp.ones_like(z)
        value = partial(_log_run, rows, a, b, tau)
        slope, bend = jax.jvp(lambda at: jax.jvp(value, (at,), (along,))[1], (z,), (along,))
        return slope, jnp.maximum(-bend, 1.0)  # of z alone it is 1

    def step(_: Any, z: Array) -> Array:
        slope, bend = slopes(z)
        return z + jnp.clip(slope / bend, -2.0, 2.0)

    z = jax.lax.fori_loop(0, PEAK_STEPS, step, jnp.zeros_like(a)[:, None])
    return z[:, 0], 1 / jnp.sqrt(slopes(z)[1][:, 0])
