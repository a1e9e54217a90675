"""The law of pass@k for one model whose questions have Beta distributed success probabilities."""

from typing import ClassVar

import jax.numpy as jnp

from t2jax.laws.base import Law, law
from t2jax.laws.parameter import param
from t2jax.laws.priors import LogNormal
from t2jax.numerics.special import log_pass_at_k_beta
from t2jax.typing import Array, ArrayLike, Scalar


@law
class BetaTail(Law):
    """pass@k = 1 - B(a, b+k)/B(a, b) for one model whose questions have success probabilities from Beta(a, b).

    The law holds for any k >= 1. pass@k rises in k to one.
    For many samples 1 - pass@k falls as k^-a, since the density near zero is p^(a-1): the hardest questions dominate.
    Source: Levi 2024 (2410.16377) for the form, Schaeffer et al. 2025 (2502.17578) for the tail.

    Priors (90 % ranges): a is 0.07 to 1.9.
    This goes from models that nearly never solve most questions to a density that falls towards zero.
    b is 0.7 to 540, which includes mean success probabilities of one per cent.

    Examples:
        >>> law = t2.laws.BetaTail(a=0.5, b=20.0)
        >>> round(float(law(100.0)), 3)
        0.594
    """

    a: Scalar = param(LogNormal(-1.0, 1.0), unit="1", doc="exponent of the density near a success probability of zero")
    b: Scalar = param(LogNormal(3.0, 2.0), unit="1", doc="exponent of the density near a success probability of one")

    response: ClassVar[tuple[str, ...]] = ("pass_at_k",)

    def __call__(self, k: ArrayLike) -> Array:
        return jnp.exp(-self.cost(k))

    def cost(self, k: ArrayLike) -> Array:
        return -log_pass_at_k_beta(self.a, self.b, k)

    def questions(self) -> tuple[Array, Array]:
        return jnp.asarray(self.a), jnp.asarray(self.b)
