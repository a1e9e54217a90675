"""A power law in compute with one break, after which the loss falls with a larger exponent."""

from typing import ClassVar

import jax.numpy as jnp

from t2jax.laws.base import Law, law
from t2jax.laws.parameter import coefficient, param
from t2jax.laws.priors import LogNormal
from t2jax.typing import Array, ArrayLike, Scalar


@law
class BrokenPower(Law):
    """L(C) = E + A·C^-α·(1 + (C/C1)^(1/f))^(-c·f) in nats per token, with C = 6ND.

    The exponent is α before the break at C1 and α + c after it; f is the width of the break in log C.
    The law holds for any C > 0. The loss falls in C and tends to E.
    It depends on N and D through C alone, so it has no compute-optimal size.
    Source: Caballero et al. 2022 (2210.14891), eq. 1, with one break and c > 0.

    Priors (90 % ranges): E and A are as for `Chinchilla`.
    α and c are 0.04 to 0.43, about half of the exponents of N and D, since C is their product.
    C1 is 5e15 to 2e24 FLOPs, the range of public runs.
    f is 0.44 to 2.3, from a break within a decade to one that spans half of all measurements.

    Examples:
        >>> law = t2.laws.BrokenPower(E=1.8, A=2000.0, alpha=0.15, C1=1e20, c=0.05, f=1.0)
        >>> round(float(law(1e9, 2e10)), 3)
        3.671
    """

    E: Scalar = param(LogNormal(0.0, 1.0), unit="nats/token", doc="irreducible loss")
    A: Scalar = coefficient(LogNormal(6.0, 2.0), "nats·FLOPs^α", "size of the term", ("N", "alpha"), ("D", "alpha"))
    alpha: Scalar = param(LogNormal(-2.0, 0.7), unit="1", doc="exponent before the break")
    C1: Scalar = param(LogNormal(46.0, 6.0), unit="FLOPs", doc="compute at the break")
    c: Scalar = param(LogNormal(-2.0, 0.7), unit="1", doc="increase of the exponent at the break")
    f: Scalar = param(LogNormal(0.0, 0.5), unit="1", doc="width of the break in log C")

    linear: ClassVar[tuple[str, ...]] = ("E", "A")

    def __call__(self, N: ArrayLike, D: ArrayLike) -> Array:
        compute = jnp.log(6.0) + jnp.log(N) + jnp.log(D)
        bend = jnp.logaddexp(0.0, (compute - jnp.log(self.C1)) / self.f)
        return self.E + self.A * jnp.exp(-self.alpha * compute - self.c * self.f * bend)
