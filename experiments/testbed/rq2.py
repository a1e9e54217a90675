"""Do T²'s laws predict overtrained models? The testbed: fits up to some D/N, predictions beyond.

The cut is five times the D/N of the measured optimum for one sample, as data/testbed/DESIGN.md demands. That D/N is the
median over the budgets at which the optimum lies inside the sizes trained. Fits and predictions are those of
`experiments.shared.overtrained`, from 2^19 tokens on. Fits up to a quarter of the cut decide which law is
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
from experiments.shared.shards import best_size


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
    """The audit of the table that ships."""
    average = t2.datasets.load("testbed", samples=config.samples, average=True)
    split = config.factor * best_ratio(average, config)
    settings = dataclasses.replace(config, split=split, inner_split=split / 4)
    parts = [average]
    if config.tasks != 0:
        rows = t2.datasets.load("testbed", samples=config.samples)
        parts += [rows.where(task=name) for name in list(dict.fromkeys(rows["task"]))[: config.tasks]]
    return audit([part.where(part["tokens"] >= min(config.least_tokens)) for part in parts], settings)


def best_ratio(average: t2.Table, config: Config) -> float:
    """Median over budgets of the D/N that is best for one sample, where it lies inside the sizes trained."""
    once: Any = average.where(samples=1).to_frame()
    ratios = []
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
