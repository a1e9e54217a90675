"""Training of one testbed model: a trunk at constant rate, from which every checkpoint branches and decays.

A checkpoint of D tokens leaves the trunk at 0.75 D, and its rate falls linearly to zero at D.
Checkpoints of doubling D thus cost 1.25 times the longest one instead of twice.
Sources: Hu et al. 2024 (2404.06395), Hägele et al. 2024 (2405.18392).
"""

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

TRUNK_SHARE = 0.75
NEVER = 2**30


@dataclass(frozen=True)
class Recipe:
    """Settings of training.

    The trunk's rate is rate / width for the first `even` tokens, and rate / width · (even / tokens)^fall after them.
    Checkpoints of all lengths thus share one trunk, and longer ones have smaller rates (Shen et al. 2024, 2408.13359).

    Attributes:
        context: Tokens of context.
        batch: Windows of `context` + 1 tokens per step.
        rate: Adam's rate at the beginning of the trunk, times the width.
        even: Tokens of the trunk before the rate falls.
        fall: Exponent of the fall of the rate with the tokens read.
        warmup: Steps of linear warm-up.
        decay2: Adam's decay of squared gradients.
        clip: Largest norm of a gradient.
    """

    context: int = 64
    batch: int = 8
    rate: float = 0.22
    even: float = TRUNK_SHARE * 2**18
    fall: float = 0.25
    warmup: int = 51
    decay2: float = 0.98
    clip: float = 1.0

    @property
    def tokens_per_step(self) -> int:
        """Tokens per training step."""
        return self.context * self.batch

    def rate_at(self, shape: Shape, step: Int[Array, "..."]) -> Float[Array, "..."]:
        """Computes the trunk's rate for a model at a step, counted from 0."""
        warm = jnp.minimum((step + 1) / self.warmup, 1.0)
        longer = jnp.maximum(step * self.tokens_per_step / self.even, 1.0)
        return self.rate / shape.width * warm * longer**-self.fall

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

    def order(self, epoch: int) -> np.ndarray:
        """Lists the windows of an epoch and of the next one in the order in which they are read."""
        return np.concatenate([_order(self.seed, e, len(self.windows)) for e in (epoch, epoch + 1)])


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(count).astype(np.int32)


def _advance(state: State, until: int, decay_from: int, shape: Shape, recipe: Recipe, data: Windows) -> State:
    """Trains epoch by epoch; a step that begins in an epoch may end in the next one."""
    mesh = Mesh(np.array(jax.devices()), ("data",))
    if recipe.batch % mesh.size:
        raise ValueError(f"a batch of {recipe.batch} windows cannot be shared by {mesh.size} devices")
    everywhere, count = NamedSharding(mesh, PartitionSpec()), len(data.windows)
    if recipe.batch > count:
        raise ValueError(f"a batch of {recipe.batch} windows needs as many in the text, which has {count}")
    state, windows = jax.device_put((state, data.windows), everywhere)
    while (step := int(state.step)) < until:
        epoch = step * recipe.batch // count
        end = min(until, -(-(epoch + 1) * count // recipe.batch))
        order = jax.device_put(data.order(epoch), everywhere)
        state = _steps(state, windows, order, epoch * count, end, until, decay_from, shape, recipe, mesh)
    return state


@partial(jax.jit, static_argnames=("shape", "recipe", "mesh"), donate_argnums=0)
def _steps(
    state: State,
    windows: Array,
    order: Array,
    read: Array,
    end: Array,
    until: Array,
    decay_from: Array,
    shape: Shape,
    recipe: Recipe,
    mesh: Mesh,
) -> State:
    """Trains to step `end` on the windows in `order`, of which the first one follows the `read` windows before it."""
    optimiser, over_devices = recipe.optimiser(), NamedSharding(mesh, PartitionSpec("data"))

    def loss(params: Any, batch: Array) -> Array:
        return jnp.mean(next_token_nll(decoder(shape, params), batch))

    def learn(state: State) -> State:
        place = state.step * recipe.batch - read
        chosen = jax.lax.dynamic_slice_in_dim(order, place, recipe.batch)
        batch = jax.lax.with_sharding_constraint(windows[chosen], over_devices)
        gradient = jax.grad(loss)(state.params, batch)
        updates, moments = optimiser.update(gradient, state.moments, state.params)
        remaining = jnp.clip((until - state.step) / jnp.maximum(until - decay_from, 1), 0.0, 1.0)
        branching = state.step >= decay_from
        trunk_rate = recipe.rate_at(shape, jnp.where(branching, decay_from, state.step))
        rate = -trunk_rate * jnp.where(branching, remaining, 1.0)
        params = jax.tree.map(lambda p, u: p + rate * u, state.params, updates)
        return State(params, moments, state.step + 1)

    return jax.lax.while_loop(lambda state: state.step < end, learn, state)
