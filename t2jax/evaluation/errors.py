"""Relative errors of predictions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from t2jax.laws import name_of
from t2jax.laws.base import Law
from t2jax.noise.residuals import response
from t2jax.tables.table import Table


@dataclass(frozen=True)
class Errors:
    """Relative errors predicted/observed - 1 over `rows` rows, as shares.

    mean_absolute, median, largest: of their absolute values. bias: their mean, positive where predictions are too high.
    """

    rows: int
    mean_absolute: float
    bias: float
    median: float
    largest: float

    @classmethod
    def of(cls, predicted: np.ndarray, observed: np.ndarray) -> "Errors":
        """Of predictions and measurements (rows,). Raises ValueError where there is no row."""
        if not len(observed):
            raise ValueError("there is no row to compare a prediction with")
        error = np.asarray(predicted) / np.asarray(observed) - 1
        size = np.abs(error)
        return cls(len(error), *(float(x) for x in (size.mean(), error.mean(), np.median(size), size.max())))


def positive_response(law: type[Law], table: Table) -> np.ndarray:
    """What the law predicts as the table has it, (rows,). Raises TableError where it is missing or a value is zero."""
    name = response(law, table)
    table.require(name, needed_by=law.__name__)
    table.require_positive(name, needed_by="relative errors; leave such rows out")
    return table[name]


def refuse_different_responses(laws: Sequence[type[Law]], table: Table) -> None:
    """Raise ValueError where laws predict different columns of a table, whose errors say nothing of each other."""
    names = {name_of(law): response(law, table) for law in laws}
    first, *others = names
    for other in others:
        if names[other] != names[first]:
            raise ValueError(
                f"{first} predicts {names[first]!r} and {other} predicts {names[other]!r}: compare laws of one response"
            )
