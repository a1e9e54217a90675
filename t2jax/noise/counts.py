"""Noise of counts of correct samples."""

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from t2jax.laws.base import Law
from t2jax.noise.protocol import Noise, Rows
from t2jax.noise.residuals import _inputs
from t2jax.numerics.rising_sums import log_rising_sum
from t2jax.numerics.special import log_beta_binomial, log_binomial, representable
from t2jax.tables.measurements import Measurements
from t2jax.tables.table import Table
from t2jax.tables.tallies import tallied
from t2jax.typing import Array, ArrayLike


@dataclass(frozen=True)
class Binomial(Noise):
    """Counts of correct samples where every question has the law's pass@1.

    `correct` of `trials` samples are binomial. Use it for laws that give all questions one chance.

    Examples:
        >>> counts = {"trials": np.array([2.0]), "correct": np.array([1.0])}
        >>> half = t2.laws.PowerLawK(A=np.log(2), b=0.5)  # pass@1 = 1/2
        >>> round(float(np.exp(t2.noise.Binomial().log_density(half, counts, {})[0])), 3)
        0.5
    """

    def columns(self, law: type[Law], table: Table) -> tuple[str, ...]:
        return (*_inputs(law, table, but="samples"), "trials", "correct")

    def penalty(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        return -self.log_density(law, rows, nuisance)

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        del nuisance
        log_p = -law.cost(**law.arguments(rows, but="k"), k=1.0)
        return log_binomial(rows["correct"], rows["trials"], log_p, jnp.log(-jnp.expm1(log_p)))

    def simulate(self, law: Law, rows: Rows, nuisance: Rows, key: Array) -> dict[str, Array]:
        success = jnp.exp(-law.cost(**law.arguments(rows, but="k"), k=1.0))
        return {"correct": jax.random.binomial(key, rows["trials"], success)}


@dataclass(frozen=True)
class BetaBinomial(Noise):
    """Counts of correct samples where the chance of success is Beta(a, b) over questions.

    The law gives a and b (`Law.questions`). Each question may have its own number of trials. The model is Approach 2 of
    Roberts et al. 2026 (2604.01411), with the likelihood of Kazdan et al. 2025 (2510.05197) instead of squared errors.

    Examples:
        >>> counts = {"trials": np.array([4.0]), "correct": np.array([1.0])}
        >>> uniform = t2.laws.BetaTail(a=1.0, b=1.0)  # each of 0 to 4 correct has probability 1/5
        >>> round(float(np.exp(t2.noise.BetaBinomial().log_density(uniform, counts, {})[0])), 3)
        0.2
    """

    def columns(self, law: type[Law], table: Table) -> tuple[str, ...]:
        return (*_inputs(law, table, but="samples"), "trials", "correct")

    def measurements(self, law: type[Law], table: Table, fixed: Mapping[str, ArrayLike]) -> Measurements:
        del fixed
        return tallied(table, self.columns(law, table))

    def penalty(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        return -self.log_density(law, rows, nuisance)

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        """Computes the log-likelihood of each row, or of all counts of each run where they are tallied."""
        del nuisance
        a, b = law.questions(**law.arguments(rows, but="k"))
        if "correct_beyond" in rows:
            a, b = jnp.broadcast_arrays(*representable(a, b), rows["weight"])[:2]
            rises = log_rising_sum(a, rows["correct_beyond"]) + log_rising_sum(b, rows["wrong_beyond"])
            return rows["log_choose"] + rises - log_rising_sum(a + b, rows["trials_beyond"])
        return log_beta_binomial(rows["correct"], rows["trials"], a, b)

    def simulate(self, law: Law, rows: Rows, nuisance: Rows, key: Array) -> dict[str, Array]:
        question_key, count_key = jax.random.split(key)
        a, b = law.questions(**law.arguments(rows, but="k"))
        success = jax.random.beta(question_key, a, b)
        return {"correct": jax.random.binomial(count_key, rows["trials"], success)}
