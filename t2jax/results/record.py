"""What readers give: rows of one kind, with sentences about what the files leave open."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import ClassVar

import pandas as pd

from t2jax.results.votes import contradiction, written


@dataclass(frozen=True)
class QuestionCount:
    """Samples of one question, how many of them were right, and the votes of each answer where they are known."""

    KIND: ClassVar[str] = "counts"

    model: str
    task: str
    question: str
    trials: int
    correct: int
    params: float | None = None
    tokens: float | None = None
    step: float | None = None
    right_answers: str | None = None
    wrong_answers: str | None = None


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
        answer_pattern: Pattern of an answer in a response.
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
    """Counts of right samples by question, in the order of first appearance, with the votes of each answer."""

    trials: Counter[str] = field(default_factory=Counter)
    correct: Counter[str] = field(default_factory=Counter)
    right: dict[str, Counter[str]] = field(default_factory=dict)
    wrong: dict[str, Counter[str]] = field(default_factory=dict)
    answered: bool = True

    def add(self, question: str, right: int, answer: str | None = None) -> None:
        """Adds one sample of a question, whose answer is None where it is not known, and empty where there is none."""
        self.trials[question] += 1
        self.correct[question] += right
        self.answered &= answer is not None
        votes = self.right if right else self.wrong
        votes.setdefault(question, Counter())[(answer or "").strip()] += 1

    def contradictions(self) -> str:
        """Writes why votes are not kept where all answers are known. It is empty where they are."""
        sentences = {name: contradiction(self.right.get(name, {}), self.wrong.get(name, {})) for name in self.trials}
        broken = {name: sentence for name, sentence in sentences.items() if sentence}
        if not self.answered or not broken:
            return ""
        name, sentence = next(iter(broken.items()))
        return (
            f"the answers are not kept, so there is no maj@k: {sentence} in question {name!r}"
            f" ({len(broken)} of {len(self.trials)} questions are like that)"
        )

    def rows(self, model: str, task: str) -> list[QuestionCount]:
        """Returns a row for each question, with its votes where they are known and agree."""
        votes_agree = self.answered and not self.contradictions()
        votes = [
            (written(self.right.get(name, {})), written(self.wrong.get(name, {}))) if votes_agree else (None, None)
            for name in self.trials
        ]
        return [
            QuestionCount(model, task, name, n, self.correct[name], right_answers=right, wrong_answers=wrong)
            for (name, n), (right, wrong) in zip(self.trials.items(), votes, strict=True)
        ]


def frame_of(rows: Sequence[Row]) -> pd.DataFrame:
    """Converts rows of one kind to a frame, without columns that are unknown in every row."""
    names = [entry.name for entry in fields(rows[0])]
    columns = {name: [getattr(row, name) for row in rows] for name in names}
    filled = {name: cells for name, cells in columns.items() if any(cell is not None for cell in cells)}
    return pd.DataFrame(filled)
