"""What results of evaluation print: the status first, then each answer by name."""

from typing import Any

import numpy as np

import t2jax as t2
from t2jax.numerics.bands import Band


def test_an_averaged_frontier():
    band, bands = Band(1.0, 2.0, 3.0, 0.9), Band(np.array([1.0, 2.0]), np.array([2.0, 3.0]), np.array([3.0, 4.0]), 0.9)
    plans: Any = None
    result = t2.evaluation.AveragedFrontier(band, bands, bands, band, {"chinchilla": 10}, plans, "10 draws")
    assert repr(result).splitlines() == [
        "AveragedFrontier: 10 draws",
        "  params            2 (1 to 3)",
        "  tokens            2 to 3 (within 1 to 4)",
        "  tokens_per_param  2 to 3 (within 1 to 4)",
        "  samples           2 (1 to 3)",
    ]
