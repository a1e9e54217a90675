"""Measurements of a checkpoint: probabilities of answers, loss on held-out text, and sampling as a check."""

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
    """Computes the negative log-likelihood in nats of each question's answer tokens, given all tokens before them.

    p_i = exp(-NLL_i) is the probability that one sample, drawn token by token, is the answer (Roberts et al. 2026).
    """
    nll, length = np.zeros(len(questions), np.float32), questions.lengths()
    for most in np.unique(length):  # questions of about the same length are read together, without their padding
        asked = questions.where(length == most)
        tokens, answer = asked.tokens[:, :most], asked.answer[:, 1:most]
        values = _batched(lambda rows: np.asarray(_nll(params, rows, shape)), tokens)
        nll[length == most] = np.where(answer, values, 0.0).sum(axis=1)
    return nll


def text_loss(shape: Shape, params: Any, windows: np.ndarray) -> float:
    """Computes the mean negative log-likelihood in nats per token over windows of held-out text."""
    return float(_batched(lambda rows: np.asarray(_nll(params, rows, shape)), windows).mean(dtype=np.float64))


def sampled_correct(shape: Shape, params: Any, questions: Questions, draws: int, key: Array) -> np.ndarray:
    """Counts how many of `draws` samples of each question equal its answer, as integers of shape (questions,).

    Samples are drawn token by token at temperature one from what is given and the drawn tokens alone.
    Samples that are still correct have equal tokens, so one pass per answer token serves all of them; others stop.
    """
    alive = np.full(len(questions.tokens), draws)
    length, places = questions.answer.sum(axis=1), scored_places(questions)
    for place, place_key in enumerate(jax.random.split(key, length.max())):
        rows = np.flatnonzero((place < length) & (alive > 0))
        if not len(rows):
            break
        tokens, at = questions.tokens[rows], places[rows, place]
        logits = logits_at(shape, params, tokens, at)
        answer = jnp.asarray(tokens[np.arange(len(rows)), at], jnp.int32)
        alive[rows] = _count_correct(jnp.asarray(logits), answer, jnp.asarray(alive[rows]), place_key)
    return alive


def logits_at(shape: Shape, params: Any, tokens: np.ndarray, at: np.ndarray) -> Float[np.ndarray, "rows V"]:
    """Computes the logits of the token at place `at` of each row, from the tokens before it alone."""
    seen = np.where(np.arange(tokens.shape[1])[None, :] < at[:, None], tokens, 0)
    context = np.column_stack([seen[:, :-1], at - 1])
    return _batched(lambda rows: np.asarray(_logits(params, rows[:, :-1], rows[:, -1], shape)), context)


def scored_places(questions: Questions) -> np.ndarray:
    """Lists the places of each question's scored tokens in order, integers of shape (questions, most tokens)."""
    return np.argsort(~questions.answer, axis=1, kind="stable")[:, : questions.answer.sum(axis=1).max()]


class Agreement(NamedTuple):
    """Mean and spread of the z-scores of sampled counts against exact probabilities, and the number of questions.

    Only questions with at least five correct and five wrong expected samples count; others are far from normal.
    """

    mean: float
    spread: float
    questions: int


def agreement(shape: Shape, params: Any, questions: Questions, nll: np.ndarray, draws: int, key: Array) -> Agreement:
    """Compares `answer_nll` with `sampled_correct`; under exact agreement the mean is 0 and the spread is 1.

    It raises ValueError if too few draws leave no question to compare.
    """
    p = np.exp(-nll.astype(np.float64))
    counted = (draws * p >= 5) & (draws * (1 - p) >= 5)
    if not counted.any():
        raise ValueError(f"no question is answered by chance five times in {draws} draws, expected some: draw more")
    p = p[counted]  # the others are not sampled, which would take most of the time
    correct = sampled_correct(shape, params, questions.where(counted), draws, key)
    z = (correct - draws * p) / np.sqrt(draws * p * (1 - p))
    return Agreement(float(z.mean()), float(z.std()), int(counted.sum()))


def _batched(run: Any, rows: np.ndarray) -> np.ndarray:
    """Applies `run` to equal batches of rows, with the last batch padded."""
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
def _count_correct(logits: Array, answer: Array, alive: Array, key: Array) -> Array:
    """Counts how many of `alive` tokens drawn for each question are the answer's."""

    def draw(i: Array, right: Array) -> Array:
        hit = jax.random.categorical(jax.random.fold_in(key, i), logits) == answer
        return right + (hit & (i < alive))

    return jax.lax.fori_loop(0, jnp.max(alive), draw, jnp.zeros_like(alive))
