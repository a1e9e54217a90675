"""Posterior predictive checks: whether the law with its errors would measure rows like these."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law
from t2jax.noise.protocol import Noise, Rows
from t2jax.noise.residuals import measured_response, response
from t2jax.numerics.bands import Band, band
from t2jax.posterior.posterior import LEVEL, Posterior
from t2jax.printing import report
from t2jax.tables.table import Table
from t2jax.typing import Array, Float
from t2jax.working_precision import scope

RARE = 0.01


@dataclass(frozen=True, repr=False)
class PosteriorPredictive:
    """Result of `posterior_predictive`: the rows beside simulated rows of each draw.

    Attributes:
        predicted: Band of a new measurement at each row, shape (rows,). For counts it is the share of correct samples.
        observed: The measurements, shape (rows,).
        place: Share of new measurements below each row, shape (rows,), with ties broken at random. It is uniform if law
            and noise are right.
        tails: Two-sided p-values of the statistics by name: twice the smaller share of draws at least as extreme as the
            rows. The rows count as one draw. Below 0.01 the law misfits.

    Examples:
        >>> fixed = {"A": 480.0, "B": 2100.0, "beta": 0.37, "sigma": 0.01}
        >>> post = t2.sample(t2.laws.Chinchilla, runs, key=jax.random.key(0), fixed=fixed)
        >>> check = t2.posterior.posterior_predictive(post, runs, key=jax.random.key(1))
        >>> list(check.tails)[:3]
        ['spread', 'largest residual', 'trend with log N']
    """

    predicted: Band
    observed: Float[np.ndarray, " rows"]
    place: Float[np.ndarray, " rows"]
    tails: Mapping[str, float]

    def __repr__(self) -> str:
        """Prints the status, then the p-value of each statistic."""
        rows = {"rows inside": f"{self.covered:.1%}"} | {name: f"p = {p:.2g}" for name, p in self.tails.items()}
        return report(f"PosteriorPredictive: {self.status}", rows)

    @property
    def covered(self) -> float:
        """Share of rows inside the interval of a new measurement."""
        return self.predicted.share(self.observed)

    @property
    def status(self) -> str:
        """The result of the check in English."""
        inside, rows = round(self.covered * self.observed.size), self.observed.size
        level = 100 * self.predicted.level
        sentence = f"{inside} of {rows} rows lie inside the {level:g} % interval of a new measurement"
        misfits = [f"{name} (p = {p:.2g})" for name, p in self.tails.items() if p < RARE]
        if misfits:
            names = ", ".join(misfits)
            return f"{sentence}; the rows differ from simulated rows in {names}, so the law misses something"
        matches = ", ".join(f"{name} (p = {p:.2g})" for name, p in self.tails.items())
        return f"{sentence}; the rows agree with simulated rows in {matches}"


@check_arguments
def posterior_predictive(post: Posterior, table: Table, *, key: Array, draws: int = 1000) -> PosteriorPredictive:
    """Simulates the table's rows under draws of the posterior, and compares them with the measurements.

    Residuals are taken from each draw's law, in logs if the noise compares logs. The statistics are their spread, the
    largest, and their trend with log N, log D and log k. Each has a posterior predictive p-value
    (Gelman, Meng & Stern 1996, Statistica Sinica 6:733). The rows also fitted the law, so p-values are nearer to one
    half than uniform: a small one shows a misfit, and others prove nothing.

    Args:
        post: Result of `sample` on the same table.
        table: The table.
        key: Random key.
        draws: Number of draws of the posterior to simulate.

    Returns:
        A band of new measurements, and the p-values.

    Raises:
        ValueError: When the posterior comes from a file, which has no noise model, or the chains did not converge.
        TypeError: When the noise reads runs or questions (RunScatter, CrossedEffects).

    Examples:
        >>> fixed = {"A": 480.0, "B": 2100.0, "beta": 0.37, "sigma": 0.01}
        >>> post = t2.sample(t2.laws.Chinchilla, runs, key=jax.random.key(0), fixed=fixed)
        >>> check = t2.posterior.posterior_predictive(post, runs, key=jax.random.key(1))
        >>> check.covered  # runs without noise lie in the middle of wide bands
        1.0
    """
    target = post.density
    if target is None:
        raise ValueError("a posterior read from a file has no noise model; call `sample` again")
    noise = target.noise
    noise.require_rows("posterior_predictive")
    if not post.converged:
        raise ValueError(f"there is no posterior to check ({post.status})")
    _, data = target.read(table)
    drawn = {str(name): np.asarray(values.values).ravel() for name, values in post.idata["posterior"].items()}
    picks = np.linspace(0, len(next(iter(drawn.values()))) - 1, draws).astype(int)
    fixed = target.coordinates.fixed
    scales = {name: drawn[name] if name in drawn else np.full(picks[-1] + 1, fixed[name]) for name in noise.nuisance}
    draw_key, tie_key = jax.random.split(key)
    with scope() as dtype:
        rows = {name: jnp.asarray(column, dtype) for name, column in data.every_row().items()}
        rows = {"samples": jnp.ones(len(table), dtype)} | rows
        values = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)[picks], dtype), (post.laws, scales))
        keys = jax.random.split(draw_key, draws)
        name = response(target.law, table)
        replicates, residuals, new_residuals = map(np.asarray, _replicate(noise, name, rows, *values, keys))
        observed = np.asarray(measured_response(name, rows))
        tie = np.asarray(jax.random.uniform(tie_key, observed.shape))
    place = np.mean(replicates < observed, axis=0) + tie * np.mean(replicates == observed, axis=0)
    tails = _tails(residuals, new_residuals, table, table.weights())
    return PosteriorPredictive(band(replicates, LEVEL), observed, place, tails)


@partial(jax.jit, static_argnames=("noise", "name"))
def _replicate(noise: Noise, name: str, rows: Rows, laws: Law, scales: Rows, keys: Array) -> tuple[Array, Array, Array]:
    """Computes new measurements, residuals of the rows, and residuals of the new ones, each (draws, rows)."""

    def measure(drawn: tuple[Law, Rows, Array]) -> tuple[Array, Array, Array]:
        law, scale, key = drawn
        predicted = law.predict(rows if name in rows else {**rows, "samples": jnp.ones_like(rows["trials"])})
        replicate = noise.measure_again(law, predicted, rows, scale, key)
        residual = noise.deviation(measured_response(name, rows), predicted)
        return replicate, residual, noise.deviation(replicate, predicted)

    return jax.lax.map(measure, (laws, scales, keys))


def _tails(residuals: np.ndarray, new_residuals: np.ndarray, table: Table, weight: np.ndarray) -> dict[str, float]:
    share = weight / weight.sum()
    tails: dict[str, float] = {}
    for name, size in (("spread", _mean_square), ("largest residual", _largest)):
        tails[name] = _two_sided(size(residuals, share), size(new_residuals, share))
    for column, symbol in (("params", "N"), ("tokens", "D"), ("samples", "k")):
        if column in table and np.ptp(table[column]) > 0:
            centred = np.log(table[column])
            centred = share * (centred - share @ centred)
            tails[f"trend with log {symbol}"] = _two_sided(residuals @ centred, new_residuals @ centred)
    return tails


def _mean_square(residuals: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Computes the weighted mean square of residuals (draws, rows), one for each draw."""
    return np.square(residuals) @ share


def _largest(residuals: np.ndarray, share: np.ndarray) -> np.ndarray:
    return np.max(np.abs(residuals) * (share > 0), axis=1)


def _two_sided(measured: Any, replicated: Any) -> float:
    """Computes a two-sided p-value: twice the smaller share of draws on one side of the rows, at most one."""
    smaller = min(np.sum(replicated >= measured), np.sum(replicated <= measured))
    return float(min(1.0, 2 * (1 + smaller) / (1 + len(measured))))
