"""Counts of questions by checkpoints of which both have luck of their own: crossed random effects.

Question effects alone would have every checkpoint exactly on the law, and scatter of checkpoints alone every question
anew: then what half of the questions have in common, easy or hard, passes for evidence of the law.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import jax.numpy as jnp

from t2jax.density import Density
from t2jax.laws.base import Law
from t2jax.measurements import Measurements
from t2jax.noise import Rows
from t2jax.params import Param
from t2jax.question_effects import QuestionEffects, log_questions
from t2jax.run_scatter import RunScatter, deviated
from t2jax.trees import register
from t2jax.typing import Array, Float

__all__ = ["DEVIATION", "CrossedDensity", "CrossedEffects"]

DEVIATION = "deviation of runs"
"""By this name, which no parameter or input of a law can have, it goes along with these."""


@dataclass(frozen=True)
class CrossedEffects(QuestionEffects):
    """Beta-binomial counts of checkpoints that lie off the law, and of questions that are alike hard for all of them.

    Checkpoint m has the Beta over questions that it has in `RunScatter`, z_m standard deviations off the law's. Ranks
    of questions are correlated from checkpoint to checkpoint by `rho` as in `QuestionEffects`, whose integral over each
    question's own effect, and limits, these are. The deviations z_m are sampled beside the law:
    `idata["posterior"]["deviation"]` holds them, (chain, draw, run), for `deviated`. Towards τ = 0 this is
    `QuestionEffects`, towards ρ = 0 `RunScatter`, and towards both `BetaBinomial`, as far as Betas are not too narrow.

    What is left out together is a question, at checkpoints as they are. For `t2.sample` alone: losses in the table are
    not read, and there is no point fit. Priors: of `tau` as in `RunScatter`, of `rho` as in `QuestionEffects`.

    Raises TableError and TypeError as `QuestionEffects`. Source: crossed random effects as in Baayen, Davidson & Bates
    2008 (Journal of Memory and Language 59:390); the parts as named there.
    Example: `t2.sample(t2.laws.T2PassK, counts, t2.CrossedEffects(), key=jax.random.key(0))`.
    """

    nuisance: ClassVar[Mapping[str, Param]] = {**QuestionEffects.nuisance, **RunScatter.nuisance}

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Float[Array, " questions"]:
        """Log-likelihood of each question; rows: the columns of `question_rows`, and `DEVIATION`, z (checkpoints,)."""
        if DEVIATION not in rows:
            raise TypeError("CrossedEffects has deviations of its own: it is for t2.sample alone, not inside Joint")
        a, b = law.questions(**law.arguments(rows, but="k"))
        return log_questions(*deviated(a, b, nuisance["tau"], rows[DEVIATION]), nuisance["rho"], rows)


@dataclass(frozen=True)
class CrossedDensity(Density):
    """A density of which each run has a coordinate too, standard normal: its deviation, in τ. A pytree.

    runs: how many there are. Coordinates are those of `Density`, then the deviations; where they are left out, zero.
    """

    runs: int

    @property
    def latent(self) -> int:
        return self.runs

    def split(self, u: Float[Array, " all"]) -> tuple[Law, dict[str, Array]]:
        return super().split(u[: len(self.names)])

    def potential(self, u: Float[Array, " all"], rows: Rows) -> Array:
        u, z = self._parts(u)
        return super().potential(u, {**rows, DEVIATION: z}) + 0.5 * jnp.sum(z**2)

    def row_log_likelihood(self, u: Float[Array, " all"], data: Measurements) -> Float[Array, " questions"]:
        u, z = self._parts(u)
        return super().row_log_likelihood(u, replace(data, columns={**data.columns, DEVIATION: z}))

    def values(self, u: Float[Array, " all"]) -> dict[str, Array]:
        """As of `Density`, and `DEVIATION`: that of each run, in τ, (runs,)."""
        u, z = self._parts(u)
        return super().values(u) | {DEVIATION: z}

    def _parts(self, u: Array) -> tuple[Array, Array]:
        count = len(self.names)
        return u[:count], u[count:] if len(u) > count else jnp.zeros(self.runs, u.dtype)


register(CrossedDensity, ("coordinates", "priors"), ("law", "noise", "runs"))
