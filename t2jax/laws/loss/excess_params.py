"""Muennighoff's law: tokens that repeat, and parameters beyond what the unique tokens call for, are worth less."""

import jax.numpy as jnp
from numpyro.distributions import LogNormal

from t2jax.laws.base import Law, law
from t2jax.laws.loss.data_constrained import worth
from t2jax.laws.parameter import coefficient, param
from t2jax.typing import Array, ArrayLike, Scalar


@law
class ExcessParams(Law):
    """L(N, D, U) = E + A/N'^α + B/D'^β, where repeated tokens and excess parameters are worth less, in nats per token.

    D' = u·(1 + R_D·(1 - exp(-(D/u - 1)/R_D))) with u = min(D, U) unique tokens, and N' likewise from R_N and the
    v = min(N, N_opt(u)) parameters that u tokens call for: N_opt has α·A/N^α = β·B/D^β at D = u. Called without U
    every token is new, but a model larger than its tokens call for is discounted even so. Any N, D, U > 0; falls in
    all: in D no further than D' = U·(1 + R_D), in N than N' = N_opt·(1 + R_N), and not at all in U >= D. With R_N
    without end it is `DataConstrained`, which goes on any loss law; this one needs Chinchilla's optimum.
    Source: Muennighoff et al. 2023 (2305.16264), eqs. 5 to 7; they find R_D = 15.4 and R_N = 5.3.

    Priors: R_D as in `DataConstrained`, the loss law as in Chinchilla; R_N within 1.7 to 17 at 90 %, around what the
    source measured.
    """

    E: Scalar = param(LogNormal(0.5, 0.5), unit="nats/token", doc="irreducible loss")
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
