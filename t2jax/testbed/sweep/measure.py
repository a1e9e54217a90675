"""What a checkpoint knows: the probability of every answer, the loss on held-out text, and sampling as a check."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.testbed.sweep.model import Shape, next_token_nll
from t2jax.testbed.sweep.train import decoder
from t2jax.testbed.text.questions import Questions
from t2jax.typing import Array, Float

BATCH = 64


def answer_nll(shape: Shape, params: Any, questions: Questions) -> Float[np.ndarray, " questions"]:
    """Negative log-likelihood in nats of each question's answer, its tokens only, given everything before them.

    p_i = exp(-NLL_i) is the chance that one sample, drawn token by token, is the answer (Roberts et al. 2026).
    """
    nll = _batched(lambda rows: np.asarray(_nll(params, rows, shape)), questions.tokens)
    return np.where(questions.answer[:, 1:], nll, 0.0).sum(axis=1)


def text_loss(shape: Shape, params: Any, windows: np.ndarray) -> float:
    """Mean negative log-likelihood in nats per token over windows of held-out text."""
    return float(_batched(lambda rows: np.asarray(_nll(params, rows, shape)), windows).mean(dtype=np.float64))


def sampled_correct(shape: Shape, params: Any, questions: Questions, draws: int, key: Array) -> np.ndarray:
    """How many of `draws` samples of each question are its answer, exactly; (questions,) integers.

    Samples are drawn token by token at temperature one from a model that sees the prompt and what was drawn, nothing
    after it. Draws that are still right share what they have drawn, so one pass per answer token serves all of them;
    draws that went wrong stop.
    """
    alive = np.full(len(questions.tokens), draws)
    first, length = np.argmax(questions.answer, axis=1), questions.answer.sum(axis=1)
    for place, one in enumerate(jax.random.split(key, length.max())):
        rows = np.flatnonzero((place < length) & (alive > 0))
        if not len(rows):
            break
        tokens, at = questions.tokens[rows], first[rows] + place
        seen = np.where(np.arange(tokens.shape[1])[None, :] < at[:, None], tokens, 0)
        context = np.column_stack([seen[:, :-1], at - 1])
        logits = _batched(lambda rows: np.asarray(_logits(params, rows[:, :-1], rows[:, -1], shape)), context)
        answer = jnp.asarray(tokens[np.arange(len(rows)), at], jnp.int32)
        alive[rows] = _right(jnp.asarray(logits), answer, jnp.asarray(alive[rows]), one)
    return alive


class Agreement(NamedTuple):
    """z-scores of counts of right samples against exact chances: their mean, their spread, and over how many questions.

    Only questions with at least five right and five wrong samples expected are compared: for others a count is far
    from normal.
    """

    mean: float
    spread: float
    questions: int


def agreement(shape: Shape, params: Any, questions: Questions, nll: np.ndarray, draws: int, key: Array) -> Agreement:
    """Whether `answer_nll` and `sampled_correct` agree: by chance alone, a mean of 0 and a spread of 1.

    Raises ValueError where too few draws compare no question.
    """
    p = np.exp(-nll.astype(np.float64))
    counted = (draws * p >= 5) & (draws * (1 - p) >= 5)
    if not counted.any():
        raise ValueError(f"no question is answered by chance five times in {draws} draws, expected some: draw more")
    correct = sampled_correct(shape, params, questions, draws, key)
    z = (correct - draws * p)[counted] / np.sqrt(draws * p * (1 - p))[counted]
    return Agreement(float(z.mean()), float(z.std()), int(counted.sum()))


def _batched(run: Any, rows: np.ndarray) -> np.ndarray:
    """Run over equal batches of rows, the last one filled up."""
    filled = np.concatenate([rows, np.repeat(rows[:1], -len(rows) % BATCH, axis=0)])
    return np.concatenate([run(filled[i : i + BATCH]) for i in range(0, len(filled), BATCH)])[: len(rows)]


@partial(jax.jit, static_argnames="shape")
def _nll(params: Any, rows: Array, shape: Shape) -> Array:
    return next_token_nll(decoder(shape, params), rows)


@partial(jax.jit, static_argnames="shape")
def _logits(params: Any, rows: Array, place: Array, shape: Shape) -> Array:
    logits = decoder(shape, params)(rows)
    return jnp.take_along_axis(logits, place[:, None, None].astype(jnp.int32), axis=1)[:, 0]


@jax.jit
def _right(logits: Array, answer: Array, alive: Array, key: Array) -> Array:
    """Of `alive` tokens drawn for each question, how many are the answer's."""

    def draw(i: Array, right: Array) -> Array:
        hit = jax.random.categorical(jax.random.fold_in(key, i), logits) == answer
        return right + (hit & (i < alive))

    return jax.lax.fori_loop(0, jnp.max(alive), draw, jnp.zeros_like(alive))
