"""Noise of counts: correct samples of trials."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from t2jax.laws.base import Law
from t2jax.noise.protocol import Noise, Rows
from t2jax.noise.residuals import _inputs
from t2jax.numerics.special import log_beta_binomial, log_binomial
from t2jax.tables.table import Table
from t2jax.typing import Array


@dataclass(frozen=True)
class Binomial(Noise):
    """Counts: `correct` of `trials` samples of a question, every question with the law's pass@1."""

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
    """Counts: `correct` of `trials` samples of a question whose chance of success is Beta(a, b) over questions.

    a and b come from the law (`Law.questions`); each question has its own number of trials. Source: Roberts et al. 2026
    (2604.01411), Approach 2, with the likelihood of Kazdan et al. 2025 (2510.05197) in place of squared errors.
    """

    def columns(self, law: type[Law], table: Table) -> tuple[str, ...]:
        return (*_inputs(law, table, but="samples"), "trials", "correct")

    def penalty(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        return -self.log_density(law, rows, nuisance)

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        del nuisance
        a, b = law.questions(**law.arguments(rows, but="k"))
        return log_beta_binomial(rows["correct"], rows["trials"], a, b)

    def simulate(self, law: Law, rows: Rows, nuisance: Rows, key: Array) -> dict[str, Array]:
        question_key, count_key = jax.random.split(key)
        a, b = law.questions(**law.arguments(rows, but="k"))
        success = jax.random.beta(question_key, a, b)
        return {"correct": jax.random.binomial(count_key, rows["trials"], success)}
