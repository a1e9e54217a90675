"""Deviations of runs from the law under a posterior."""

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
    """Draws how far each run of a table deviates from each draw's law, in units of τ, given the run's rows.

    `t2.noise.deviated` applies a deviation to a law. A run that is not in the table has a standard normal deviation.
    The posterior of `CrossedEffects` contains its own deviations.

    Args:
        laws: Laws of a posterior with `RunScatter`, leaves of shape (draws,).
        tau: Scatter of the runs of each draw, shape (draws,).
        table: Counts of each question of each run.
        key: Random key.

    Returns:
        One random deviation for each draw and run, shape (draws, runs).

    Raises:
        TableError: When the table lacks a column.

    Examples:
        >>> link = {"theta0": 1.0, "theta1": 1.0, "theta2": 0.9, "theta3": 1.5, "theta4": 0.1}
        >>> passes = t2.laws.T2PassK(E=0.0, A=4000.0, B=18000.0, alpha=0.42, beta=0.4, **link)
        >>> laws = jax.tree.map(lambda leaf: np.repeat(leaf, 50), passes)
        >>> counts = {"params": [1e9, 1e9, 5e9], "tokens": 1e11, "trials": 20.0, "correct": [3.0, 2.0, 19.0]}
        >>> table = t2.Table.from_columns(model=["small", "small", "large"], question=["1", "2", "1"], **counts)
        >>> t2.posterior.run_deviations(laws, np.full(50, 0.1), table, key=jax.random.key(0)).shape
        (50, 2)
    """
    with scope() as dtype:
        rows = run_rows(type(laws), table).on_device(dtype).columns
        keys = jax.random.split(key, len(tau))
        drawn = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), (laws, tau))
        return np.asarray(_deviations(rows, *drawn, keys))


@jax.jit
def _deviations(rows: Rows, laws: Law, tau: Array, keys: Array) -> Array:
    def deviations_of_draw(drawn: tuple[Law, Array, Array]) -> Array:
        law, scale, key = drawn
        parameters = *law.questions(**law.arguments(rows, but="k")), scale
        middle, width = likelihood_peak(rows, *parameters)
        z = middle[:, None] + width[:, None] * deviation_grid(FINE)[None, :]
        probability = jax.nn.softmax(run_log_likelihood(rows, *parameters, z), axis=1)
        cumulative = jnp.cumsum(probability, axis=1) - 0.5 * probability
        u = jax.random.uniform(key, middle.shape, middle.dtype)
        return jax.vmap(jnp.interp)(u, cumulative, z)

    return jax.lax.map(deviations_of_draw, (laws, tau, keys))
