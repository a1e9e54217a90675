"""Text, JSON and CSV file of predictions."""

from typing import Any

import numpy as np
import pandas as pd

from t2jax import laws
from t2jax.cli.words import columns, evenly, interval
from t2jax.extrapolation.law_choice import LawChoice
from t2jax.extrapolation.predictions import Predictions
from t2jax.files import finite
from t2jax.fitting.measured_range import FAR_DECADES
from t2jax.tables.table import Table

MOST_ROWS = 12
UNITS = {"loss": "nats/token", "neg_log_pass": "nats"}


def predictions_frame(points: Table, at: Predictions) -> pd.DataFrame:
    """Returns the columns of the points, then those of the predictions."""
    return pd.concat([points.to_frame(), at.to_frame()], axis=1)


def predictions_text(choice: LawChoice, at: Predictions, points: Table) -> str:
    """Returns how far the predictions reach, from which law they are, and a table of at most 12 of them."""
    best, *others = choice.fits
    sentences = [_warning(at), f"{choice.status if others else best.status}.", f"{at.status}."]
    if "samples" not in points and any("k" in type(fit.law).inputs() for fit in choice.fits):
        sentences.append("The points have no column 'samples', so they are predicted for one sample.")
    lines = "\n".join(sentence[0].upper() + sentence[1:] for sentence in sentences if sentence)
    return f"{lines}\n\n{predictions_table(at, points)}\n"


def _warning(at: Predictions) -> str:
    """Returns a sentence about points far beyond the measurements, empty without any."""
    far = int((at.horizon_decades > FAR_DECADES).sum())
    if not far:
        return ""
    which = f"{far} of {len(at.mean)} points lie" if len(at.mean) > 1 else "the point lies"
    return (
        f"{which} more than {FAR_DECADES:g} decades beyond what was measured, by {at.horizon_decades.max():.3g} at"
        " most: nothing measured so far tells how well a law holds there."
    )


def predictions_table(at: Predictions, points: Table) -> str:
    """Returns at most 12 predictions as text in columns, evenly spread over the rows."""
    shown = evenly(len(at.mean), MOST_ROWS)
    inputs = {"params": "N", "tokens": "D", "unique_tokens": "U", "samples": "k"}
    inputs = inputs if points.has_sizes else {"compute": "FLOPs", "samples": "k"}
    sizes = [(name, head) for name, head in inputs.items() if name in points]
    unit = f" ({UNITS[at.response]})" if at.response in UNITS else ""
    level = f"{100 * at.level:g} %"
    header = [*(head for _, head in sizes), f"{at.response}{unit}"]
    header += [f"{level} of one run", f"{level} of the mean", "decades beyond"]
    cells = {name: points[name] for name, _ in sizes}
    rows = [
        [
            *(f"{cells[name][i]:.4g}" for name, _ in sizes),
            f"{at.mean[i]:.4g}",
            interval(float(at.low[i]), float(at.high[i])),
            interval(float(at.mean_low[i]), float(at.mean_high[i])),
            "inside" if at.inside[i] else f"{at.horizon_decades[i]:.2f}",
        ]
        for i in shown
    ]
    more = f"\n{len(shown)} of {len(at.mean)} rows; predictions.csv has all" if len(shown) < len(at.mean) else ""
    return columns(header, rows) + more


def predictions_answer(choice: LawChoice, at: Predictions, frame: pd.DataFrame) -> dict[str, Any]:
    """Returns the predictions for --json: a record for each row, and the laws with their weights and parameters."""
    return {
        "response": at.response,
        "level": at.level,
        "predictions": [{name: _plain(value) for name, value in row.items()} for row in frame.to_dict("records")],
        "widening": at.widening,
        "status": at.status,
        "choice": choice.status,
        "laws": [
            {
                "law": laws.name_of(type(fit.law)),
                "weight": float(weight),
                "parameters": {name: finite(float(value)) for name, value in fit.law.values().items()},
                "errors": [finite(float(error)) for error in errors],
                "status": fit.status,
            }
            for fit, weight, errors in zip(choice.fits, choice.weights, choice.errors, strict=True)
        ],
    }


def _plain(value: Any) -> Any:
    """Returns a cell as JSON has it: null for a missing number."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, float | np.floating):
        return finite(float(value))
    return int(value) if isinstance(value, int | np.integer) else None if pd.isna(value) else str(value)
