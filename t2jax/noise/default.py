"""What a measurement is: how far a table's rows may lie from a law, and what that costs.

Every noise model gives, per row, the `penalty` that a point fit sums, and where it is a probability model the
`log_density` that a posterior needs. Scales that enter either are declared as parameters like those of a law.
"""

from t2jax.laws.base import Law
from t2jax.laws.parameter import Param
from t2jax.noise.counts import BetaBinomial, Binomial
from t2jax.noise.joint import Joint
from t2jax.noise.losses import Gaussian, Huber, StudentT
from t2jax.noise.protocol import Noise
from t2jax.tables.table import Table


def default_noise(law: type[Law], table: Table) -> Noise:
    """The noise model used when none is named.

    Losses: Huber(1e-3). pass@k from counts: BetaBinomial, or Binomial where the law gives all questions one chance;
    measured pass@k, or errors: Gaussian. Laws that make these from a loss, on a table that has losses too: those
    jointly with the losses.
    """
    if "loss" in law.response:
        return Huber()
    counted = BetaBinomial() if law.questions is not Law.questions else Binomial()
    samples = counted if "correct" in table and "pass_at_k" in law.response else Gaussian(scale=0.01)
    return Joint(samples) if "loss" in table and "loss" in law.fields else samples


def default_density(law: type[Law], table: Table) -> Noise:
    """The noise model of a posterior when none is named: `default_noise`, with Student-t errors in place of Huber's.

    Huber's penalty has no likelihood; Student-t errors on the log of the loss are its robust counterpart.
    """
    noise = default_noise(law, table)
    return StudentT() if isinstance(noise, Huber) else noise


def scales(noise: Noise) -> dict[str, Param]:
    """The parameters that a posterior samples beside the law's; of `Joint` those of both measurements."""
    if isinstance(noise, Joint):
        return scales(noise.samples) | {"sigma_loss": noise.loss.nuisance["sigma"]}
    return dict(noise.nuisance)


def on_logs(noise: Noise) -> bool:
    """Whether a noise model compares logs. Raises ValueError for counts, which have no residual to draw again."""
    noise = noise.samples if isinstance(noise, Joint) else noise
    if isinstance(noise, Huber):
        return True
    if isinstance(noise, Gaussian | StudentT):
        return noise.transform == "log"
    raise ValueError(
        f"noise.{type(noise).__name__} compares counts of samples, of which one row has no relative error and no band:"
        " compare laws by their log scores (t2.evaluation.cross_validate, t2.evaluation.log_scores),"
        " or average the table to pass_at_k"
    )
