"""How far a fitted law lies from its rows, in words and as two quantiles."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from t2jax.laws.base import Law
from t2jax.noise.residuals import response
from t2jax.numerics.smooth_structure import measure_structure
from t2jax.tables.table import Table
from t2jax.typing import Float

SHARES = ("pass@k", "pass@1", "error")
"""Quantities from 0 to 1: a relative error of a small share would mislead."""
LEAST = 1e-6
"""Smaller errors are shown as this, because they are rounding."""

CLEAR = 4.0
"""Score beyond which residuals count as structured: 1 table in 30,000 without structure reaches it."""
TAIL = 0.2
"""Share of the rows at an end of a quantity among which a law is compared with its rows."""


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


def structured_residuals(law: type[Law], table: Table, columns: tuple[str, ...], predicted: np.ndarray) -> str:
    """Writes a sentence if residuals agree with those of their neighbours, as a law of the wrong form leaves them.

    Args:
        law: The law class.
        table: The table that was fitted.
        columns: Columns that the noise model reads.
        predicted: Prediction for each row, shape (rows,).

    Returns:
        A sentence with the size, and where the law lies farthest from its rows. It is empty without structure, and for
        counts.
    """
    of, measured = measured_response(law, table, columns)
    if measured is None or of == "pass@1":
        return ""
    relative = of not in SHARES and bool(np.all(measured > 0) and np.all(predicted > 0))
    residual = np.log(measured / predicted) if relative else measured - predicted
    read = [table[name] for name in law.columns().values() if name in table and np.all(table[name] > 0)]
    if not read:
        return ""
    structure = measure_structure(residual, np.log(np.stack(read, axis=1)), table.runs())
    if not (structure.score >= CLEAR and structure.size >= LEAST):
        return ""
    times, unit = (100, "%") if relative else (100, "percentage points") if of in SHARES else (1, "nats")
    excess, place = _farthest(residual, table)
    low = "low" if excess > 0 else "high"
    return (
        f"the residuals are structured: neighbouring rows deviate together by {times * structure.size:.2g} {unit}, and"
        f" the law is {times * abs(excess):.2g} {unit} too {low} {place};"
        " bands of t2.predict_band (t2jax predict) include this"
    )


def _farthest(residual: Float[np.ndarray, " rows"], table: Table) -> tuple[float, str]:
    """Finds the end of a quantity where the mean residual is the surest, and returns it with the place in words."""
    quantities = {"FLOPs": table.compute()}
    if table.has_sizes:
        params, tokens = table["params"], table["tokens"]
        quantities = {"params": params, "tokens": tokens, "tokens per param": tokens / params} | quantities
    ends = []
    for name, values in quantities.items():
        low, high = np.quantile(values, [TAIL, 1 - TAIL])
        for rows, place in ((values <= low, f"up to {low:.3g} {name}"), (values >= high, f"from {high:.3g} {name} on")):
            mean = float(residual[rows].mean())
            ends.append((abs(mean) * np.sqrt(rows.sum()), mean, place))
    _, mean, place = max(ends)
    return mean, place
