"""Precision in training: numbers of few bits are worth fewer parameters."""

from typing import ClassVar

import jax.numpy as jnp

from t2jax.laws.base import Law, law, part
from t2jax.laws.loss.chinchilla import Chinchilla
from t2jax.laws.parameter import param
from t2jax.laws.priors import LogNormal
from t2jax.typing import Array, ArrayLike, Scalar


@law
class EffectiveParams(Law):
    """L = loss(N', D) with N' = N·(1 - e^(-Pw/γw))·(1 - e^(-Pa/γa))·(1 - e^(-Pc/γc)).

    Pw, Pa and Pc are the bits in which weights, activations and the KV cache are trained.
    They come from columns `weight_bits`, `activation_bits` and `cache_bits`; in a call without them the factor is one.
    The loss law is `Chinchilla` unless `EffectiveParams.on(other)` replaces it.
    The loss falls in all inputs if the loss law falls in N and D. It is convex in (log N, log D) if that law is.
    For weights that are rounded after training put `Quantised` on this law.
    Source: Kumar et al. 2024 (2411.04330).

    Priors (90 % ranges): γw and γa are 1.1 to 5.7 bits (published: 2.67 and 2.21), so 8 bits cost 0.1 to 25 % of N.
    γc is 0.44 to 2.3 bits (published: 0.96).

    Examples:
        >>> bits = dict(gamma_weight=2.6745, gamma_activation=2.2102, gamma_cache=0.9578)
        >>> law = t2.laws.EffectiveParams(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37, **bits)
        >>> [round(float(law.share(weight_bits=b, activation_bits=b, cache_bits=b)), 4) for b in (16, 8, 4)]
        [0.9968, 0.9241, 0.6389]
    """

    loss: Law = part(Chinchilla)
    gamma_weight: Scalar = param(LogNormal(0.9, 0.5), unit="bits", doc="bits of weights that are worth 1 - 1/e of N")
    gamma_activation: Scalar = param(LogNormal(0.9, 0.5), unit="bits", doc="the same of activations")
    gamma_cache: Scalar = param(LogNormal(0.0, 0.5), unit="bits", doc="the same of the KV cache")

    linear: ClassVar[tuple[str, ...]] = ("E", "A", "B")
    convex: ClassVar[bool] = True

    def __call__(
        self,
        N: ArrayLike,
        D: ArrayLike,
        weight_bits: ArrayLike = jnp.inf,
        activation_bits: ArrayLike = jnp.inf,
        cache_bits: ArrayLike = jnp.inf,
        **more: ArrayLike,
    ) -> Array:
        return self.loss(N * self.share(weight_bits, activation_bits, cache_bits), D, **more)

    def share(
        self,
        weight_bits: ArrayLike = jnp.inf,
        activation_bits: ArrayLike = jnp.inf,
        cache_bits: ArrayLike = jnp.inf,
    ) -> Array:
        """Computes N'/N, the share of the parameters that numbers of so many bits are worth.

        Args:
            weight_bits: Bits of the weights.
            activation_bits: Bits of the activations.
            cache_bits: Bits of the KV cache.

        Returns:
            The share, from 0 to 1.
        """
        bits = (weight_bits, activation_bits, cache_bits)
        scales = (self.gamma_weight, self.gamma_activation, self.gamma_cache)
        weight, activation, cache = (-jnp.expm1(-jnp.asarray(b) / scale) for b, scale in zip(bits, scales, strict=True))
        return weight * activation * cache
