"""The power law in samples alone."""

from typing import ClassVar

from numpyro.distributions import LogNormal

from t2jax.laws.base import Law, law
from t2jax.laws.parameter import coefficient, param
from t2jax.numerics.special import inverse_power
from t2jax.typing import Array, ArrayLike, Scalar


@law
class PowerLawK(Law):
    """-log pass@k = A·k^-b in nats, for the rows of one model.

    The limit for many samples where the density of questions' chances is a power p^(b-1) near zero, as in `BetaTail`;
    at small k it is too simple. Any k >= 1; falls in k, to zero. Source: Schaeffer et al. 2025 (2502.17578).

    Priors: A, -log pass@1, within 0.2 to 5 nats at 90 %, a chance of 0.7 % to 82 %; b within 0.12 to 1.2, from hardly
    any gain by a thousand samples to one over k.
    """

    A: Scalar = coefficient(LogNormal(0.0, 1.0), unit="nats", doc="-log pass@1", of="k", exponent="b")
    b: Scalar = param(LogNormal(-1.0, 0.7), unit="1", doc="exponent of samples")

    response: ClassVar[tuple[str, ...]] = ("neg_log_pass",)
    linear: ClassVar[tuple[str, ...]] = ("A",)

    def __call__(self, k: ArrayLike) -> Array:
        return self.A * inverse_power(k, self.b)
