"""pass@k of one model whose questions' chances are Beta distributed: what makes the power law in samples."""

from typing import ClassVar

import jax.numpy as jnp
from numpyro.distributions import LogNormal

from t2jax.laws.base import Law, law
from t2jax.laws.parameter import param
from t2jax.numerics.special import log_pass_at_k_beta
from t2jax.typing import Array, ArrayLike, Scalar


@law
class BetaTail(Law):
    """pass@k = 1 - B(a, b+k)/B(a, b), for the rows of one model: the chances of its questions are Beta(a, b).

    For many samples 1 - pass@k falls as k^-a, since the density near zero is p^(a-1): the tail of hard questions rules.
    Any k >= 1; rises in k, to one. Source: Levi 2024 (2410.16377) for the form, Schaeffer et al. 2025 (2502.17578) for
    the tail.

    Priors: a within 0.07 to 1.9 at 90 %, from most questions nearly never solved to a density that falls off towards
    them; b within 0.7 to 540, mean chances of a per cent included.
    """

    a: Scalar = param(LogNormal(-1.0, 1.0), unit="1", doc="exponent of the density at chances near zero")
    b: Scalar = param(LogNormal(3.0, 2.0), unit="1", doc="exponent of the density at chances near one")

    response: ClassVar[tuple[str, ...]] = ("pass_at_k",)

    def __call__(self, k: ArrayLike) -> Array:
        return jnp.exp(-self.cost(k))

    def cost(self, k: ArrayLike) -> Array:
        return -log_pass_at_k_beta(self.a, self.b, k)

    def questions(self) -> tuple[Array, Array]:
        return jnp.asarray(self.a), jnp.asarray(self.b)
