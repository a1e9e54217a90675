"""Synthetic tasks with exact answers, each made of many small skills whose frequencies follow Zipf's law.

A skill of rank r occurs in training with a frequency of 1/r. Models of all sizes then learn skill after skill, so the
loss falls smoothly with size and length; tasks of few skills jump (Michaud et al. 2023, 2303.13506).
`facts` and `codes` ask what was read (knowledge). `chains`, `walks` and `sums` ask what never occurs in training
(reasoning): a question gives its steps one after another, and each answer is the start of the next step.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from t2jax.testbed.text.archive import Settings
from t2jax.testbed.text.questions import Document
from t2jax.testbed.text.words import BEASTS, COLOURS, FIRST, LAST, TOWNS, YEARS

__all__ = ["Reasoning", "Recall", "SyntheticTask", "chains", "codes", "facts", "sums", "synthetic_tasks", "walks"]

STEPS = 6  # of a question of a reasoning task, and digits of a code
WAYS = ("north", "south", "east", "west")
PLACES = "abcdefgh"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
LOWEST, MOST = 10, 9  # smallest total of sums, and their largest step

Draw = Callable[[int, np.random.Generator], list[Document]]


class SyntheticTask(Protocol):
    """A synthetic task: what is asked, what models are fine-tuned on, and `count` documents for training."""

    @property
    def name(self) -> str: ...

    @property
    def questions(self) -> Sequence[Document]: ...

    @property
    def exercises(self) -> Sequence[Document]: ...

    def training(self, count: int, rng: np.random.Generator) -> list[Document]: ...


def synthetic_tasks(settings: Settings, tuned: Sequence[str], rng: np.random.Generator) -> list[SyntheticTask]:
    """Makes the tasks with their questions, and with exercises for those in `tuned`.

    Numbers of questions and skills that do not go together raise ValueError.
    """
    asked = settings.questions_per_task

    def practised(name: str) -> int:
        return settings.exercises_per_task if name in tuned else 0

    def recall(name: str, statements: Sequence[Document], count: int) -> Recall:
        return Recall.drawn(name, statements, count, asked, practised(name), rng)

    def reasoning(name: str, draw: Draw) -> Reasoning:
        return Reasoning.drawn(name, draw, asked, practised(name), rng)

    return [
        recall("facts", facts(rng), settings.facts),
        *([recall("codes", codes(rng), settings.codes)] if settings.codes else []),
        reasoning("chains", chains(settings.rules, rng)),
        *([reasoning("walks", walks(settings.maps, rng))] if settings.maps else []),
        reasoning("sums", sums(settings.highest, rng)),
    ]


@dataclass(frozen=True)
class Recall:
    """Statements that recur in training, the r-th of `documents` with a frequency of 1/r.

    The questions are among them, so what is asked was read often or seldom. Exercises are other statements.
    """

    name: str
    documents: list[Document]
    questions: list[Document]
    exercises: list[Document]

    @classmethod
    def drawn(
        cls,
        name: str,
        statements: Sequence[Document],
        count: int,
        questions: int,
        exercises: int,
        rng: np.random.Generator,
    ) -> "Recall":
        """Ranks `count` statements at random; the ranks that are asked are spread evenly in their logarithm."""
        if not questions + exercises <= count <= len(statements):
            asked = f"{questions + exercises} (questions and exercises)"
            raise ValueError(f"found {name}={count}, expected from {asked} to {len(statements)}")
        documents = [statements[i] for i in rng.permutation(len(statements))[:count].tolist()]
        ranks = np.array(_spread(count, questions + exercises))
        practised = np.zeros(len(ranks), bool)
        practised[rng.permutation(len(ranks))[:exercises]] = True
        chosen = [[documents[rank - 1] for rank in ranks[which].tolist()] for which in (~practised, practised)]
        return cls(name, documents, *chosen)

    def training(self, count: int, rng: np.random.Generator) -> list[Document]:
        """Draws `count` statements by their frequency."""
        return [self.documents[i] for i in _zipf(len(self.documents), count, rng).tolist()]


@dataclass(frozen=True)
class Reasoning:
    """A task whose questions and exercises never occur in training; `draw(count, rng)` makes documents."""

    name: str
    draw: Draw
    questions: list[Document]
    exercises: list[Document]

    @classmethod
    def drawn(cls, name: str, draw: Draw, questions: int, exercises: int, rng: np.random.Generator) -> "Reasoning":
        """Draws different documents, by the frequency of their skills, as questions and exercises."""
        drawn = draw(2 * (questions + exercises), rng)
        distinct = list({document.keys[0]: document for document in drawn}.values())
        if len(distinct) < questions + exercises:
            cause = f"found {len(distinct)} different questions to ask, expected {questions + exercises}"
            raise ValueError(f"task {name!r}: {cause}; ask fewer questions_per_task")
        return cls(name, draw, distinct[:questions], distinct[questions : questions + exercises])

    def training(self, count: int, rng: np.random.Generator) -> list[Document]:
        """Draws at most `count` documents, without the keys of questions and exercises."""
        keys = {document.keys[0] for document in (*self.questions, *self.exercises)}
        return [document for document in self.draw(count, rng) if document.keys[0] not in keys]


def facts(rng: np.random.Generator) -> list[Document]:
    """Makes five facts about each of 1,560 people, such as "ann hill lives in paris."."""
    people = _people()
    relations = {"lives in": TOWNS, "likes": COLOURS, "has a": BEASTS, "is a friend of": people, "was born in": YEARS}
    statements = []
    for relation, values in relations.items():
        indices = rng.integers(0, len(values), len(people)).tolist()
        statements += [_statement(f"{p} {relation}", f"{values[i]}.") for p, i in zip(people, indices, strict=True)]
    return statements


def codes(rng: np.random.Generator) -> list[Document]:
    """Makes a code of STEPS random digits for each of 4,800 things, such as "code of red dog of paris: 4 0 7 7 1 3"."""
    things = _things()
    digits = rng.integers(0, 10, (len(things), STEPS)).tolist()
    return [_statement(f"code of {name}:", " ".join(map(str, code))) for name, code in zip(things, digits, strict=True)]


def chains(skills: int, rng: np.random.Generator) -> Draw:
    """Makes a task of `skills` rules, permutations of the digits, that are applied in turn: "apply 3 qz 8 mk 1."."""
    rules = rng.permuted(np.tile(np.arange(10), (skills, 1)), axis=1)
    names = _names(skills, rng)

    def draw(count: int, rng: np.random.Generator) -> list[Document]:
        value = rng.integers(0, 10, count)
        chosen = _zipf(skills, (count, STEPS), rng)
        values = [value]
        for i in range(STEPS):
            values.append(rules[chosen[:, i], values[-1]])
        return [
            _steps(f"apply {start}", [f" {names[rule]}" for rule in row], [f" {end}" for end in ends])
            for row, (start, *ends) in zip(chosen.tolist(), np.stack(values, 1).tolist(), strict=True)
        ]

    return draw


def walks(skills: int, rng: np.random.Generator) -> Draw:
    """Makes a task of `skills` maps of eight places, that are walked: "map qz from c north e west a."."""
    ways = [rng.permutation(len(PLACES)) for _ in range(skills * len(WAYS))]
    maps = np.stack(ways).reshape(skills, len(WAYS), len(PLACES))
    names = _names(skills, rng)

    def draw(count: int, rng: np.random.Generator) -> list[Document]:
        chosen = _zipf(skills, count, rng)
        way = rng.integers(0, len(WAYS), (count, STEPS))
        places = [rng.integers(0, len(PLACES), count)]
        for i in range(STEPS):
            places.append(maps[chosen, way[:, i], places[-1]])
        return [
            _steps(
                f"map {names[number]} from {PLACES[start]}",
                [f" {WAYS[i]}" for i in row],
                [f" {PLACES[end]}" for end in ends],
            )
            for number, row, (start, *ends) in zip(
                chosen.tolist(), way.tolist(), np.stack(places, 1).tolist(), strict=True
            )
        ]

    return draw


def sums(highest: int, rng: np.random.Generator) -> Draw:
    """Makes a task of sums within 10..highest: "count 17 + 5 = 22 - 3 = 19."; each total has frequent steps."""
    steps = np.array([*range(-MOST, 0), *range(1, MOST + 1)])
    preferred = rng.permuted(np.tile(steps, (highest + 1, 1)), axis=1)

    def draw(count: int, rng: np.random.Generator) -> list[Document]:
        totals, moves = [rng.integers(LOWEST, highest + 1, count)], []
        for _ in range(STEPS // 2):
            step = preferred[totals[-1], _zipf(len(steps), count, rng)]
            moves.append(step)
            totals.append(np.clip(totals[-1] + step, LOWEST, highest))
        return [
            _steps(
                f"count {start}",
                [f" {'+' if step > 0 else '-'} {abs(step)} =" for step in row],
                [f" {end}" for end in ends],
            )
            for row, (start, *ends) in zip(np.stack(moves, 1).tolist(), np.stack(totals, 1).tolist(), strict=True)
        ]

    return draw


def _zipf(count: int, shape: int | tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draws indices below `count`; index r - 1 has a probability proportional to 1/r."""
    weight = 1 / np.arange(1, count + 1)
    return rng.choice(count, shape, p=weight / weight.sum())


