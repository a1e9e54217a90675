"""Muennighoff's law, in which repeated tokens and excess params are worth less."""

import jax.numpy as jnp

from t2jax.laws.base import Law, law
from t2jax.laws.loss.data_constrained import worth
from t2jax.laws.parameter import coefficient, param
from t2jax.laws.priors import LogNormal
from t2jax.typing import Array, ArrayLike, Scalar


@law
class ExcessParams(Law):
    """L(N, D, U) = E + A/N'^α + B/D'^β in nats per token, with discounts for repeated tokens and excess params.

    D' = u·(1 + R_D·(1 - exp(-(D/u - 1)/R_D))) with u = min(D, U) unique tokens.
    N' is the same function of N, R_N and v = min(N, N_opt(u)), the params that u tokens call for.
    N_opt is the size at which α·A/N^α = β·B/D^β for D = u.
    In a call without U every token is new, but params beyond N_opt(D) are discounted all the same.
    The law holds for any N, D, U > 0. The loss falls in D until D' is U·(1 + R_D) and in N until N' is N_opt·(1 + R_N).
    It does not depend on U where U >= D.
    As R_N grows without bound the law becomes `DataConstrained`, which works on any loss law.
    Source: Muennighoff et al. 2023 (2305.16264), eqs. 5 to 7; they find R_D = 15.4 and R_N = 5.3.

    Priors (90 % ranges): R_D is as for `DataConstrained`, and the loss law is as for `Chinchilla`.
    R_N is 1.7 to 17, around the published value.

    Examples:
        >>> values = dict(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
        >>> law = t2.laws.ExcessParams(R_D=15.4, R_N=5.3, **values)
        >>> round(float(law(1e9, 2e10, U=5e9)), 3)
        2.501
    """

    E: Scalar = param(LogNormal(0.0, 1.0), unit="nats/token", doc="irreducible loss")
    A: Scalar = coefficient(LogNormal(6.0, 2.0), unit="nats·params^α", doc="size term", of="N", exponent="alpha")
    B: Scalar = coefficient(LogNormal(6.0, 2.0), unit="nats·tokens^β", doc="data term", of="D", exponent="beta")
    alpha: Scalar = param(LogNormal(-1.0, 0.5), unit="1", doc="size exponent")
    beta: Scalar = param(LogNormal(-1.0, 0.5), unit="1", doc="data exponent")
    R_D: Scalar = param(LogNormal(2.7, 0.7), unit="1", doc="repeats after which tokens are worth 1/e of new ones")
    R_N: Scalar = param(
        LogNormal(1.7, 0.7), unit="1", doc="multiples after which parameters are worth 1/e of needed ones"
    )

    def __call__(self, N: ArrayLike, D: ArrayLike, U: ArrayLike = jnp.inf) -> Array:
        N, D = jnp.asarray(N), jnp.asarray(D)
        unique = jnp.minimum(D, U)
        needed = (jnp.log(self.alpha * self.A) - jnp.log(self.beta * self.B) + self.beta * jnp.log(unique)) / self.alpha
        # in logs up to here, for N_opt leaves the range of floats where α is small
        params = worth(N, jnp.exp(jnp.minimum(needed, jnp.log(N))), self.R_N)
        return self.E + self.A * params**-self.alpha + self.B * worth(D, unique, self.R_D) ** -self.beta
