"""The testbed's models: what they can see, how many parameters they have, how they are trained and measured."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from t2jax.testbed.sweep.measure import agreement, answer_nll, text_loss
from t2jax.testbed.sweep.model import Decoder, Shape, biases, next_token_nll
from t2jax.testbed.sweep.train import Recipe, Windows, begin, branch, branch_step, decoder, trunk
from t2jax.testbed.text.corpus import tiny
from t2jax.testbed.text.questions import Questions

SHAPE = Shape(width=8, layers=2, heads=2)
RECIPE = Recipe(batch=8, rate=0.14, warmup=32)


@pytest.fixture(scope="module")
def corpus():
    return tiny(seed=0)


@pytest.fixture(scope="module")
def data(corpus):
    return Windows.cut(corpus.train, RECIPE.context, seed=0)


@pytest.fixture(scope="module")
def trained(data):
    state = trunk(begin(SHAPE, RECIPE, 0), branch_step(100), SHAPE, RECIPE, data)
    return jax.tree.map(np.asarray, branch(state, 100, SHAPE, RECIPE, data))


def test_no_position_sees_a_later_one():
    """The gradient of a position's logits with respect to later inputs is exactly zero, to earlier ones it is not."""
    model = Decoder(SHAPE, nnx.Rngs(0))
    tokens = jnp.arange(1, 17)[None]

    def logits(embedded):
        x = embedded
        for block in model.blocks:
            x = block(x)
        return model.norm(x)[0, 9].sum()

    slopes = np.abs(np.asarray(jax.grad(logits)(model.embedding(tokens))))[0].sum(axis=1)
    assert (slopes[10:] == 0).all() and (slopes[:10] > 0).all()


def test_parameters_are_counted():
    leaves = jax.tree.leaves(begin(SHAPE, RECIPE, 0).params)
    assert sum(leaf.size for leaf in leaves) == SHAPE.params_with_embeddings == SHAPE.params + 256 * 8
    assert SHAPE.params == 2 * (12 * 8**2 + 2 * 8) + 8
    with pytest.raises(ValueError, match="width 9 cannot be shared by 2 heads"):
        Decoder(Shape(width=9, heads=2), nnx.Rngs(0))


def test_position_biases():
    """Slopes from 1 to 1/64, nothing for the position itself, minus infinity ahead."""
    bias = np.asarray(biases(2, 4))
    assert bias[0, 3].tolist() == [-3, -2, -1, 0]
    assert bias[1, 3].tolist() == [-3 / 64, -2 / 64, -1 / 64, 0]
    assert np.isneginf(bias[:, 0, 1:]).all()


def test_flops_are_those_of_the_products():
    """Blocks, output matrix and attention, each product of (m, k) and (k, n) counted as 2mkn over 64 positions."""
    d, length = 8, 64
    blocks = 2 * (4 * d * d + 8 * d * d) * 2 + 2 * (2 * d * 2 + d)  # two layers, with two FLOPs for every gain
    seen = length * (length + 1) // 2
    attention = 2 * (2 * d + 2 * d) * seen / length  # scores and sums of both layers
    assert SHAPE.forward_flops(length) == blocks + 2 * 256 * d + attention


def test_a_new_model_knows_nothing(data):
    """Before training the loss is about that of a uniform guess among 256 tokens; the likelihoods sum to one."""
    params = begin(SHAPE, RECIPE, 0).params
    assert text_loss(SHAPE, params, data.windows[:64]) == pytest.approx(np.log(256), rel=0.1)
    prompt = np.tile(data.windows[:1], (256, 1))
    prompt[:, -1] = np.arange(256)
    last = np.asarray(next_token_nll(decoder(SHAPE, params), jnp.asarray(prompt)))[:, -1]
    assert np.exp(-last.astype(float)).sum() == pytest.approx(1, abs=1e-5)


def test_training_learns_and_does_not_depend_on_stops(data, trained):
    """Cut anywhere and gone on, the parameters are the same to the last bit; the loss has fallen."""
    state = begin(SHAPE, RECIPE, 0)
    for stop in (7, 64, 65, branch_step(100)):
        state = trunk(state, stop, SHAPE, RECIPE, data)
    state = branch(state, 100, SHAPE, RECIPE, data)
    assert int(state.step) == 100
    jax.tree.map(np.testing.assert_array_equal, state.params, trained.params)
    assert text_loss(SHAPE, trained.params, data.windows[:64]) < 0.8 * np.log(256)


