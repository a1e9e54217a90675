"""Questions as padded token arrays: prompt, answer and a mask of the scored tokens."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from t2jax.testbed.text.tokenizer import SEPARATOR, Tokenizer

__all__ = ["Document", "Questions", "ask", "gather"]

GRAIN = 16
CLAUSE = re.compile(r"(?<=[.,;:!?]) ")


@dataclass(frozen=True, slots=True)
class Document:
    """A cleaned text, and the parts of it that are the answer of a question.

    A text without a task and spans is only read.

    Attributes:
        text: The text.
        task: Name of a task on text. Its answer is text[start:end] with its leading blank; the last tokens are scored.
        start: First character of the answer.
        end: End of the answer.
        keys: A document that shares a key with a training document gives no question.
        spans: Starts and ends of the scored parts of a synthetic document. All their tokens are scored.
            What lies between two parts is given in the question.
    """

    text: str
    task: str = ""
    start: int = 0
    end: int = 0
    keys: tuple[str, ...] = ()
    spans: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Questions:
    """Questions of several tasks, one row each.

    Attributes:
        tasks: Names of the tasks.
        task: Index into `tasks`, integers of shape (Q,).
        tokens: Separator, prompt and answer, padded by zeros; uint16 of shape (Q, context + 1).
        answer: Mask of the scored tokens; bool of shape (Q, context + 1). Tokens between two of them are given.
    """

    tasks: tuple[str, ...]
    task: np.ndarray
    tokens: np.ndarray
    answer: np.ndarray

    def __len__(self) -> int:
        return len(self.task)

    def of(self, task: str, most: int | None = None) -> "Questions":
        """Selects the questions of a task, or the first `most` of them, as questions of one task."""
        rows = np.flatnonzero(self.task == self.tasks.index(task))[:most]
        return Questions((task,), np.zeros(len(rows), int), self.tokens[rows], self.answer[rows])

    def lengths(self) -> np.ndarray:
        """Counts the tokens of each question that models read, integers of shape (Q,).

        These are all up to the last scored one, and padding up to a multiple of 16 after the first: few lengths make
        few programs to compile.
        """
        most = self.answer.shape[1]
        read = most - 1 - np.argmax(self.answer[:, ::-1], axis=1)
        return np.minimum(-(-read // GRAIN) * GRAIN + 1, most)

    def where(self, rows: np.ndarray) -> "Questions":
        """Selects rows by a mask or by their indices."""
        return Questions(self.tasks, self.task[rows], self.tokens[rows], self.answer[rows])


def ask(document: Document, tokenizer: Tokenizer, context: int, scored: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Makes one question as (tokens, answer), each of shape (context + 1,); None if it does not fit.

    In an answer on text the last `scored` tokens are scored, and never the first; a shorter answer gives no question.
    Leading clauses are removed until the text fits; at least one clause and the answer remain.
    """
    spans = document.spans or ((document.start, document.end),)
    text, start, end = document.text, spans[0][0], spans[-1][1]
    cuts = [0] if document.spans else [0, *(match.end() for match in CLAUSE.finditer(text, 0, start))]
    for cut in cuts:
        # A word keeps its encoding whatever follows it, so the rest of the text is not needed.
        ids, at = tokenizer.encode_at(text[cut:end])
        within = [(at >= first - cut) & (at < last - cut) for first, last in spans]
        places = np.flatnonzero(np.any(within, axis=0))
        if not document.spans:
            if len(places) <= scored:
                return None
            places = places[-scored:]
        length = 1 + places[-1] + 1
        if length <= context + 1 and places[0] > 0:
            tokens, answer = np.full(context + 1, SEPARATOR, np.uint16), np.zeros(context + 1, bool)
            tokens[1:length] = ids[: length - 1]
            answer[1 + places] = True
            return tokens, answer
    return None


def gather(rows_by_task: Sequence[tuple[str, Sequence[tuple[np.ndarray, np.ndarray]]]]) -> Questions:
    """Stacks the questions of all tasks, each given by its name and its (tokens, answer) rows."""
    return Questions(
        tasks=tuple(name for name, _ in rows_by_task),
        task=np.repeat(np.arange(len(rows_by_task)), [len(rows) for _, rows in rows_by_task]),
        tokens=np.stack([tokens for _, rows in rows_by_task for tokens, _ in rows]),
        answer=np.stack([answer for _, rows in rows_by_task for _, answer in rows]),
    )
