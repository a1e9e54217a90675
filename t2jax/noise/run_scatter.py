"""Counts of runs that scatter about the law, each run in one direction.

Without this scatter every question of a checkpoint would count as new evidence of the law. Bands would then shrink
with the number of questions, however badly the law fits the checkpoints.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from t2jax.laws.base import Law
from t2jax.laws.parameter import param
from t2jax.laws.priors import LogNormal
from t2jax.noise.by_unit import UnitNoise
from t2jax.noise.counts import BetaBinomial
from t2jax.noise.protocol import Rows
from t2jax.numerics.special import log_beta_binomial, representable
from t2jax.tables.measurements import Units, inputs_of_runs
from t2jax.tables.table import Table
from t2jax.typing import Array, ArrayLike, Float

STEP, REACH = 1.0, 6.0  # trapezoid rule, in widths of the peak: exact to 1e-6 for a normal peak
FINE = 0.2  # step of the grid on which deviations are drawn
COARSEST, GRIDS, PARABOLAS = 32.0, 8, 4  # step in z of the first grid, on which the peak is sought; each is a quarter


@dataclass(frozen=True)
class RunScatter(UnitNoise):
    """Beta-binomial counts of runs whose mean success scatters about the law.

    The law gives each run Beta(μν, (1-μ)ν) over questions. The run has the same ν and the mean of `deviated`: arcsin √μ
    is shifted by τ z_m with standard normal z_m. A mean of 1/2 moves by τ. A small mean μ moves by the factor 1 ±
    2τ/√μ, or by e^±2 where that is more. The variance is in proportion to μ(1-μ), and the law is the median of the
    runs. The deviation z_m is integrated out, so `tau` is the one parameter. At τ = 0 the model is `BetaBinomial`.

    Pass it to `t2.sample`, as in `t2.sample(t2.laws.T2PassK, counts, t2.noise.RunScatter(), key=key)`. It has no point
    fit and does not read losses. `t2.loo` leaves out a run and so measures the prediction of a new run. A row's
    `weight` counts it as so many questions. `run_deviations` estimates the deviation of each run.

    Prior: τ lies between 0.0035 and 0.095 at 90 %. Consider runs one standard deviation above the law. With 1 %
    expected success they solve between 1.07 and 2.9 times as much. With one half expected they solve 0.35 to 9.4 points
    more.

    Accuracy: the trapezoid rule about the peak gives a run's log-likelihood to 1e-4, and near the law to 1e-6. It is
    wrong for peaks beyond z = 170.

    Sources: Williams 1982 (Appl. Stat. 31:144), model II, for the variance of an overdispersed share. Anscombe 1948
    (Biometrika 35:246) shows that the arcsine makes it constant.

    Raises:
        TableError: The inputs of a run differ between its rows.
        TypeError: The model is used in a point fit or inside `Joint`.

    Examples:
        >>> noise = t2.noise.RunScatter()
        >>> noise.unit, list(noise.nuisance)
        ('run', ['tau'])
    """

    nuisance = {
        "tau": param(LogNormal(-4.0, 1.0), unit="1", doc="deviation of a run's arcsin √mean success from the law's")
    }
    unit = "run"

    def units(self, law: type[Law], table: Table) -> Units:
        return run_rows(law, table)

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Float[Array, " runs"]:
        """Computes the log-likelihood of each run.

        Args:
            law: The law.
            rows: Columns of `run_rows`.
            nuisance: The value of `tau`.

        Returns:
            Log-likelihoods in nats, shape (runs,).

        Raises:
            TypeError: The rows do not come from `run_rows`, as inside `Joint`.
        """
        if "times" not in rows:
            raise TypeError("RunScatter reads runs, not rows: it is for t2.sample alone, not inside Joint")
        a, b = law.questions(**law.arguments(rows, but="k"))
        parameters = a, b, nuisance["tau"]
        middle, width = likelihood_peak(rows, *map(jax.lax.stop_gradient, parameters))
        z = middle[:, None] + width[:, None] * deviation_grid(STEP)[None, :]
        log_step = jnp.log(STEP * width) - 0.5 * np.log(2 * np.pi)
        return logsumexp(run_log_likelihood(rows, *parameters, z), axis=1) + log_step


def run_rows(law: type[Law], table: Table) -> Units:
    """Reads a table by run, numbered as by `Table.runs`.

    Beside the law's inputs, shape (runs,), it has trials, correct, times and run, shape (counts,). They list each
    different count of a run once, the total weight of questions with it, and the index of the run.

    Raises:
        TableError: As `inputs_of_runs`.
    """
    names = [name for name in BetaBinomial().columns(law, table) if name not in ("trials", "correct")]
    run, inputs = inputs_of_runs(table, names)
    weight = table.weights()
    kinds, which = np.unique(np.stack([run, table["trials"], table["correct"]]), axis=1, return_inverse=True)
    times = np.bincount(np.ravel(which), weight)
    columns: Any = {**inputs, "trials": kinds[1], "correct": kinds[2], "times": times, "run": kinds[0].astype(int)}
    whole: Any = np.ones(run.max() + 1), np.arange(run.max() + 1)
    return Units(columns, *whole)


def deviated(a: ArrayLike, b: ArrayLike, tau: ArrayLike, z: ArrayLike) -> tuple[Array, Array]:
    """Computes the Beta over questions of a run that deviates from the law.

    The mean is sin²(angle), where the law's angle arcsin √(a / (a + b)) is shifted by τ z. Within a few τ of the ends 0
    and π/2 the shift shrinks smoothly. Means therefore rise with z and stay inside (0, 1). Near 0 the mean is
    multiplied by e^2z. The sum a + b is unchanged.

    Args:
        a: The law's first Beta parameter. All shapes broadcast.
        b: The law's second Beta parameter.
        tau: Standard deviation of the angle.
        z: Deviation of the run in units of `tau`.

    Returns:
        The Beta parameters (a, b) of the run.

    Examples:
        >>> a, b = t2.noise.deviated(5.0, 5.0, tau=0.02, z=1.0)
        >>> round(float(a / (a + b)), 3)  # a mean of 1/2 moves by tau
        0.52
    """
    (a, b), tau = representable(a, b), jnp.asarray(tau)
    above, below = jnp.arctan2(jnp.sqrt(a), jnp.sqrt(b)) / tau, jnp.arctan2(jnp.sqrt(b), jnp.sqrt(a)) / tau
    # angle = τ (softplus(x) - softplus(x - π/2τ)), whose inverse is this at the law's angle
    x = above + jnp.log(-jnp.expm1(-above)) - jnp.log(-jnp.expm1(-below)) + z
    y = 0.5 * np.pi / tau - x
    angle = tau * (jax.nn.softplus(x) - jax.nn.softplus(-y))
    left = tau * (jax.nn.softplus(y) - jax.nn.softplus(-x))
    return (a + b) * jnp.sin(angle) ** 2, (a + b) * jnp.sin(left) ** 2


def deviation_grid(step: float) -> Array:
    """Returns the nodes of the trapezoid rule, in widths of the peak."""
    return jnp.asarray(step * np.arange(-round(REACH / step), round(REACH / step) + 1))


def run_log_likelihood(
    rows: Rows, a: Array, b: Array, tau: Array, z: Float[Array, "runs nodes"]
) -> Float[Array, "runs nodes"]:
    """Computes the log-likelihood of each run at deviations z, with their prior up to a constant."""
    run = rows["run"]
    run_a, run_b = deviated(a[:, None], b[:, None], tau, z)
    by_count = log_beta_binomial(rows["correct"][:, None], rows["trials"][:, None], run_a[run], run_b[run])
    return jax.ops.segment_sum(rows["times"][:, None] * by_count, run, num_segments=len(a)) - 0.5 * z**2


def likelihood_peak(rows: Rows, a: Array, b: Array, tau: Array) -> tuple[Array, Array]:
    """Finds the deviation z with the highest likelihood of each run, and the width of the peak, shape (runs,) each.

    It refines grids and then fits parabolas. Derivatives would take minutes to compile.
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
        bend = jnp.maximum(bend, 1.0)  # the prior of z alone has 1
        return z + jnp.clip(slope / bend, -reach, reach), 1 / jnp.sqrt(bend)

    z = jax.lax.fori_loop(0, GRIDS, closer, jnp.zeros_like(a)[:, None])
    z, width = jax.lax.fori_loop(0, PARABOLAS, parabola, (z, jnp.full_like(z, COARSEST * 4.0 ** (1 - GRIDS))))
    return z[:, 0], width[:, 0]
