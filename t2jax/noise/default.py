"""The default noise model of a law and a table."""

from t2jax.laws.base import Law
from t2jax.noise.counts import BetaBinomial, Binomial
from t2jax.noise.joint import Joint
from t2jax.noise.losses import Gaussian, Huber, StudentT
from t2jax.noise.protocol import Noise
from t2jax.noise.residuals import ROW_ERROR, response
from t2jax.tables.table import Table


def default_noise(law: type[Law], table: Table) -> Noise:
    """Chooses the noise model that a fit uses by default.

    - Losses take `Huber(1e-3)`, or `StudentT` where the table has their standard errors (`loss_se`).
    - Laws with `gaussian_in_log`, as `PostTrained`, take `Gaussian("log")`.
    - Counts take `BetaBinomial`, or `Binomial` where the law gives all questions one chance.
    - Measured pass@k and error rates take `Gaussian`.
    - A law that derives these from a loss, on a table with losses too, takes both in a `Joint`.

    Args:
        law: The law class to fit.
        table: The table to fit it to.

    Returns:
        The noise model.

    Examples:
        >>> t2.noise.default_noise(t2.laws.Chinchilla, runs)
        Huber(delta=0.001)
    """
    if law.gaussian_in_log:
        return Gaussian("log", scale=0.01)
    if "loss" in law.response:
        return StudentT() if ROW_ERROR in table and response(law, table) == "loss" else Huber()
    counted = BetaBinomial() if law.questions is not Law.questions else Binomial()
    samples = counted if "correct" in table and "pass_at_k" in law.response else Gaussian(scale=0.01)
    return Joint(samples) if "loss" in table and "loss" in law.fields else samples
