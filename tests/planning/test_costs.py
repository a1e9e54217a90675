"""Costs of training and serving against sums written out by hand, and what a Budget refuses."""

from typing import Any

import jax
import numpy as np
import pytest

import t2jax as t2

N, D, K = np.array([1e8, 7e9, 4e11]), np.array([2e9, 1.4e11, 8e12]), np.array([1.0, 30.0, 1000.0])
SHAPE = t2.Shape(aspect=100.0, kv_share=0.25)


def test_special_case_of_the_paper():
    """6ND, and 2Nk for one token without a prompt; tokens of a prompt cost 2N once, generated ones for each sample."""
    with jax.enable_x64(True):
        np.testing.assert_allclose(t2.Training()(N, D), 6 * N * D, rtol=1e-15)
        np.testing.assert_allclose(t2.Serving()(N, K), 2 * N * K, rtol=1e-15)
        several = t2.Serving(prompt=700.0, generated=50.0)(N, K)
    np.testing.assert_allclose(several, 2 * N * (700 + 50 * K), rtol=1e-14)
    assert t2.Training().unit == t2.Serving().unit == "FLOPs"


def test_attention_over_a_growing_context_is_a_sum_over_tokens():
    depth = (N / (12 * 100.0**2)) ** (1 / 3)
    width = 100 * depth
    np.testing.assert_allclose(12 * depth * width**2, N, rtol=1e-12)
    prompt, generated = 300, 40
    seen = sum(range(1, prompt + 1)), sum(range(prompt + 1, prompt + generated + 1))
    by_hand = 2 * N * (prompt + generated * K) + 4 * depth * width * (seen[0] + seen[1] * K)
    with jax.enable_x64(True):
        np.testing.assert_allclose(SHAPE.depth(N), depth, rtol=1e-12)
        np.testing.assert_allclose(SHAPE.width(N), width, rtol=1e-12)
        served = t2.Serving(prompt=300.0, generated=40.0, shape=SHAPE)(N, K)
        trained = t2.Training(SHAPE, context=2048.0)(N, D)
    np.testing.assert_allclose(served, by_hand, rtol=1e-12)
    # forward and twice that backward, on half of the context
    np.testing.assert_allclose(trained, (6 * N + 3 * 4 * depth * width * 1024) * D, rtol=1e-12)


def test_decoding_is_priced_by_the_slower_of_arithmetic_and_memory():
    """A batch of one waits for the weights, one of 4096 for the arithmetic; latency and memory follow from the same."""
    chip = t2.accelerator("h100", utilisation=0.5, bandwidth_utilisation=0.5, price=3.6)
    flops, bandwidth = 989e12 / 2, 3.35e12 / 2
    with jax.enable_x64(True):
        alone = t2.Serving(generated=100.0, on=chip)
        np.testing.assert_allclose(alone(N, K), 1e-3 * K * 100 * 2 * N / bandwidth, rtol=1e-12)
        np.testing.assert_allclose(alone.latency(N), 100 * 2 * N / bandwidth / 8, rtol=1e-12)
        many = t2.Serving(generated=100.0, batch=4096.0, on=chip)
        np.testing.assert_allclose(many(N, K), 1e-3 * K * 100 * 2 * N / flops, rtol=1e-12)
        np.testing.assert_allclose(many.latency(N), 4096 * 100 * 2 * N / flops / 8, rtol=1e-12)
        # with a cache the batch pays for its own memory traffic, however large it is
        cached = t2.Serving(prompt=1e4, generated=10.0, shape=SHAPE, batch=1e9, on=chip)
        depth = (N / (12 * 100.0**2)) ** (1 / 3)
        cache = 2 * 2 * 0.25 * depth * 100 * depth
        seen = 1e4 * 10 + 55
        arithmetic = (2 * N * 10 + 4 * 100 * depth**2 * seen) / flops
        prompt = (2 * N * 1e4 + 4 * 100 * depth**2 * (1e8 + 1e4) / 2) / flops
        by_hand = prompt + K * np.maximum(arithmetic, cache * seen / bandwidth)
        np.testing.assert_allclose(cached(N, K), 1e-3 * by_hand, rtol=1e-7)
        np.testing.assert_allclose(cached.memory_used(N), 2 * N + 1e9 * cache * 10_010, rtol=1e-12)
        trained = t2.Training(on=chip)(N, D)
    np.testing.assert_allclose(trained, 1e-3 * 6 * N * D / flops, rtol=1e-12)
    hours = t2.Serving(on=t2.accelerator("TPU-v5e", hours=True))
    seconds = t2.Serving(on=t2.accelerator("TPU-v5e"))
    assert hours.unit == "device-hours" and float(seconds(1e9, 2)) == pytest.approx(3600 * float(hours(1e9, 2)))
    with pytest.raises(ValueError, match="with a price costs are dollars, not device-hours"):
        t2.accelerator("H100", price=2.0, hours=True)
    assert alone.unit == "dollars" and t2.Serving(on=t2.accelerator("TPU-v5e")).unit == "device-seconds"


