"""The power law of -log pass@k in samples alone."""

from typing import ClassVar

from t2jax.laws.base import Law, law
from t2jax.laws.parameter import coefficient, param
from t2jax.laws.priors import LogNormal
from t2jax.numerics.special import inverse_power
from t2jax.typing import Array, ArrayLike, Scalar


@law
class PowerLawK(Law):
    """-log pass@k = A·k^-b in nats, for the rows of one model.

    This is the limit of many samples if the density of success probabilities is p^(b-1) near zero, as in `BetaTail`.
    At small k it is too simple. The law holds for any k >= 1 and falls in k to zero.
    Source: Schaeffer et al. 2025 (2502.17578).

    Priors (90 % ranges): A = -log pass@1 is 0.2 to 5 nats, a pass@1 of 0.7 % to 82 %.
    b is 0.12 to 1.2, from hardly any gain by a thousand samples to a decay as 1/k.

    Examples:
        >>> law = t2.laws.PowerLawK(A=2.0, b=0.5)
        >>> float(law(16.0))
        0.5
    """

    A: Scalar = coefficient(LogNormal(0.0, 1.0), unit="nats", doc="-log pass@1", of="k", exponent="b")
    b: Scalar = param(LogNormal(-1.0, 0.7), unit="1", doc="exponent of samples")

    response: ClassVar[tuple[str, ...]] = ("neg_log_pass",)
    linear: ClassVar[tuple[str, ...]] = ("A",)

    def __call__(self, k: ArrayLike) -> Array:
        return self.A * inverse_power(k, self.b)
