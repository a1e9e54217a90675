"""Chinchilla's law with one exponent for size and data."""

from typing import ClassVar

from numpyro.distributions import LogNormal

from t2jax.laws.base import Law, law
from t2jax.laws.parameter import coefficient, param
from t2jax.numerics.special import inverse_power
from t2jax.typing import Array, ArrayLike, Scalar


@law
class SharedExponent(Law):
    """L(N, D) = E + A/N^α + B/D^α in nats per token: Chinchilla with β = α, so that N* and D* grow alike, as C^(1/2).

    Any N, D > 0; falls in both, to E as both grow. Convex in (log N, log D). With α = 2η, A = a·6^-η and B = b·6^-η it
    is Gadre's `Overtraining`. Source: Hoffmann et al. 2022 (2203.15556), eq. 10, with the exponents tied.

    Priors: as for Chinchilla, α as each of its exponents.
    """

    E: Scalar = param(LogNormal(0.5, 0.5), unit="nats/token", doc="irreducible loss")
    A: Scalar = coefficient(LogNormal(6.0, 2.0), unit="nats·params^α", doc="size term", of="N", exponent="alpha")
    B: Scalar = coefficient(LogNormal(6.0, 2.0), unit="nats·tokens^α", doc="data term", of="D", exponent="alpha")
    alpha: Scalar = param(LogNormal(-1.0, 0.5), unit="1", doc="exponent of both")

    linear: ClassVar[tuple[str, ...]] = ("E", "A", "B")
    convex: ClassVar[bool] = True

    def __call__(self, N: ArrayLike, D: ArrayLike) -> Array:
        return self.E + self.A * inverse_power(N, self.alpha) + self.B * inverse_power(D, self.alpha)
