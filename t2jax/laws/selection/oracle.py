"""Selection by an oracle, which recognises every right answer."""

import jax.numpy as jnp

from t2jax.laws.base import law
from t2jax.laws.selection.acceptance import samples_to_acceptance
from t2jax.laws.selection.selection import Selection
from t2jax.numerics.special import log_pass_at_k_beta
from t2jax.typing import Array, ArrayLike


@law
class Oracle(Selection):
    """Success is pass@k = 1 - B(a, b+k)/B(a, b): one right answer among k is enough.

    This is what pass@k measures. A system has it where right answers are recognised, as by unit tests without a gap.
    A system that stops at the first right answer draws (1 - (1-p)^k)/p samples of a question on average.
    Source: Chen et al. 2021 (2107.03374) for pass@k.

    Examples:
        >>> round(float(t2.laws.Oracle()(0.5, 2.0, 16.0)), 3)
        0.684
    """

    def gain(self, p: Array, q: Array, k: Array) -> Array:
        return self.stops(p, q, k - 1)

    def stops(self, p: Array, q: Array, k: Array) -> Array:
        return samples_to_acceptance(p, q, k, true_positive=jnp.ones(()), false_positive=jnp.zeros(()))

    def cost(self, a: ArrayLike, b: ArrayLike, k: ArrayLike) -> Array:
        return -log_pass_at_k_beta(a, b, k)
