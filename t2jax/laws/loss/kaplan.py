"""Kaplan's form with an irreducible loss: the two power laws are summed before a common power."""

from typing import ClassVar

from numpyro.distributions import LogNormal

from t2jax.laws.base import Law, law
from t2jax.laws.parameter import coefficient, param
from t2jax.numerics.special import inverse_power
from t2jax.typing import Array, ArrayLike, Scalar


@law
class Kaplan(Law):
    """L(N, D) = E + (A/N^α + B/D^β)^κ in nats per token.

    With E = 0, A = Nc^(αN/αD), α = αN/αD, B = Dc, β = 1 and κ = αD it is Kaplan's law; κ = 1 gives Chinchilla;
    E + a·(N^-α + R·D^-β)^κ is the same law, A = a^(1/κ) and B = R·A. Any N, D > 0; falls in both, to E as both grow.
    Convex in (log N, log D). Source: Kaplan et al. 2020 (2001.08361), eq. 1.5, with a floor E.

    Priors: E as for Chinchilla; κ within 0.44 to 2.3 at 90 %, either side of a plain sum; exponents 0.16 to 1.6, since
    a κ below one asks for steeper terms; A and B within 0.6 to 290,000, as they carry the units of N, D and κ. Kaplan's
    own E = 0, κ = 0.095, A = 1.5e11 and B = 5.4e13 lie outside these priors, which are for laws with a floor: replace
    them for his.
    """

    E: Scalar = param(LogNormal(0.5, 0.5), unit="nats/token", doc="irreducible loss")
    A: Scalar = coefficient(LogNormal(6.0, 4.0), unit="nats^1/κ·params^α", doc="size term", of="N", exponent="alpha")
    B: Scalar = coefficient(LogNormal(6.0, 4.0), unit="nats^1/κ·tokens^β", doc="data term", of="D", exponent="beta")
    alpha: Scalar = param(LogNormal(-0.7, 0.7), unit="1", doc="size exponent before the common power")
    beta: Scalar = param(LogNormal(-0.7, 0.7), unit="1", doc="data exponent before the common power")
    kappa: Scalar = param(LogNormal(0.0, 0.5), unit="1", doc="common power")

    convex: ClassVar[bool] = True

    def __call__(self, N: ArrayLike, D: ArrayLike) -> Array:
        inner = self.A * inverse_power(N, self.alpha) + self.B * inverse_power(D, self.beta)
        return self.E + inverse_power(inner, -self.kappa)
