"""What is text worth that is read again? The data-wall arm of the testbed: three sizes, 1 to 64 passes.

Laws of repeated data are fitted to the validation loss of runs of at most `Config.passes` passes and predict the
others. Beside them stands Chinchilla's law, which ignores repetition. A size with so many unique tokens is harmed if
its loss rises again.

    python -m experiments.testbed.data_wall [tiny] [-o FOLDER]
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import jax
import numpy as np
import pandas as pd

import t2jax as t2
from experiments.shared.pictures import common_legend, stacked
from experiments.shared.record import UNSAVED, command, stage
from experiments.shared.shards import data_wall
from t2jax.plot.style import BLACK, BLUE, GREY, VERMILLION, log_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LAWS = ("chinchilla", "data-constrained", "harmful-repetition", "overfitted-repetition")
HARM = 0.02
"""Nats above its least value at which a loss counts as risen."""


@dataclass(frozen=True)
class Config:
    """Which laws, and which runs they are fitted to."""

    laws: tuple[str, ...] = LAWS
    """Names of the laws."""
    passes: float = 8.0
    """Passes up to which runs are fitted; the others are predicted."""
    starts: int = 8
    """Starts of each fit."""
    seed: int = 0
    """Seed of the starts."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(laws=LAWS[:2], starts=2)


@dataclass(frozen=True)
class Fitted:
    """A law: mean size of predicted / measured - 1 where it is fitted and beyond, and groups foretold to be harmed."""

    law: str
    parameters: dict[str, float]
    fitted_error: float
    error: float
    harmed: int


@dataclass(frozen=True)
class Result:
    """groups: of equal size and unique tokens; harmed: those whose loss rises again by HARM."""

    runs: int
    beyond: int
    groups: int
    harmed: int
    laws: tuple[Fitted, ...]
    table: t2.Table = field(metadata=UNSAVED)


def run(config: Config) -> Result:
    """The study of the arm's table."""
    return study(data_wall(), config)


def study(runs: pd.DataFrame, config: Config) -> Result:
    """Every law. runs: params, tokens, unique_tokens and validation_loss."""
    columns = {"params": "params", "tokens": "tokens", "unique_tokens": "unique_tokens", "loss": "validation_loss"}
    table = t2.Table(pd.DataFrame({name: runs[column].to_numpy(float) for name, column in columns.items()}))
    near = table["tokens"] <= config.passes * table["unique_tokens"]
    pairs: Any = np.unique(np.stack([table["params"], table["unique_tokens"]]), axis=1).T
    fits = []
    for name in config.laws:
        with stage(name):
            law = t2.fit(
                t2.laws.by_name(name), table.where(near), key=jax.random.key(config.seed), starts=config.starts
            )
        off = np.abs(t2.predict(law.law, table) / table["loss"] - 1)
        risen = count_harmed(pairs, table, t2.predict(law.law, table))
        values = {key: float(value) for key, value in law.law.values().items()}
        fits.append(Fitted(name, values, float(off[near].mean()), float(off[~near].mean()), risen))
    risen_groups = count_harmed(pairs, table, table["loss"])
    return Result(len(near), int(np.sum(~near)), len(pairs), risen_groups, tuple(fits), table)


def count_harmed(pairs: np.ndarray, table: t2.Table, loss: np.ndarray) -> int:
    """Counts the groups whose loss at the most tokens lies above their least one by HARM."""
    count = 0
    for params, unique in pairs:
        rows = (table["params"] == params) & (table["unique_tokens"] == unique)
        count += loss[rows][table["tokens"][rows].argmax()] > loss[rows].min() + HARM
    return int(count)


def words(result: Result) -> list[str]:
    """The result in sentences."""
    lines = [
        f"{result.runs} runs, {result.beyond} of them of more passes than are fitted; the loss of {result.harmed} of "
        f"{result.groups} groups of equal size and unique tokens rises again by {HARM:g} nats."
    ]
    for law in result.laws:
        lines.append(
            f"  {law.law}: error {law.fitted_error:.2%} where fitted, {law.error:.2%} beyond; {law.harmed} groups are "
            "foretold to rise."
        )
    return lines


def figures(result: Result) -> dict[str, "Figure"]:
    """Loss against passes, a panel for each size and a line for each number of unique tokens."""
    table = result.table
    sizes = np.unique(table["params"])
    drawn, axes = stacked(len(sizes), 1.6, sharex=True)
    for ax, size in zip(axes, sizes, strict=True):
        for colour, unique in zip((BLACK, BLUE, VERMILLION, GREY), np.unique(table["unique_tokens"]), strict=False):
            rows = (table["params"] == size) & (table["unique_tokens"] == unique)
            passes = table["tokens"][rows] / unique
            ax.plot(passes, table["loss"][rows], "o-", color=colour, label=f"{unique / 2**20:.0f} M unique tokens")
        ax.set(xscale="log", title=f"N = {size:,.0f}", ylabel="loss (nats/token)")
        log_ticks(ax)
    axes[-1].set_xlabel("passes over the unique tokens")
    common_legend(drawn, columns=2)
    return {"passes": drawn}


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