def _spread(last: int, count: int) -> list[int]:
    """Selects `count` different ranks from 1 to `last`, evenly in their logarithm up to rounding."""
    ranks, candidates = np.arange(0), count
    while len(ranks) < count:
        ranks = np.unique(np.round(np.geomspace(1, last, candidates)))
        candidates = int(1.05 * candidates) + 1
    return ranks[np.round(np.linspace(0, len(ranks) - 1, count)).astype(int)].astype(int).tolist()


def _people() -> list[str]:
    return [f"{first} {last}" for first in FIRST for last in LAST]


def _things() -> list[str]:
    return [f"{colour} {beast} of {town}" for colour in COLOURS for beast in BEASTS for town in TOWNS]


def _names(count: int, rng: np.random.Generator) -> list[str]:
    """Makes different names of two letters."""
    pairs = [a + b for a in LETTERS for b in LETTERS]
    if count > len(pairs):
        raise ValueError(f"found {count} rules or maps, expected at most {len(pairs)}")
    return [pairs[i] for i in rng.permutation(len(pairs))[:count].tolist()]


def _statement(prompt: str, answer: str) -> Document:
    text = f"{prompt} {answer}"
    return Document(text, keys=(prompt,), spans=((len(prompt), len(text)),))


def _steps(start: str, given: Sequence[str], answers: Sequence[str]) -> Document:
    """Makes a document of given steps, each followed by its answer, which is scored."""
    text, spans = start, []
    for step, answer in zip(given, answers, strict=True):
        text += step
        spans.append((len(text), len(text) + len(answer)))
        text += answer
    return Document(f"{text}.", keys=(text,), spans=tuple(spans))
