"""The Chinchilla law with one exponent for size and data."""

from typing import ClassVar

from t2jax.laws.base import Law, law
from t2jax.laws.parameter import coefficient, param
from t2jax.laws.priors import LogNormal
from t2jax.numerics.special import inverse_power
from t2jax.typing import Array, ArrayLike, Scalar


@law
class SharedExponent(Law):
    """L(N, D) = E + A/N^α + B/D^α in nats per token.

    This is `Chinchilla` with β = α, so that the optimal N and D both grow as C^(1/2).
    The law holds for any N, D > 0. The loss falls in N and in D and tends to E as both grow.
    It is convex in (log N, log D).
    It equals `Overtraining` with α = 2η, A = a·6^-η and B = b·6^-η.
    Source: Hoffmann et al. 2022 (2203.15556), eq. 10, with equal exponents.

    The priors are the same as for `Chinchilla`; α has the prior of each of its exponents.

    Examples:
        >>> law = t2.laws.SharedExponent(E=1.8, A=480.0, B=2100.0, alpha=0.36)
        >>> round(float(law(1e9, 2e10)), 3)
        2.487
    """

    E: Scalar = param(LogNormal(0.0, 1.0), unit="nats/token", doc="irreducible loss")
    A: Scalar = coefficient(LogNormal(6.0, 2.0), unit="nats·params^α", doc="size term", of="N", exponent="alpha")
    B: Scalar = coefficient(LogNormal(6.0, 2.0), unit="nats·tokens^α", doc="data term", of="D", exponent="alpha")
    alpha: Scalar = param(LogNormal(-1.0, 0.5), unit="1", doc="exponent of both terms")

    linear: ClassVar[tuple[str, ...]] = ("E", "A", "B")
    convex: ClassVar[bool] = True

    def __call__(self, N: ArrayLike, D: ArrayLike) -> Array:
        return self.E + self.A * inverse_power(N, self.alpha) + self.B * inverse_power(D, self.alpha)
