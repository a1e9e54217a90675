"""`t2jax passk`: pass@k, pass^k and maj@k from counts, with intervals over questions and paired differences."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import pandas as pd

from t2jax import datasets
from t2jax.cli.output import Output
from t2jax.cli.passk.config import PasskConfig
from t2jax.cli.passk.rows import Cell, Difference, cells_of, differences
from t2jax.cli.passk.words import answer_cells, counts_text, differences_text, target_text
from t2jax.cli.process.wording import in_option_names
from t2jax.cli.tables.pairs import pairs
from t2jax.files import finite, whole
from t2jax.forecasts.target import TargetSamples, samples_for_target
from t2jax.results.counts_file import QuestionCounts, counts_of
from t2jax.results.read_counts import read_counts
from t2jax.tables.place import Place
from t2jax.tables.reading.options import Reading


@dataclass(frozen=True)
class Target:
    """The k that a model needs to reach the target on a task."""

    counts: QuestionCounts
    samples: TargetSamples

    def answer(self) -> dict[str, Any]:
        """Returns it for --json, with null for a k that is not reached."""
        reached = self.samples
        sizes = {"k": finite(reached.samples), "low": finite(reached.low), "high": finite(reached.high)}
        return {
            "model": self.counts.model,
            "task": self.counts.task,
            "target": reached.target,
            **sizes,
            "status": reached.status,
        }


def run(config: PasskConfig) -> int:
    """Estimates, prints and saves; returns 0. It raises ValueError for bad input."""
    samples = _checked(config)
    groups, notes = _read(config)
    if config.compare is not None:
        groups = [counts for counts in groups if counts.model in config.compare]
        for name in config.compare:
            if name not in {counts.model for counts in groups}:
                raise ValueError(f"--compare: found no model {name!r} in {config.table}")
    key = jax.random.key(config.seed)
    cells: list[Cell] = []
    targets: list[Target] = []
    lines: list[Difference] = []
    statuses: list[str] = []
    with Output("passk", config.output, config) as out:
        for counts in groups:
            estimates, sentences = cells_of(counts, samples, key, config.draws, config.level)
            cells += estimates
            statuses += [f"{counts.name}: {sentence}" for sentence in sentences]
            out.say(counts_text(counts, estimates, sentences, config.level))
            if config.target is not None:
                reached = samples_for_target(counts.trials, counts.correct, config.target, key=key, level=config.level)
                targets.append(Target(counts, reached))
                out.say(target_text(reached))
            out.say("")
        for first, second in _pairs(groups, config.compare):
            paired, status = differences(first, second, samples, config.level)
            lines += paired
            statuses.append(status)
            out.say(differences_text(paired, status, config.level), "")
        _save(out, "passk.csv", cells)
        if lines:
            _save(out, "differences.csv", lines)
        answer = {
            "level": config.level,
            "cells": answer_cells(cells),
            "targets": [target.answer() for target in targets],
            "differences": answer_cells(lines),
            "statuses": statuses,
            "notes": notes,
        }
        return out.finish(0, answer)


def _checked(config: PasskConfig) -> list[int]:
    """Returns the values of k, each once and rising. It raises ValueError for options out of range."""
    if not config.k or min(config.k) < 1:
        raise ValueError(f"--k: found {' '.join(map(str, config.k)) or 'nothing'}, expected whole numbers >= 1")
    for option, value in (("--level", config.level), ("--target", config.target)):
        if value is not None and not 0 < value < 1:
            raise ValueError(f"{option}: found {value:g}, expected a number between 0 and 1, such as 0.8")
    if config.draws < 100:
        raise ValueError(f"--draws: found {config.draws}, expected at least 100")
    return sorted(set(config.k))


def _read(config: PasskConfig) -> tuple[list[QuestionCounts], list[str]]:
    """Reads counts from a file, or from a public data set, with notes on what was recognised, which it says too."""
    name, conditions = config.table, pairs("--where", config.where)
    if name in datasets.names() and not Path(name).exists():
        for option in ("columns", "sep", "units", "decimal", "encoding", "sheet"):
            if getattr(config, option) not in (None, ()):
                raise ValueError(f"--{option} applies to files, and {name!r} is a public data set")
        return counts_of(datasets.load(name).to_frame(), Place(name), conditions), []
    reading = Reading(
        columns=pairs("--columns", config.columns),
        units=dict(pairs("--units", config.units)),
        separator=config.sep,
        decimal=config.decimal,
        encoding=config.encoding,
        sheet=config.sheet,
    )
    counts = read_counts(name, conditions, reading)
    notes = [in_option_names(note) for note in counts.notes]
    for note in notes:
        print(f"t2jax: {name}: {note}", file=sys.stderr)
    return counts.groups, notes


def _pairs(
    groups: Sequence[QuestionCounts], compare: tuple[str, str] | None
) -> list[tuple[QuestionCounts, QuestionCounts]]:
    """Returns the counts of both models for each task that both have."""
    if compare is None:
        return []
    by_place = {(counts.model, counts.task): counts for counts in groups}
    tasks = dict.fromkeys(counts.task for counts in groups)
    both = [
        (by_place[compare[0], task], by_place[compare[1], task])
        for task in tasks
        if all((name, task) in by_place for name in compare)
    ]
    if not both:
        raise ValueError(f"--compare: {compare[0]} and {compare[1]} have no common task")
    return both


def _save(out: Output, name: str, rows: Sequence[Cell] | Sequence[Difference]) -> None:
    with out.file(name) as path, whole(path) as unfinished:
        pd.DataFrame([vars(row) for row in rows]).to_csv(unfinished, index=False)
