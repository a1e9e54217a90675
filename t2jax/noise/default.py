"""The noise model used when none is named."""

from t2jax.laws.base import Law
from t2jax.noise.counts import BetaBinomial, Binomial
from t2jax.noise.joint import Joint
from t2jax.noise.losses import Gaussian, Huber
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