def test_a_prompt_of_no_tokens_is_none():
    serving = t2.Serving(prompt=0, generated=4.0, on=t2.accelerator("H100"))
    assert serving == t2.Serving(generated=4.0, on=t2.accelerator("H100"))
    with pytest.raises(ValueError, match=r"Serving\.prompt must be positive and finite, not 0"):
        t2.Serving(prompt=np.array([0.0, 1.0]))


def test_known_accelerators():
    peaks = {"H100": (989e12, 3.35e12, 80e9), "h200": (989e12, 4.8e12, 141e9), "a100": (312e12, 2.039e12, 80e9)}
    peaks |= {"TPU v5e": (197e12, 819e9, 16e9), "tpu v5p": (459e12, 2765e9, 95e9), "TPUv6e": (918e12, 1638e9, 32e9)}
    peaks |= {"L40S": (362.05e12, 864e9, 48e9), "mi300x": (1307.4e12, 5.3e12, 192e9), "B200": (18e15 / 8, 8e12, 180e9)}
    for name, peak in peaks.items():
        chip = t2.accelerator(name)
        assert (chip.flops, chip.bandwidth, chip.memory) == peak
    with pytest.raises(ValueError, match="unknown accelerator 'H900': expected one of H100, H200, A100, B200"):
        t2.accelerator("H900")
    with pytest.raises(ValueError, match=r"Accelerator\.price must be positive and finite, not 0"):
        t2.accelerator("H100", price=0.0)
    with pytest.raises(ValueError, match=r"Accelerator\.utilisation is a share of the peak, not 40"):
        t2.accelerator("H100", utilisation=40.0)


CHIP = t2.accelerator("H100", price=2.0)
REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, r"a Budget needs train=, or total= and queries=, or a target= to reach"),
    ({"total": 1e22, "queries": 0.0}, r"Budget\.queries must be positive and finite, not 0"),
    ({"total": 1e22}, r"Budget\.total needs Budget\.queries too"),
    ({"train": 1e22, "queries": 1e9}, r"Budget\.queries needs Budget\.total too"),
    ({"target": -1.0}, r"Budget\.target must be positive and finite, not -1"),
    (
        {"train": 1e22, "tokens_min": 2e9, "tokens_max": 1e9},
        r"tokens_min=2e\+09 must be below Budget\.tokens_max=1e\+09",
    ),
    ({"train": 1e22, "samples_max": 4.0}, r"bounds on samples need a price of samples"),
    ({"train": 1e22, "latency": 1.0}, r"latency needs a Serving on an accelerator"),
    ({"train": 1e22, "sizes": (1e9, -1.0)}, r"sizes must be a list of positive numbers"),
    (
        {"total": 1e22, "queries": 1e9, "serving": t2.Serving(on=CHIP)},
        "training costs FLOPs and serving dollars, which do not add up",
    ),
)


@pytest.mark.parametrize(("limits", "message"), REFUSED)
def test_budgets_that_make_no_problem(limits, message):
    with pytest.raises(ValueError, match=message):
        t2.Budget(**limits)


def test_costs_that_are_refused():
    with pytest.raises(ValueError, match="attention from both a shape and a context"):
        t2.Training(shape=SHAPE)
    with pytest.raises(ValueError, match=r"Serving\.prompt must be positive and finite, not -1"):
        t2.Serving(prompt=-1.0)
    with pytest.raises(ValueError, match="latency is in seconds: give Serving an accelerator"):
        t2.Serving().latency(1e9)


def test_laws_and_budgets_that_do_not_fit_each_other():
    values = {"E": 1.5, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37}
    repeated = t2.laws.DataConstrained(**values, R_D=15.0)
    with pytest.raises(ValueError, match=r"DataConstrained reads U too, .*: give Budget\(unique_tokens="):
        t2.allocate(repeated, t2.Budget(train=1e22))
    with pytest.raises(ValueError, match=r"unique_tokens limits the different tokens, which Chinchilla does not read"):
        t2.allocate(t2.laws.Chinchilla(**values), t2.Budget(train=1e22, unique_tokens=1e9))
    naive = t2.laws.T2PassKNaive(**values, theta0=2.0, theta1=1.0, theta2=0.9)
    with pytest.raises(ValueError, match=r"T2PassKNaive predicts pass@k: Budget\.target must be below 1, not 1\.2"):
        t2.allocate(naive, t2.Budget(target=1.2, queries=1e9))
