"""How far each run lies off the law, by a posterior."""

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law
from t2jax.noise.protocol import Rows
from t2jax.noise.run_scatter import FINE, deviation_grid, likelihood_peak, run_log_likelihood, run_rows
from t2jax.tables.table import Table
from t2jax.typing import Array, Float
from t2jax.working_precision import scope


@check_arguments
def run_deviations(
    laws: Law, tau: Float[np.ndarray, " draws"], table: Table, *, key: Array
) -> Float[np.ndarray, "draws runs"]:
    """How far off each draw's law each run of a table is, in τ, given its own rows: one random draw of z_m each.

    laws, tau: of the posterior of `RunScatter`, leaves (draws,); that of `CrossedEffects` holds its own deviations.
    `deviated` applies it; for a run that is not in the table z is standard normal. Raises TableError as `run_rows`.
    """
    with scope() as dtype:
        rows = run_rows(type(laws), table).on_device(dtype).columns
        keys = jax.random.split(key, len(tau))
        drawn = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), (laws, tau))
        return np.asarray(_deviations(rows, *drawn, keys))


@jax.jit
def _deviations(rows: Rows, laws: Law, tau: Array, keys: Array) -> Array:
    def one(drawn: tuple[Law, Array, Array]) -> Array:
        law, scale, key = drawn
        held = *law.questions(**law.arguments(rows, but="k")), scale
        middle, width = likelihood_peak(rows, *held)
        z = middle[:, None] + width[:, None] * deviation_grid(FINE)[None, :]
        chance = jax.nn.softmax(run_log_likelihood(rows, *held, z), axis=1)
        reached = jnp.cumsum(chance, axis=1) - 0.5 * chance
        u = jax.random.uniform(key, middle.shape, middle.dtype)
        return jax.vmap(jnp.interp)(u, reached, z)

    return jax.lax.map(one, (laws, tau, keys))
