"""Distance of rows from the convex hull of others."""

import numpy as np
import pytest

import t2jax as t2
from t2jax.evaluation.convex_hull import decades_outside, in_ranges
from t2jax.laws.loss.chinchilla import Chinchilla
from t2jax.laws.pass_at_k.t2_loss import T2Loss


def test_decades_outside_the_hull():
    """A right triangle of one decade: distances of Euclid. With k, one decade of it; on a line, off the line."""
    x = np.array([[7, 9], [8, 9], [7, 10], [8, 10], [7.25, 9.25], [9, 9], [7.5, 9.5], [6, 8.0]])
    fitted = np.arange(8) < 3
    table = t2.Table.from_columns(params=10 ** x[:, 0], tokens=10 ** x[:, 1])
    assert in_ranges(Chinchilla, table, fitted).tolist() == [True] * 5 + [False, True, False]
    expected = [0, 0, 0, np.sqrt(0.5), 0, 1, 0, np.sqrt(2)]
    np.testing.assert_allclose(decades_outside(Chinchilla, table, fitted), expected, atol=1e-9)
    on_line = decades_outside(Chinchilla, table, np.arange(8) < 2)
    np.testing.assert_allclose(on_line[[0, 1, 3, 4, 5, 6]], [0, 0, 1, 0.25, 1, 0.5], atol=1e-9)
    samples = table.with_columns(samples=[1.0, 1.0, 1.0, 1.0, 10.0, 1.0, 1.004, 1.0])
    result = decades_outside(T2Loss, samples, fitted)
    assert result[4] == pytest.approx(1.0) and result[6] == 0
