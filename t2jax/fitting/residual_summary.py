"""How far a fitted law lies from its rows, in words and as two quantiles."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from t2jax.laws.base import Law
from t2jax.noise.residuals import response
from t2jax.tables.table import Table
from t2jax.typing import Float

SHARES = ("pass@k", "pass@1", "error")
"""Quantities from 0 to 1: a relative error of a small share would mislead."""
LEAST = 1e-6
"""Smaller errors are shown as this, because they are rounding."""


@dataclass(frozen=True)
class ResidualSummary:
    """Distance of a law from its rows.

    Attributes:
        median: Distance within which half of the measurements lie.
        p90: Distance within which 90 % of them lie.
        measure: "relative" for |law / measured - 1|, "absolute" for |law - measured|.
        of: Name of the measured quantity.
        unit: What counts once: "rows", or "runs" for counts, whose questions are averaged first.

    Examples:
        >>> noisy_fit.residuals.measure, noisy_fit.residuals.median < noisy_fit.residuals.p90
        ('relative', True)
    """

    median: float
    p90: float
    measure: Literal["relative", "absolute"]
    of: str
    unit: Literal["rows", "runs"]

    @property
    def sentence(self) -> str:
        """Sentence with both distances."""
        if not np.isfinite(self.p90):
            return ""
        half, most = self._format(self.median), self._format(self.p90)
        return (
            f"the law is within {half} of the measured {self.of} in half of the {self.unit} and within {most} in 90 %"
        )

    def _format(self, distance: float) -> str:
        """Formats a distance with its unit."""
        number = max(distance, LEAST)
        if self.measure == "relative":
            return f"{100 * number:.2g} %"
        return f"{100 * number:.2g} percentage points" if self.of in SHARES else f"{number:.2g}"


def measured_response(
    law: type[Law], table: Table, columns: tuple[str, ...]
) -> tuple[str, Float[np.ndarray, " rows"] | None]:
    """Returns the name and the values of what a law predicts; for counts the share of correct samples at one sample.

    Args:
        law: The law class.
        table: The table that was fitted.
        columns: Columns that the noise model reads.

    Returns:
        Name in words, and values of shape (rows,), or None where the table has none that the law predicts.
    """
    if "correct" in columns:
        return "pass@1", table["correct"] / table["trials"] if law.response[0] == "pass_at_k" else None
    name = response(law, table)
    words = {"pass_at_k": "pass@k", "neg_log_pass": "-log pass@k"}
    if name not in table:
        return name, None
    return words.get(name, name), table[name]


def residual_summary(
    law: type[Law], table: Table, columns: tuple[str, ...], predicted: Float[np.ndarray, " rows"]
) -> ResidualSummary | None:
    """Summarises the distances of a law from its rows.

    Args:
        law: The law class.
        table: The table that was fitted.
        columns: Columns that the noise model reads.
        predicted: Prediction for each row, shape (rows,), at one sample for counts.

    Returns:
        The summary, or None where the law does not predict what was measured.
    """
    of, measured = measured_response(law, table, columns)
    if measured is None:
        return None
    counts = of == "pass@1"
    if counts:
        places = [name for name in (*law.columns().values(), "task") if name in table and name != "samples"]
        keys: list[Any] = [np.unique(table[name].astype(str), return_inverse=True)[1] for name in places]
        group = np.unique(np.stack([table.runs(), *keys]), axis=1, return_inverse=True)[1].ravel()
        weight = table.weights()
        total = np.bincount(group, weight)
        measured, predicted = (np.bincount(group, weight * values) / total for values in (measured, predicted))
    relative = of not in SHARES and bool(np.all(measured > 0))
    distance = np.abs(predicted / measured - 1) if relative else np.abs(predicted - measured)
    median, p90 = np.quantile(distance, [0.5, 0.9]).tolist()
    return ResidualSummary(median, p90, "relative" if relative else "absolute", of, "runs" if counts else "rows")
