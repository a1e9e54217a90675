"""T² Approach 1, in which samples lower the loss by a power law of their own."""

from typing import ClassVar

from t2jax.laws.base import Law, law, part
from t2jax.laws.loss.chinchilla import Chinchilla
from t2jax.laws.parameter import coefficient, param
from t2jax.laws.priors import LogNormal
from t2jax.numerics.special import inverse_power
from t2jax.typing import Array, ArrayLike, Scalar


@law
class T2Loss(Law):
    """L(N, D, k) = loss(N, D) + G/k^γ, the mean over questions of -log pass@k in nats.

    The loss law is `Chinchilla` unless `T2Loss.on(other)` replaces it.
    The law holds for any N, D > 0 and k >= 1 and falls in all of them.
    At k = 1 it is the loss law with E' = E + G. A table with a single k thus determines neither G nor γ.
    Source: Roberts et al. 2026 (2604.01411), Approach 1.

    Priors (90 % ranges): G is 0.2 to 5 nats, since sampling gains at most the loss of one sample, a few nats.
    γ is 0.12 to 1.2, from hardly any gain by a thousand samples to a decay as 1/k.

    Examples:
        >>> loss = t2.laws.Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
        >>> law = t2.laws.T2Loss(loss=loss, G=0.8, gamma=0.5)
        >>> round(float(law(1e9, 2e10, 16.0)), 3)
        2.664
    """

    loss: Law = part(Chinchilla)
    G: Scalar = coefficient(LogNormal(0.0, 1.0), unit="nats", doc="gain of sampling", of="k", exponent="gamma")
    gamma: Scalar = param(LogNormal(-1.0, 0.7), unit="1", doc="sampling exponent")

    response: ClassVar[tuple[str, ...]] = ("neg_log_pass", "loss")
    linear: ClassVar[tuple[str, ...]] = ("E", "A", "B", "G")
    convex: ClassVar[bool] = True

    def __call__(self, N: ArrayLike, D: ArrayLike, k: ArrayLike, **more: ArrayLike) -> Array:
        return self.loss(N, D, **more) + self.G * inverse_power(k, self.gamma)
