"""The baseline for T² Approach 2, in which every question has the same success probability."""

from collections.abc import Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp

from t2jax.laws.base import Law, law, part
from t2jax.laws.loss.chinchilla import Chinchilla
from t2jax.laws.parameter import param
from t2jax.laws.priors import LogNormal, Normal, Uniform
from t2jax.numerics.special import log_pass_at_k
from t2jax.typing import Array, ArrayLike, Scalar


@law
class T2PassKNaive(Law):
    """pass@k(N, D, k) = 1 - (1 - μ)^k with μ = θ2/(1 + exp(θ1(L-θ0))) and L = loss(N, D).

    The law holds for any N, D > 0 and k >= 1. pass@k rises in N, D and k.
    By concavity it overestimates pass@k whenever questions differ in difficulty.
    Without a `loss` column L is latent up to shift and scale; `gauge` then fixes E = 0 and θ1 = 1, as for `T2PassK`.
    Source: Roberts et al. 2026 (2604.01411), whose Approach 2 replaces it.

    The priors are the same as for `T2PassK`.

    Examples:
        >>> loss = t2.laws.Chinchilla(E=0.5, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
        >>> law = t2.laws.T2PassKNaive(loss=loss, theta0=1.0, theta1=2.0, theta2=0.9)
        >>> [round(float(law(1e9, 2e10, k)), 3) for k in (1.0, 16.0)]
        [0.377, 0.999]
    """

    loss: Law = part(Chinchilla)
    theta0: Scalar = param(Normal(2.0, 3.0), unit="nats", doc="loss at half of the highest success")
    theta1: Scalar = param(LogNormal(0.5, 0.7), unit="1/nats", doc="steepness of the success")
    theta2: Scalar = param(Uniform(0.0, 1.0), unit="1", doc="highest success")

    response: ClassVar[tuple[str, ...]] = ("pass_at_k",)
    gauge: ClassVar[Mapping[str, float]] = {"E": 0.0, "theta1": 1.0}

    def __call__(self, N: ArrayLike, D: ArrayLike, k: ArrayLike, **more: ArrayLike) -> Array:
        return jnp.exp(-self.cost(N, D, k, **more))

    def cost(self, N: ArrayLike, D: ArrayLike, k: ArrayLike, **more: ArrayLike) -> Array:
        success = self.theta2 * jax.nn.sigmoid(self.theta1 * (self.theta0 - self.loss(N, D, **more)))
        return -log_pass_at_k(success, k)
