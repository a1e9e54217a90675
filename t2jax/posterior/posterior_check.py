"""Posterior predictive checks: would the law, with its errors, have measured rows like these?"""

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
from t2jax.tables.table import Table
from t2jax.typing import Array, Float
from t2jax.working_precision import scope

RARE = 0.01


@dataclass(frozen=True)
class PosteriorPredictive:
    """Rows beside rows measured again under each draw. Arrays (rows,).

    predicted: band of a new measurement at each row, for counts of the share of correct samples. place: the share of
    new measurements below the row's own, ties broken at random: uniform where law and noise are right. tails: for each
    way in which rows may be unlike the new ones, the share of draws in which these are at least as far out: of both
    sides twice the smaller, the rows themselves counted as one draw. Below 0.01 is a misfit.
    """

    predicted: Band
    observed: Float[np.ndarray, " rows"]
    place: Float[np.ndarray, " rows"]
    tails: Mapping[str, float]

    @property
    def covered(self) -> float:
        """The share of rows inside the interval of a new measurement."""
        return self.predicted.share(self.observed)

    @property
    def status(self) -> str:
        """What the check says, in English."""
        inside, rows = round(self.covered * self.observed.size), self.observed.size
        said = f"{inside} of {rows} rows lie inside the {100 * self.predicted.level:g} % interval of a new measurement"
        odd = [f"{name} (p = {p:.2g})" for name, p in self.tails.items() if p < RARE]
        if odd:
            return f"{said}; rows are unlike those that the law would measure in {', '.join(odd)}: it misses something"
        like = ", ".join(f"{name} (p = {p:.2g})" for name, p in self.tails.items())
        return f"{said}; they are like rows that the law would measure in {like}"


@check_arguments
def posterior_predictive(post: Posterior, table: Table, *, key: Array, draws: int = 1000) -> PosteriorPredictive:
    """Measure the table's rows again under `draws` of the posterior's laws and scales of errors, and compare.

    post: of `sample` on the same table. Compared are, of the residuals from each draw's law (of logs where the noise
    compares these): their spread, the largest, and their trend with log N, log D and log k, each with its posterior
    predictive p-value (Gelman, Meng & Stern 1996, Statistica Sinica 6:733). As the same rows fitted the law these are
    nearer to one half than uniform: a small one is a misfit, others prove nothing.

    Raises ValueError for a posterior read from a file, which does not know its noise, and for chains that did not
    converge; TypeError for noise that reads runs or questions (RunScatter, CrossedEffects).
    """
    target = post.density
    if target is None:
        raise ValueError("a posterior read from a file does not know its noise; sample it again")
    noise = target.noise
    noise.require_rows("posterior_predictive")
    if not post.converged:
        raise ValueError(f"there is no posterior to check ({post.status})")
    _, data = target.read(table)
    drawn = {str(name): np.asarray(one.values).ravel() for name, one in post.idata["posterior"].items()}
    chosen = np.linspace(0, len(next(iter(drawn.values()))) - 1, draws).astype(int)
    held = target.coordinates.fixed
    scales = {name: drawn[name] if name in drawn else np.full(chosen[-1] + 1, held[name]) for name in noise.nuisance}
    draw_key, tie_key = jax.random.split(key)
    with scope() as dtype:
        rows = {name: jnp.asarray(column, dtype) for name, column in data.every_row().items()}
        rows = {"samples": jnp.ones(len(table), dtype)} | rows
        one = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)[chosen], dtype), (post.laws, scales))
        keys = jax.random.split(draw_key, draws)
        again, own, new = (np.asarray(x) for x in _again(noise, response(target.law, table), rows, *one, keys))
        observed = np.asarray(measured_response(response(target.law, table), rows))
        tie = np.asarray(jax.random.uniform(tie_key, observed.shape))
    place = np.mean(again < observed, axis=0) + tie * np.mean(again == observed, axis=0)
    weight = table.weights()
    return PosteriorPredictive(band(again, LEVEL), observed, place, _tails(own, new, table, weight))


@partial(jax.jit, static_argnames=("noise", "name"))
def _again(noise: Noise, name: str, rows: Rows, laws: Law, scales: Rows, keys: Array) -> tuple[Array, Array, Array]:
    """New measurements, and residuals of the rows and of those from each draw's law, each (draws, rows)."""

    def one(drawn: tuple[Law, Rows, Array]) -> tuple[Array, Array, Array]:
        law, scale, key = drawn
        predicted = law.predict(rows if name in rows else {**rows, "samples": jnp.ones_like(rows["trials"])})
        again = noise.measure_again(law, predicted, rows, scale, key)
        return again, noise.deviation(measured_response(name, rows), predicted), noise.deviation(again, predicted)

    return jax.lax.map(one, (laws, scales, keys))


def _tails(own: np.ndarray, new: np.ndarray, table: Table, weight: np.ndarray) -> dict[str, float]:
    share = weight / weight.sum()
    found: dict[str, float] = {}
    for name, size in (("spread", _spread), ("largest residual", _largest)):
        found[name] = _both(size(own, share), size(new, share))
    for column, symbol in (("params", "N"), ("tokens", "D"), ("samples", "k")):
        if column in table and np.ptp(table[column]) > 0:
            centred = np.log(table[column])
            centred = share * (centred - share @ centred)
            found[f"trend with log {symbol}"] = _both(own @ centred, new @ centred)
    return found


def _spread(off: np.ndarray, share: np.ndarray) -> np.ndarray:
    return np.square(off) @ share


def _largest(off: np.ndarray, share: np.ndarray) -> np.ndarray:
    return np.max(np.abs(off) * (share > 0), axis=1)


def _both(own: Any, new: Any) -> float:
    """Twice the smaller share of draws in which new measurements are on one side of the rows' own, one at most."""
    least = min(np.sum(new >= own), np.sum(new <= own))
    return float(min(1.0, 2 * (1 + least) / (1 + len(own))))
