"""Cost of a grid of sizes and budgets, before any training."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from t2jax.testbed.sweep.grid import Arm, Grid
from t2jax.testbed.sweep.train import Recipe
from t2jax.testbed.text.tokenizer import VOCABULARY

PAPER_PARAMS = tuple(1e6 * n for n in (5, 7, 9, 15, 22, 28, 37, 57, 84, 108, 149, 220, 347, 455, 611, 901))
PAPER_BUDGETS = tuple(1.25e16 * 2.0**j for j in range(12))


def layout(
    params: Sequence[float], budgets: Sequence[float], flops_per_second: float, utilisation: float
) -> pd.DataFrame:
    """Lists every size at every budget, with the tokens from 6ND = budget.

    PAPER_PARAMS and PAPER_BUDGETS are the sizes and budgets of Roberts et al. 2026 (2604.01411).
    Their grid has 106 of these cells.

    Args:
        params: Model sizes.
        budgets: Training budgets in FLOPs.
        flops_per_second: Peak speed of a device.
        utilisation: Share of the peak that training reaches.

    Returns:
        The columns params, budget (FLOPs), tokens, tokens_per_param and device_hours, with one row per cell.

    Raises:
        ValueError: A number is not positive, or the utilisation is above 1.
    """
    n, c = (x.ravel() for x in np.meshgrid(params, budgets, indexing="ij"))
    return _cells(n, c, flops_per_second, utilisation)


def of_grid(grid: Grid | Arm, recipe: Recipe, flops_per_second: float, utilisation: float) -> pd.DataFrame:
    """Lists the cost of the checkpoints of a sweep, for all seeds, in the form of `layout`."""
    cells = [(cell.shape.params, cell.budget) for run in grid.runs(recipe, VOCABULARY) for cell in run.cells]
    n, c = np.array(cells, float).T
    return _cells(n, c, flops_per_second, utilisation)


def _cells(n: np.ndarray, c: np.ndarray, flops_per_second: float, utilisation: float) -> pd.DataFrame:
    for name, value in (("params", n), ("budgets", c), ("flops_per_second", flops_per_second)):
        if not np.all(np.asarray(value) > 0):
            raise ValueError(f"{name} has {np.min(value):g}, expected positive numbers")
    if not 0 < utilisation <= 1:
        raise ValueError(f"utilisation is {utilisation:g}, expected a share above 0 and at most 1")
    return pd.DataFrame(
        {
            "params": n,
            "budget": c,
            "tokens": c / (6 * n),
            "tokens_per_param": c / (6 * n**2),
            "device_hours": c / (flops_per_second * utilisation * 3600),
        }
    )
