"""Shape of a transformer: layers, width, heads and experts as functions of its number of parameters."""

from dataclasses import dataclass

import jax.numpy as jnp

from t2jax.planning.prices.hardware import check_positive
from t2jax.planning.prices.terms import Term
from t2jax.pytrees import register
from t2jax.typing import Array, ArrayLike


@dataclass(frozen=True)
class Shape:
    """Width and depth of a transformer as functions of its number of parameters.

    The model has N = 12·depth·width² parameters (Kaplan et al. 2020, 2001.08361, table 1).
    The ratio of width to depth is constant, so depth·width grows as N^(2/3).

    Args:
        aspect: Width over depth. GPT-3 and Llama 7B have 128.
        kv_share: Width of the cached keys and values over the model's width. It is 1 for plain attention, and 1/8 if
            eight query heads share one key head.

    Raises:
        ValueError: When a number is not positive.

    Examples:
        >>> shape = t2.Shape(aspect=128.0)
        >>> round(float(shape.depth(7e9)), 1), round(float(shape.width(7e9)))
        (32.9, 4211)
    """

    aspect: ArrayLike = 128.0
    kv_share: ArrayLike = 1.0

    def __post_init__(self):
        check_positive(self, ("aspect", "kv_share"))

    def depth(self, N: ArrayLike) -> Array:
        """Computes the number of layers.

        Args:
            N: Number of parameters.

        Returns:
            Layers, not rounded, in the shape of `N`.
        """
        return (jnp.asarray(N) / (12 * jnp.asarray(self.aspect) ** 2)) ** (1 / 3)

    def width(self, N: ArrayLike) -> Array:
        """Computes the width of the residual stream.

        Args:
            N: Number of parameters.

        Returns:
            The width, not rounded, in the shape of `N`.
        """
        return jnp.asarray(self.aspect) * self.depth(N)

    def attention(self) -> Term:
        """Returns the FLOPs with which one token attends to one other token.

        They count a dot product and a weighted sum of values, in all layers.

        Returns:
            One term in N.
        """
        return Term((2 / 3, 0.0, 0.0), 4 * self.depth(1.0) * self.width(1.0))

    def cached(self) -> Term:
        """Returns how many numbers the KV cache stores for each token.

        The cache stores a key and a value in all layers.

        Returns:
            One term in N.
        """
        return Term((2 / 3, 0.0, 0.0), 2 * self.kv_share * self.depth(1.0) * self.width(1.0))


register(Shape, ("aspect", "kv_share"))
