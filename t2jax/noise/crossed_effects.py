"""Counts of questions by checkpoints of which both have luck of their own: crossed random effects.

With luck of questions alone every checkpoint would lie exactly on the law, and with scatter of checkpoints alone every
question would be drawn anew: then what half of the questions have in common, easy or hard, passes for evidence.
"""

from dataclasses import dataclass

from numpyro.distributions import Uniform

from t2jax.laws.base import Law
from t2jax.laws.parameter import param
from t2jax.noise.by_unit import UnitNoise
from t2jax.noise.protocol import DEVIATION, Rows
from t2jax.noise.question_grid import question_rows
from t2jax.noise.question_integral import HIGHEST, log_questions
from t2jax.noise.run_scatter import RunScatter, deviated
from t2jax.tables.measurements import Units
from t2jax.tables.table import Table
from t2jax.typing import Array, Float


@dataclass(frozen=True)
class CrossedEffects(UnitNoise):
    """Beta-binomial counts of checkpoints that lie off the law, and of questions that are alike hard for all of them.

    Checkpoint m has the Beta over questions that it has in `RunScatter`, z_m standard deviations off the law's. Ranks
    of questions among their fellows are correlated from checkpoint to checkpoint by `rho`, so that each checkpoint's
    questions are distributed as its Beta says for every ρ. A question's own effect is integrated out. The deviations
    z_m are sampled beside the law: `idata["posterior"]["deviation"]` holds them, (chain, draw, run), for `deviated`.
    Towards ρ = 0 this is `RunScatter`, and towards τ = 0 as well `BetaBinomial`, as far as Betas are not too narrow.

    What is left out together is a question, at checkpoints as they are. A row's `weight` counts it as so many answers
    of the same question. For `t2.sample` alone: losses in the table are not read, and there is no point fit.

    Priors: of `tau` as in `RunScatter`; of `rho` any below 0.9 alike: from questions that each checkpoint ranks anew to
    nearly one order for all. Above it the grids are too coarse.

    Assumed: one correlation for all pairs of checkpoints, be they near or far; and questions that are not all alike: a
    Beta of both a and b above 8 is taken as that of the same mean where the lesser is 8. Accuracy of the log-likelihood
    of a question: 2e-3 for tens of trials; for hundreds or more, whose narrow chances meet an interpolated density,
    1e-2 up to a rho of 0.7 and 0.3 at 0.9. Cost: with as many different counts as ten trials leave, minutes for tens of
    checkpoints. It grows in proportion to the different counts of a checkpoint: where hundreds of trials leave a
    hundred, ten of each question's trials, drawn at random, are the way to begin.
    Source: crossed random effects as in Baayen, Davidson & Bates 2008 (Journal of Memory and Language 59:390); one
    common factor as in Vasicek 2002; the counts as `BetaBinomial`.

    Raises TableError for a table without `question`, for two rows of one question in one run and for runs whose inputs
    differ between rows; TypeError where points are fitted, and outside `t2.sample`, as in `t2.sample_tasks`.
    Example: `t2.sample(t2.laws.T2PassK, counts, t2.noise.CrossedEffects(), key=jax.random.key(0))`.
    """

    nuisance = {
        "rho": param(
            Uniform(0.0, HIGHEST), unit="1", doc="correlation of a question's rank from checkpoint to checkpoint"
        ),
        **RunScatter.nuisance,
    }
    unit = "question"
    deviations = True

    def units(self, law: type[Law], table: Table) -> Units:
        return question_rows(law, table)

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Float[Array, " questions"]:
        """Log-likelihood of each question; rows: the columns of `question_rows`, and `DEVIATION`, z (checkpoints,)."""
        if DEVIATION not in rows:
            raise TypeError("CrossedEffects has deviations of its own: it is for t2.sample alone, not inside Joint")
        a, b = law.questions(**law.arguments(rows, but="k"))
        return log_questions(*deviated(a, b, nuisance["tau"], rows[DEVIATION]), nuisance["rho"], rows)
