"""Crossed random effects: counts of questions by checkpoints where both have an effect of their own.

With question effects alone, every checkpoint would lie exactly on the law. With checkpoint effects alone, every
checkpoint would see fresh questions. What half of the questions share, easy or hard, would then pass for evidence.
"""

from dataclasses import dataclass

from t2jax.laws.base import Law
from t2jax.laws.parameter import param
from t2jax.laws.priors import Uniform
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
    """Beta-binomial counts of checkpoints that scatter about the law and share hard and easy questions.

    Checkpoint m has the Beta over questions of `RunScatter`, z_m standard deviations away from the law's. The rank of a
    question among all questions has correlation `rho` between checkpoints. The Beta of each checkpoint is the same for
    every ρ. The effect of a question is integrated out. The deviations z_m are sampled beside the law:
    `idata["posterior"]["deviation"]` contains them, shape (chain, draw, run), for `deviated`. At ρ = 0 the model is
    `RunScatter`. At τ = 0 as well it is `BetaBinomial`, unless the Betas are too narrow.

    Pass it to `t2.sample`, as in `t2.sample(t2.laws.T2PassK, counts, t2.noise.CrossedEffects(), key=key)`. It has no
    point fit and does not read losses. `t2.loo` leaves out a question, with the checkpoints fixed. A row's `weight`
    counts it as so many answers to the same question.

    Priors: `tau` has the prior of `RunScatter`, and `rho` is uniform below 0.9. That ranges from fresh ranks at each
    checkpoint to nearly one order for all. Above 0.9 the grids are too coarse.

    Limits: all pairs of checkpoints share one correlation. A Beta with a and b above 8 is widened at the same mean
    until the lesser is 8. The log-likelihood of a question has an error of 2e-3 for tens of trials. For hundreds of
    trials it is 1e-2 up to a rho of 0.7, and 0.3 at 0.9.

    Cost: with ten trials a question, tens of checkpoints take minutes. The cost grows with the number of different
    counts of a checkpoint. For hundreds of trials, start with ten random trials of each question.

    Sources: Baayen, Davidson & Bates 2008 (Journal of Memory and Language 59:390) for crossed random effects, and
    Vasicek 2002 for one common factor. The counts have the likelihood of `BetaBinomial`.

    Raises:
        TableError: `question` is missing, a run has two rows of one question, or the inputs of a run differ between
            rows.
        TypeError: The model is used in a point fit or outside `t2.sample`, as in `t2.sample_tasks`.

    Examples:
        >>> noise = t2.noise.CrossedEffects()
        >>> noise.unit, list(noise.nuisance)
        ('question', ['rho', 'tau'])
    """

    nuisance = {
        "rho": param(
            Uniform(0.0, HIGHEST), unit="1", doc="correlation of a question's rank from checkpoint to checkpoint"
        ),
        **RunScatter.nuisance,
    }
    unit = "question"
    deviations = "run"

    def units(self, law: type[Law], table: Table) -> Units:
        return question_rows(law, table)

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Float[Array, " questions"]:
        """Computes the log-likelihood of each question.

        Args:
            law: The law.
            rows: Columns of `question_rows`, and the deviations z under the name `DEVIATION`, shape (checkpoints,).
            nuisance: Values of `rho` and `tau`.

        Returns:
            Log-likelihoods in nats, shape (questions,).

        Raises:
            TypeError: The deviations are missing, as inside `Joint`.
        """
        if DEVIATION not in rows:
            raise TypeError("CrossedEffects has deviations of its own: it is for t2.sample alone, not inside Joint")
        a, b = law.questions(**law.arguments(rows, but="k"))
        return log_questions(*deviated(a, b, nuisance["tau"], rows[DEVIATION]), nuisance["rho"], rows)
