"""Post-training of a checkpoint on the exercises of one task, at a constant rate.

Stage "ft" learns every token of an exercise, stage "sft" only the scored ones, as in Roberts et al. 2026 (2604.01411).
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.testbed.sweep.measure import answer_nll
from t2jax.testbed.sweep.model import Shape, next_token_nll
from t2jax.testbed.sweep.train import Recipe, decoder
from t2jax.testbed.text.questions import Questions
from t2jax.typing import Array, Bool

STAGES = ("ft", "sft")


@dataclass(frozen=True)
class Tuning:
    """Settings of post-training and of what else is measured at some checkpoints.

    Attributes:
        every: Which checkpoints: the last one of a run, and every `every`-th before it.
        epochs: Epochs over the exercises.
        batch: Exercises per step.
        factors: Rates to choose from, in multiples of rate / width of the recipe.
        answered: Questions of each task whose strongest wrong answers are measured.
    """

    every: int = 4
    epochs: int = 6
    batch: int = 8
    factors: tuple[float, ...] = (0.03, 0.1, 0.3)
    answered: int = 50


def scored_tokens(exercises: Questions, stage: str) -> Bool[np.ndarray, "exercises tokens"]:
    """Marks the tokens, but the first, that a stage learns: "ft" all up to the last scored one, "sft" scored ones."""
    after = np.cumsum(exercises.answer[:, ::-1], axis=1)[:, ::-1] > 0
    return (after if stage == "ft" else exercises.answer)[:, 1:]


def fine_tune(
    shape: Shape, params: Any, exercises: Questions, stage: str, factor: float, recipe: Recipe, tuning: Tuning
) -> Any:
    """Trains a copy of `params` on exercises, which are read in the same order for all models.

    Args:
        shape: Shape of the model.
        params: Parameters of the checkpoint.
        exercises: Exercises; those that do not fill a batch are left out in each epoch.
        stage: "ft" or "sft".
        factor: Rate in multiples of rate / width of the recipe.
        recipe: Settings of the optimiser.
        tuning: Epochs and batch.

    Returns:
        The parameters afterwards.
    """
    most = exercises.lengths().max()  # padding after the last answer is not read
    tokens, scored = exercises.tokens[:, :most], scored_tokens(exercises, stage)[:, : most - 1]
    steps = len(exercises) // tuning.batch
    rate, rng = factor * recipe.rate / shape.width, np.random.default_rng(0)
    moments = recipe.optimiser().init(params)
    for _ in range(tuning.epochs):
        for rows in rng.permutation(len(exercises))[: steps * tuning.batch].reshape(steps, tuning.batch):
            params, moments = _learn(params, moments, tokens[rows], scored[rows], rate, shape, recipe)
    return params


def choose_factor(shape: Shape, params: Any, exercises: Questions, stage: str, recipe: Recipe, tuning: Tuning) -> float:
    """Chooses the factor of the rate that leaves the smallest loss on every fourth exercise after the other ones."""
    apart = np.arange(len(exercises)) % 4 == 3
    learnt, asked = exercises.where(~apart), exercises.where(apart)
    losses = [
        answer_nll(shape, fine_tune(shape, params, learnt, stage, factor, recipe, tuning), asked).mean()
        for factor in tuning.factors
    ]
    return tuning.factors[int(np.argmin(losses))]


@partial(jax.jit, static_argnames=("shape", "recipe"))
def _learn(
    params: Any, moments: Any, tokens: Array, scored: Array, rate: Array, shape: Shape, recipe: Recipe
) -> tuple[Any, Any]:
    """Makes one step on a batch; one compiled function serves all stages and rates of a size and a task."""

    def loss(params: Any) -> Array:
        return jnp.sum(jnp.where(scored, next_token_nll(decoder(shape, params), tokens), 0.0)) / jnp.sum(scored)

    updates, moments = recipe.optimiser().update(jax.grad(loss)(params), moments, params)
    return jax.tree.map(lambda p, u: p - rate * u, params, updates), moments
