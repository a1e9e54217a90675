"""Training of one testbed model: a trunk at constant rate, from which every checkpoint branches and decays.

A checkpoint of D tokens leaves the trunk at 0.75 D, and its rate falls linearly to zero at D.
Checkpoints of doubling D thus cost 1.25 times the longest one instead of twice.
Sources: Hu et al. 2024 (2404.06395), Hägele et al. 2024 (2405.18392).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from t2jax.testbed.sweep.model import Decoder, Shape, next_token_nll
from t2jax.typing import Array, Float, Int

CHUNK = 64  # steps of one compiled scan; those beyond the end are passed over
TRUNK_SHARE = 0.75
NEVER = 2**30


@dataclass(frozen=True)
class Recipe:
    """Settings of training.

    Attributes:
        context: Tokens of context.
        batch: Windows of `context` + 1 tokens per step.
        rate: Adam's rate, times the root of the width.
        warmup: Steps of linear warm-up.
        decay2: Adam's decay of squared gradients.
        clip: Largest norm of a gradient.
    """

    context: int = 64
    batch: int = 8
    rate: float = 0.05
    warmup: int = 32
    decay2: float = 0.98
    clip: float = 1.0

    @property
    def tokens_per_step(self) -> int:
        """Tokens per training step."""
        return self.context * self.batch

    def rate_of(self, shape: Shape) -> float:
        """Computes the trunk's rate for a model."""
        return self.rate * shape.width**-0.5

    def optimiser(self) -> optax.GradientTransformation:
        """Makes Adam with clipped gradients; the rate is applied outside."""
        return optax.chain(optax.clip_by_global_norm(self.clip), optax.scale_by_adam(b2=self.decay2))


class State(NamedTuple):
    """State of training: parameters, the optimiser's moments and the number of steps."""

    params: Any
    moments: Any
    step: Int[Array, ""]


def begin(shape: Shape, recipe: Recipe, seed: int) -> State:
    """Initialises a model before its first step."""
    params = nnx.to_pure_dict(nnx.state(Decoder(shape, nnx.Rngs(seed)), nnx.Param))
    return State(params, recipe.optimiser().init(params), jnp.zeros((), jnp.int32))


def decoder(shape: Shape, params: Any) -> Decoder:
    """Makes the callable model with given parameters."""
    graph, empty = nnx.split(nnx.eval_shape(lambda: Decoder(shape, nnx.Rngs(0))))
    nnx.replace_by_pure_dict(empty, params)
    return nnx.merge(graph, empty)


def trunk(state: State, until: int, shape: Shape, recipe: Recipe, data: "Windows") -> State:
    """Trains at constant rate to step `until`."""
    return _advance(state, until, NEVER, shape, recipe, data)


def branch(state: State, end: int, shape: Shape, recipe: Recipe, data: "Windows") -> State:
    """Trains from the trunk's state to step `end` with a rate that falls linearly to zero there."""
    return _advance(state, end, int(state.step), shape, recipe, data)


def branch_step(end: int) -> int:
    """Computes the step at which a checkpoint of `end` steps leaves the trunk."""
    return int(TRUNK_SHARE * end)


@dataclass(frozen=True)
class Windows:
    """The training stream as windows of context + 1 tokens, read in a new order of the seed in each epoch.

    Neighbouring windows share one token, which the first one only predicts and the second one only reads.
    """

    windows: np.ndarray
    seed: int

    @classmethod
    def cut(cls, stream: np.ndarray, context: int, seed: int) -> "Windows":
        """Cuts a stream of tokens into windows; raises ValueError if it is shorter than one."""
        count = (len(stream) - 1) // context
        if count < 1:
            raise ValueError(f"{len(stream)} training tokens do not fill one window of {context + 1}")
        starts = np.lib.stride_tricks.sliding_window_view(stream, context + 1)[::context][:count]
        return cls(np.ascontiguousarray(starts), seed)

    def batches(self, first: int, count: int, size: int) -> np.ndarray:
        """Selects the windows of `count` steps from step `first`, with shape (count, size, context + 1)."""
        places = np.arange(first * size, (first + count) * size)
        epochs, inside = np.divmod(places, len(self.windows))
        chosen = np.empty(len(places), np.int64)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            chosen[here] = _order(self.seed, int(epoch), len(self.windows))[inside[here]]
        return self.windows[chosen].reshape(count, size, -1)


@lru_cache(maxsize=2)  # an epoch is thousands of chunks, and its order takes as long to draw as a small model's chunk
def _order(seed: int, epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(count)


def _advance(state: State, until: int, decay_from: int, shape: Shape, recipe: Recipe, data: Windows) -> State:
    mesh = Mesh(np.array(jax.devices()), ("data",))
    if recipe.batch % mesh.size:
        raise ValueError(f"a batch of {recipe.batch} windows cannot be shared by {mesh.size} devices")
    state = jax.device_put(state, NamedSharding(mesh, PartitionSpec()))
    for first, batches in _chunks(int(state.step), until, recipe, data):
        active = np.arange(first, first + CHUNK) < until
        batches = jax.device_put(batches, NamedSharding(mesh, PartitionSpec(None, "data")))
        state, _ = _steps(state, batches, active, until, decay_from, shape, recipe)
    return state


def _chunks(first: int, until: int, recipe: Recipe, data: Windows) -> Iterator[tuple[int, np.ndarray]]:
    for start in range(first, until, CHUNK):
        yield start, data.batches(start, CHUNK, recipe.batch)


@partial(jax.jit, static_argnames=("shape", "recipe"), donate_argnums=0)
def _steps(
    state: State, batches: Array, active: Array, end: Array, decay_from: Array, shape: Shape, recipe: Recipe
) -> tuple[State, Float[Array, " steps"]]:
    optimiser, rate = recipe.optimiser(), recipe.rate_of(shape)

    def loss(params: Any, batch: Array) -> Array:
        return jnp.mean(next_token_nll(decoder(shape, params), batch))

    def learn(state: State, batch: Array) -> tuple[State, Array]:
        value, gradient = jax.value_and_grad(loss)(state.params, batch)
        updates, moments = optimiser.update(gradient, state.moments, state.params)
        remaining = jnp.clip((end - state.step) / jnp.maximum(end - decay_from, 1), 0.0, 1.0)
        rate_now = (
            -rate
            * jnp.minimum((state.step + 1) / recipe.warmup, 1.0)
            * jnp.where(state.step < decay_from, 1.0, remaining)
        )
        params = jax.tree.map(lambda p, u: p + rate_now * u, state.params, updates)
        return State(params, moments, state.step + 1), value

    def step(state: State, item: tuple[Array, Array]) -> tuple[State, Array]:
        batch, on = item
        return jax.lax.cond(on, learn, lambda state, _: (state, jnp.full((), jnp.nan)), state, batch)

    return jax.lax.scan(step, state, (batches, active))
