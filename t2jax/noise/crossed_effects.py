"""Counts of questions by checkpoints of which both have luck of their own: crossed random effects.

Question effects alone would have every checkpoint exactly on the law, and scatter of checkpoints alone every question
anew: then what half of the questions have in common, easy or hard, passes for evidence of the law.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from t2jax.laws.base import Law
from t2jax.laws.parameter import Param
from t2jax.noise.protocol import Rows
from t2jax.noise.question_effects import QuestionEffects, log_questions
from t2jax.noise.run_scatter import RunScatter, deviated
from t2jax.typing import Array, Float

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
    Example: `t2.sample(t2.laws.T2PassK, counts, t2.noise.CrossedEffects(), key=jax.random.key(0))`.
    """

    nuisance: ClassVar[Mapping[str, Param]] = {**QuestionEffects.nuisance, **RunScatter.nuisance}

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Float[Array, " questions"]:
        """Log-likelihood of each question; rows: the columns of `question_rows`, and `DEVIATION`, z (checkpoints,)."""
        if DEVIATION not in rows:
            raise TypeError("CrossedEffects has deviations of its own: it is for t2.sample alone, not inside Joint")
        a, b = law.questions(**law.arguments(rows, but="k"))
        return log_questions(*deviated(a, b, nuisance["tau"], rows[DEVIATION]), nuisance["rho"], rows)
