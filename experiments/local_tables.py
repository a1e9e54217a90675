"""Public tables that the registry does not hold, since upstream has them as pickles: read from T2JAX_DATA alone."""

import os
from pathlib import Path

import pandas as pd

import t2jax as t2
from t2jax.table import Source


def porian() -> t2.Table:
    """77 runs on RefinedWeb by Porian et al. 2024 (2406.19146), budgets up to 6.4e18. Raises FileNotFoundError."""
    frame = pd.read_csv(_path("porian-refinedweb", "grid.csv"))
    source = Source(name="porian-refinedweb", licence="MIT")
    return t2.Table.from_columns(params=frame["N"], tokens=frame["D"], loss=frame["val_loss"], source=source)


def gadre(dataset: str) -> t2.Table:
    """Runs of Gadre et al. 2024 (2403.08540) on "c4_original" or "rpj", their loss on C4. Raises FileNotFoundError."""
    frame = pd.read_csv(_path("gadre", "models_loss.csv"))
    frame = frame[frame["dataset"] == dataset]
    source = Source(name=f"gadre, {dataset}", licence="MIT")
    columns = {"params": frame["N"], "tokens": frame["D"], "loss": frame["loss_c4_val"]}
    return t2.Table.from_columns(**columns, source=source)


def _path(*parts: str) -> Path:
    return Path(os.environ.get("T2JAX_DATA", "."), *parts)
