"""Repeated data: tokens beyond the unique ones are worth less and less."""

from typing import ClassVar

import jax.numpy as jnp
from numpyro.distributions import LogNormal

from t2jax.laws.base import Law, law, part
from t2jax.laws.chinchilla import Chinchilla
from t2jax.params import param
from t2jax.typing import Array, ArrayLike, Scalar


@law
class DataConstrained(Law):
    """L(N, D, U) = loss(N, D') with D' = U·(1 + R_D·(1 - exp(-R/R_D))) and R = D/U - 1 repeats of U tokens.

    Where D <= U, and without U, every token is new: loss(N, D). loss is Chinchilla unless `DataConstrained.on(other)`
    is used. Falls in N, D and U, but in D no further than loss(N, U·(1 + R_D)). The source also discounts parameters
    beyond what U tokens call for, which needs that loss law's optimum and is left out here. log D' is concave in
    log D, so the law is convex in (log N, log D) where the loss law is and falls in D.
    Source: Muennighoff et al. 2023 (2305.16264), eq. 5; they find R_D = 15.4.
    """

    loss: Law = part(Chinchilla)
    R_D: Scalar = param(LogNormal(2.7, 0.7), unit="1", doc="repeats after which tokens are worth 1/e of new ones")

    convex: ClassVar[bool] = True

    def __call__(self, N: ArrayLike, D: ArrayLike, U: ArrayLike = jnp.inf) -> Array:
        D = jnp.asarray(D)
        unique = jnp.where(D <= U, D, U)
        repeats = jnp.where(D <= U, 0.0, D / unique - 1)
        worth = -self.R_D * jnp.expm1(-repeats / self.R_D)
        return self.loss(N, unique * (1 + worth))
