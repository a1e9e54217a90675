"""What becomes of broken files, and of tables in other forms? Mutations of small files of our own, read by t2jax.

Result files of evaluation tools and tables of runs get mistakes at random. A file may be refused in one sentence or
give the rows of the whole file. Any other exception ends the experiment. The files have the formats of the tools, with
invented values.

    python -m experiments.checks.doors [tiny] [-o FOLDER]
"""

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from experiments.shared.mutated_results import MUTATIONS, try_mutations
from experiments.shared.mutated_tables import HEADER, attempts
from experiments.shared.record import command, stage
from experiments.shared.table_forms import AS_THEY_ARE, LOSS, OTHER_FORMATS, PARAMS, TOKENS, WITH_ONE_OPTION
from t2jax.tables.place import TableError
from t2jax.tables.read import read_with
from t2jax.tables.reading.options import Reading
from t2jax.tables.table import Table


@dataclass(frozen=True)
class Config:
    """How many files."""

    results: int = 2000
    """Mutated result files."""
    tables: int = 600
    """Mutated tables of each seed."""
    repeats: int = 6
    """Seeds of the mutated tables. The first three were looked at while readers were written."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(results=60, tables=60, repeats=1)


@dataclass(frozen=True)
class MutatedResults:
    """Result files with one kind of mistake.

    Attributes:
        mutation: The kind of mistake.
        refused: How many were refused in one sentence.
        unchanged: How many gave the counts of the whole files, or fewer with a note.
    """

    mutation: str
    refused: int
    unchanged: int


@dataclass(frozen=True)
class MutatedTables:
    """Tables with one or two mistakes.

    Attributes:
        seed: Seed of the mistakes.
        refused: How many were refused in one sentence.
        right: How many gave rows that are all true within a factor of two.
        without_loss: How many were read as tables without a loss, which no law of losses can be fitted to.
        doubted: How many gave another row, with a note that asks about it.
        nonsense: How many gave another row without such a note.
        not_finite: How many gave a number that is not finite and positive.
    """

    seed: int
    refused: int
    right: int
    without_loss: int
    doubted: int
    nonsense: int
    not_finite: int


@dataclass(frozen=True)
class FormAsked:
    """A form that one option answers.

    Attributes:
        name: What is unusual.
        question: The sentence without the option.
        right: Whether the option gives the true rows.
    """

    name: str
    question: str
    right: bool


@dataclass(frozen=True)
class Result:
    """The outcomes.

    Attributes:
        results: Mutated result files by kind of mistake.
        wrong: A line for each result file that gave other counts.
        tables: Mutated tables by seed.
        forms: Number of forms that are read as they are, of those in `as_they_are`.
        as_they_are: Names of the forms that ought to be.
        asked: Forms that need one option.
    """

    results: tuple[MutatedResults, ...]
    wrong: tuple[str, ...]
    tables: tuple[MutatedTables, ...]
    forms: int
    as_they_are: tuple[str, ...]
    asked: tuple[FormAsked, ...]


def run(config: Config) -> Result:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with stage("mutated result files"):
            outcomes = try_mutations(folder / "results", config.results, config.seed)
        kinds = [mutate.__name__ for mutate in MUTATIONS]
        results = [
            MutatedResults(kind.replace("_", " "), outcomes.refused[kind], outcomes.unchanged[kind]) for kind in kinds
        ]
        with stage("mutated tables"):
            seeds = range(config.seed, config.seed + config.repeats)
            tables = [mutated_tables(folder / "runs.csv", config.tables, seed) for seed in seeds]
        with stage("forms"):
            right = [read_right(folder / "runs.csv", content, {}) for content in AS_THEY_ARE.values()]
            right += [read_right(folder / name, content, {}) for name, content in OTHER_FORMATS.items()]
            asked = [
                FormAsked(
                    form.name,
                    refusal(folder / "runs.csv", form.content),
                    read_right(folder / "runs.csv", form.content, form.options),
                )
                for form in WITH_ONE_OPTION
            ]
    names = (*AS_THEY_ARE, *OTHER_FORMATS)
    return Result(tuple(results), tuple(outcomes.wrong), tuple(tables), sum(right), names, tuple(asked))


def mutated_tables(path: Path, count: int, seed: int) -> MutatedTables:
    """Counts what became of mutated tables."""
    tried = attempts(path, count, seed)
    kinds = Counter(attempt.kind for attempt in tried)
    tables = [attempt.table for attempt in tried if attempt.table is not None]
    not_finite = sum(not finite(table) for table in tables)
    right, without_loss = kinds["right"], kinds["no loss"]
    return MutatedTables(seed, kinds["refused"], right, without_loss, kinds["doubted"], kinds["nonsense"], not_finite)


def finite(table: Table) -> bool:
    """Tells whether all sizes and losses of a table are finite and positive."""
    columns = [table[name] for name in HEADER if name in table]
    return all(bool(np.all(np.isfinite(column) & (column > 0))) for column in columns)


def refusal(path: Path, content: str | bytes) -> str:
    """Returns the sentence that refuses a file, empty for one that is read."""
    write(path, content)
    try:
        read_with(path, Reading())
    except TableError as error:
        return str(error).replace(f"{path.parent}/", "")
    return ""


def read_right(path: Path, content: str | bytes, options: dict[str, Any]) -> bool:
    """Tells whether a file gives the true runs. Losses may have three digits after the mark."""
    write(path, content)
    table = read_with(path, Reading(**options))
    truth = {"params": PARAMS, "tokens": TOKENS, "loss": LOSS}
    return all(np.allclose(table[name], values, rtol=1e-12, atol=5e-4) for name, values in truth.items())


def write(path: Path, content: str | bytes) -> None:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def words(result: Result) -> list[str]:
    refused = sum(kind.refused for kind in result.results)
    unchanged = sum(kind.unchanged for kind in result.results)
    lines = [f"result files: {refused} refused, {unchanged} with their counts, {len(result.wrong)} wrong"]
    lines += [
        f"tables of seed {tables.seed}: {tables.refused} refused, {tables.right} right,"
        f" {tables.without_loss} without a loss, {tables.doubted} nonsense with a note, {tables.nonsense} without,"
        f" {tables.not_finite} not finite"
        for tables in result.tables
    ]
    answered = sum(form.right for form in result.asked)
    lines.append(f"forms: {result.forms} of {len(result.as_they_are)} as they are")
    lines.append(f"{answered} of {len(result.asked)} others with one option")
    return [*lines, *result.wrong]


def main() -> None:
    command(Config, run, words)


if __name__ == "__main__":
    main()
