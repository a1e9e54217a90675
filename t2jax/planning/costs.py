"""What training and serving cost, in FLOPs, device-seconds or dollars: small objects to put into a `Budget`.

Each cost is a sum of terms, products of powers of N, D and k with positive coefficients (a posynomial), or the largest
of several such sums (a roofline). Its log is therefore convex in (log N, log D, log k), as in geometric programming
(Boyd et al. 2007, A tutorial on geometric programming), which is what lets the frontier certify an optimum.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp

from t2jax.planning.hardware import Accelerator, check_positive
from t2jax.pytrees import register
from t2jax.typing import Array, ArrayLike


class Term(NamedTuple):
    """coefficient · N^powers[0] · D^powers[1] · k^powers[2]."""

    powers: tuple[float, float, float]
    coefficient: ArrayLike

    def times(self, factor: ArrayLike, samples: float = 0.0) -> "Term":
        """The term times a factor and a power of k."""
        n, d, k = self.powers
        return Term((n, d, k + samples), jnp.asarray(self.coefficient) * factor)


Terms = list[Term]


def total(terms: Terms, N: ArrayLike, D: ArrayLike, k: ArrayLike) -> Array:
    """The sum of terms at N, D and k."""
    N, D, k = jnp.asarray(N), jnp.asarray(D), jnp.asarray(k)
    found = jnp.zeros(())
    for (n, d, m), coefficient in terms:
        found = found + coefficient * N**n * D**d * k**m
    return found


@dataclass(frozen=True)
class Shape:
    """How wide and how deep a transformer of N parameters is: N = 12·depth·width² (Kaplan et al. 2020, 2001.08361,
    table 1) with width/depth held, so that depth·width grows as N^(2/3).

    aspect: width over depth; GPT-3 and Llama 7B have 128. kv_share: width of the cached keys (and values) over the
    model's; 1 for plain attention, 1/8 where eight query heads share one.

    Raises ValueError for a number that is not positive.
    """

    aspect: ArrayLike = 128.0
    kv_share: ArrayLike = 1.0

    def __post_init__(self):
        check_positive(self, ("aspect", "kv_share"))

    def depth(self, N: ArrayLike) -> Array:
        """Layers of a model of N parameters, not rounded."""
        return (jnp.asarray(N) / (12 * jnp.asarray(self.aspect) ** 2)) ** (1 / 3)

    def width(self, N: ArrayLike) -> Array:
        """Width of the residual stream of a model of N parameters."""
        return jnp.asarray(self.aspect) * self.depth(N)

    def attention(self) -> Term:
        """FLOPs with which one token attends to one token in all layers: a dot product and a weighted sum of values."""
        return Term((2 / 3, 0.0, 0.0), 4 * self.depth(1.0) * self.width(1.0))

    def cached(self) -> Term:
        """Numbers that the KV cache keeps of each token: a key and a value in all layers."""
        return Term((2 / 3, 0.0, 0.0), 2 * self.kv_share * self.depth(1.0) * self.width(1.0))


@dataclass(frozen=True)
class Training:
    """Cost of training N parameters on D tokens: 6ND FLOPs, and attention where shape and context are given.

    shape, context: sequences of `context` tokens under a causal mask, where a token attends to half of them on average;
    backward costs twice forward, as in 6ND. on: the accelerator, which turns FLOPs into device-seconds or dollars.
    Source: 6ND and attention per token as in Kaplan et al. 2020 (2001.08361), eq. 2.2 and table 1; Chowdhery et al.
    2022 (2204.02311), appendix B, count the masked half too, which is twice the attention here.

    Raises ValueError for a context that is not positive, or only one of shape and context.
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
        """The unit of its costs: "FLOPs", "device-seconds" or "dollars"."""
        return "FLOPs" if self.on is None else self.on.unit

    def flops(self) -> Terms:
        """FLOPs of training, as terms."""
        terms = [Term((1.0, 1.0, 0.0), 6.0)]
        if self.shape is not None and self.context is not None:
            each = self.shape.attention()
            terms.append(Term((each.powers[0], 1.0, 0.0), 3 * jnp.asarray(self.context) / 2 * each.coefficient))
        return terms

    def terms(self) -> Terms:
        """The cost in `unit`, as terms."""
        if self.on is None:
            return self.flops()
        return [one.times(self.on.charge(1 / (self.on.flops * self.on.utilisation))) for one in self.flops()]  # pyright: ignore

    def __call__(self, N: ArrayLike, D: ArrayLike) -> Array:
        """The cost in `unit`."""
        return total(self.terms(), N, D, 1.0)


