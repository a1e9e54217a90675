"""Tables of real runs that several experiments read, beside those of the registry.

porian and gadre are pickles upstream, and code_models may not be redistributed. So all three are local only: read from
the folder that T2JAX_DATA names.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import t2jax as t2
from t2jax.tables.source import Source

LEAST_TOKENS = 2.0**19
"""Testbed checkpoints trained on fewer tokens are left out."""


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


def farseer() -> t2.Table:
    """Runs of Li et al. 2026 (2604.22753), "farseer": losses per character. Raises FileNotFoundError."""
    frame = _scalebench("farseer")
    source = Source(name="farseer", licence="CC-BY-4.0")
    return t2.Table.from_columns(params=frame["N"], tokens=frame["D"], loss=frame["loss"], source=source)


def data_constrained() -> t2.Table:
    """Runs of many passes over few unique tokens, from the same source. Raises FileNotFoundError."""
    frame = _scalebench("data_constrained")
    source = Source(name="data_constrained", licence="CC-BY-4.0")
    return t2.Table.from_columns(**{name: frame[name] for name in frame}, source=source)


def code_models(loss: str | None = None) -> t2.Table:
    """HumanEval pass@k of 57 models by Krajewski et al. 2025 (2512.08894), with a `loss` on "c4", "dclm" or "fineweb".

    The one model without losses is left out where a loss is asked for. Raises FileNotFoundError.
    """
    frame = pd.read_csv(_path("apple-code", "humaneval.csv"))
    columns: Any = {name: frame[name] for name in ("params", "tokens", "samples", "pass_at_k")}
    columns["model"] = frame["model"].to_numpy(str)
    source = Source(name="apple-code", licence="all rights reserved")
    if loss is None:
        return t2.Table.from_columns(**columns, source=source)
    there = frame[f"loss_{loss}"].notna().to_numpy()
    columns = {name: np.asarray(column)[there] for name, column in columns.items()}
    return t2.Table.from_columns(**columns, loss=frame[f"loss_{loss}"][there], source=source)


def code_model_losses() -> t2.Table:
    """Losses on DCLM of the same models, one row each. Raises FileNotFoundError."""
    rows = code_models("dclm")
    rows = rows.where(samples=1)
    return t2.Table.from_columns(params=rows["params"], tokens=rows["tokens"], loss=rows["loss"], source=rows.source)


def testbed_losses() -> t2.Table:
    """Validation losses of the testbed's checkpoints, means over seeds."""
    rows = t2.datasets.load("testbed", samples=(1.0,), tasks=("facts",), seeds=False)
    rows = rows.where(rows["tokens"] >= LEAST_TOKENS)
    return t2.Table.from_columns(params=rows["params"], tokens=rows["tokens"], loss=rows["validation_loss"])


def testbed_samples() -> t2.Table:
    """-log pass@k of the testbed's average task at five k, means over seeds."""
    rows = t2.datasets.load("testbed", samples=(1.0, 4.0, 16.0, 64.0, 256.0), average=True, seeds=False)
    rows = rows.where(rows["tokens"] >= LEAST_TOKENS)
    columns: Any = {name: rows[name] for name in ("params", "tokens", "samples", "neg_log_pass")}
    return t2.Table.from_columns(**columns)


def _scalebench(name: str) -> pd.DataFrame:
    parts = [pd.read_parquet(_path("scalebench", f"{name}_{part}.parquet")) for part in ("train", "test")]
    return pd.concat(parts).drop_duplicates()


def _path(*parts: str) -> Path:
    return Path(os.environ.get("T2JAX_DATA", "."), *parts)
