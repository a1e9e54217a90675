"""Cubic splines on grids: cubics are themselves, and a smooth function is met to the fourth order of the steps."""

import numpy as np
import pytest

from t2jax.numerics.tensor_spline import TensorSpline


def cubic(x, y, z):
    return (1 + x - 2 * x**3) * (y**2 - y**3) * (3 - z + 0.5 * z**3)


def test_a_product_of_cubics_is_itself():
    nodes = [np.linspace(-1, 2, 5), np.linspace(0, 3, 7), np.linspace(1, 2, 4)]
    grid = np.meshgrid(*nodes, indexing="ij")
    spline = TensorSpline.through(nodes, np.stack([cubic(*grid), -2 * cubic(*grid)]))
    assert spline.coefficients.shape == (2, 5, 7, 4) and [len(knots) for knots in spline.knots] == [9, 11, 8]
    places = np.random.default_rng(0).uniform([-1, 0, 1], [2, 3, 2], (50, 3))
    exact = cubic(*places.T)
    np.testing.assert_allclose(spline(places), [exact, -2 * exact], atol=1e-12)


def test_errors_fall_with_the_fourth_power_of_the_step():
    places = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    errors = []
    for count in (20, 40):
        nodes = [np.linspace(-1, 1, count)] * 2
        values = np.exp(nodes[0][:, None] - 2 * nodes[1][None])
        errors.append(np.abs(TensorSpline.through(nodes, values)(places) - np.exp(places @ [1.0, -2.0])).max())
    assert errors[0] / errors[1] == pytest.approx((39 / 19) ** 4, rel=0.5)
