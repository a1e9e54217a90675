"""The posterior of one law: draws, diagnosis, summary."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from t2jax.laws.base import Law
from t2jax.numerics.bands import Band, band
from t2jax.posterior.density import Density
from t2jax.posterior.diagnosis import Diagnosis
from t2jax.typing import Array
from t2jax.working_precision import scope

LEVEL = 0.9


@dataclass(frozen=True)
class Posterior:
    """The result of `sample`. laws: one law per draw, leaves (chains * draws,), chain after chain.

    idata: the same for ArviZ (`InferenceData`, or a `DataTree` from ArviZ 1 on): groups posterior, sample_stats,
    log_likelihood by run or question, and prior. point: the law at the highest density in the coordinates that are
    sampled, of `CrossedEffects` that of runs on the law. status: in English, "converged: ..." only if every limit of
    `Diagnosis` is kept. made: draws of each chain that are there, of those asked for. density: what was sampled; None
    for a posterior read from a file.
    """

    laws: Law
    idata: Any = field(repr=False)
    point: Law
    diagnosis: Diagnosis = field(repr=False)
    asked: int
    made: int
    density: Density | None = field(default=None, repr=False)

    @property
    def converged(self) -> bool:
        """Whether the draws may be used: chains agree, are long enough and went everywhere; see `Diagnosis`."""
        return self.diagnosis.converged

    @property
    def status(self) -> str:
        """What the diagnostics say, in English, which parameter fails and what to do."""
        cut = f"; interrupted: {self.made} of {self.asked} draws of each chain" if self.made < self.asked else ""
        return self.diagnosis.sentence + cut

    def summary(self, level: float = LEVEL) -> pd.DataFrame:
        """One row for each sampled parameter: mean, sd, median and central interval, R-hat, ESS and contraction.

        Where the chains do not agree on a parameter there is no mean, sd or interval of it (NaN): they would describe
        where the chains were, not the posterior. `attrs["status"]` is the status. Raises ValueError as `band`.
        """
        values = {name: np.asarray(self.idata["posterior"][name].values, float) for name in self.diagnosis.r_hat}
        return summarise(self.diagnosis, values, self.status, level)

    def band(self, quantity: Callable[[Law], Array], level: float = LEVEL) -> Band:
        """Quantile band of anything computed from one law: `post.band(lambda law: law(1e9, 2e10))`.

        Raises ValueError where the chains do not agree on a parameter: a band would say where the chains were.
        """
        if not all(map(self.diagnosis.agrees, self.diagnosis.r_hat)):
            raise ValueError(f"there is no posterior to take a band of ({self.status})")
        with scope() as dtype:
            laws = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), self.laws)
            return band(np.asarray(jax.jit(jax.vmap(quantity))(laws)), level)


def summarise(found: Diagnosis, values: Mapping[str, np.ndarray], status: str, level: float) -> pd.DataFrame:
    """The table of `Posterior.summary`. values: draws (chains, draws) of each name in the diagnosis."""
    rows = {}
    for name in found.r_hat:
        one = values[name].ravel()
        spread = band(one, level)
        numbers = [one.mean(), one.std(ddof=1), spread.low, spread.mid, spread.high]
        told = [found.r_hat[name], found.ess_bulk[name], found.ess_tail[name], found.contraction[name]]
        rows[name] = [*(numbers if found.agrees(name) else [np.nan] * 5), *told]
    low, high = (f"{100 * (0.5 + side * level / 2):g} %" for side in (-1, 1))
    columns = ["mean", "sd", low, "median", high, "r_hat", "ess_bulk", "ess_tail", "contraction"]
    made = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    made.attrs["status"] = status
    return made
