"""T² Approach 2, in which the loss determines the distribution of success probabilities over questions."""

from collections.abc import Mapping
from typing import ClassVar, cast

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.laws.base import Law, Part, law, part
from t2jax.laws.frames import Top
from t2jax.laws.loss.chinchilla import Chinchilla
from t2jax.laws.parameter import param
from t2jax.laws.priors import LogNormal, Normal, Uniform
from t2jax.laws.selection.oracle import Oracle
from t2jax.typing import Array, ArrayLike, Scalar


@law
class T2PassK(Law):
    """pass@k(N, D, k) = 1 - B(a, b+k)/B(a, b) with a = μν, b = (1-μ)ν; μ = θ2/(1 + exp(θ1(L-θ0))), ν = exp(θ3 + θ4 L).

    L = loss(N, D) is the task loss at k = 1, by `Chinchilla` unless `T2PassK.on(other)` replaces it.
    pass@k has an oracle, `Oracle`. `T2PassK.on(Verifier)` and `t2.laws.select` put a fallible selection in its place.
    The success probabilities of questions are Beta(a, b) with mean μ.
    The law holds for any N, D > 0 and k >= 1. pass@k always rises in k, and at k = 1 it rises in N and D.
    At k > 1 it may fall in N or D, since ν depends on the loss too.
    Source: Roberts et al. 2026 (2604.01411), Approach 2.

    Without a `loss` column L is latent: E, θ0 and θ3 shift it, and A, B, θ0, θ1 and θ4 scale it.
    Only combinations of them are identified, so `gauge` fixes E = 0 and θ1 = 1: L is then in logits of μ/θ2.

    Priors (90 % ranges): θ0 is -3 to 7 nats, which includes a latent loss that is zero at its floor.
    θ1 is 0.5 to 5 logits per nat, from a slow rise to a jump within a nat. θ2 is uniform.
    ν goes from questions that nearly all differ (e^-5) to questions that are alike (e^5).
    It changes by a factor of 5 per nat at most, in either direction.

    Examples:
        >>> loss = t2.laws.Chinchilla(E=0.5, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
        >>> law = t2.laws.T2PassK(loss=loss, theta0=1.0, theta1=2.0, theta2=0.9, theta3=1.0, theta4=0.0)
        >>> [round(float(law(1e9, 2e10, k)), 3) for k in (1.0, 16.0)]
        [0.377, 0.909]
    """

    loss: Law = part(Chinchilla)
    theta0: Scalar = param(Normal(2.0, 3.0), unit="nats", doc="loss at half of the highest mean success")
    theta1: Scalar = param(LogNormal(0.5, 0.7), unit="1/nats", doc="steepness of the mean success")
    theta2: Scalar = param(Uniform(0.0, 1.0), unit="1", doc="highest mean success")
    theta3: Scalar = param(Normal(0.0, 3.0), unit="1", doc="log of the sample size ν at zero loss")
    theta4: Scalar = param(Normal(0.0, 1.0), unit="1/nats", doc="change of log ν with the loss")
    selection: Law = part(Oracle, predicts="success")

    response: ClassVar[tuple[str, ...]] = ("pass_at_k",)
    gauge: ClassVar[Mapping[str, float]] = {"E": 0.0, "theta1": 1.0}

    @classmethod
    def frame(cls, inputs: Mapping[str, np.ndarray]) -> Top:
        loss = cast(Part, cls.fields["loss"]).default
        return Top(loss, {name: float(inputs[name].max()) for name in loss.inputs() if name in inputs})

    def __call__(self, N: ArrayLike, D: ArrayLike, k: ArrayLike, **more: ArrayLike) -> Array:
        return jnp.exp(-self.cost(N, D, k, **more))

    def cost(self, N: ArrayLike, D: ArrayLike, k: ArrayLike, **more: ArrayLike) -> Array:
        return self.selection.cost(*self.questions(N, D, **more), k)

    def expected_samples(self, N: ArrayLike, D: ArrayLike, k: ArrayLike, **more: ArrayLike) -> Array:
        return self.selection.expected_samples(*self.questions(N, D, **more), k)

    def questions(self, N: ArrayLike, D: ArrayLike, **more: ArrayLike) -> tuple[Array, Array]:
        loss = self.loss(N, D, **more)
        logit = self.theta1 * (self.theta0 - loss)
        mean = self.theta2 * jax.nn.sigmoid(logit)
        # 1 - θ2 σ(x) = σ(-x) + (1 - θ2) σ(x) keeps its digits as the mean goes to one
        rest = jax.nn.sigmoid(-logit) + (1 - self.theta2) * jax.nn.sigmoid(logit)
        log_size = jnp.asarray(self.theta3 + self.theta4 * loss)
        most = np.log(jnp.finfo(log_size.dtype).max)
        size = jnp.exp(jnp.clip(log_size, -0.16 * most, 0.9 * most))  # a and b stay numbers and keep their ratio
        return mean * size, rest * size
