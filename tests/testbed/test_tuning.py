"""Post-training and wrong answers of the testbed's models, against plain loops and all answers counted out."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from t2jax.testbed.sweep.answers import wrong_answers
from t2jax.testbed.sweep.measure import answer_nll
from t2jax.testbed.sweep.model import Shape, next_token_nll
from t2jax.testbed.sweep.train import Recipe, begin, decoder
from t2jax.testbed.sweep.tuning import Tuning, choose_factor, fine_tune, scored_tokens
from t2jax.testbed.text.questions import Questions

SHAPE = Shape(width=4, layers=1, heads=1, vocabulary=6)
RECIPE = Recipe(context=6)
TUNING = Tuning(epochs=3, batch=2, factors=(0.001, 0.5))


def exercises(count: int) -> Questions:
    tokens = np.random.default_rng(0).integers(1, 6, (count, 7)).astype(np.uint16)
    tokens[:, 0], tokens[:, 5] = 0, tokens[:, 2]  # what is asked can be learnt
    answer = np.zeros((count, 7), bool)
    answer[:, [3, 5]] = True
    return Questions(("one",), np.zeros(count, int), np.where(np.arange(7) > 5, 0, tokens).astype(np.uint16), answer)


@pytest.fixture(scope="module")
def params():
    return begin(SHAPE, RECIPE, 0).params


def test_stages_learn_all_or_the_scored_tokens():
    rows = exercises(1)
    assert scored_tokens(rows, "ft")[0].tolist() == [True] * 5 + [False]
    assert scored_tokens(rows, "sft")[0].tolist() == [False, False, True, False, True, False]


@pytest.mark.parametrize("stage", ["ft", "sft"])
def test_fine_tuning_equals_a_plain_loop(params, stage):
    """Adam at a constant rate on the mean loss of the scored tokens, each exercise once an epoch."""
    rows, scored = exercises(6), scored_tokens(exercises(6), stage)
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.5 * 0.22 / 4, b2=0.98))
    expected, moments, rng = params, optimiser.init(params), np.random.default_rng(0)

    def loss(params, batch):
        nll = next_token_nll(decoder(SHAPE, params), jnp.asarray(rows.tokens[batch]))
        return (nll * scored[batch]).sum() / scored[batch].sum()

    for batch in itertools.chain(*(rng.permutation(6).reshape(3, 2) for _ in range(3))):
        updates, moments = optimiser.update(jax.grad(loss)(expected, batch), moments)
        expected = optax.apply_updates(expected, updates)
    tuned = fine_tune(SHAPE, params, rows, stage, 0.5, RECIPE, TUNING)
    for leaf, by_hand in zip(jax.tree.leaves(tuned), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(leaf, by_hand, rtol=1e-4, atol=1e-5)


def test_the_rate_with_the_smallest_loss_is_chosen(params):
    rows = exercises(12)
    learnt, apart = rows.where(np.arange(12) % 4 != 3), rows.where(np.arange(12) % 4 == 3)
    losses = [
        answer_nll(SHAPE, fine_tune(SHAPE, params, learnt, "sft", factor, RECIPE, TUNING), apart).mean()
        for factor in TUNING.factors
    ]
    assert choose_factor(SHAPE, params, rows, "sft", RECIPE, TUNING) == TUNING.factors[int(np.argmin(losses))]


def test_wrong_answers_are_the_strongest_of_all(params):
    """With as many beams as beginnings the search is exact: all 36 answers of two tokens are counted out."""
    rows = exercises(3)
    chances = wrong_answers(SHAPE, params, rows, beams=36)
    for row in range(3):
        probabilities = []
        for pair in itertools.product(range(6), repeat=2):
            tokens = rows.tokens[row].copy()
            tokens[[3, 5]] = pair
            nll = np.asarray(next_token_nll(decoder(SHAPE, params), jnp.asarray(tokens[None])))[0]
            if not np.array_equal(tokens, rows.tokens[row]):
                probabilities.append(np.exp(-(nll[2] + nll[4])))
        np.testing.assert_allclose(chances[row], np.sort(probabilities)[::-1], rtol=1e-4)
        right = np.exp(-answer_nll(SHAPE, params, rows)[row])
        assert chances[row].sum() + right == pytest.approx(1, abs=1e-5)
