"""Repeated data: tokens beyond the unique ones are worth less and less."""

from typing import ClassVar

import jax.numpy as jnp
from numpyro.distributions import LogNormal

from t2jax.laws.base import Law, law, part
from t2jax.laws.loss.chinchilla import Chinchilla
from t2jax.laws.parameter import param
from t2jax.typing import Array, ArrayLike, Scalar


@law
class DataConstrained(Law):
    """L(N, D, U) = loss(N, D') with D' = U·(1 + R_D·(1 - exp(-R/R_D))) and R = D/U - 1 repeats of U tokens.

    Where D <= U, and where it is called without U, every token is new: loss(N, D). loss is Chinchilla unless
    `DataConstrained.on(other)` is used. Any N, D, U > 0; falls in all, but in D no further than loss(N, U·(1 + R_D)).
    log D' is concave in log D, so the law is convex in (log N, log D) where the loss law is and falls in D. Parameters
    beyond what U tokens call for are discounted in `ExcessParams`, for which the optimum of the loss law must be known.
    Source: Muennighoff et al. 2023 (2305.16264), eq. 5; they find R_D = 15.4.

    Prior: R_D within 4.7 to 47 at 90 %, around the 15 that the source measured.
    """

    loss: Law = part(Chinchilla)
    R_D: Scalar = param(LogNormal(2.7, 0.7), unit="1", doc="repeats after which tokens are worth 1/e of new ones")

    convex: ClassVar[bool] = True

    def __call__(self, N: ArrayLike, D: ArrayLike, U: ArrayLike = jnp.inf) -> Array:
        return self.loss(N, worth(jnp.asarray(D), U, self.R_D))


def worth(amount: Array, once: ArrayLike, scale: ArrayLike) -> Array:
    """What an amount is worth of which `once` is full value and every multiple beyond less: once·(1 + R(1 - e^(-r/R))).

    r = amount/once - 1, R = scale. Below `once` the amount itself. Source: Muennighoff et al. 2023, eqs. 5 and 6.
    """
    full = jnp.where(amount <= once, amount, once)
    beyond = jnp.where(amount <= once, 0.0, amount / full - 1)
    return full * (1 - scale * jnp.expm1(-beyond / scale))
