"""A bounded law of the loss in which models that are large for their unique tokens overfit."""

from typing import ClassVar

import jax.numpy as jnp

from t2jax.laws.base import Law, law
from t2jax.laws.parameter import coefficient, param
from t2jax.laws.priors import LogNormal
from t2jax.numerics.special import inverse_power
from t2jax.typing import Array, ArrayLike, Scalar

BILLION = 1e9


@law
class OverfittedRepetition(Law):
    """L(N, D, U) = E + (L0 - E)·h/(1 + h) in nats per token, with h = A/N^α + B/D^β + C·n^γ/u^δ.

    n = N/1e9, and u = min(D, U)/1e9 counts the distinct ones of all D tokens that are read.
    The paper has c·N^γ/D^δ for the last term, so C = c·1e9^(γ-δ). In a call without U every token is new.
    The loss stays between E and L0. It falls in D and in U, and in N it has a least value.
    The last term does not depend on the repeats, so training longer never does harm here; see `HarmfulRepetition`.
    It is h that is convex in (log N, log D), and the loss rises with h.
    Source: Bryant & Liu 2026 (2605.09189).

    Priors (90 % ranges): L0 is 5.6 to 18 nats, around the loss of guessing evenly among 4,000 to 260,000 tokens.
    h is about the reducible loss over L0 - E, so it is about one for the smallest models.
    α and β are 0.19 to 1.3, as the bounded form needs steeper terms, and A and B carry the units of N and D.
    C is 1e-4 to 0.35. γ and δ are 0.2 to 1.5, from a slow rise to one in proportion.

    Examples:
        >>> values = dict(E=1.8, L0=10.0, A=60.0, B=260.0, alpha=0.35, beta=0.37, C=0.01, gamma=0.7, delta=0.7)
        >>> law = t2.laws.OverfittedRepetition(**values)
        >>> [round(float(law(size, 2e10, U=1e8)), 3) for size in (1e8, 1e9, 1e10)]
        [2.84, 2.761, 3.742]
    """

    E: Scalar = param(LogNormal(0.0, 1.0), unit="nats/token", doc="irreducible loss")
    L0: Scalar = param(LogNormal(2.3, 0.35), unit="nats/token", doc="loss of no model at all")
    A: Scalar = coefficient(LogNormal(6.0, 3.0), unit="params^α", doc="size term", of="N", exponent="alpha")
    B: Scalar = coefficient(LogNormal(9.0, 5.0), unit="tokens^β", doc="data term", of="D", exponent="beta")
    alpha: Scalar = param(LogNormal(-0.7, 0.6), unit="1", doc="size exponent")
    beta: Scalar = param(LogNormal(-0.7, 0.6), unit="1", doc="data exponent")
    C: Scalar = param(LogNormal(-5.0, 2.4), unit="1", doc="overfitting of 1e9 params to 1e9 unique tokens")
    gamma: Scalar = param(LogNormal(-0.6, 0.6), unit="1", doc="exponent of params in the overfitting")
    delta: Scalar = param(LogNormal(-0.6, 0.6), unit="1", doc="exponent of unique tokens in the overfitting")

    kink_at_unique: ClassVar[bool] = True

    def __call__(self, N: ArrayLike, D: ArrayLike, U: ArrayLike = jnp.inf) -> Array:
        N, D = jnp.asarray(N), jnp.asarray(D)
        unique = jnp.minimum(D, U)
        overfitting = self.C * inverse_power(N / BILLION, -self.gamma) * inverse_power(unique / BILLION, self.delta)
        height = self.A * inverse_power(N, self.alpha) + self.B * inverse_power(D, self.beta) + overfitting
        return self.E + (self.L0 - self.E) * (height / (1 + height))
