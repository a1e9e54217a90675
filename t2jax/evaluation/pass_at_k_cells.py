"""pass@k of each run at a few k, as simulated from a law, to compare laws of counts with `averaged_counts.cells`."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.extrapolation.averaged_counts import Cells, pass_by_run
from t2jax.fitting.fit import Fit
from t2jax.laws.base import Law
from t2jax.noise.protocol import Noise, Rows
from t2jax.numerics.bands import Band, band
from t2jax.tables.table import Table
from t2jax.typing import Array
from t2jax.working_precision import scope


def simulated_band(fit: Fit, laws: Law, counts: Table, estimates: Cells, *, key: Array, level: float = 0.9) -> Band:
    """Computes the band for the measured pass@k of each row of `estimates.table`.

    From each law the noise model simulates counts of as many questions and samples as the table has. pass@k is then
    estimated as from the table. The band includes the uncertainty of the law, the choice of questions and the samples.

    Args:
        fit: The fit.
        laws: Bootstrap draws of the law, leaves of shape (draws,).
        counts: The table of counts.
        estimates: Result of `cells` for it.
        key: JAX random key.
        level: Level of the band, in (0, 1).

    Returns:
        The band, shape (rows of `estimates.table`,).
    """
    problem, data = fit.problem.read(counts)
    with scope() as dtype:
        rows = {name: jnp.asarray(column, dtype) for name, column in data.every_row().items()}
        laws = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), laws)
        scales = {name: jnp.asarray(value, dtype) for name, value in fit.noise_values.items()}
        keys = jax.random.split(key, len(jax.tree.leaves(laws)[0]))
        weight, number = jnp.asarray(counts.weights(), dtype), len(estimates.measured)
        run, samples = estimates.run, tuple(estimates.samples)
        drawn = _simulated(problem.noise, laws, rows, scales, weight, run, keys, number, samples)
    return band(np.asarray(drawn)[:, estimates.measured], level)


@partial(jax.jit, static_argnames=("noise", "number", "samples"))
def _simulated(
    noise: Noise,
    laws: Law,
    rows: Rows,
    scales: Rows,
    weight: Array,
    run: Array,
    keys: Array,
    number: int,
    samples: tuple[float, ...],
) -> Array:
    """Simulates counts from each law, and estimates pass@k of each run from them."""

    def simulate(drawn: tuple[Law, Array]) -> Array:
        law, key = drawn
        correct = noise.simulate(law, rows, scales, key)["correct"]
        return pass_by_run(rows["trials"], correct, weight, run, number, jnp.array(samples))

    return jax.lax.map(simulate, (laws, keys))
