"""Chinchilla's law with a term in which size and data meet."""

from typing import ClassVar

from numpyro.distributions import LogNormal

from t2jax.laws.base import Law, law
from t2jax.laws.parameter import coefficient, param
from t2jax.numerics.special import inverse_power
from t2jax.typing import Array, ArrayLike, Scalar


@law
class Interaction(Law):
    """L(N, D) = E + A/N^α + B/D^β + F/(N^α·D^β) in nats per token.

    F > 0: what one more token is worth depends on the size, as in Farseer (Li et al. 2025, 2506.10972), whose data term
    has a coefficient and an exponent that move with N; here only the coefficient does, and the law stays a sum of
    powers: any N, D > 0; falls in both, to E as both grow; convex in (log N, log D). F = 0 gives Chinchilla. Source:
    the simplest law with an interaction, after Farseer.

    Priors: as for Chinchilla; F within 30 to 16 million at 90 %, about the product of A and B over an unknown factor.
    """

    E: Scalar = param(LogNormal(0.5, 0.5), unit="nats/token", doc="irreducible loss")
    A: Scalar = coefficient(LogNormal(6.0, 2.0), unit="nats·params^α", doc="size term", of="N", exponent="alpha")
    B: Scalar = coefficient(LogNormal(6.0, 2.0), unit="nats·tokens^β", doc="data term", of="D", exponent="beta")
    F: Scalar = coefficient(
        LogNormal(10.0, 4.0), "nats·params^α·tokens^β", "interaction", ("N", "alpha"), ("D", "beta")
    )
    alpha: Scalar = param(LogNormal(-1.0, 0.5), unit="1", doc="size exponent")
    beta: Scalar = param(LogNormal(-1.0, 0.5), unit="1", doc="data exponent")

    linear: ClassVar[tuple[str, ...]] = ("E", "A", "B", "F")
    convex: ClassVar[bool] = True

    def __call__(self, N: ArrayLike, D: ArrayLike) -> Array:
        size, data = inverse_power(N, self.alpha), inverse_power(D, self.beta)
        return self.E + self.A * size + self.B * data + self.F * size * data
