"""Counts of questions from the rows of a table that need not name sizes, or from single samples with their answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from t2jax.results.votes import RIGHT, WRONG, samples_of
from t2jax.tables.checks import to_numbers
from t2jax.tables.columns import NUMBERS
from t2jax.tables.place import Place, TableError, missing_column

NAMES = ("model", "task", "question")


@dataclass(frozen=True)
class QuestionCounts:
    """Counts of one model on one task.

    Attributes:
        model: Its name; empty where the table has no column of models.
        task: Its name; empty where the table has no column of tasks.
        questions: Name of each question, shape (questions,).
        trials: Samples of each question, shape (questions,).
        correct: Right samples of each question, shape (questions,).
        answers: The answer of each sample and whether it is right, by question; empty where answers are not known.
    """

    model: str
    task: str
    questions: tuple[str, ...]
    trials: np.ndarray
    correct: np.ndarray
    answers: Mapping[str, tuple[Sequence[str], Sequence[bool]]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Model and task, as far as they are known."""
        return ", ".join(name for name in (self.model, self.task) if name) or "all rows"


def counts_of(frame: pd.DataFrame, place: Place, where: Mapping[str, str]) -> list[QuestionCounts]:
    """Checks the rows of a table of counts and groups them by model and task."""
    sampled = "answer" in frame and "trials" not in frame
    for name in ("correct",) if sampled else ("trials", "correct"):
        if name not in frame:
            there = ", ".join(map(str, frame))
            raise TableError(f"{place.name}: column {name!r} is missing, expected counts; columns there: {there}")
    columns = {name: _numbers(frame, place, name) for name in ("trials", "correct") if name in frame}
    if sampled:
        columns["trials"] = np.ones(len(frame))
    bad = columns["correct"] > columns["trials"]
    _refuse(frame, place, "correct", bad, "0 or 1" if sampled else "no more than the trials of that row")
    rows = np.flatnonzero(_selected(frame, place, where))
    names = {name: _texts(frame, place, name) for name in NAMES}
    if "question" not in frame and len(rows) == 1 and columns["trials"][rows[0]] > 1:
        n, c = (columns[name][rows[0]] for name in ("trials", "correct"))
        raise TableError(
            f"{place.name}: found one row of {c:g} of {n:g} and no column 'question'; give one row a question:"
            f" {c:g} of {n:g} problems solved once are {n:g} rows of one trial"
        )
    groups: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        groups.setdefault((names["model"][row], names["task"][row]), []).append(int(row))
    return [_group(model, task, at, columns, names, frame, place, sampled) for (model, task), at in groups.items()]


def _group(
    model: str,
    task: str,
    rows: Sequence[int],
    columns: Mapping[str, np.ndarray],
    names: Mapping[str, list[str]],
    frame: pd.DataFrame,
    place: Place,
    sampled: bool,
) -> QuestionCounts:
    questions = [names["question"][row] for row in rows]
    if not sampled:
        if "question" not in frame:
            questions = [str(i) for i in range(len(rows))]
        seen: set[str] = set()
        for row, question in zip(rows, questions, strict=True):
            if question in seen:
                raise TableError(
                    f"{place.name}, {place.row(row)}: question {question!r} of {model or 'the model'} is repeated,"
                    " expected one row a question; select rows with --where COLUMN=VALUE"
                )
            seen.add(question)
        trials, correct = (columns[name][list(rows)] for name in ("trials", "correct"))
        votes = _votes(rows, questions, trials, correct, frame, place)
        return QuestionCounts(model, task, tuple(questions), trials, correct, votes)
    if "question" not in frame:
        raise TableError(f"{place.name}: column 'question' is missing, expected it beside the answers of samples")
    answers: dict[str, tuple[list[str], list[bool]]] = {}
    cells: Any = frame["answer"]
    for row, question in zip(rows, questions, strict=True):
        texts, right = answers.setdefault(question, ([], []))
        cell = cells.iloc[row]
        texts.append("" if pd.isna(cell) else str(cell).strip())
        right.append(bool(columns["correct"][row]))
    trials = np.array([len(texts) for texts, _ in answers.values()], float)
    correct = np.array([sum(right) for _, right in answers.values()], float)
    return QuestionCounts(model, task, tuple(answers), trials, correct, answers)


def _votes(
    rows: Sequence[int],
    questions: Sequence[str],
    trials: np.ndarray,
    correct: np.ndarray,
    frame: pd.DataFrame,
    place: Place,
) -> dict[str, tuple[Sequence[str], Sequence[bool]]]:
    """Returns the answer of each sample by question, where every row has votes; they must add up to its counts."""
    if RIGHT not in frame or WRONG not in frame:
        return {}
    cells: list[Any] = [frame[name].iloc[list(rows)] for name in (RIGHT, WRONG)]
    if any(column.isna().any() for column in cells):
        return {}
    votes: dict[str, tuple[Sequence[str], Sequence[bool]]] = {}
    for i, question in enumerate(questions):
        where = f"{place.name}, {place.row(rows[i])}"
        answers, right = samples_of(cells[0].iloc[i], cells[1].iloc[i], where)
        if len(answers) != trials[i] or sum(right) != correct[i]:
            raise TableError(
                f"{where}: the votes are of {len(answers)} samples, {sum(right)} of them right, expected"
                f" {trials[i]:g} and {correct[i]:g} as in trials and correct"
            )
        votes[question] = answers, right
    return votes


def _numbers(frame: pd.DataFrame, place: Place, name: str) -> np.ndarray:
    cells: Any = frame[name]
    values = to_numbers(cells, place, name)
    finite = np.isfinite(values)
    _refuse(
        frame, place, name, ~(finite & NUMBERS[name].accepts(np.where(finite, values, 1.0))), NUMBERS[name].expected
    )
    return values


def _texts(frame: pd.DataFrame, place: Place, name: str) -> list[str]:
    if name not in frame:
        return [""] * len(frame)
    cells: Any = frame[name]
    texts = ["" if missing else str(cell).strip() for cell, missing in zip(cells, cells.isna(), strict=True)]
    _refuse(frame, place, name, np.array([not text for text in texts], dtype=bool), "a name")
    return texts


def _selected(frame: pd.DataFrame, place: Place, where: Mapping[str, str]) -> np.ndarray:
    selected = np.ones(len(frame), dtype=bool)
    for name, value in where.items():
        if name not in frame:
            raise missing_column(place, name, map(str, frame), "--where")
        cells: Any = frame[name]
        selected &= np.array([_same(cell, value) for cell in cells], dtype=bool)
    if not selected.any():
        conditions = " and ".join(f"{name}={value}" for name, value in where.items())
        cause = f"no row has {conditions} (--where)" if where else "there are no rows"
        raise TableError(f"{place.name}: {cause}, expected at least one")
    return selected


def _same(cell: Any, value: str) -> bool:
    if str(cell).strip() == value:
        return True
    try:
        return float(cell) == float(value)
    except (TypeError, ValueError):
        return False


def _refuse(frame: pd.DataFrame, place: Place, name: str, bad: np.ndarray, expected: str) -> None:
    cells: Any = frame[name]
    place.refuse(name, bad, cells, expected)
