"""Do T²'s laws predict overtrained models? The second testbed: fits up to some D/N, predictions beyond.

The cut is five times the D/N of the measured optimum for one sample, as data/testbed/DESIGN.md demands. That D/N is the
median over the budgets at which the optimum lies inside the sizes trained. Fits and predictions are those of
experiments/paper/rq2_overtrained_tasks.py, from 2^19 tokens on. Fits up to a quarter of the cut decide which law is
called best.

    python -m experiments.testbed.rq2 [tiny] [-o FOLDER]
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

import t2jax as t2
from experiments.shared.overtrained import Config as Audited
from experiments.shared.overtrained import Result, audit, figures, words
from experiments.shared.record import command
from experiments.shared.seeds import average_tasks
from experiments.shared.shards import UNITS, best_size, frame


@dataclass(frozen=True)
class Config(Audited):
    """What is fitted and predicted. `split` and `inner_split` follow from `factor` and the table."""

    factor: float = 5.0
    """The cut, in multiples of the D/N that is best for one sample."""
    least_tokens: tuple[float, ...] = (2.0**19,)
    """The fewest tokens of a checkpoint."""
    least_sizes: int = 4
    """Sizes that a budget needs for its optimum."""

    @classmethod
    def tiny(cls) -> Self:
        fewer: Any = {"samples": (1, 16, 256), "every": 2, "tasks": 0}
        return cls(laws=("T2Loss on Kaplan", "Threshold on Kaplan"), starts=1, draws=20, **fewer)


def run(config: Config) -> Result:
    """The audit of the shards that are there."""
    samples = config.samples
    rows = frame(samples)
    average, _ = average_tasks(rows)
    split = config.factor * best_ratio(average, config)
    settings = dataclasses.replace(config, split=split, inner_split=split / 4)
    tasks = list(dict.fromkeys(rows["task"]))[: config.tasks]
    parts = [average, *(rows[rows["task"] == name] for name in tasks)]
    return audit([table_of(part[part["tokens"] >= min(config.least_tokens)]) for part in parts], settings)


def table_of(rows: Any) -> t2.Table:
    """Rows of one task as a table; losses are of whole answers."""
    return t2.Table(rows.reset_index(drop=True), UNITS)


def best_ratio(average: Any, config: Config) -> float:
    """Median over budgets of the D/N that is best for one sample, where it lies inside the sizes trained."""
    once, ratios = average[average["samples"] == 1], []
    for budget, rows in once.groupby("budget"):
        mean = rows.groupby("params")["loss"].mean()
        if len(mean) < config.least_sizes:
            continue
        params, inside = best_size(mean.to_numpy()[None], mean.index.to_numpy(float))
        if inside[0]:
            ratios.append(float(budget) / (6 * params[0] ** 2))
    if not ratios:
        raise ValueError("no budget has its optimum for one sample inside the sizes trained")
    return float(np.median(ratios))


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
