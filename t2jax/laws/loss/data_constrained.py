"""The law of repeated data, in which tokens beyond the unique ones are worth less and less."""

from typing import ClassVar

import jax.numpy as jnp

from t2jax.laws.base import Law, law, part
from t2jax.laws.loss.chinchilla import Chinchilla
from t2jax.laws.parameter import param
from t2jax.laws.priors import LogNormal
from t2jax.typing import Array, ArrayLike, Scalar


@law
class DataConstrained(Law):
    """L(N, D, U) = loss(N, D') with D' = U·(1 + R_D·(1 - exp(-R/R_D))) and R = D/U - 1 repeats of U tokens.

    Where D <= U, and in a call without U, every token is new and the law is loss(N, D).
    The loss law is `Chinchilla` unless `DataConstrained.on(other)` replaces it.
    The law holds for any N, D, U > 0. The loss falls in all of them, but in D no further than loss(N, U·(1 + R_D)).
    log D' is concave in log D. The law is thus convex in (log N, log D) if the loss law is convex and falls in D.
    `ExcessParams` also discounts params beyond what U tokens call for; it needs the optimum of the loss law.
    Source: Muennighoff et al. 2023 (2305.16264), eq. 5; they find R_D = 15.4.

    Priors (90 % ranges): R_D is 4.7 to 47, around the published value.

    Examples:
        >>> law = t2.laws.DataConstrained(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37, R_D=15.4)
        >>> round(float(law(1e9, 2e10, U=5e9)), 3)  # four epochs
        2.473
    """

    loss: Law = part(Chinchilla)
    R_D: Scalar = param(LogNormal(2.7, 0.7), unit="1", doc="repeats after which tokens are worth 1/e of new ones")

    convex: ClassVar[bool] = True

    def __call__(self, N: ArrayLike, D: ArrayLike, U: ArrayLike = jnp.inf) -> Array:
        return self.loss(N, worth(jnp.asarray(D), U, self.R_D))


def worth(amount: Array, once: ArrayLike, scale: ArrayLike) -> Array:
    """Discounts an amount beyond `once`: once·(1 + R(1 - e^(-r/R))) with r = amount/once - 1 and R = scale.

    An amount below `once` is returned as it is. Source: Muennighoff et al. 2023 (2305.16264), eqs. 5 and 6.
    """
    full = jnp.where(amount <= once, amount, once)
    beyond = jnp.where(amount <= once, 0.0, amount / full - 1)
    return full * (1 - scale * jnp.expm1(-beyond / scale))
