"""The posterior of one law: its draws, their diagnosis and their summary."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from t2jax.laws.base import Law
from t2jax.numerics.bands import Band, band
from t2jax.posterior.density import Density
from t2jax.posterior.diagnosis import Diagnosed, Diagnosis
from t2jax.printing import report
from t2jax.tables.table import Table
from t2jax.typing import Array
from t2jax.working_precision import scope

LEVEL = 0.9


@dataclass(frozen=True, repr=False)
class Posterior(Diagnosed):
    """Result of `sample`: draws of a law, with a diagnosis of their chains.

    Attributes:
        laws: One law per draw, leaves of shape (chains * draws,), chain after chain.
        idata: The same draws for ArviZ, with groups posterior, sample_stats, log_likelihood by run or question, and
            prior. It is an `InferenceData`, or a `DataTree` from ArviZ 1 on.
        point: Law at the highest density in the coordinates of the sampler. With `CrossedEffects` it is that of runs on
            the law.
        diagnosis: Convergence of the chains, see `status`.
        draws_requested: Draws of each chain that were asked for.
        draws_made: Draws of each chain that exist. An interrupt makes them fewer than `draws_requested`.
        density: The density that was sampled, or None for a posterior read from a file.
        table: The rows, or None likewise.

    Examples:
        >>> fixed = {"A": 480.0, "B": 2100.0, "beta": 0.37, "sigma": 0.01}
        >>> post = t2.sample(t2.laws.Chinchilla, runs, key=jax.random.key(0), fixed=fixed)
        >>> post.converged, post.laws.E.shape, round(float(np.median(post.laws.E)), 1)
        (True, (4000,), 1.8)
    """

    laws: Law
    idata: Any
    point: Law
    diagnosis: Diagnosis
    draws_requested: int
    draws_made: int
    density: Density | None = None
    table: Table | None = None

    def __repr__(self) -> str:
        """Prints the status, then the median and the central 90 % of each sampled parameter."""
        values = {name: np.asarray(self.idata["posterior"][name].values, float) for name in self.diagnosis.r_hat}
        return report(f"Posterior of {type(self.point).__name__}: {self.status}", self._describe_draws(values))

    def summary(self, level: float = LEVEL) -> pd.DataFrame:
        """Summarises the draws of each sampled parameter.

        If the chains do not agree on a parameter, its mean, sd and interval are NaN: they would describe the chains,
        not the posterior.

        Args:
            level: Probability of the central interval.

        Returns:
            One row for each parameter: mean, sd, median, interval, R-hat, ESS and contraction. `attrs["status"]` is the
            status.
        """
        values = {name: np.asarray(self.idata["posterior"][name].values, float) for name in self.diagnosis.r_hat}
        return summarise(self.diagnosis, values, self.status, level)

    def band(self, quantity: Callable[[Law], Array], level: float = LEVEL) -> Band:
        """Computes a quantile band of any quantity of a law, such as `post.band(lambda law: law(1e9, 2e10))`.

        Args:
            quantity: Function of one law.
            level: Probability of the central interval.

        Returns:
            Median and central interval, in the shape of the quantity.

        Raises:
            ValueError: When the chains do not agree on a parameter, or the level is outside (0, 1).
        """
        if not all(map(self.diagnosis.agrees, self.diagnosis.r_hat)):
            raise ValueError(f"there is no posterior to take a band of ({self.status})")
        with scope() as dtype:
            laws = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), self.laws)
            return band(np.asarray(jax.jit(jax.vmap(quantity))(laws)), level)


def summarise(diagnosis: Diagnosis, values: Mapping[str, np.ndarray], status: str, level: float) -> pd.DataFrame:
    """Builds the table of `Posterior.summary` from draws (chains, draws) of each name in the diagnosis."""
    rows = {}
    for name in diagnosis.r_hat:
        draws = values[name].ravel()
        interval = band(draws, level)
        numbers = [draws.mean(), draws.std(ddof=1), interval.low, interval.mid, interval.high]
        columns_of = (diagnosis.r_hat, diagnosis.ess_bulk, diagnosis.ess_tail, diagnosis.contraction)
        statistics = [column[name] for column in columns_of]
        rows[name] = [*(numbers if diagnosis.agrees(name) else [np.nan] * 5), *statistics]
    low, high = (f"{100 * (0.5 + side * level / 2):g} %" for side in (-1, 1))
    columns = ["mean", "sd", low, "median", high, "r_hat", "ess_bulk", "ess_tail", "contraction"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    table.attrs["status"] = status
    return table
