"""Four synthetic tasks with exact answers: recall of facts, arithmetic, ordering and moves on a grid.

Documents read "prompt: answer."; the full stop is scored too, since otherwise 1 would be correct where 12 is asked.
Levels run from easy to hard and are equally frequent, so that questions differ widely.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from t2jax.testbed.text.questions import Document
from t2jax.testbed.text.words import BEASTS, COLOURS, EVENTS, FIRST, LAST, TOWNS, YEARS

__all__ = ["Facts", "Reasoning", "SyntheticTask", "arithmetic", "moves", "ordering", "synthetic_tasks"]

STEPS = {"north": (0, 1), "south": (0, -1), "east": (1, 0), "west": (-1, 0)}
COLUMNS = "abcdef"
SIDE = len(COLUMNS)
MOST = 20  # chains of sums are clamped to 0..20

Draw = Callable[[int, int, np.random.Generator], list[Document]]


class SyntheticTask(Protocol):
    """A synthetic task with its questions; `training` makes about `count` documents for training."""

    @property
    def name(self) -> str: ...

    @property
    def questions(self) -> Sequence[Document]: ...

    def training(self, count: int, rng: np.random.Generator) -> list[Document]: ...


def synthetic_tasks(facts: int, questions: int, rng: np.random.Generator) -> list[SyntheticTask]:
    """Makes the four tasks, with `facts` facts and `questions` questions each; raises ValueError for too many."""
    reasoning = [Reasoning.drawn(draw, levels, questions, rng) for draw, levels in REASONING]
    return [Facts.drawn(facts, questions, rng), *reasoning]


@dataclass(frozen=True)
class Facts:
    """Facts that recur in training, the r-th of `documents` with a frequency of 1/r (Zipf).

    The questions are among them, so what is asked was read often or seldom.
    """

    documents: list[Document]
    questions: list[Document]
    name: str = "facts"

    @classmethod
    def drawn(cls, facts: int, questions: int, rng: np.random.Generator) -> "Facts":
        """Draws facts at random; the ranks of the questions are spread evenly in their logarithm."""
        people = [f"{first} {last}" for first in FIRST for last in LAST]
        relations = {
            "lives in": TOWNS,
            "likes": COLOURS,
            "has a": BEASTS,
            "is a friend of": people,
            "was born in": YEARS,
        }
        statements = []
        for relation, values in relations.items():
            indices = rng.integers(0, len(values), len(people)).tolist()
            statements += [
                _document(f"{p} {relation}", values[i], mark="") for p, i in zip(people, indices, strict=True)
            ]
        if not questions <= facts <= len(statements):
            raise ValueError(f"found facts={facts}, expected from {questions} (the questions) to {len(statements)}")
        documents = [statements[i] for i in rng.permutation(len(statements))[:facts].tolist()]
        return cls(documents, [documents[rank - 1] for rank in _spread(facts, questions)])

    def training(self, count: int, rng: np.random.Generator) -> list[Document]:
        """Draws `count` facts by their frequency."""
        weight = 1 / np.arange(1, len(self.documents) + 1)
        indices = rng.choice(len(weight), count, p=weight / weight.sum())
        return [self.documents[i] for i in indices.tolist()]


@dataclass(frozen=True)
class Reasoning:
    """A task whose `questions` never occur in training; `draw(level, count, rng)` makes documents of one level."""

    draw: Draw
    levels: tuple[int, ...]
    questions: list[Document]

    @classmethod
    def drawn(cls, draw: Draw, levels: tuple[int, ...], questions: int, rng: np.random.Generator) -> "Reasoning":
        """Draws questions of different keys, spread over the levels; each level gives at most half of its documents."""
        questions_by_key: dict[str, Document] = {}
        for index, level in enumerate(levels):
            # later levels make up for levels with few documents
            count = (questions - len(questions_by_key)) // (len(levels) - index)
            distinct = {document.keys[0]: document for document in draw(level, 20 * count, rng)}
            questions_by_key |= dict(list(distinct.items())[: min(count, len(distinct) // 2)])
        if len(questions_by_key) < questions:
            cause = f"found {len(questions_by_key)} different questions to ask, expected {questions}"
            raise ValueError(f"task {draw.__name__!r}: {cause}; ask fewer questions_per_task")
        return cls(draw, levels, list(questions_by_key.values()))

    @property
    def name(self) -> str:
        """Name of the task."""
        return self.draw.__name__

    def training(self, count: int, rng: np.random.Generator) -> list[Document]:
        """Draws at most about `count` documents, equally many of each level, without the keys of questions."""
        keys = {document.keys[0] for document in self.questions}
        per_level = -(-count // len(self.levels))
        return [d for level in self.levels for d in self.draw(level, per_level, rng) if d.keys[0] not in keys]


def arithmetic(level: int, count: int, rng: np.random.Generator) -> list[Document]:
    """Draws sums of `level` steps with running totals within 0..20, such as "count 7 + 5 - 3: 12 9."."""
    start = rng.integers(0, MOST + 1, count)
    steps = rng.integers(1, 10, (count, level)) * rng.choice([-1, 1], (count, level))
    total, totals = start, []
    for i in range(level):
        total = np.clip(total + steps[:, i], 0, MOST)
        totals.append(total)
    documents = []
    for first, row, ends in zip(start.tolist(), steps.tolist(), np.stack(totals, 1).tolist(), strict=True):
        chain = "".join(f" + {step}" if step > 0 else f" - {-step}" for step in row)
        documents.append(_document(f"count {first}{chain}", " ".join(map(str, ends))))
    return documents


def ordering(level: int, count: int, rng: np.random.Generator) -> list[Document]:
    """Draws `level` events to put in the order of EVENTS, such as "order mud rain: rain mud."."""
    documents = []
    for row in np.argsort(rng.random((count, len(EVENTS))), axis=1)[:, :level].tolist():
        answer = " ".join(EVENTS[i] for i in sorted(row))
        # The order itself is the key: a question's events are never put in order in training, however they are listed.
        documents.append(_document(f"order {' '.join(EVENTS[i] for i in row)}", answer, key=answer))
    return documents


def moves(level: int, count: int, rng: np.random.Generator) -> list[Document]:
    """Draws `level` moves on a grid with the position after each, such as "walk north from c 4: c 5."."""
    starts = rng.integers(0, SIDE, (count, 2)).tolist()
    ways = rng.integers(0, len(STEPS), (count, level)).tolist()
    names, documents = list(STEPS), []
    for (x, y), way in zip(starts, ways, strict=True):
        prompt, path = f"walk {' '.join(names[i] for i in way)} from {COLUMNS[x]} {y}", []
        for i in way:
            across, up = STEPS[names[i]]
            x, y = min(max(x + across, 0), SIDE - 1), min(max(y + up, 0), SIDE - 1)
            path.append(f"{COLUMNS[x]} {y}")
        documents.append(_document(prompt, " ".join(path)))
    return documents


REASONING = ((arithmetic, (1, 2, 3, 4)), (ordering, (3, 4, 5)), (moves, (1, 2, 3, 4)))


def _spread(last: int, count: int) -> list[int]:
    """Selects `count` different ranks from 1 to `last`, evenly in their logarithm up to rounding."""
    ranks, candidates = np.arange(0), count
    while len(ranks) < count:
        ranks = np.unique(np.round(np.geomspace(1, last, candidates)))
        candidates = int(1.05 * candidates) + 1
    return ranks[np.round(np.linspace(0, len(ranks) - 1, count)).astype(int)].astype(int).tolist()


def _document(prompt: str, answer: str, key: str = "", mark: str = ":") -> Document:
    text = f"{prompt}{mark} {answer}."
    start = len(prompt) + len(mark)
    return Document(text, start=start, end=len(text), keys=(key or prompt,), whole=True)
