"""Chinchilla's law with a penalty for repeated tokens, which grows with the size of the model."""

from typing import ClassVar

import jax.numpy as jnp

from t2jax.laws.base import Law, law
from t2jax.laws.parameter import coefficient, param
from t2jax.laws.priors import LogNormal
from t2jax.numerics.special import inverse_power
from t2jax.typing import Array, ArrayLike, Scalar


@law
class HarmfulRepetition(Law):
    """L(N, D, U) = E + A/N^α + B/D^β + P·R^δ·(N/U)^κ in nats per token, with R = D/U - 1 repeats.

    U is the number of unique tokens. Where D <= U, and in a call without U, the law is `Chinchilla`.
    In D the loss has a least value, after which training longer does harm; `DataConstrained` only levels off.
    It has a least value in N too, which is larger for more unique tokens. It falls in U.
    The first repeat has a cusp where δ < 1, so one epoch of a larger model may be best; plans look at both sides.
    It is not convex in (log N, log D), so plans start their search in many places.
    `OverfittedRepetition` is another form, in which the size overfits at any number of repeats.
    Source: Lovelace et al. 2026 (2605.01640).

    Priors (90 % ranges): P is 8e-5 to 0.4 nats, the harm of one repeat to a model of as many params as unique tokens.
    Four epochs do little harm (2305.16264), and hundreds do some tenths of a nat.
    δ is 0.2 to 1.5 and κ 0.2 to 1.5, from a slow rise to one in proportion. The rest is as for `Chinchilla`.

    Examples:
        >>> values = dict(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
        >>> law = t2.laws.HarmfulRepetition(**values, P=0.01, delta=0.7, kappa=0.6)
        >>> [round(float(law(1e9, epochs * 1e8, U=1e8)), 3) for epochs in (1, 30, 300, 3000)]
        [4.442, 3.214, 4.571, 13.07]
    """

    E: Scalar = param(LogNormal(0.0, 1.0), unit="nats/token", doc="irreducible loss")
    A: Scalar = coefficient(LogNormal(6.0, 2.0), unit="nats·params^α", doc="size term", of="N", exponent="alpha")
    B: Scalar = coefficient(LogNormal(6.0, 2.0), unit="nats·tokens^β", doc="data term", of="D", exponent="beta")
    alpha: Scalar = param(LogNormal(-1.0, 0.5), unit="1", doc="size exponent")
    beta: Scalar = param(LogNormal(-1.0, 0.5), unit="1", doc="data exponent")
    P: Scalar = param(LogNormal(-5.2, 2.6), unit="nats/token", doc="harm of one repeat at N = U")
    delta: Scalar = param(LogNormal(-0.6, 0.6), unit="1", doc="exponent of the repeats in the harm")
    kappa: Scalar = param(LogNormal(-0.6, 0.6), unit="1", doc="exponent of params over unique tokens in the harm")

    kink_at_unique: ClassVar[bool] = True
    linear: ClassVar[tuple[str, ...]] = ("E", "A", "B", "P")

    def __call__(self, N: ArrayLike, D: ArrayLike, U: ArrayLike = jnp.inf) -> Array:
        N, D = jnp.asarray(N), jnp.asarray(D)
        repeated = D > U
        unique = jnp.where(repeated, U, 1.0)  # a place at which all derivatives are finite
        log_repeats = jnp.log(jnp.where(repeated, D / unique - 1, 1.0))
        log_ratio = jnp.log(jnp.where(repeated, N / unique, 1.0))
        harm = self.P * jnp.exp(self.delta * log_repeats + self.kappa * log_ratio)
        loss = self.E + self.A * inverse_power(N, self.alpha) + self.B * inverse_power(D, self.beta)
        return loss + jnp.where(repeated, harm, 0.0)
