"""Shape of a transformer: layers, width, heads and experts as functions of its number of parameters."""

from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp

from t2jax.planning.prices.hardware import check_positive
from t2jax.planning.prices.model_config import read_model_config
from t2jax.planning.prices.terms import Term, as_number
from t2jax.pytrees import register
from t2jax.typing import Array, ArrayLike

KAPLAN = 12.0
"""Parameters over depth·width² without embeddings, with feed-forward layers four times as wide as the model."""


@dataclass(frozen=True)
class Shape:
    """Width, depth, heads and experts of a transformer as functions of its number of parameters.

    The model has N = density·depth·width² parameters. Without embeddings the density is 12 (Kaplan et al. 2020,
    2001.08361, table 1). Width over depth, the density and all shares are the same at every N.
    So depth and width grow as N^(1/3), and the KV cache grows as N^(2/3).
    `Shape.from_config` describes a model that exists, exactly at its own size.

    Args:
        aspect: Width over depth. GPT-3 and Llama 7B have 128.
        kv_share: Width of the cached keys and values over the model's width. It is 1 for plain attention, and 1/8 if
            eight query heads share one key head.
        attention_share: Width of all query heads together over the model's width, 1 by default.
        density: N over depth·width², 12 by default.
        active_ratio: Parameters that compute one token, over N. It is 1 by default. The look-up of embeddings and idle
            experts compute nothing.
        total_ratio: Parameters in memory over N, 1 by default.
        expert_share: Experts that compute one token over all experts. It determines which weights a batch reads.
            Without it, a batch reads those that compute one token.

    Raises:
        ValueError: When a number is not positive.

    Examples:
        >>> shape = t2.Shape(aspect=128.0)
        >>> round(float(shape.depth(7e9)), 1), round(float(shape.width(7e9)))
        (32.9, 4211)
    """

    aspect: ArrayLike = 128.0
    kv_share: ArrayLike = 1.0
    attention_share: ArrayLike | None = None
    density: ArrayLike | None = None
    active_ratio: ArrayLike | None = None
    total_ratio: ArrayLike | None = None
    expert_share: ArrayLike | None = None

    def __post_init__(self):
        check_positive(self, FIELDS)

    @staticmethod
    def from_config(path: str | Path, params: float | None = None) -> "Shape":
        """Returns the shape of a model that exists, from its Hugging Face `config.json`.

        The shape is exact for a model of `params` parameters. At another N, depth and width grow as N^(1/3), and heads,
        feed-forward layers, vocabulary and experts keep their proportions.

        Args:
            path: A `config.json`, or a folder that holds one.
            params: N of this model, as the law and the table count it. By default all parameters that are active for
                one token, with embeddings. Give another count if the table leaves embeddings out or holds all experts.

        Returns:
            The shape.

        Raises:
            ValueError: When there is no such file, a key is missing or wrong, or the model caches something else than
                keys and values. The message names the file and the key.

        Examples:
            >>> import json, pathlib, tempfile
            >>> llama = {"hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "vocab_size": 128256}
            >>> llama |= {"num_key_value_heads": 8, "intermediate_size": 14336, "tie_word_embeddings": False}
            >>> path = pathlib.Path(tempfile.mkdtemp()) / "config.json"
            >>> path.write_text(json.dumps(llama)) > 0
            True
            >>> shape = t2.Shape.from_config(path, params=8.03e9)
            >>> 2 * round(float(shape.cached_numbers(8.03e9)), 2)  # bytes of a cached token in bf16
            131072.0
        """
        config = read_model_config(path)
        counted = config.active_params if params is None else params
        return Shape(
            aspect=config.width / config.layers,
            kv_share=config.kv_heads * config.head_size / config.width,
            attention_share=config.heads * config.head_size / config.width,
            density=counted / (config.layers * config.width**2),
            active_ratio=config.computing_params / counted,
            total_ratio=config.params / counted,
            expert_share=None if config.experts == 1 else config.experts_per_token / config.experts,
        )

    def depth(self, N: ArrayLike) -> Array:
        """Computes the number of layers.

        Args:
            N: Number of parameters.

        Returns:
            Layers, not rounded, in the shape of `N`.
        """
        density = KAPLAN if self.density is None else jnp.asarray(self.density)
        return (as_number(N) / (density * jnp.asarray(self.aspect) ** 2)) ** (1 / 3)

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
        per_layer = Term((2 / 3, 0.0, 0.0), 4 * self.depth(1.0) * self.width(1.0))
        return per_layer if self.attention_share is None else per_layer.times(self.attention_share)

    def cached(self) -> Term:
        """Returns how many numbers the KV cache stores for each token.

        The cache stores a key and a value in all layers. Layers that attend to a window only are counted in full.

        Returns:
            One term in N.
        """
        return Term((2 / 3, 0.0, 0.0), 2 * self.kv_share * self.depth(1.0) * self.width(1.0))

    def cached_numbers(self, N: ArrayLike) -> Array:
        """Computes how many numbers the KV cache stores for each token.

        Args:
            N: Number of parameters.

        Returns:
            Numbers per token, in the shape of `N`. Times the bytes of a number, usually 2, it is the cache per token.
        """
        powers, coefficient = self.cached()
        return jnp.asarray(coefficient) * as_number(N) ** powers[0]

    def computing(self) -> Term:
        """Returns the parameters that compute one token.

        Returns:
            One term in N.
        """
        return _share_of_params(self.active_ratio)

    def stored(self) -> Term:
        """Returns the parameters in memory.

        Returns:
            One term in N.
        """
        return _share_of_params(self.total_ratio)

    def read(self, batch: ArrayLike) -> Term:
        """Returns the parameters that are read from memory to decode one token of each sequence in a batch.

        Each sequence picks its experts at random. One sequence reads the active parameters, a large batch reads all.
        A parameter of an expert stays idle with probability (1 - expert_share)^batch.

        Args:
            batch: Sequences that are decoded together.

        Returns:
            One term in N.
        """
        if self.expert_share is None:
            return self.computing()
        total, active = self.stored().coefficient, self.computing().coefficient
        idle = (1.0 - jnp.asarray(self.expert_share)) ** (jnp.asarray(batch) - 1.0)
        return _share_of_params(total - (total - jnp.asarray(active)) * idle)  # pyright: ignore[reportOperatorIssue]


def _share_of_params(ratio: ArrayLike | None) -> Term:
    return Term((1.0, 0.0, 0.0), 1.0 if ratio is None else ratio)


FIELDS = ("aspect", "kv_share", "attention_share", "density", "active_ratio", "total_ratio", "expert_share")
register(Shape, FIELDS)
