"""The Chinchilla law with an interaction of size and data of either sign."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from t2jax.laws.base import Law, law
from t2jax.laws.coordinates import Frame
from t2jax.laws.frames import Falling
from t2jax.laws.parameter import coefficient, param
from t2jax.laws.priors import LogNormal, Normal
from t2jax.numerics.special import inverse_power
from t2jax.typing import Array, ArrayLike, Scalar


@law
class SignedInteraction(Law):
    """L(N, D) = E + a + b + f·a·b in nats per token, with a = A/N^α and b = B/D^β.

    It is `Interaction` with F = f·A·B of either sign. With f < 0 a token is worth more to a larger model.
    The loss falls in N while f·b > -1, and in D while f·a > -1. Beyond that it would rise.
    A fit keeps the loss falling at the smallest N and D of its table, and so throughout the table and beyond.
    It is not convex in (log N, log D) for f < 0, so plans start their search in many places.
    Source: Li et al. 2025 (2506.10972), whose grid of runs has f < 0; see `Farseer`.

    Priors (90 % ranges): f is -1.6 to 1.6 per nat, so at 0.5 nats of each term the interaction is at most 0.4 nats.
    The other priors are the same as for `Chinchilla`.

    Examples:
        >>> law = t2.laws.SignedInteraction(E=1.8, A=480.0, B=2100.0, f=-0.3, alpha=0.35, beta=0.37)
        >>> round(float(law(1e9, 2e10)), 3)
        2.431
    """

    E: Scalar = param(LogNormal(0.0, 1.0), unit="nats/token", doc="irreducible loss")
    A: Scalar = coefficient(LogNormal(6.0, 2.0), unit="nats·params^α", doc="size term", of="N", exponent="alpha")
    B: Scalar = coefficient(LogNormal(6.0, 2.0), unit="nats·tokens^β", doc="data term", of="D", exponent="beta")
    f: Scalar = param(Normal(0.0, 1.0), unit="1/nats", doc="interaction, relative to the product of the terms")
    alpha: Scalar = param(LogNormal(-1.0, 0.5), unit="1", doc="size exponent")
    beta: Scalar = param(LogNormal(-1.0, 0.5), unit="1", doc="data exponent")

    linear: ClassVar[tuple[str, ...]] = ("E",)

    def __call__(self, N: ArrayLike, D: ArrayLike) -> Array:
        size, data = self.A * inverse_power(N, self.alpha), self.B * inverse_power(D, self.beta)
        return self.E + size + data + self.f * size * data

    @classmethod
    def frame(cls, inputs: Mapping[str, np.ndarray]) -> Frame | None:
        return Falling(float(np.min(inputs["N"])), float(np.min(inputs["D"])))
