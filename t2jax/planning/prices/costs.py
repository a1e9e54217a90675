"""Costs of training and of serving, in FLOPs, device time or dollars: posynomials in N, D and k (`terms`)."""

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from t2jax.planning.prices.hardware import Accelerator, check_positive
from t2jax.planning.prices.shape import Shape
from t2jax.planning.prices.terms import Term, Terms, attended, largest, total
from t2jax.pytrees import register
from t2jax.typing import Array, ArrayLike
from t2jax.working_precision import is_traced


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
        on: Accelerator that turns FLOPs into device-seconds, device-hours or dollars.

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
        """Unit of the cost: "FLOPs", "device-seconds", "device-hours" or "dollars"."""
        return "FLOPs" if self.on is None else self.on.unit

    def flops(self) -> Terms:
        """Returns the FLOPs of training.

        Returns:
            Terms in N and D, whose sum is the FLOPs.
        """
        computing = 1.0 if self.shape is None else self.shape.computing().coefficient
        terms = [Term((1.0, 1.0, 0.0), 6.0 * computing)]  # pyright: ignore[reportOperatorIssue]
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


_NUMBERS = ("prompt", "generated", "batch", "weight_bytes", "cache_bytes", "flops_per_byte", "total_per_active")
"""Fields of `Serving` that are numbers."""


