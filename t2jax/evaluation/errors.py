"""Relative errors of predictions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from t2jax.laws import name_of
from t2jax.laws.base import Law
from t2jax.noise.protocol import Noise
from t2jax.noise.residuals import response
from t2jax.printing import format_percent
from t2jax.tables.table import Table


@dataclass(frozen=True)
class Errors:
    """Relative errors predicted/observed - 1, as shares.

    Attributes:
        rows: Number of rows.
        mean_absolute: Mean of the absolute errors.
        bias: Mean of the errors. Positive means that predictions are too high.
        median: Median of the absolute errors.
        largest: Largest absolute error.
    """

    rows: int
    mean_absolute: float
    bias: float
    median: float
    largest: float

    @classmethod
    def of(cls, predicted: np.ndarray, observed: np.ndarray) -> "Errors":
        """Computes the errors of predictions.

        Args:
            predicted: Predictions, shape (rows,).
            observed: Measurements, shape (rows,).

        Returns:
            The errors.

        Raises:
            ValueError: The arrays have no row.
        """
        if not len(observed):
            raise ValueError("there is no row to compare a prediction with")
        error = np.asarray(predicted) / np.asarray(observed) - 1
        size = np.abs(error)
        return cls(len(error), *(float(x) for x in (size.mean(), error.mean(), np.median(size), size.max())))

    def __str__(self) -> str:
        """Writes the errors in per cent."""
        mean, median, largest = map(format_percent, (self.mean_absolute, self.median, self.largest))
        bias = f"{'+' if self.bias > 0 else ''}{format_percent(self.bias)}"
        return f"mean {mean}, median {median}, largest {largest}, bias {bias} ({self.rows} rows)"


def positive_response(law: type[Law], table: Table) -> np.ndarray:
    """Returns the response column of the law, shape (rows,).

    Raises:
        TableError: The column is missing, or a value is zero.
    """
    name = response(law, table)
    table.require(name, needed_by=law.__name__)
    table.require_positive(name, needed_by="relative errors; leave such rows out")
    return table[name]


def measured_response(law: type[Law], table: Table, noise: Noise) -> np.ndarray:
    """Returns the response column of the law, shape (rows,), where a pass@k of zero stays if no log of it is taken.

    Raises:
        TableError: The column is missing, or a value is zero and has no log or is no pass@k.
    """
    name = response(law, table)
    if name == "pass_at_k" and name in table and noise.compares == "identity":
        return table[name]
    return positive_response(law, table)


def refuse_different_responses(laws: Sequence[type[Law]], table: Table) -> None:
    """Checks that all laws predict the same column, because errors of different columns are not comparable.

    Raises:
        ValueError: Two laws predict different columns.
    """
    names = {name_of(law): response(law, table) for law in laws}
    first, *others = names
    for name in others:
        if names[name] != names[first]:
            raise ValueError(
                f"{first} predicts {names[first]!r} and {name} predicts {names[name]!r}: compare laws of one response"
            )
