"""Gadre's law of overtraining, in which the loss falls in compute with one exponent at every token multiplier."""

from typing import ClassVar

from t2jax.laws.base import Law, law
from t2jax.laws.parameter import coefficient, param
from t2jax.laws.priors import LogNormal
from t2jax.numerics.special import inverse_power
from t2jax.typing import Array, ArrayLike, Scalar


@law
class Overtraining(Law):
    """L(C, M) = E + (a·M^η + b·M^-η)·C^-η in nats per token, with C = 6ND and the token multiplier M = D/N.

    In N and D it is E + a·6^-η·N^-2η + b·6^-η·D^-2η, which is `Chinchilla` with one exponent for both.
    Overtraining at equal M therefore costs the same share of the reducible loss at every scale.
    The law holds for any N, D > 0. The loss falls in N and in D and tends to E as both grow.
    It is convex in (log N, log D).
    Source: Gadre et al. 2024 (2403.08540), eq. 4.

    Priors (90 % ranges): E, a and b are as E, A and B of `Chinchilla`.
    η is 0.08 to 0.42, half of Chinchilla's exponents, since C is the product of N and D.

    Examples:
        >>> law = t2.laws.Overtraining(E=1.8, a=200.0, b=300.0, eta=0.15)
        >>> round(float(law(1e9, 2e10)), 3)
        2.291
    """

    E: Scalar = param(LogNormal(0.0, 1.0), unit="nats/token", doc="irreducible loss")
    a: Scalar = coefficient(LogNormal(6.0, 2.0), "nats·FLOPs^η", "size term", ("N", "eta"), ("N", "eta"))
    b: Scalar = coefficient(LogNormal(6.0, 2.0), "nats·FLOPs^η", "data term", ("D", "eta"), ("D", "eta"))
    eta: Scalar = param(LogNormal(-1.7, 0.5), unit="1", doc="exponent of compute")

    linear: ClassVar[tuple[str, ...]] = ("E", "a", "b")
    convex: ClassVar[bool] = True

    def __call__(self, N: ArrayLike, D: ArrayLike) -> Array:
        size, data = (inverse_power(x, 2 * self.eta) for x in (N, D))
        return self.E + inverse_power(6.0, self.eta) * (self.a * size + self.b * data)