@dataclass(frozen=True)
class Serving:
    """Cost of one query: the model reads the prompt once and then generates k samples.

    All samples of a query share the prompt's KV cache. With no prompt and one generated token, a query costs 2Nk FLOPs,
    which is the token served of the paper (Roberts et al. 2026, 2604.01411).
    On an accelerator, the prompt and the decoding each take the longer of arithmetic and memory traffic
    (roofline, Williams et al. 2009). Prompts run one at a time. The weights and the caches of a batch must fit into
    memory. Each sample reads the prompt's cache for itself, unless `shared_prompt` is set.
    Weights of a mixture of experts compute by `Shape.active_ratio` and lie in memory by `Shape.total_ratio`.
    Source: 2N FLOPs per token and attention as in Kaplan et al. 2020 (2001.08361), and memory as in Pope et al. 2022
    (2211.05102). A FLOP price of memory traffic is as in Kinetics (Sadhukhan et al. 2025, 2506.05333).

    Args:
        prompt: Tokens of the prompt. Zero means no prompt.
        generated: Tokens of each sample.
        shape: Shape of the model. With it, costs include attention over the growing context and the KV cache.
        batch: Sequences that a replica decodes together. They share one reading of the weights.
        weight_bytes: Bytes of one parameter.
        cache_bytes: Bytes of one cached number.
        on: Accelerator that turns FLOPs into device-seconds, device-hours or dollars.
        shared_prompt: Whether all samples of a query read the prompt's cache together, once for each decoded token.
            The latency and the memory still count the prompt for every sequence, which bounds them.
        flops_per_byte: FLOPs that one byte of memory traffic is worth while decoding, for costs in FLOPs. A B200 has
            562.5 FLOP/s in fp8 for one byte/s. A context then has generated²/2 pairs of tokens, as in Kinetics.
        total_per_active: Total over active parameters of a mixture of experts, with N active ones. Memory holds all. A
            batch of b sequences reads at most b times the active ones. Without it all are active. A shape with a
            `total_ratio` takes precedence.

    Raises:
        ValueError: When a number is not positive, or `flops_per_byte` comes with an accelerator.

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
    on: Accelerator | None = None
    shared_prompt: bool = False
    flops_per_byte: ArrayLike | None = None
    total_per_active: ArrayLike | None = None

    def __post_init__(self):
        if self.prompt is not None and not is_traced(self.prompt) and np.array_equal(self.prompt, 0.0):
            object.__setattr__(self, "prompt", None)  # costs have logs, which zero has not
        check_positive(self, _NUMBERS)
        if self.on is not None and self.flops_per_byte is not None:
            raise ValueError(
                "Serving.flops_per_byte is for costs in FLOPs: an accelerator has its own price of traffic"
            )

    @property
    def unit(self) -> str:
        """Unit of the cost: "FLOPs", "device-seconds", "device-hours" or "dollars"."""
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
        prompts = [self.prompt_flops()] if self.on is None else _times(self._prompt_seconds(), self.on.charge(1.0))
        return [[*prompt, *decoding] for prompt in prompts for decoding in self.decoding_terms()]

    def decoding_terms(self) -> list[Terms]:
        """Returns the cost of generating the k samples of a query as alternatives.

        Returns:
            Lists of terms in N and k. The largest of their sums is the cost in `unit`.
        """
        flops = [term.times(1.0, samples=1.0) for term in self.sample_flops()]
        if self.on is not None:
            return _times(self._roofline(flops, self._traffic()), self.on.charge(1.0))
        if self.flops_per_byte is None:
            return [flops]
        return [[*flops, *(term.times(self.flops_per_byte) for term in self._traffic())]]

    def __call__(self, N: ArrayLike, k: ArrayLike) -> Array:
        """Computes the cost in `unit` of one query with k samples."""
        return largest([total(terms, N, 1.0, k) for terms in self.terms()])

    def latency_terms(self) -> list[Terms]:
        """Returns the latency of one query as alternatives. It needs an accelerator.

        Returns:
            Lists of terms in N. The largest of their sums is the seconds from the prompt to the last token.
        """
        assert self.on is not None
        steps = self.between_tokens_terms()
        samples = _times(steps, self.generated)
        return [[*prompt, *sample] for prompt in self.first_token_terms() for sample in samples]

    def first_token_terms(self) -> list[Terms]:
        """Returns the time that reading the prompt takes, as alternatives. It needs an accelerator.

        Returns:
            Lists of terms in N. The largest of their sums is the seconds from the prompt to the first token.
        """
        assert self.on is not None
        return _times(self._prompt_seconds(), 1 / jnp.asarray(self.on.devices))

    def between_tokens_terms(self) -> list[Terms]:
        """Returns the time of one decoding step of a batch, on average, as alternatives. It needs an accelerator.

        Returns:
            Lists of terms in N. The largest of their sums is the seconds between two tokens.
        """
        assert self.on is not None
        step = self.batch / (jnp.asarray(self.on.devices) * self.generated)
        return _times(self._sample_seconds(), step)

    def first_token(self, N: ArrayLike) -> Array:
        """Computes the time to the first token: the prompt is read, and no query waits.

        Args:
            N: Number of parameters.

        Returns:
            Seconds.

        Raises:
            ValueError: When there is no accelerator.
        """
        return self._seconds("the time to the first token", self.first_token_terms, N)

    def between_tokens(self, N: ArrayLike) -> Array:
        """Computes the time between two tokens of a sample, on average over its tokens.

        Args:
            N: Number of parameters.

        Returns:
            Seconds.

        Raises:
            ValueError: When there is no accelerator.
        """
        return self._seconds("the time between tokens", self.between_tokens_terms, N)

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
        return self._seconds("latency", self.latency_terms, N)

    def memory_terms(self) -> Terms:
        """Returns the memory that the weights and the KV caches of a batch take.

        Returns:
            Terms in N, whose sum is in bytes.
        """
        return [self._weights(), *self._cache(self.batch * (self._prompt_length() + jnp.asarray(self.generated)))]

    def memory_used(self, N: ArrayLike) -> Array:
        """Computes the memory that the weights and the KV caches of a batch take.

        Args:
            N: Number of parameters.

        Returns:
            Bytes.
        """
        return total(self.memory_terms(), N, 1.0, 1.0)

    def _seconds(self, quantity: str, terms: Callable[[], list[Terms]], N: ArrayLike) -> Array:
        """Computes the longest of alternatives. It raises ValueError without an accelerator, whose seconds they are."""
        if self.on is None:
            device = "an accelerator, such as on=t2.accelerator('H100')"
            raise ValueError(f"{quantity} is in seconds: give Serving {device}")
        return largest([total(alternative, N, 1.0, 1.0) for alternative in terms()])

    def _prompt_length(self) -> ArrayLike:
        return 0.0 if self.prompt is None else self.prompt

    def _attended(self, before: ArrayLike, new: ArrayLike) -> Array:
        """Counts pairs of `new` tokens with all earlier ones; a price of traffic follows the integral of Kinetics."""
        if self.flops_per_byte is None:
            return attended(before, new)
        return jnp.asarray(new) * before + jnp.asarray(new) ** 2 / 2

    def _forward_flops(self, new: ArrayLike, before: ArrayLike) -> Terms:
        """Returns the FLOPs of `new` tokens that follow `before` other tokens."""
        if self.shape is None:
            return [Term((1.0, 0.0, 0.0), 2.0 * jnp.asarray(new))]
        computing = self.shape.computing().times(2.0 * jnp.asarray(new))
        return [computing, self.shape.attention().times(self._attended(before, new))]

    def _weights(self) -> Term:
        """Returns the bytes of all weights."""
        stored = Term((1.0, 0.0, 0.0), 1.0) if self.shape is None else self.shape.stored()
        if self._experts is not None:
            stored = Term((1.0, 0.0, 0.0), self._experts)
        return stored.times(self.weight_bytes)

    def _weights_of_step(self) -> Term:
        """Returns the bytes of the weights that one decoding step of a batch reads."""
        if self._experts is not None:
            return self._weights_read(self.batch)
        read = Term((1.0, 0.0, 0.0), 1.0) if self.shape is None else self.shape.read(self.batch)
        return read.times(self.weight_bytes)

    def _weights_read(self, tokens: ArrayLike) -> Term:
        """Returns the bytes of weights that a step on so many tokens reads. Their experts may all be different."""
        if self._experts is None:
            return self._weights()
        share = jnp.minimum(jnp.asarray(self._experts), jnp.maximum(jnp.asarray(tokens), 1.0))
        return Term((1.0, 0.0, 0.0), share).times(self.weight_bytes)

    @property
    def _experts(self) -> ArrayLike | None:
        """Total over active parameters, None where the shape has its own or all are active."""
        return self.total_per_active if self.shape is None or self.shape.total_ratio is None else None

    def _cache(self, tokens: ArrayLike) -> Terms:
        """Returns the bytes of a KV cache with so many tokens."""
        return [] if self.shape is None else [self.shape.cached().times(jnp.asarray(self.cache_bytes) * tokens)]

    def _prompt_seconds(self) -> list[Terms]:
        """Returns the device-seconds of the prompt, by arithmetic and by memory traffic."""
        if self.prompt is None:
            return [[]]
        return self._roofline(self.prompt_flops(), [self._weights_read(self.prompt), *self._cache(self.prompt)])

    def _sample_seconds(self) -> list[Terms]:
        """Returns the device-seconds of one sample.

        Each token reads its share of the weights and the cache of its whole context.
        """
        weights = self._weights_of_step().times(jnp.asarray(self.generated) / self.batch)
        cache = self._cache(self._attended(self._prompt_length(), self.generated))
        return self._roofline(self.sample_flops(), [weights, *cache])

    def _traffic(self) -> Terms:
        """Returns the bytes that decoding the k samples of a query reads."""
        weights = self._weights_of_step().times(jnp.asarray(self.generated) / self.batch, samples=1.0)
        shared = self.shared_prompt and self.prompt is not None
        before = 0.0 if shared else self._prompt_length()
        of_samples = [term.times(1.0, samples=1.0) for term in self._cache(self._attended(before, self.generated))]
        prompt = self._cache(jnp.asarray(self.generated) * self._prompt_length()) if shared else []
        return [weights, *of_samples, *prompt]

    def _roofline(self, flops: Terms, traffic: Terms) -> list[Terms]:
        on = self.on
        assert on is not None
        per_flop = 1 / (jnp.asarray(on.flops) * on.utilisation)
        per_byte = 1 / (jnp.asarray(on.bandwidth) * on.bandwidth_utilisation)
        return [[term.times(per_flop) for term in flops], [term.times(per_byte) for term in traffic]]


def _times(alternatives: list[Terms], factor: ArrayLike) -> list[Terms]:
    return [[term.times(factor) for term in terms] for terms in alternatives]


register(Training, ("shape", "context", "on"))
register(
    Serving,
    (
        "prompt",
        "generated",
        "shape",
        "batch",
        "weight_bytes",
        "cache_bytes",
        "total_per_active",
        "on",
        "flops_per_byte",
    ),
    ("shared_prompt",),
)