@dataclass(frozen=True)
class Serving:
    """Cost of one query with k samples: the prompt once, because its KV cache serves all samples, then k answers.

    prompt, generated: tokens of the prompt and of each sample; without a prompt and with one generated token a query is
    the paper's token served, 2Nk FLOPs. shape: with it attention over the growing context is counted, and the KV cache.
    batch: sequences that a replica decodes together, which share one reading of the weights. weight_bytes, cache_bytes:
    bytes of a parameter and of a cached number. on: the accelerator. There each phase, prompt and decoding, takes the
    longer of its arithmetic and its memory traffic (the roofline of Williams et al. 2009), prompts one at a time, and
    weights and caches of the batch must fit into memory. Every sample reads the prompt's cache for itself.
    Source: 2N a token and attention as in Kaplan et al. 2020 (2001.08361); memory as in Pope et al. 2022 (2211.05102).

    Raises ValueError for a number that is not positive.
    """

    prompt: ArrayLike | None = None
    generated: ArrayLike = 1.0
    shape: Shape | None = None
    batch: ArrayLike = 1.0
    weight_bytes: ArrayLike = 2.0
    cache_bytes: ArrayLike = 2.0
    on: Accelerator | None = None

    def __post_init__(self):
        check_positive(self, ("prompt", "generated", "batch", "weight_bytes", "cache_bytes"))

    @property
    def unit(self) -> str:
        """The unit of its costs: "FLOPs", "device-seconds" or "dollars"."""
        return "FLOPs" if self.on is None else self.on.unit

    def prompt_flops(self) -> Terms:
        """FLOPs of reading the prompt, once a query."""
        return [] if self.prompt is None else self._arithmetic(self.prompt, 0.0)

    def sample_flops(self) -> Terms:
        """FLOPs of generating one sample."""
        return self._arithmetic(self.generated, self._before())

    def terms(self) -> list[Terms]:
        """Costs of one query in `unit`, of which the largest is the cost: one for each limit of each phase."""
        if self.on is None:
            return [[*self.prompt_flops(), *(one.times(1.0, samples=1.0) for one in self.sample_flops())]]
        price = self.on.charge(1.0)
        decoding = [[one.times(price, samples=1.0) for one in terms] for terms in self._decoding()]
        return [[*(one.times(price) for one in before), *after] for before in self._reading() for after in decoding]

    def __call__(self, N: ArrayLike, k: ArrayLike) -> Array:
        """The cost of one query in `unit`."""
        return _largest([total(terms, N, 1.0, k) for terms in self.terms()])

    def latency_terms(self) -> list[Terms]:
        """Seconds from prompt to last token, of which the largest is the latency. Needs an accelerator."""
        assert self.on is not None
        each, together = 1 / jnp.asarray(self.on.devices), self.batch / jnp.asarray(self.on.devices)
        decoding = [[one.times(together) for one in terms] for terms in self._decoding()]
        return [[*(one.times(each) for one in before), *after] for before in self._reading() for after in decoding]

    def latency(self, N: ArrayLike) -> Array:
        """Seconds from prompt to last token of a query.

        Its samples are decoded at the same time, on further replicas where k is more than the batch; nothing waits.
        Raises ValueError without an accelerator.
        """
        if self.on is None:
            raise ValueError("latency is in seconds: give Serving an accelerator, such as on=t2.accelerator('H100')")
        return _largest([total(terms, N, 1.0, 1.0) for terms in self.latency_terms()])

    def held_terms(self) -> Terms:
        """Bytes that weights and KV caches of a batch take, as terms."""
        return [*self._weights(1.0), *self._cache(self.batch * (self._before() + jnp.asarray(self.generated)))]

    def held(self, N: ArrayLike) -> Array:
        """Bytes that weights and KV caches of a batch take."""
        return total(self.held_terms(), N, 1.0, 1.0)

    def _before(self) -> ArrayLike:
        return 0.0 if self.prompt is None else self.prompt

    def _arithmetic(self, new: ArrayLike, before: ArrayLike) -> Terms:
        """FLOPs of `new` tokens after `before` others."""
        terms = [Term((1.0, 0.0, 0.0), 2.0 * jnp.asarray(new))]
        return terms if self.shape is None else [*terms, self.shape.attention().times(_attended(before, new))]

    def _weights(self, times: ArrayLike) -> Terms:
        return [Term((1.0, 0.0, 0.0), jnp.asarray(self.weight_bytes) * times)]

    def _cache(self, tokens: ArrayLike) -> Terms:
        """Bytes of the KV cache of so many tokens."""
        return [] if self.shape is None else [self.shape.cached().times(jnp.asarray(self.cache_bytes) * tokens)]

    def _reading(self) -> list[Terms]:
        """Device-seconds of the prompt, by arithmetic and by memory traffic."""
        if self.prompt is None:
            return [[]]
        return self._roofline(self.prompt_flops(), [*self._weights(1.0), *self._cache(self.prompt)])

    def _decoding(self) -> list[Terms]:
        """Device-seconds of one sample: each token reads its share of the weights and all its context's cache."""
        weights = self._weights(jnp.asarray(self.generated) / self.batch)
        return self._roofline(self.sample_flops(), [*weights, *self._cache(_attended(self._before(), self.generated))])

    def _roofline(self, flops: Terms, moved: Terms) -> list[Terms]:
        on = self.on
        assert on is not None
        speed = 1 / (jnp.asarray(on.flops) * on.utilisation), 1 / (jnp.asarray(on.bandwidth) * on.bandwidth_utilisation)
        return [[one.times(each) for one in terms] for terms, each in zip((flops, moved), speed, strict=True)]


def _largest(costs: list[Array]) -> Array:
    """The largest, by its place: the derivative of jnp.max is NaN where XLA rounds the compared number differently."""
    stacked = jnp.stack(costs)
    at = jnp.argmax(jax.lax.stop_gradient(stacked), axis=0)
    return jnp.take_along_axis(stacked, at[None], axis=0)[0]


def _attended(before: ArrayLike, new: ArrayLike) -> Array:
    """Sum over `new` tokens of the tokens before them and themselves, `before` being there already."""
    new = jnp.asarray(new)
    return new * before + new * (new + 1) / 2


register(Shape, ("aspect", "kv_share"))
register(Training, ("shape", "context", "on"))
register(Serving, ("prompt", "generated", "shape", "batch", "weight_bytes", "cache_bytes", "on"))
