"""Kaplan's form with an irreducible loss, in which a common power applies to the sum of two power laws."""

from typing import ClassVar

from t2jax.laws.base import Law, law
from t2jax.laws.parameter import coefficient, param
from t2jax.laws.priors import LogNormal
from t2jax.numerics.special import inverse_power
from t2jax.typing import Array, ArrayLike, Scalar


@law
class Kaplan(Law):
    """L(N, D) = E + (A/N^α + B/D^β)^κ in nats per token.

    Kaplan's law has E = 0, A = Nc^(αN/αD), α = αN/αD, B = Dc, β = 1 and κ = αD; κ = 1 gives `Chinchilla`.
    The form E + a·(N^-α + R·D^-β)^κ is the same law with A = a^(1/κ) and B = R·A.
    The law holds for any N, D > 0. The loss falls in N and in D and tends to E as both grow.
    It is convex in (log N, log D).
    Source: Kaplan et al. 2020 (2001.08361), eq. 1.5, with a floor E.

    Priors (90 % ranges): E is as for `Chinchilla`.
    κ is 0.1 to 2: fits of public tables with a floor find 0.1 to 0.75, and a plain sum has 1.
    The exponents are 0.16 to 1.6, since κ < 1 needs steeper terms.
    A and B are 0.6 to 290,000, as they carry the units of N, D and κ.
    Kaplan's values E = 0, κ = 0.095, A = 1.5e11 and B = 5.4e13 lie outside these priors.
    The priors are for laws with a floor, so replace them to fit his law.

    Examples:
        >>> law = t2.laws.Kaplan(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37, kappa=1.0)
        >>> round(float(law(1e9, 2e10)), 3)  # as Chinchilla, since kappa is 1
        2.464
    """

    E: Scalar = param(LogNormal(0.0, 1.0), unit="nats/token", doc="irreducible loss")
    A: Scalar = coefficient(LogNormal(6.0, 4.0), unit="nats^1/κ·params^α", doc="size term", of="N", exponent="alpha")
    B: Scalar = coefficient(LogNormal(6.0, 4.0), unit="nats^1/κ·tokens^β", doc="data term", of="D", exponent="beta")
    alpha: Scalar = param(LogNormal(-0.7, 0.7), unit="1", doc="size exponent before the common power")
    beta: Scalar = param(LogNormal(-0.7, 0.7), unit="1", doc="data exponent before the common power")
    kappa: Scalar = param(LogNormal(-0.8, 0.9), unit="1", doc="common power")

    convex: ClassVar[bool] = True

    def __call__(self, N: ArrayLike, D: ArrayLike) -> Array:
        inner = self.A * inverse_power(N, self.alpha) + self.B * inverse_power(D, self.beta)
        return self.E + inverse_power(inner, -self.kappa)
