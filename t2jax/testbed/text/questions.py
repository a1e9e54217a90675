"""Questions as padded token arrays: prompt, answer and a mask of the scored tokens."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from t2jax.testbed.text.tokenizer import SEPARATOR, Tokenizer

__all__ = ["Document", "Questions", "ask", "gather"]

MOST_SCORED = 3  # of an answer on text, at most: whole words are out of reach of small models
CLAUSE = re.compile(r"(?<=[.,;:!?]) ")


@dataclass(frozen=True, slots=True)
class Document:
    """A cleaned text, and the part of it that is the answer of a question.

    The answer is text[start:end], including its leading blank; a text without a task is only read.
    A document that shares one of its `keys` with a training document gives no question.
    All tokens of `whole` answers are scored; otherwise only some of the last tokens are, and the prompt has the others.
    """

    text: str
    task: str = ""
    start: int = 0
    end: int = 0
    keys: tuple[str, ...] = ()
    whole: bool = False


@dataclass(frozen=True)
class Questions:
    """Questions of several tasks, one row each.

    Attributes:
        tasks: Names of the tasks.
        task: Index into `tasks`, integers of shape (Q,).
        tokens: Separator, prompt and answer, padded by zeros; uint16 of shape (Q, context + 1).
        answer: Mask of the scored tokens; bool of shape (Q, context + 1).
    """

    tasks: tuple[str, ...]
    task: np.ndarray
    tokens: np.ndarray
    answer: np.ndarray

    def __len__(self) -> int:
        return len(self.task)


def ask(
    document: Document, tokenizer: Tokenizer, context: int, scored_most: int = MOST_SCORED
) -> tuple[np.ndarray, np.ndarray] | None:
    """Makes one question as (tokens, answer), each of shape (context + 1,); None if it does not fit.

    In an answer on text at most the last `scored_most` tokens are scored, and never the first of several.
    Leading clauses are removed until the text fits; at least one clause and the answer remain.
    """
    text, start, end = document.text, document.start, document.end
    cuts = [0] if document.whole else [0, *(match.end() for match in CLAUSE.finditer(text, 0, start))]
    for cut in cuts:
        # A word keeps its encoding whatever follows it, so the rest of the text is not needed.
        ids, at = tokenizer.encode_at(text[cut:end])
        scored = np.flatnonzero(at >= start - cut)
        if not document.whole and scored.size > 1:
            scored = scored[1:][-scored_most:]
        length = 1 + scored[-1] + 1
        if length <= context + 1 and scored[0] > 0:
            tokens, answer = np.full(context + 1, SEPARATOR, np.uint16), np.zeros(context + 1, bool)
            tokens[1:length] = ids[: length - 1]
            answer[1 + scored] = True
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
