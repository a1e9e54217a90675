"""A broken power law in compute: one exponent before a break, a steeper one after it."""

from typing import ClassVar

import jax.numpy as jnp
from numpyro.distributions import LogNormal

from t2jax.laws.base import Law, law
from t2jax.laws.parameter import coefficient, param
from t2jax.typing import Array, ArrayLike, Scalar


@law
class BrokenPower(Law):
    """L(C) = E + A·C^-α·(1 + (C/C1)^(1/f))^(-c·f) in nats per token, with C = 6ND: exponent α before C1, α + c after.

    f is the width of the break in log C. Any C > 0; falls in C, to E, and depends on N and D through C alone, so it has
    no compute-optimal size. Source: Caballero et al. 2022 (2210.14891), eq. 1, with one break and c > 0.

    Priors: E and A as for Chinchilla; α and c within 0.04 to 0.43 at 90 %, about half of the exponents of N and D,
    since C is their product; the break from 5e15 to 2e24 FLOPs, over which public runs range; f within 0.44 to 2.3,
    from a break that takes a decade to one that takes half of all that was measured.
    """

    E: Scalar = param(LogNormal(0.5, 0.5), unit="nats/token", doc="irreducible loss")
    A: Scalar = coefficient(LogNormal(6.0, 2.0), "nats·FLOPs^α", "size of the term", ("N", "alpha"), ("D", "alpha"))
    alpha: Scalar = param(LogNormal(-2.0, 0.7), unit="1", doc="exponent before the break")
    C1: Scalar = param(LogNormal(46.0, 6.0), unit="FLOPs", doc="place of the break")
    c: Scalar = param(LogNormal(-2.0, 0.7), unit="1", doc="what the exponent gains at the break")
    f: Scalar = param(LogNormal(0.0, 0.5), unit="1", doc="width of the break in log C")

    linear: ClassVar[tuple[str, ...]] = ("E", "A")

    def __call__(self, N: ArrayLike, D: ArrayLike) -> Array:
        compute = jnp.log(6.0) + jnp.log(N) + jnp.log(D)
        bend = jnp.logaddexp(0.0, (compute - jnp.log(self.C1)) / self.f)
        return self.E + self.A * jnp.exp(-self.alpha * compute - self.c * self.f * bend)
