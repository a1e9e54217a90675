"""Precision in serving: what is lost when weights are rounded after training."""

from typing import ClassVar

import jax.numpy as jnp

from t2jax.laws.base import Law, law, part
from t2jax.laws.loss.chinchilla import Chinchilla
from t2jax.laws.parameter import param
from t2jax.laws.priors import LogNormal
from t2jax.numerics.special import inverse_power
from t2jax.typing import Array, ArrayLike, Scalar

BILLION = 1e9


@law
class Quantised(Law):
    """L = loss(N, D) + C·d^γD/n^γN·e^(-P/γ) in nats per token, with d = D/1e9 and n = N/1e9.

    P are the bits in which the weights are served, from the column `served_bits`; without it nothing is lost.
    The loss law is `Chinchilla` unless `Quantised.on(other)` replaces it, such as `EffectiveParams`.
    A model that saw more tokens for each param loses more, so for few bits the loss rises in D from some D on.
    It falls in P, and in N if the loss law does. It is convex in (log N, log D) if that law is.
    A plan reads P from `Serving.weight_bytes`.
    Source: Kumar et al. 2024 (2411.04330), whose C_T is C·1e9^(γN-γD).

    Priors (90 % ranges): γ is 0.26 to 1.4 bits, as each bit less about doubles to tenfolds what is lost.
    γD and γN are 0.2 to 1.2, around a dependence on the tokens per param with a power of one half.
    C is 0.08 to 11,000 nats, so that 1e9 params on 2e10 tokens lose around a tenth of a nat in 4 bits.

    Examples:
        >>> loss = t2.laws.Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
        >>> law = t2.laws.Quantised(loss=loss, C=20.0, gamma_D=0.5, gamma_N=0.4, gamma=0.6)
        >>> [round(float(law(1e9, tokens, served_bits=4.0)), 3) for tokens in (2e10, 2e12, 2e14)]
        [2.578, 3.337, 13.533]
    """

    loss: Law = part(Chinchilla)
    C: Scalar = param(LogNormal(3.4, 3.6), unit="nats/token", doc="loss of 1e9 params and tokens per e^(-P/γ)")
    gamma_D: Scalar = param(LogNormal(-0.7, 0.5), unit="1", doc="exponent of tokens in what is lost")
    gamma_N: Scalar = param(LogNormal(-0.7, 0.5), unit="1", doc="exponent of params in what is lost")
    gamma: Scalar = param(LogNormal(-0.5, 0.5), unit="bits", doc="bits that divide what is lost by e")

    linear: ClassVar[tuple[str, ...]] = ("E", "A", "B", "C")
    convex: ClassVar[bool] = True

    def __call__(self, N: ArrayLike, D: ArrayLike, served_bits: ArrayLike = jnp.inf, **more: ArrayLike) -> Array:
        return self.loss(N, D, **more) + self.lost(N, D, served_bits)

    def lost(self, N: ArrayLike, D: ArrayLike, served_bits: ArrayLike) -> Array:
        """Computes what is lost by rounding the weights.

        Args:
            N: Number of parameters.
            D: Number of training tokens.
            served_bits: Bits in which the weights are served.

        Returns:
            Nats per token.
        """
        grown = inverse_power(jnp.asarray(D) / BILLION, -self.gamma_D) * inverse_power(
            jnp.asarray(N) / BILLION, self.gamma_N
        )
        return self.C * grown * jnp.exp(-jnp.asarray(served_bits) / self.gamma)
