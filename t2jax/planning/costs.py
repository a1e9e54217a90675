"""Costs of training and of serving, in FLOPs, device-seconds or dollars.

Each cost is a posynomial: a sum of products of powers of N, D and k with positive coefficients.
A roofline is the largest of several such sums. The log of each cost is therefore convex in (log N, log D, log k),
as in geometric programming (Boyd et al. 2007, A tutorial on geometric programming). Convexity lets the planner
certify an optimum.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp

from t2jax.planning.hardware import Accelerator, check_positive
from t2jax.pytrees import register
from t2jax.typing import Array, ArrayLike


class Term(NamedTuple):
    """One term of a cost: `coefficient · N^powers[0] · D^powers[1] · k^powers[2]`."""

    powers: tuple[float, float, float]
    coefficient: ArrayLike

    def times(self, factor: ArrayLike, samples: float = 0.0) -> "Term":
        """Returns the term times a factor and times k to a power."""
        n, d, k = self.powers
        return Term((n, d, k + samples), jnp.asarray(self.coefficient) * factor)


Terms = list[Term]


def total(terms: Terms, N: ArrayLike, D: ArrayLike, k: ArrayLike) -> Array:
    """Sums terms at N, D and k."""
    N, D, k = jnp.asarray(N), jnp.asarray(D), jnp.asarray(k)
    value = jnp.zeros(())
    for (n, d, m), coefficient in terms:
        value = value + coefficient * N**n * D**d * k**m
    return value


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


@dataclass(frozen=True)
class Training:
    """Cost of training a model of N parameters on D tokens.

    It is 6ND FLOPs, with attention on top if a shape and a context are given. A token attends to half of its context on
    average, because of the causal mask. The backward pass costs twice the forward pass, as in 6ND.
    Source: Kaplan et al. 2020 (2001.08361), eq. 2.2 and table 1. Chowdhery et al. 2022 (2204.02311), appendix B, also
    count the masked half, which doubles the attention counted here.

    Args:
        shape: Shape of the model, for the attention. It needs `context` too.
        context: Tokens of one training sequence. It needs `shape` too.
        on: Accelerator that turns FLOPs into device-seconds or dollars.

    Raises:
        ValueError: When the context is not positive, or only one of shape and context is given.

    Examples:
        >>> f"{float(t2.Training()(1e9, 2e10)):.3g} FLOPs"  # 6ND
        '1.2e+20 FLOPs'
        >>> dollars = t2.Training(on=t2.accelerator("H100", price=2.0))(1e9, 2e10)
        >>> round(float(dollars))
        169
    """

    shape: Shape | None = None
    context: ArrayLike | None = None
    on: Accelerator | None = None

    def __post_init__(self):
        check_positive(self, ("context",))
        if (self.shape is None) != (self.context is None):
            raise ValueError("Training counts attention from both a shape and a context: give both or neither")

    @property
    def unit(self) -> str:
        """Unit of the cost: "FLOPs", "device-seconds" or "dollars"."""
        return "FLOPs" if self.on is None else self.on.unit

    def flops(self) -> Terms:
        """Returns the FLOPs of training.

        Returns:
            Terms in N and D, whose sum is the FLOPs.
        """
        terms = [Term((1.0, 1.0, 0.0), 6.0)]
        if self.shape is not None and self.context is not None:
            per_token = self.shape.attention()
            coefficient = 3 * jnp.asarray(self.context) / 2 * per_token.coefficient
            terms.append(Term((per_token.powers[0], 1.0, 0.0), coefficient))
        return terms

    def terms(self) -> Terms:
        """Returns the cost of training.

        Returns:
            Terms in N and D, whose sum is the cost in `unit`.
        """
        if self.on is None:
            return self.flops()
        return [term.times(self.on.charge(1 / (self.on.flops * self.on.utilisation))) for term in self.flops()]  # pyright: ignore

    def __call__(self, N: ArrayLike, D: ArrayLike) -> Array:
        """Computes the cost in `unit` of training N parameters on D tokens."""
        return total(self.terms(), N, D, 1.0)


@dataclass(frozen=True)
class Serving:
    """Cost of one query: the model reads the prompt once and then generates k samples.

    All samples of a query share the prompt's KV cache. With no prompt and one generated token, a query costs 2Nk FLOPs,
    which is the token served of the paper (Roberts et al. 2026, 2604.01411).
    On an accelerator, the prompt and the decoding each take the longer of arithmetic and memory traffic
    (roofline, Williams et al. 2009). Prompts run one at a time. The weights and the caches of a batch must fit into
    memory. Each sample reads the prompt's cache for itself.
    Source: 2N FLOPs per token and attention as in Kaplan et al. 2020 (2001.08361), and memory as in Pope et al. 2022
    (2211.05102).

    Args:
        prompt: Tokens of the prompt.
        generated: Tokens of each sample.
        shape: Shape of the model. With it, costs include attention over the growing context and the KV cache.
        batch: Sequences that a replica decodes together. They share one reading of the weights.
        weight_bytes: Bytes of one parameter.
        total_per_active: Total over active parameters of a mixture of experts, with N active ones. Memory holds all. A
            batch of b sequences reads at most b times the active ones. Without it all are active.
        cache_bytes: Bytes of one cached number.
        on: Accelerator that turns FLOPs into device-seconds or dollars.

    Raises:
        ValueError: When a number is not positive.

    Examples:
        >>> query = t2.Serving(prompt=1000, generated=200)
        >>> f"{float(query(1e9, 4)):.3g} FLOPs"  # 2N(1000 + 4·200)
        '3.6e+12 FLOPs'
    """

    prompt: ArrayLike | None = None
    generated: ArrayLike = 1.0
    shape: Shape | None = None
    batch: ArrayLike = 1.0
    weight_bytes: ArrayLike = 2.0
    cache_bytes: ArrayLike = 2.0
    total_per_active: ArrayLike | None = None
    on: Accelerator | None = None

    def __post_init__(self):
        check_positive(self, ("prompt", "generated", "batch", "weight_bytes", "cache_bytes", "total_per_active"))

    @property
    def unit(self) -> str:
        """Unit of the cost: "FLOPs", "device-seconds" or "dollars"."""
        return "FLOPs" if self.on is None else self.on.unit

    def prompt_flops(self) -> Terms:
        """Returns the FLOPs of reading the prompt once.

        Returns:
            Terms in N; none without a prompt.
        """
        return [] if self.prompt is None else self._forward_flops(self.prompt, 0.0)

    def sample_flops(self) -> Terms:
        """Returns the FLOPs of generating one sample.

        Returns:
            Terms in N.
        """
        return self._forward_flops(self.generated, self._prompt_length())

    def terms(self) -> list[Terms]:
        """Returns the cost of one query as alternatives, one for each limit of each phase.

        Returns:
            Lists of terms in N and k. The largest of their sums is the cost in `unit`.
        """
        if self.on is None:
            return [[*self.prompt_flops(), *(term.times(1.0, samples=1.0) for term in self.sample_flops())]]
        price = self.on.charge(1.0)
        decoding = [[term.times(price, samples=1.0) for term in terms] for terms in self._sample_seconds()]
        prompts = [[term.times(price) for term in terms] for terms in self._prompt_seconds()]
        return [[*prompt, *sample] for prompt in prompts for sample in decoding]

    def __call__(self, N: ArrayLike, k: ArrayLike) -> Array:
        """Computes the cost in `unit` of one query with k samples."""
        return _largest([total(terms, N, 1.0, k) for terms in self.terms()])

    def latency_terms(self) -> list[Terms]:
        """Returns the latency of one query as alternatives. It needs an accelerator.

        Returns:
            Lists of terms in N. The largest of their sums is the seconds from the prompt to the last token.
        """
        assert self.on is not None
        share, batch_share = 1 / jnp.asarray(self.on.devices), self.batch / jnp.asarray(self.on.devices)
        decoding = [[term.times(batch_share) for term in terms] for terms in self._sample_seconds()]
        prompts = [[term.times(share) for term in terms] for terms in self._prompt_seconds()]
        return [[*prompt, *sample] for prompt in prompts for sample in decoding]

    def latency(self, N: ArrayLike) -> Array:
        """Computes the latency of one query.

        All samples of a query are decoded at the same time, on more replicas if k exceeds the batch. No query waits.

        Args:
            N: Number of parameters.

        Returns:
            Seconds from the prompt to the last token.

        Raises:
            ValueError: When there is no accelerator.
        """
        if self.on is None:
            raise ValueError("latency is in seconds: give Serving an accelerator, such as on=t2.accelerator('H100')")
        return _largest([total(terms, N, 1.0, 1.0) for terms in self.latency_terms()])

    def memory_terms(self) -> Terms:
        """Returns the memory that the weights and the KV caches of a batch take.

        Returns:
            Terms in N, whose sum is in bytes.
        """
        return [
            *self._weights(1.0 if self.total_per_active is None else self.total_per_active),
            *self._cache(self.batch * (self._prompt_length() + jnp.asarray(self.generated))),
        ]

    def memory_used(self, N: ArrayLike) -> Array:
        """Computes the memory that the weights and the KV caches of a batch take.

        Args:
            N: Number of parameters.

        Returns:
            Bytes.
        """
        return total(self.memory_terms(), N, 1.0, 1.0)

    def _prompt_length(self) -> ArrayLike:
        return 0.0 if self.prompt is None else self.prompt

    def _forward_flops(self, new: ArrayLike, before: ArrayLike) -> Terms:
        """Returns the FLOPs of `new` tokens that follow `before` other tokens."""
        terms = [Term((1.0, 0.0, 0.0), 2.0 * jnp.asarray(new))]
        return terms if self.shape is None else [*terms, self.shape.attention().times(_attended(before, new))]

    def _weights(self, times: ArrayLike) -> Terms:
        return [Term((1.0, 0.0, 0.0), jnp.asarray(self.weight_bytes) * times)]

    def _weights_read(self, tokens: ArrayLike) -> Terms:
        """Returns the bytes of weights that a step on so many tokens reads. Their experts may all be different."""
        if self.total_per_active is None:
            return self._weights(1.0)
        return self._weights(jnp.minimum(jnp.asarray(self.total_per_active), jnp.maximum(jnp.asarray(tokens), 1.0)))

    def _cache(self, tokens: ArrayLike) -> Terms:
        """Returns the bytes of a KV cache with so many tokens."""
        return [] if self.shape is None else [self.shape.cached().times(jnp.asarray(self.cache_bytes) * tokens)]

    def _prompt_seconds(self) -> list[Terms]:
        """Returns the device-seconds of the prompt, by arithmetic and by memory traffic."""
        if self.prompt is None:
            return [[]]
        return self._roofline(self.prompt_flops(), [*self._weights_read(self.prompt), *self._cache(self.prompt)])

    def _sample_seconds(self) -> list[Terms]:
        """Returns the device-seconds of one sample.

        Each token reads its share of the weights and the cache of its whole context.
        """
        weights = [term.times(jnp.asarray(self.generated) / self.batch) for term in self._weights_read(self.batch)]
        cache = self._cache(_attended(self._prompt_length(), self.generated))
        return self._roofline(self.sample_flops(), [*weights, *cache])

    def _roofline(self, flops: Terms, traffic: Terms) -> list[Terms]:
        on = self.on
        assert on is not None
        per_flop = 1 / (jnp.asarray(on.flops) * on.utilisation)
        per_byte = 1 / (jnp.asarray(on.bandwidth) * on.bandwidth_utilisation)
        return [[term.times(per_flop) for term in flops], [term.times(per_byte) for term in traffic]]


def _largest(costs: list[Array]) -> Array:
    """Selects the largest cost by its index.

    The derivative of jnp.max is NaN if XLA rounds the two compared numbers differently.
    """
    stacked = jnp.stack(costs)
    at = jnp.argmax(jax.lax.stop_gradient(stacked), axis=0)
    return jnp.take_along_axis(stacked, at[None], axis=0)[0]


def _attended(before: ArrayLike, new: ArrayLike) -> Array:
    """Counts the pairs of `new` tokens with themselves and all earlier tokens, of which `before` are already there."""
    new = jnp.asarray(new)
    return new * before + new * (new + 1) / 2


register(Shape, ("aspect", "kv_share"))
register(Training, ("shape", "context", "on"))
register(Serving, ("prompt", "generated", "shape", "batch", "weight_bytes", "cache_bytes", "total_per_active", "on"))
