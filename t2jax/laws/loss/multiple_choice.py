"""The error on multiple-choice tasks: a sigmoid of the loss above the level of chance."""

from collections.abc import Mapping
from typing import ClassVar

import jax
import numpy as np

from t2jax.laws.base import Law, law, part
from t2jax.laws.coordinates import Frame
from t2jax.laws.frames import Below
from t2jax.laws.loss.chinchilla import Chinchilla
from t2jax.laws.parameter import param
from t2jax.laws.priors import LogNormal, Normal, Uniform
from t2jax.typing import Array, ArrayLike, Scalar


@law
class MultipleChoice(Law):
    """Err(L) = 1 - floor - gain/(1 + exp(k·(L - L0))), the error of a task at the loss L = loss(N, D).

    The accuracy is 1 - Err. It rises from the floor, the level of chance, to floor + gain, where questions stay open.
    `DownstreamError` has the upper half of such a curve alone, and no floor of the error.
    The loss law is `Chinchilla` unless `MultipleChoice.on(other)` replaces it.
    The error falls in N and D as the loss does. Fix the floor where it is known, as floor = 0.25 for four choices.
    A table with errors alone determines neither scale nor floor of the loss; `gauge` then fixes k = 1 and E = 0.
    Source: Bhagia et al. 2024 (2412.04403), eq. 2.

    Priors (90 % ranges): floor and gain are uniform, with a sum of at most 1.
    The midpoint L0 and the steepness k are as θ0 and θ1 of `T2PassK`: -2.9 to 6.9 nats, and 0.52 to 5.2 per nat.

    Examples:
        >>> loss = t2.laws.Chinchilla(E=1.8, A=470.0, B=2000.0, alpha=0.345, beta=0.365)
        >>> law = t2.laws.MultipleChoice(loss=loss, floor=0.25, gain=0.5, steepness=4.0, midpoint=2.6)
        >>> round(float(law(7e9, 3e13)), 3)
        0.294
    """

    loss: Law = part(Chinchilla)
    floor: Scalar = param(Uniform(0.0, 1.0), unit="1", doc="accuracy of guessing")
    gain: Scalar = param(Uniform(0.0, 1.0), unit="1", doc="highest accuracy less that of guessing")
    steepness: Scalar = param(LogNormal(0.5, 0.7), unit="1/nats", doc="steepness k of the accuracy in the loss")
    midpoint: Scalar = param(Normal(2.0, 3.0), unit="nats", doc="loss L0 at half of the gain")

    response: ClassVar[tuple[str, ...]] = ("error",)
    gauge: ClassVar[Mapping[str, float]] = {"E": 0.0, "steepness": 1.0}

    @classmethod
    def frame(cls, inputs: Mapping[str, np.ndarray]) -> Frame | None:
        del inputs
        return Below()

    def __call__(self, N: ArrayLike, D: ArrayLike, **more: ArrayLike) -> Array:
        reached = jax.nn.sigmoid(self.steepness * (self.midpoint - self.loss(N, D, **more)))
        return 1 - self.floor - self.gain * reached
