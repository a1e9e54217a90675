"""The chances of every checkpoint and question of the testbed, and what its studies share."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import t2jax as t2
from t2jax.datasets.testbed import read_seeds

FOLDER = Path(__file__).parents[2] / "data" / "testbed"
INFERENCE = 3e7
"""C_inf of all claims, FLOPs per token served; fixed in data/testbed/DESIGN.md before the sweep."""
BESIDE = (1.85e6, 7.4e6)
"""Budgets that are shown beside it: one and four passes of the largest model."""
LEVEL = 0.9
AVERAGE = "average"


@dataclass(frozen=True)
class Shards:
    """runs: a row for each checkpoint. p: for each stage and task the chance of one sample, (checkpoints, questions).

    Rows of p belong to those of runs; checkpoints that a stage lacks are NaN.
    """

    runs: pd.DataFrame
    p: dict[tuple[str, str], np.ndarray]

    def tasks(self, stage: str = "base") -> list[str]:
        """Tasks of a stage, in the order of the table."""
        return [task for at, task in self.p if at == stage]


def read() -> Shards:
    """The seeds of the table that ships as one."""
    return Shards(*read_seeds(t2.datasets.fetch("testbed")))


def answer_files() -> list[Path]:
    """answers.parquet of every seed: the strongest wrong answers."""
    return sorted(FOLDER.glob("seed*/answers.parquet"))


def data_wall() -> pd.DataFrame:
    """The checkpoints of the arm that reads the same text many times."""
    path = FOLDER / "data-wall" / "runs.csv"
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file, expected the shard of the preset data-wall")
    return pd.read_csv(path)


def passed(p: np.ndarray, k: np.ndarray) -> np.ndarray:
    """pass@k of every checkpoint and question: 1 - (1 - p)^k. p: (checkpoints, questions), k: (checkpoints,)."""
    with np.errstate(divide="ignore"):
        return -np.expm1(k[:, None] * np.log1p(-p))


def weights(questions: int, draws: int, seed: int) -> np.ndarray:
    """Shares of the questions in the table itself and in each bootstrap resample, (1 + draws, questions)."""
    drawn = np.random.default_rng(seed).multinomial(questions, np.full(questions, 1 / questions), draws)
    return np.concatenate([np.ones((1, questions)), drawn]) / questions


def best_size(cost: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Size of least cost by a parabola in log N through the lowest and its neighbours, and whether it lies inside.

    cost: (draws, sizes). An edge is taken as it is.
    """
    x, at = np.log2(sizes), cost.argmin(axis=1)
    inside = (at > 0) & (at < len(sizes) - 1)
    mid = np.clip(at, 1, len(sizes) - 2)
    a, b = x[mid] - x[mid - 1], x[mid + 1] - x[mid]
    rows = np.arange(len(cost))
    left, right = cost[rows, mid - 1] - cost[rows, mid], cost[rows, mid + 1] - cost[rows, mid]
    bend = (left / a + right / b) / (a + b)
    slope = (right * a / b - left * b / a) / (a + b)
    step = np.clip(-slope / np.maximum(2 * bend, 1e-300), -a, b)
    return np.where(inside, 2 ** (x[mid] + step), sizes[at]), inside


def over_sizes(values: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Means over the checkpoints of each size, (draws, sizes). values: (draws, checkpoints), place: (checkpoints,)."""
    return np.stack([values[:, place == i].mean(axis=1) for i in range(place.max() + 1)], axis=1)
