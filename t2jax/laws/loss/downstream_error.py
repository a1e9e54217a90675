"""From loss to accuracy: the error on downstream tasks as a function of a loss law."""

from collections.abc import Mapping
from typing import ClassVar

import jax.numpy as jnp
from numpyro.distributions import LogNormal, Uniform

from t2jax.laws.base import Law, law, part
from t2jax.laws.loss.overtraining import Overtraining
from t2jax.laws.parameter import param
from t2jax.typing import Array, ArrayLike, Scalar


@law
class DownstreamError(Law):
    """Err(L) = ε - d·exp(-r·L), the mean top-1 error of downstream tasks at the loss L = loss(N, D).

    loss is Gadre's law of overtraining unless `DownstreamError.on(other)` is used. Rises in the loss, to ε, the error
    of guessing; so it falls in N and D. The link holds over the losses measured, beyond which errors may turn negative.
    A table of errors alone leaves the scale of the loss and its floor open, and `gauge` then holds r = 1 and E = 0.
    Source: Gadre et al. 2024 (2403.08540), eq. 5.

    Priors: any ε alike; d·exp(-r·L) takes an error of one half to none at a loss of -0.4 to 4 nats at 90 % (an error of
    any ε at -0.6 to 5.4), which takes in a latent loss, whose zero is its floor; r within 0.44 to 2.3 per nat, from a
    slow fall to one that is over within a nat.
    """

    loss: Law = part(Overtraining)
    epsilon: Scalar = param(Uniform(0.0, 1.0), unit="1", doc="error without any skill")
    drop: Scalar = param(LogNormal(0.5, 1.0), unit="1", doc="what the error falls by, times exp(r·L)")
    rate: Scalar = param(LogNormal(0.0, 0.5), unit="1/nats", doc="how fast the error falls as the loss does")

    response: ClassVar[tuple[str, ...]] = ("error",)
    gauge: ClassVar[Mapping[str, float]] = {"E": 0.0, "rate": 1.0}

    def __call__(self, N: ArrayLike, D: ArrayLike, **more: ArrayLike) -> Array:
        return self.epsilon - self.drop * jnp.exp(-self.rate * self.loss(N, D, **more))
