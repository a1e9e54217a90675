"""The test for smooth residuals: shuffled residuals score as noise, a wave scores and has its size."""

import numpy as np

from t2jax.numerics.smooth_structure import LENGTH, measure_structure

RUN = np.arange(144)
LOGS = np.stack(np.meshgrid(np.linspace(0, 5, 12), np.linspace(0, 5, 12)), axis=-1).reshape(-1, 2)


def test_independent_residuals_score_as_a_standard_normal():
    rng = np.random.default_rng(0)
    scores = [measure_structure(rng.standard_normal(len(LOGS)), LOGS, RUN).score for _ in range(60)]
    assert abs(np.mean(scores)) < 3 / np.sqrt(60)
    assert 0.7 < np.std(scores) < 1.3


def test_the_score_is_that_of_shuffled_ranks():
    """Mean and deviation over 20,000 orders of the ranks: their Monte Carlo errors are 0.7 and 0.5 % of a deviation."""
    rng = np.random.default_rng(3)
    places, residual = 0.7 * LOGS[:20], rng.standard_normal(20) ** 3
    weight = np.exp(-0.5 * ((places[:, None] - places) ** 2).sum(-1) / LENGTH**2)
    np.fill_diagonal(weight, 0.0)
    ranks = np.argsort(np.argsort(residual)) - 9.5
    shuffled = rng.permuted(np.tile(ranks, (20_000, 1)), axis=1)
    products = np.einsum("pi,ij,pj->p", shuffled, weight, shuffled, optimize=True)
    expected = (ranks @ weight @ ranks - products.mean()) / products.std()
    score = measure_structure(residual, places, np.arange(20)).score
    assert abs(score - expected) < 0.035 + 0.02 * abs(expected)


def test_a_wave_scores_and_has_its_size():
    wave = 0.02 * np.sin(LOGS[:, 0])
    structure = measure_structure(wave + 0.01 * np.random.default_rng(1).standard_normal(len(LOGS)), LOGS, RUN)
    assert structure.score > 10
    np.testing.assert_allclose(structure.size, wave.std(), rtol=0.15)


def test_many_rows_are_thinned_and_few_have_no_score():
    many = np.tile(LOGS, (10, 1)) + 1e-3 * np.random.default_rng(2).standard_normal((10 * len(LOGS), 2))
    assert measure_structure(np.sin(many[:, 0]), many, np.arange(len(many))).score > 10
    assert measure_structure(np.ones(5), LOGS[:5], RUN[:5]).score == 0


def test_errors_that_runs_share_are_no_structure():
    """Twelve runs of twelve checkpoints, each off by its own amount."""
    run = np.repeat(np.arange(12), 12)
    places = np.stack([np.repeat(np.linspace(0, 5, 12), 12), np.tile(np.linspace(0, 5, 12), 12)], axis=1)
    shared = np.random.default_rng(0).standard_normal(12)[run]
    assert measure_structure(shared, places, RUN).score > 10
    assert measure_structure(shared, places, run).score < 4
