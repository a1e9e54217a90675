"""What readers give: rows of one kind, with sentences about what the files leave open."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import ClassVar

import pandas as pd


@dataclass(frozen=True)
class QuestionCount:
    """Samples of one question, and how many of them were right."""

    KIND: ClassVar[str] = "counts"

    model: str
    task: str
    question: str
    trials: int
    correct: int
    params: float | None = None
    tokens: float | None = None
    step: float | None = None


@dataclass(frozen=True)
class MeanPass:
    """pass@k averaged over the questions of a task."""

    KIND: ClassVar[str] = "pass_at_k"

    model: str
    task: str
    samples: int
    pass_at_k: float
    params: float | None = None
    tokens: float | None = None


@dataclass(frozen=True)
class Score:
    """A metric averaged over the questions of a task, with its standard error."""

    KIND: ClassVar[str] = "scores"

    model: str
    task: str
    metric: str
    value: float
    stderr: float | None = None
    params: float | None = None
    tokens: float | None = None
    step: float | None = None


@dataclass(frozen=True)
class RunLoss:
    """Loss of a training run in nats, at its last step."""

    KIND: ClassVar[str] = "losses"

    model: str
    loss: float
    params: float | None = None
    tokens: float | None = None
    step: float | None = None


Row = QuestionCount | MeanPass | Score | RunLoss


@dataclass(frozen=True)
class Reading:
    """What a reader found in the files of its tool.

    Attributes:
        tool: Name of the tool.
        rows: The rows, of one kind.
        notes: Sentences on what the files leave open, and on what was not read.
    """

    tool: str
    rows: Sequence[Row]
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class ReadOptions:
    """What the files of some tools do not say.

    Attributes:
        model: Name of the model.
        task: Name of the task.
        metric: The metric to read where a file has several.
        answer_pattern: Pattern of an answer, with which every response is scored again.
        params_column: The column of nanochat that is N.
        batch_tokens: Tokens of a training step.
        bytes_per_token: Bytes of a token on average, for losses in bits per byte.
    """

    model: str | None = None
    task: str | None = None
    metric: str | None = None
    answer_pattern: str | None = None
    params_column: str | None = None
    batch_tokens: float | None = None
    bytes_per_token: float | None = None


@dataclass
class Tally:
    """Counts of right samples by question, in the order of first appearance."""

    trials: dict[str, int] = field(default_factory=dict)
    correct: dict[str, int] = field(default_factory=dict)

    def add(self, question: str, right: int) -> None:
        """Adds one sample of a question."""
        self.trials[question] = self.trials.get(question, 0) + 1
        self.correct[question] = self.correct.get(question, 0) + right

    def rows(self, model: str, task: str) -> list[QuestionCount]:
        """Returns a row for each question."""
        return [QuestionCount(model, task, name, n, self.correct[name]) for name, n in self.trials.items()]


def frame_of(rows: Sequence[Row]) -> pd.DataFrame:
    """Converts rows of one kind to a frame, without columns that are unknown in every row."""
    names = [entry.name for entry in fields(rows[0])]
    columns = {name: [getattr(row, name) for row in rows] for name in names}
    filled = {name: cells for name, cells in columns.items() if any(cell is not None for cell in cells)}
    return pd.DataFrame(filled)
