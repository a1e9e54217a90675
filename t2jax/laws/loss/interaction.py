"""The Chinchilla law with an interaction of size and data."""

from typing import ClassVar

from t2jax.laws.base import Law, law
from t2jax.laws.parameter import coefficient, param
from t2jax.laws.priors import LogNormal
from t2jax.numerics.special import inverse_power
from t2jax.typing import Array, ArrayLike, Scalar


@law
class Interaction(Law):
    """L(N, D) = E + A/N^α + B/D^β + F/(N^α·D^β) in nats per token.

    With F > 0 the value of one more token depends on the size; F = 0 gives `Chinchilla`.
    Where the rows ask for F < 0 a fit ends at F = 0: `SignedInteraction` has either sign.
    The law holds for any N, D > 0. The loss falls in N and in D and tends to E as both grow.
    It is convex in (log N, log D), as a sum of powers.
    Source: Li et al. 2025 (2506.10972); this is the simplest form of their law Farseer.
    In Farseer both the coefficient and the exponent of the data term change with N; here only the coefficient does.

    Priors (90 % ranges): F is 30 to 16 million, about the product of A and B up to an unknown factor.
    The other priors are the same as for `Chinchilla`.

    Examples:
        >>> law = t2.laws.Interaction(E=1.8, A=480.0, B=2100.0, F=1e5, alpha=0.35, beta=0.37)
        >>> round(float(law(1e9, 2e10)), 3)
        2.475
    """

    E: Scalar = param(LogNormal(0.0, 1.0), unit="nats/token", doc="irreducible loss")
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
