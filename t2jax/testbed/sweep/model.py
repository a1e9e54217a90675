"""The testbed's language model, a small decoder in Flax NNX.

It has pre-RMSNorm (Zhang & Sennrich 2019, 1910.07467) and one matrix for input and output embeddings.
Its causal attention has linear position biases (ALiBi, Press et al. 2021, 2108.12409).
Suffixes of names are shapes: B sequences, L positions, H heads, D width, V vocabulary.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import nnx

from t2jax.testbed.text.tokenizer import VOCABULARY
from t2jax.typing import Array, Float, Int


@dataclass(frozen=True)
class Shape:
    """Shape of a model; `width` is the width of the residual stream, which the heads share equally."""

    width: int
    layers: int = 3
    heads: int = 4
    vocabulary: int = VOCABULARY

    @property
    def params(self) -> int:
        """Parameters of the blocks, the N of the laws: 12·layers·width² and the gains of the norms."""
        return self.layers * (12 * self.width**2 + 2 * self.width) + self.width

    @property
    def params_with_embeddings(self) -> int:
        """Parameters of the blocks and the token embeddings."""
        return self.params + self.vocabulary * self.width

    def forward_flops(self, context: int) -> int:
        """Computes the FLOPs of one token's forward pass, as a mean over the positions of a context.

        They are 2 per parameter of the blocks and 2·vocabulary·width for the output matrix. Scores and sums of heads
        take 4·layers·width per position seen, of which there are (context + 1)/2. Training takes thrice that.
        """
        head = 2 * self.vocabulary * self.width
        return 2 * self.params + head + 2 * self.layers * self.width * (context + 1)


class Attention(nnx.Module):
    """Causal self-attention; the score of a key falls linearly with its distance, with one slope per head."""

    def __init__(self, shape: Shape, rngs: nnx.Rngs):
        if shape.width % shape.heads:
            raise ValueError(f"width {shape.width} cannot be shared by {shape.heads} heads")
        self.heads = shape.heads
        self.read = nnx.Linear(shape.width, 3 * shape.width, use_bias=False, kernel_init=scaled(1.0), rngs=rngs)
        out = scaled(0.5 / shape.layers)
        self.write = nnx.Linear(shape.width, shape.width, use_bias=False, kernel_init=out, rngs=rngs)

    def __call__(self, x_BxLxD: Float[Array, "B L D"]) -> Float[Array, "B L D"]:
        batch, length, width = x_BxLxD.shape
        qkv = self.read(x_BxLxD).reshape(batch, length, 3, self.heads, width // self.heads)
        q, k, v = (qkv[:, :, i] for i in range(3))
        scores_BxHxLxL = jnp.einsum("bqhd,bkhd->bhqk", q, k) * (width // self.heads) ** -0.5
        weights = jax.nn.softmax(scores_BxHxLxL + biases(self.heads, length)[None], axis=-1)
        return self.write(jnp.einsum("bhqk,bkhd->bqhd", weights, v).reshape(batch, length, width))


class Block(nnx.Module):
    """Attention and a two-layer network, each added to the residual stream."""

    def __init__(self, shape: Shape, rngs: nnx.Rngs):
        self.before_attention = nnx.RMSNorm(shape.width, rngs=rngs)
        self.attention = Attention(shape, rngs)
        self.before_network = nnx.RMSNorm(shape.width, rngs=rngs)
        self.up = nnx.Linear(shape.width, 4 * shape.width, use_bias=False, kernel_init=scaled(1.0), rngs=rngs)
        out = scaled(0.5 / shape.layers)
        self.down = nnx.Linear(4 * shape.width, shape.width, use_bias=False, kernel_init=out, rngs=rngs)

    def __call__(self, x_BxLxD: Float[Array, "B L D"]) -> Float[Array, "B L D"]:
        x_BxLxD = x_BxLxD + self.attention(self.before_attention(x_BxLxD))
        return x_BxLxD + self.down(jnp.square(jax.nn.relu(self.up(self.before_network(x_BxLxD)))))


class Decoder(nnx.Module):
    """Decoder with next-token logits at every position; token 0 separates documents and is read like any other."""

    def __init__(self, shape: Shape, rngs: nnx.Rngs):
        self.embedding = nnx.Embed(shape.vocabulary, shape.width, embedding_init=scaled(1.0), rngs=rngs)
        self.blocks = nnx.List([Block(shape, rngs) for _ in range(shape.layers)])
        self.norm = nnx.RMSNorm(shape.width, rngs=rngs)

    def __call__(self, tokens_BxL: Int[Array, "B L"]) -> Float[Array, "B L V"]:
        x_BxLxD = self.embedding(tokens_BxL)
        for block in self.blocks:
            x_BxLxD = block(x_BxLxD)
        return self.embedding.attend(self.norm(x_BxLxD))


def scaled(variance: float):
    """Makes normal initial weights with a variance of `variance` over the number of inputs."""
    return nnx.initializers.variance_scaling(variance, "fan_in", "normal")


def biases(heads: int, length: int) -> Float[Array, "H L L"]:
    """Computes ALiBi's biases with geometric slopes from 1 to 1/64 over heads; later keys get minus infinity."""
    slopes = jnp.exp2(-6.0 * jnp.arange(heads) / max(heads - 1, 1))
    distance = jnp.arange(length)[:, None] - jnp.arange(length)[None, :]
    biases = -slopes[:, None, None] * distance[None].astype(jnp.float32)
    return jnp.where(distance[None] >= 0, biases, -jnp.inf)


def next_token_nll(model: Decoder, tokens_BxL1: Int[Array, "B L1"]) -> Float[Array, "B L"]:
    """Computes the negative log-likelihood in nats of every token but the first, given the tokens before it."""
    logits_BxLxV = model(tokens_BxL1[:, :-1])
    targets_BxL = tokens_BxL1[:, 1:].astype(jnp.int32)
    picked = jnp.take_along_axis(logits_BxLxV, targets_BxL[..., None], axis=-1)[..., 0]
    return jax.nn.logsumexp(logits_BxLxV, axis=-1) - picked
