"""Votes: how often each answer to a question was given, as JSON texts in two columns of a table of counts."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from t2jax.tables.place import TableError

RIGHT, WRONG = "right_answers", "wrong_answers"
"""Columns of votes. Each cell is a JSON object of answers and how often they were given; "" is no answer."""


def written(votes: Mapping[str, int]) -> str:
    """Writes the votes of some answers as one JSON object.

    Args:
        votes: How often each answer was given.

    Returns:
        The text of a cell.
    """
    return json.dumps(dict(votes), ensure_ascii=False, separators=(",", ":"))


def last_match(pattern: str, text: str) -> str | None:
    """Finds the answer in a response: the last match of a pattern, or of its first group.

    Args:
        pattern: A regular expression.
        text: The response.

    Returns:
        The answer without blanks around it, None without a match.
    """
    matches = list(re.finditer(pattern, text))
    if not matches:
        return None
    last = matches[-1]
    return ((last[1] if last.re.groups else last[0]) or "").strip()


def contradiction(right: Mapping[str, int], wrong: Mapping[str, int]) -> str:
    """Writes why votes cannot be counted. It is empty where they can.

    Args:
        right: Votes of right answers.
        wrong: Votes of wrong answers.

    Returns:
        A sentence: a right sample has no answer, or an answer is both right and wrong.
    """
    if right.get("", 0):
        return "a right sample has no answer"
    both = [answer for answer in right if answer in wrong]
    return f"the answer {both[0][:40]!r} is both right and wrong" if both else ""


def samples_of(right: object, wrong: object, place: str) -> tuple[Sequence[str], Sequence[bool]]:
    """Expands the votes of a question to one answer a sample.

    Args:
        right: Cell of the column `right_answers`.
        wrong: Cell of the column `wrong_answers`.
        place: File and line for messages.

    Returns:
        The answer of each sample and whether it is right, each of shape (samples,).

    Raises:
        TableError: A cell is no JSON object of whole numbers, or the votes contradict each other.
    """
    by_verdict = {True: _parsed(right, place, RIGHT), False: _parsed(wrong, place, WRONG)}
    if sentence := contradiction(by_verdict[True], by_verdict[False]):
        raise TableError(f"{place}: {sentence}, expected votes that agree")
    pairs = [
        (answer, verdict)
        for verdict, votes in by_verdict.items()
        for answer, count in votes.items()
        for _ in range(count)
    ]
    return [answer for answer, _ in pairs], [verdict for _, verdict in pairs]


def _parsed(cell: object, place: str, column: str) -> Counter[str]:
    try:
        votes: Any = json.loads(str(cell))
    except ValueError:
        votes = None
    if not isinstance(votes, dict) or not all(type(count) is int and 0 < count < 10**6 for count in votes.values()):
        text = str(cell)[:60]
        raise TableError(
            f"{place}, column {column!r}: found {text!r}, expected a JSON object of answers and how often each was"
            ' given, such as {"42": 3}'
        )
    return Counter(votes)
