"""T² Approach 1: samples lower the loss by a power law of their own."""

from typing import ClassVar

from numpyro.distributions import LogNormal

from t2jax.laws.base import Law, law, part
from t2jax.laws.loss.chinchilla import Chinchilla
from t2jax.laws.parameter import coefficient, param
from t2jax.numerics.special import inverse_power
from t2jax.typing import Array, ArrayLike, Scalar


@law
class T2Loss(Law):
    """L(N, D, k) = loss(N, D) + G/k^γ, the mean over questions of -log pass@k in nats.

    loss is Chinchilla unless `T2Loss.on(other)` is used. Any N, D > 0 and k >= 1; falls in all. At k = 1 it is the loss
    law with E' = E + G, so a table with one k alone determines neither G nor γ. Source: Roberts et al. 2026
    (2604.01411), Approach 1.

    Priors: G within 0.2 to 5 nats at 90 %, as sampling gains no more than the loss of one sample has to give, which is
    some nats; γ 0.12 to 1.2, from hardly any gain by a thousand samples to one over k.
    """

    loss: Law = part(Chinchilla)
    G: Scalar = coefficient(LogNormal(0.0, 1.0), unit="nats", doc="gain of sampling", of="k", exponent="gamma")
    gamma: Scalar = param(LogNormal(-1.0, 0.7), unit="1", doc="sampling exponent")

    response: ClassVar[tuple[str, ...]] = ("neg_log_pass", "loss")
    linear: ClassVar[tuple[str, ...]] = ("E", "A", "B", "G")
    convex: ClassVar[bool] = True

    def __call__(self, N: ArrayLike, D: ArrayLike, k: ArrayLike, **more: ArrayLike) -> Array:
        return self.loss(N, D, **more) + self.G * inverse_power(k, self.gamma)
