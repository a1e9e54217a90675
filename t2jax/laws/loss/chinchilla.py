"""Chinchilla: an irreducible loss and one power law each in parameters and tokens."""

from typing import ClassVar

import jax.numpy as jnp
from numpyro.distributions import LogNormal

from t2jax.laws.base import Law, law
from t2jax.laws.parameter import coefficient, param
from t2jax.numerics.special import inverse_power
from t2jax.typing import Array, ArrayLike, Scalar


@law
class Chinchilla(Law):
    """L(N, D) = E + A/N^α + B/D^β in nats per token. Source: Hoffmann et al. 2022 (2203.15556), eq. 10.

    Any N, D > 0; falls in both, to E as both grow. Convex in (log N, log D). Holds for single-epoch training.

    Priors: wide around the published fits, so that 90 % of each is E 0.7 to 3.8 nats (1.69 of Hoffmann et al., 1.82 of
    Besiroglu et al. 2024, 2404.10102), A and B 15 to 11,000 (406 and 411; 482 and 2085), and exponents 0.16 to 0.84
    (0.34 and 0.28; 0.35 and 0.37). A and B are wide since they carry the units of N and D.
    """

    E: Scalar = param(LogNormal(0.5, 0.5), unit="nats/token", doc="irreducible loss")
    A: Scalar = coefficient(LogNormal(6.0, 2.0), unit="nats·params^α", doc="size term", of="N", exponent="alpha")
    B: Scalar = coefficient(LogNormal(6.0, 2.0), unit="nats·tokens^β", doc="data term", of="D", exponent="beta")
    alpha: Scalar = param(LogNormal(-1.0, 0.5), unit="1", doc="size exponent")
    beta: Scalar = param(LogNormal(-1.0, 0.5), unit="1", doc="data exponent")

    linear: ClassVar[tuple[str, ...]] = ("E", "A", "B")
    convex: ClassVar[bool] = True

    def __call__(self, N: ArrayLike, D: ArrayLike) -> Array:
        return self.E + self.A * inverse_power(N, self.alpha) + self.B * inverse_power(D, self.beta)

    def optimum(self, flops: ArrayLike) -> tuple[Array, Array]:
        """(N*, D*) of least loss at 6ND = flops, in closed form. Source: Hoffmann et al. 2022, eq. 4."""
        alpha, beta = self.alpha, self.beta
        g = (alpha * self.A / (beta * self.B)) ** (1 / (alpha + beta))
        pairs = jnp.asarray(flops) / 6
        return g * pairs ** (beta / (alpha + beta)), pairs ** (alpha / (alpha + beta)) / g
