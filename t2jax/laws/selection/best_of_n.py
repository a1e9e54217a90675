"""Selection of the sample with the highest reward."""

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import log_ndtr, ndtr, ndtri

from t2jax.laws.base import law
from t2jax.laws.parameter import param
from t2jax.laws.priors import Uniform
from t2jax.laws.selection.selection import Selection
from t2jax.typing import Array, Scalar

REWARDS = np.linspace(-10.0, 10.0, 201)
"""Nodes of the highest reward."""


@law
class BestOfN(Selection):
    """The sample with the highest reward among k is returned, by a reward that is correlated with correctness.

    Each sample has a latent quality z ~ N(0, 1) and is right if z exceeds the quantile with P(z > quantile) = p.
    Its reward is r = ρ·z + √(1-ρ²)·ε with ε ~ N(0, 1), so ρ is their correlation (the biserial one) at any p.
    The highest of k rewards has the density k·φ(r)·Φ(r)^(k-1), and the sample is right with probability
    Φ((ρ·r - quantile)/√(1-ρ²)). Success is the integral of their product, and its mean over Beta(a, b).
    With ρ = 0 it is p, and near 1 it is pass@k. Success rises in k to one, slowly: this reward is never gamed.
    Source: David and Galambos 1974 for concomitants of order statistics. Gao et al. 2022 (2210.10760) measured rewards
    that are gamed, whose true reward falls again at large k.

    The prior of ρ is uniform. The integral has ten digits for ρ up to 0.99 and k up to 1e5.

    Examples:
        >>> reward = t2.laws.BestOfN(correlation=0.6)
        >>> [round(float(reward(0.5, 2.0, k)), 3) for k in (1.0, 16.0, 256.0)]
        [0.2, 0.46, 0.644]
    """

    correlation: Scalar = param(Uniform(0.0, 1.0), unit="1", doc="correlation of the reward with the latent quality")

    def gain(self, p: Array, q: Array, k: Array) -> Array:
        step, rewards = REWARDS[1] - REWARDS[0], jnp.asarray(REWARDS, p.dtype)
        log_density = jnp.log(k) - rewards**2 / 2 - 0.5 * np.log(2 * np.pi) + (k - 1) * log_ndtr(rewards)
        weights = step * jnp.exp(log_density)
        # by the rarer of right and wrong answers, whose probability keeps its digits
        rare = p < 0.5
        threshold = jnp.abs(ndtri(jnp.where(rare, p, q)))[:, None]
        sign = jnp.where(rare, 1.0, -1.0)[:, None]
        noise = jnp.sqrt(1 - jnp.asarray(self.correlation) ** 2)
        rarer = ndtr((sign * self.correlation * rewards[None, :] - threshold) / noise) @ weights
        return jnp.where(rare, (rarer / p - 1) / q, (1 - rarer / q) / p)