def test_the_rate_falls_to_zero(data):
    """A branch of one step from step 0 moves by the full rate; what ends where it begins has not moved."""
    still = branch(begin(SHAPE, RECIPE, 0), 0, SHAPE, RECIPE, data)
    jax.tree.map(np.testing.assert_array_equal, still.params, begin(SHAPE, RECIPE, 0).params)
    recipe = Recipe(warmup=1)
    before, after = begin(SHAPE, recipe, 0), branch(begin(SHAPE, recipe, 0), 1, SHAPE, recipe, data)
    moved = max(float(jnp.abs(a - b).max()) for a, b in zip(*map(jax.tree.leaves, (before.params, after.params))))  # noqa: B905
    assert moved == pytest.approx(0.22 / 8, rel=1e-3)  # Adam's first step is the rate in every coordinate


def test_the_rate_follows_its_formula():
    """Warm-up to step 51, rate / width for `even` tokens, then a power of the tokens; a branch falls from there."""
    recipe = Recipe(fall=0.25)
    steps = np.array([0, 24, 50, 383, 384, 6144])  # of 512 tokens; 384 steps are .75 · 2^18 tokens
    expected = 0.22 / 8 * np.array([1 / 51, 25 / 51, 1, 1, 1, 0.5])
    np.testing.assert_allclose(np.asarray(recipe.rate_at(SHAPE, jnp.asarray(steps))), expected, rtol=1e-6)


def test_every_window_is_read_once_an_epoch():
    stream = np.arange(0, 12 * 64 + 1, dtype=np.uint16)
    data = Windows.cut(stream, 64, seed=3)
    assert data.windows.shape == (12, 65) and (data.windows[1:, 0] == data.windows[:-1, -1]).all()
    first, second = np.split(data.order(0), 2)
    assert sorted(first) == sorted(second) == list(range(12)) and (first != second).any()
    assert (data.order(1)[:12] == second).all()
    with pytest.raises(ValueError, match="60 training tokens do not fill one window of 65"):
        Windows.cut(stream[:60], 64, seed=0)


def test_answers_are_scored_alone(corpus, trained):
    """The score of an answer is that of its tokens, by hand; what stands after it changes nothing."""
    questions = corpus.questions
    nll = answer_nll(SHAPE, trained.params, questions)
    by_token = np.asarray(next_token_nll(decoder(SHAPE, trained.params), jnp.asarray(questions.tokens)))
    for row in range(0, len(questions), 7):
        places = np.flatnonzero(questions.answer[row])
        assert nll[row] == pytest.approx(by_token[row, places - 1].sum(), rel=1e-5)
    after = np.cumsum(questions.answer[:, ::-1], axis=1)[:, ::-1] == 0
    noisy = Questions(questions.tasks, questions.task, np.where(after, 77, questions.tokens), questions.answer)
    np.testing.assert_allclose(answer_nll(SHAPE, trained.params, noisy), nll, rtol=1e-5)


def test_true_samples_agree_with_exact_chances(corpus, trained):
    """z-scores of 1,000 draws a question: mean 0 within 4 standard errors, spread 1 within 4 of its own."""
    asked = corpus.questions
    from_end = np.cumsum(asked.answer[:, ::-1], axis=1)[:, ::-1]
    easy = replace(
        asked, answer=asked.answer & (from_end == 1)
    )  # the last token alone, as whole answers are seldom right
    nll = answer_nll(SHAPE, trained.params, easy)
    result = agreement(SHAPE, trained.params, easy, nll, 1000, jax.random.key(1))
    assert result.questions >= 20
    assert abs(result.mean) < 4 / result.questions**0.5 and abs(result.spread - 1) < 4 / (2 * result.questions) ** 0.5
    wrong = agreement(SHAPE, trained.params, easy, nll + 0.7, 1000, jax.random.key(1))
    assert wrong.spread > 2 or abs(wrong.mean) > 2  # half the chance would be seen


def test_true_samples_of_answers_at_the_end_of_the_context(corpus, trained):
    """Answers of one and of three tokens that fill the context to its last place, of two hundred windows of text."""
    tokens = corpus.train[: 200 * 65].reshape(200, 65)
    answer = np.arange(65) >= np.where(np.arange(200) < 150, 64, 62)[:, None]
    questions = Questions(("one",), np.zeros(200, int), tokens, answer)
    nll = answer_nll(SHAPE, trained.params, questions)
    result = agreement(SHAPE, trained.params, questions, nll, 1000, jax.random.key(1))
    assert result.questions >= 50
    assert abs(result.mean) < 4 / result.questions**0.5 and abs(result.spread - 1) < 4 / (2 * result.questions) ** 0.5
