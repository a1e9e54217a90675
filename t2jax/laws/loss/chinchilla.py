"""The Chinchilla law: an irreducible loss plus one power law in parameters and one in tokens."""

from typing import ClassVar

import jax.numpy as jnp

from t2jax.laws.base import Law, law
from t2jax.laws.parameter import coefficient, param
from t2jax.laws.priors import LogNormal
from t2jax.numerics.special import inverse_power
from t2jax.typing import Array, ArrayLike, Scalar


@law
class Chinchilla(Law):
    """L(N, D) = E + A/N^α + B/D^β in nats per token.

    The law holds for any N, D > 0 and for training on a single epoch of data.
    The loss falls in N and in D and tends to E as both grow. It is convex in (log N, log D).
    Source: Hoffmann et al. 2022 (2203.15556), eq. 10.

    The priors are wide around the published fits of Hoffmann et al. and Besiroglu et al. 2024 (2404.10102).
    Priors (90 % ranges): E is 0.19 to 5.2 nats (published: 1.69 and 1.82), as losses per byte are lower.
    A and B are 15 to 11,000 (published: 406 and 411, then 482 and 2085); they carry the units of N and D.
    The exponents are 0.16 to 0.84 (published: 0.34 and 0.28, then 0.35 and 0.37).

    Examples:
        >>> law = t2.laws.Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
        >>> round(float(law(1e9, 2e10)), 3)
        2.464
    """

    E: Scalar = param(LogNormal(0.0, 1.0), unit="nats/token", doc="irreducible loss")
    A: Scalar = coefficient(LogNormal(6.0, 2.0), unit="nats·params^α", doc="size term", of="N", exponent="alpha")
    B: Scalar = coefficient(LogNormal(6.0, 2.0), unit="nats·tokens^β", doc="data term", of="D", exponent="beta")
    alpha: Scalar = param(LogNormal(-1.0, 0.5), unit="1", doc="size exponent")
    beta: Scalar = param(LogNormal(-1.0, 0.5), unit="1", doc="data exponent")

    linear: ClassVar[tuple[str, ...]] = ("E", "A", "B")
    convex: ClassVar[bool] = True

    def __call__(self, N: ArrayLike, D: ArrayLike) -> Array:
        return self.E + self.A * inverse_power(N, self.alpha) + self.B * inverse_power(D, self.beta)

    def optimum(self, flops: ArrayLike) -> tuple[Array, Array]:
        """Computes the N and D of least loss at a training compute of 6ND = flops, in closed form.

        Source: Hoffmann et al. 2022 (2203.15556), eq. 4.

        Args:
            flops: Training compute in FLOPs, of any shape that broadcasts with the parameters.

        Returns:
            The optimal params and tokens, each with the shape of `flops`.

        Examples:
            >>> params, tokens = law.optimum(1e21)
            >>> print(f"{params:.2e} {tokens:.2e}")
            2.94e+09 5.67e+10
        """
        alpha, beta = self.alpha, self.beta
        g = (alpha * self.A / (beta * self.B)) ** (1 / (alpha + beta))
        pairs = jnp.asarray(flops) / 6
        return g * pairs ** (beta / (alpha + beta)), pairs ** (alpha / (alpha + beta)) / g
