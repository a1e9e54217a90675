"""The error on downstream tasks as a function of the loss."""

from collections.abc import Mapping
from typing import ClassVar

import jax.numpy as jnp

from t2jax.laws.base import Law, law, part
from t2jax.laws.loss.overtraining import Overtraining
from t2jax.laws.parameter import param
from t2jax.laws.priors import LogNormal, Uniform
from t2jax.typing import Array, ArrayLike, Scalar


@law
class DownstreamError(Law):
    """Err(L) = ε - d·exp(-r·L), the mean top-1 error of downstream tasks at the loss L = loss(N, D).

    The loss law is `Overtraining` unless `DownstreamError.on(other)` replaces it.
    The error rises with the loss to ε, the error of guessing, so it falls in N and D.
    The law holds over the range of measured losses; beyond it, predicted errors may be negative.
    A table with errors alone determines neither scale nor floor of the loss; `gauge` then fixes r = 1 and E = 0.
    Source: Gadre et al. 2024 (2403.08540), eq. 5.

    Priors (90 % ranges): ε is uniform from 0 to 1.
    d·exp(-r·L) reduces an error of one half to zero at a loss of -0.4 to 4 nats.
    For an error of any ε that loss is -0.6 to 5.4 nats.
    This includes a latent loss, which is zero at its floor.
    r is 0.44 to 2.3 per nat, from a slow fall to one within a nat.

    Examples:
        >>> loss = t2.laws.Overtraining(E=1.8, a=200.0, b=300.0, eta=0.15)
        >>> law = t2.laws.DownstreamError(loss=loss, epsilon=0.8, drop=2.0, rate=0.9)
        >>> round(float(law(1e9, 2e10)), 3)
        0.546
    """

    loss: Law = part(Overtraining)
    epsilon: Scalar = param(Uniform(0.0, 1.0), unit="1", doc="error of guessing")
    drop: Scalar = param(LogNormal(0.5, 1.0), unit="1", doc="reduction of the error, times exp(r·L)")
    rate: Scalar = param(LogNormal(0.0, 0.5), unit="1/nats", doc="decay rate of the reduction with the loss")

    response: ClassVar[tuple[str, ...]] = ("error",)
    gauge: ClassVar[Mapping[str, float]] = {"E": 0.0, "rate": 1.0}

    def __call__(self, N: ArrayLike, D: ArrayLike, **more: ArrayLike) -> Array:
        return self.epsilon - self.drop * jnp.exp(-self.rate * self.loss(N, D, **more))
