"""T² Approach 1 for base models and the same models after post-training, which moves the cost by a shared shift."""

from typing import ClassVar

import jax.numpy as jnp

from t2jax.laws.base import Law, law, part
from t2jax.laws.loss.chinchilla import Chinchilla
from t2jax.laws.parameter import coefficient, param
from t2jax.laws.priors import LogNormal, Normal
from t2jax.numerics.special import inverse_power
from t2jax.typing import Array, ArrayLike, Scalar

CHINCHILLA_RATIO = 20.0  # tokens per parameter, where the drift is zero


@law
class PostTrained(Law):
    """L(N, D, k, tuned) = L0·(s·L0^(h-1)·(D/20N)^c)^tuned, L0 = loss(N, D) + G/k^γ, the mean of -log pass@k in nats.

    The column `tuned` is 0 for a base model and 1 after post-training, and commands make it from `--stage`.
    All checkpoints share the shift: a scale s, a power h of the base model's cost, and a drift c with tokens per
    parameter. A positive drift means that models trained longer gain less. A table of base runs and a handful of
    post-trained ones determines all of it, and plans hold `tuned` at 1.
    The loss law is `Chinchilla` unless `PostTrained.on(other)` replaces it.
    The law holds for any N, D > 0 and k >= 1. With a drift it need not fall in N or D.
    Source: after T2Loss of Roberts et al. 2026 (2604.01411), who fit each stage by itself. A shift shared
    over checkpoints is ours.

    Priors (90 % ranges): G and γ are as in `T2Loss`. s is .25 to 2.2, from a large gain to harm. h is .61 to 1.6,
    around a cost that changes by a factor. c is -.08 to .08: a doubling of D/N changes the cost by 6 % at most.

    Examples:
        >>> loss = t2.laws.Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
        >>> law = t2.laws.PostTrained(loss=loss, G=0.8, gamma=0.5, scale=0.5, power=1.1, drift=0.02)
        >>> [round(float(law(1e9, 2e10, 16.0, tuned)), 3) for tuned in (0.0, 1.0)]
        [2.664, 1.469]
    """

    loss: Law = part(Chinchilla)
    G: Scalar = coefficient(LogNormal(0.0, 1.0), unit="nats", doc="gain of sampling", of="k", exponent="gamma")
    gamma: Scalar = param(LogNormal(-1.0, 0.7), unit="1", doc="sampling exponent")
    scale: Scalar = param(LogNormal(-0.3, 0.66), unit="1", doc="factor of the cost after post-training, at 1 nat")
    power: Scalar = param(LogNormal(0.0, 0.3), unit="1", doc="power of the base model's cost after post-training")
    drift: Scalar = param(Normal(0.0, 0.05), unit="1", doc="exponent of D/N after post-training")

    response: ClassVar[tuple[str, ...]] = ("neg_log_pass", "loss")
    gaussian_in_log: ClassVar[bool] = True  # Huber's penalty has no curvature in the shift far from the rows

    def __call__(self, N: ArrayLike, D: ArrayLike, k: ArrayLike, tuned: ArrayLike, **more: ArrayLike) -> Array:
        base = self.loss(N, D, **more) + self.G * inverse_power(k, self.gamma)
        longer = jnp.log(jnp.asarray(D) / (CHINCHILLA_RATIO * jnp.asarray(N)))
        shift = jnp.log(self.scale) + (self.power - 1) * jnp.log(base) + self.drift * longer
        return base * jnp.exp(jnp.asarray(tuned) * shift)
