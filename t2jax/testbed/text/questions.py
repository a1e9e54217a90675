"""Questions as padded token arrays: the prompt, the answer, and which of its tokens are scored."""

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
    """A cleaned text, and the part of it that is the answer where it is turned into a question.

    The answer is text[start:end], begun by its blank; no task means that the text is only read. No question is asked
    of a document that shares one of its `keys` with a training document. `whole` answers are scored from their first
    token to their last; of others only some of the last tokens, and those before them are given.
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
        tasks: the names of the tasks.
        task: (Q,) int, the index into `tasks`.
        tokens: (Q, context + 1) uint16, the separator, prompt and answer, then padding by zeros.
        answer: (Q, context + 1) bool, the tokens that are scored.
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
    """One question as (tokens, answer), each (context + 1,); None where it does not fit.

    Of an answer on text at most the last `scored_most` tokens are scored, and never the first of several. Leading
    clauses are left out, as many as need be; what is left has at least one clause and the answer.
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


def gather(asked: Sequence[tuple[str, Sequence[tuple[np.ndarray, np.ndarray]]]]) -> Questions:
    """The questions of all tasks, each given by its name and its (tokens, answer) rows."""
    return Questions(
        tasks=tuple(name for name, _ in asked),
        task=np.repeat(np.arange(len(asked)), [len(rows) for _, rows in asked]),
        tokens=np.stack([tokens for _, rows in asked for tokens, _ in rows]),
        answer=np.stack([answer for _, rows in asked for _, answer in rows]),
    )
