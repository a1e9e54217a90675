"""Measured ranges of a table: what is beyond them, by how much, and that a law's file keeps them."""

import json

import numpy as np
import pytest

import t2jax as t2
from t2jax.fitting.measured_range import MeasuredRange, horizon_decades, load_measured_range

RUNS = t2.Table.from_columns(params=[1e8, 1e9], tokens=[2e9, 4e10], samples=[1.0, 64.0], pass_at_k=[0.1, 0.3])


def test_inside_nothing_is_beyond():
    inside = MeasuredRange.of(RUNS).beyond(params=5e8, tokens=1e10, samples=8.0)
    assert inside == {} and horizon_decades(inside) == 0.0


def test_factors_are_over_the_largest_or_under_the_smallest():
    """Ten times N and D are a hundred times the compute; 5 tokens per parameter are a quarter of the 20 measured."""
    beyond = MeasuredRange.of(RUNS).beyond(params=1e10, tokens=5e10, samples=640.0)
    assert beyond == pytest.approx(
        {"compute": 5e20 / 4e19, "params": 10.0, "tokens": 1.25, "tokens_per_param": 0.25, "samples": 10.0}
    )
    assert horizon_decades(beyond) == pytest.approx(np.log10(12.5))


def test_trials_measure_every_smaller_k():
    counts = t2.Table.from_columns(
        params=1e8, tokens=1e9, question=["a", "b"], trials=[100.0, 50.0], correct=[3.0, 0.0]
    )
    measured = MeasuredRange.of(counts)
    assert measured.samples == (1.0, 100.0)
    assert measured.beyond(1e8, 1e9, 649.0) == pytest.approx({"samples": 6.49})


def test_the_file_of_a_law_keeps_the_ranges(tmp_path):
    path = tmp_path / "law.json"
    content = {"measured": {"params": [1e8, 1e9], "tokens": [2e9, 4e10], "compute": [1e18, 2e20]}}
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"law\.json: the measured ranges cannot be read \(TypeError"):
        load_measured_range(path)
    content["measured"] |= {"tokens_per_param": [20.0, 40.0], "samples": None}  # pyright: ignore
    path.write_text(json.dumps(content))
    assert load_measured_range(path) == MeasuredRange((1e8, 1e9), (2e9, 4e10), (1e18, 2e20), (20.0, 40.0))
    path.write_text("{}")
    assert load_measured_range(path) is None
