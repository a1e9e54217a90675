"""Counts of runs that scatter about the law: none is exact, and a run that solves more than it says does so throughout.

Without this every question of a checkpoint counts as new evidence of the law, so that bands shrink with the number of
questions however badly the law fits the checkpoints.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from numpyro.distributions import LogNormal

from t2jax.laws.base import Law
from t2jax.laws.parameter import param
from t2jax.noise.by_unit import UnitNoise
from t2jax.noise.counts import BetaBinomial
from t2jax.noise.protocol import Rows
from t2jax.numerics.special import log_beta_binomial
from t2jax.tables.measurements import Units, inputs_of_runs
from t2jax.tables.table import Table
from t2jax.typing import Array, ArrayLike, Float

STEP, REACH = 1.0, 6.0  # of the trapezoid rule, in widths of the peak: exact to 1e-6 for a normal one
FINE = 0.2  # step of the grid on which deviations are drawn
COARSEST, GRIDS, PARABOLAS = 32.0, 8, 4  # step in z of the first grid, on which the peak is sought; each is a quarter


@dataclass(frozen=True)
class RunScatter(UnitNoise):
    """Beta-binomial counts of runs whose mean success lies z_m standard deviations off the law's, of variance ∝ μ(1-μ).

    The law gives each run Beta(μν, (1-μ)ν) over questions; the run has the same ν, and the mean of `deviated`: arcsin
    √μ moved by τ z_m, with standard normal z_m. So a mean of 1/2 is off by τ, one of μ by the factor 1 ± 2τ/√μ, or of
    e^±2 where that is more: runs that solve much follow the law closely when those that solve next to nothing are off
    it by factors. The law is their median. z_m is integrated out, by the trapezoid rule about its peak (error of a
    run's log-likelihood below 1e-4, near the law below 1e-6; for peaks beyond z = 170 it is wrong), so `tau` is the one
    parameter. Towards τ = 0 it is `BetaBinomial`.
    What is left out together is a run, so `t2.loo` says how well a new one is predicted. A row's `weight` counts it as
    so many questions. For `t2.sample` alone: losses in the table are not read, and there is no point fit. What a run's
    own rows say of its deviation: `run_deviations`.

    Prior: at 90 % τ from 0.0035 to 0.095. A run one standard deviation off that should solve 1 % then solves 7 % more
    than that up to 2.9 times as much, and one that should solve half 0.35 to 9.4 points more.
    Source: variance of an overdispersed share in proportion to μ(1-μ), Williams 1982 (Appl. Stat. 31:144), model II;
    the arcsine makes it the same everywhere, Anscombe 1948 (Biometrika 35:246).

    Raises TableError for a run whose inputs differ between rows; TypeError where points are fitted, and inside `Joint`.
    Example: `t2.sample(t2.laws.T2PassK, counts, t2.noise.RunScatter(), key=jax.random.key(0))`.
    """

    nuisance = {
        "tau": param(LogNormal(-4.0, 1.0), unit="1", doc="deviation of a run's arcsin √mean success from the law's")
    }
    unit = "run"

    def units(self, law: type[Law], table: Table) -> Units:
        return run_rows(law, table)

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Float[Array, " runs"]:
        """Log-likelihood of each run; rows: the columns of `run_rows`."""
        if "times" not in rows:
            raise TypeError("RunScatter reads runs, not rows: it is for t2.sample alone, not inside Joint")
        a, b = law.questions(**law.arguments(rows, but="k"))
        held = a, b, nuisance["tau"]
        middle, width = likelihood_peak(rows, *map(jax.lax.stop_gradient, held))
        z = middle[:, None] + width[:, None] * deviation_grid(STEP)[None, :]
        log_step = jnp.log(STEP * width) - 0.5 * np.log(2 * np.pi)
        return logsumexp(run_log_likelihood(rows, *held, z), axis=1) + log_step


def run_rows(law: type[Law], table: Table) -> Units:
    """The table as `RunScatter` reads it: one row a run, numbered as by `Table.runs`.

    Beside the law's inputs, (runs,): trials, correct, times and run (counts,), each different count of a run once, how
    many questions (or weight of them) showed it, and which run. Raises TableError as `inputs_of_runs`.
    """
    names = [name for name in BetaBinomial().columns(law, table) if name not in ("trials", "correct")]
    run, held = inputs_of_runs(table, names)
    weight = table.weights()
    kinds, which = np.unique(np.stack([run, table["trials"], table["correct"]]), axis=1, return_inverse=True)
    times = np.bincount(np.ravel(which), weight)
    columns: Any = {**held, "trials": kinds[1], "correct": kinds[2], "times": times, "run": kinds[0].astype(int)}
    whole: Any = np.ones(run.max() + 1), np.arange(run.max() + 1)
    return Units(columns, *whole)


def deviated(a: ArrayLike, b: ArrayLike, tau: ArrayLike, z: ArrayLike) -> tuple[Array, Array]:
    """The Beta over questions of a run that is z standard deviations τ off the law's Beta(a, b); shapes broadcast.

    Its mean is sin²(angle), the angle that of the law, arcsin √(a / (a + b)), moved by τ z. Within a few τ of its ends,
    0 and π/2, it nears them ever more slowly, so that chances rise with z, stay inside, and at z = 0 are the law's:
    near 0 the mean is multiplied by e^2z. a + b is as it was.
    """
    a, b, tau = jnp.asarray(a), jnp.asarray(b), jnp.asarray(tau)
    above, below = jnp.arctan2(jnp.sqrt(a), jnp.sqrt(b)) / tau, jnp.arctan2(jnp.sqrt(b), jnp.sqrt(a)) / tau
    # angle = τ (softplus(x) - softplus(x - π/2τ)), whose inverse is this at the law's angle
    x = above + jnp.log(-jnp.expm1(-above)) - jnp.log(-jnp.expm1(-below)) + z
    y = 0.5 * np.pi / tau - x
    angle = tau * (jax.nn.softplus(x) - jax.nn.softplus(-y))
    left = tau * (jax.nn.softplus(y) - jax.nn.softplus(-x))
    return (a + b) * jnp.sin(angle) ** 2, (a + b) * jnp.sin(left) ** 2


def deviation_grid(step: float) -> Array:
    return jnp.asarray(step * np.arange(-round(REACH / step), round(REACH / step) + 1))


def run_log_likelihood(
    rows: Rows, a: Array, b: Array, tau: Array, z: Float[Array, "runs nodes"]
) -> Float[Array, "runs nodes"]:
    """Log-likelihood of each run at deviations z, and of z itself but for its constant."""
    run = rows["run"]
    one, other = deviated(a[:, None], b[:, None], tau, z)
    each = log_beta_binomial(rows["correct"][:, None], rows["trials"][:, None], one[run], other[run])
    return jax.ops.segment_sum(rows["times"][:, None] * each, run, num_segments=len(a)) - 0.5 * z**2


def likelihood_peak(rows: Rows, a: Array, b: Array, tau: Array) -> tuple[Array, Array]:
    """Where the likelihood of each run is highest in z, and the width of its peak, (runs,) each.

    By ever finer grids, then parabolas: no derivatives, whose compilation would take minutes.
    """
    value = partial(run_log_likelihood, rows, a, b, tau)

    def closer(i: Array, z: Array) -> Array:
        nodes = z + COARSEST * 4.0**-i * jnp.arange(-4.0, 5.0)[None, :]
        return jnp.take_along_axis(nodes, jnp.argmax(value(nodes), axis=1)[:, None], axis=1)

    def parabola(_: Array, at: tuple[Array, Array]) -> tuple[Array, Array]:
        z, width = at
        reach = 0.5 * width
        low, mid, high = jnp.moveaxis(value(z + reach * jnp.array([[-1.0, 0.0, 1.0]])), 1, 0)
        slope, bend = (high - low)[:, None] / (2 * reach), (2 * mid - low - high)[:, None] / reach**2
        bend = jnp.maximum(bend, 1.0)  # of z alone it is 1
        return z + jnp.clip(slope / bend, -reach, reach), 1 / jnp.sqrt(bend)

    z = jax.lax.fori_loop(0, GRIDS, closer, jnp.zeros_like(a)[:, None])
    z, width = jax.lax.fori_loop(0, PARABOLAS, parabola, (z, jnp.full_like(z, COARSEST * 4.0 ** (1 - GRIDS))))
    return z[:, 0], width[:, 0]
