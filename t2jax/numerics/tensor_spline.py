"""Cubic splines on a grid of one to three coordinates, for smooth functions that are costly to evaluate.

A spline is a sum of products of B-splines, so whoever has its knots and coefficients can evaluate it with few lines.
Source: de Boor 2001, A practical guide to splines, chapters IX and XVII.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from t2jax.typing import Float

DEGREE = 3


@dataclass(frozen=True)
class TensorSpline:
    """A cubic spline through values on a grid, or one for each entry of leading axes.

    Attributes:
        knots: Knots of each coordinate, four more than its coefficients.
        coefficients: Coefficients of the products of B-splines, shape (..., *grid).
    """

    knots: tuple[np.ndarray, ...]
    coefficients: np.ndarray

    @classmethod
    def through(cls, nodes: Sequence[np.ndarray], values: Float[np.ndarray, "..."]) -> "TensorSpline":
        """Computes the spline through values at the nodes, without a jump of the third derivative beside the ends.

        Args:
            nodes: Ascending nodes of each coordinate, at least four.
            values: Values at all combinations of nodes, shape (..., *grid).

        Returns:
            The spline.
        """
        from scipy.interpolate import make_interp_spline  # slow to load

        knots, coefficients = [], np.asarray(values, float)
        for axis, places in enumerate(nodes, start=coefficients.ndim - len(nodes)):
            spline = make_interp_spline(places, coefficients, DEGREE, axis=axis)
            knots.append(np.asarray(spline.t))
            coefficients = np.moveaxis(np.asarray(spline.c), 0, axis)
        return cls(tuple(knots), coefficients)

    def __call__(self, places: Float[np.ndarray, "places coordinates"]) -> Float[np.ndarray, "... places"]:
        """Evaluates the spline.

        Args:
            places: Coordinates inside the grid.

        Returns:
            Values, shape (..., places).
        """
        from scipy.interpolate import BSpline

        operands: list[np.ndarray] = []
        for knots, column in zip(self.knots, np.asarray(places, float).T, strict=True):
            operands.append(BSpline.design_matrix(column, knots, DEGREE).toarray())
        letters = "abc"[: len(operands)]
        factors = ",".join(f"p{letter}" for letter in letters)
        return np.einsum(f"{factors},...{letters}->...p", *operands, self.coefficients, optimize=True)
