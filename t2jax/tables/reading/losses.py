"""Converts the losses of a table to nats per token."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from t2jax.tables.checks import to_numbers
from t2jax.tables.doubts.magnitudes import PERPLEXITIES
from t2jax.tables.place import Place, TableError, missing_column
from t2jax.tables.reading.loss_units import LOSS_UNITS, remedy
from t2jax.tables.reading.options import Reading


def losses_in_nats(
    frame: pd.DataFrame, header_units: Mapping[str, str], reading: Reading, place: Place
) -> tuple[pd.DataFrame, str]:
    """Converts losses in other units.

    Args:
        frame: Columns by their names in t2jax.
        header_units: Units that stand in column names, by column.
        reading: The options; a unit that is given there counts.
        place: The file.

    Returns:
        The columns, and a sentence on the conversion, empty without one.

    Raises:
        TableError: There is no loss, a value is outside the unit, or the unit needs a number that is not given.
    """
    column = next((name for name in ("loss", "error") if name in header_units), "loss")
    unit = reading.loss_unit or header_units.get(column, "nats")
    if reading.loss_unit is not None and column not in frame:
        raise missing_column(place, column, [str(name) for name in frame], "loss_unit (--loss-unit)")
    needs = LOSS_UNITS[unit].needs
    for option in ("bytes_per_token", "characters_per_token"):
        if getattr(reading, option) is not None and option != needs:
            raise TableError(
                f"{place.name}: {option} is given, which losses in {unit.replace('-', ' ')} do not need: say their unit"
                f" with loss_unit=..., in commands --loss-unit"
            )
    if unit == "nats":
        return frame, ""
    conversion = LOSS_UNITS[unit]
    per_token = getattr(reading, needs) if needs else 1.0
    if per_token is None:
        raise TableError(f"{place.name}: {remedy(unit, column)}")
    cells = frame.loc[:, column]
    values = to_numbers(cells, place, column)
    finite = np.isfinite(values)
    good = finite & conversion.accepts(np.where(finite, values, 1.0))
    percent = unit == "accuracy" and bool(np.all((values >= 0) & (values <= 100)))
    hint = f" (of percent: units={{{column!r}: 'percent'}}, in commands --units {column}=percent)" if percent else ""
    place.refuse(column, ~good, cells, conversion.expected + hint)
    if unit == "perplexity" and reading.loss_unit is None and values.max() <= PERPLEXITIES:
        row = int(values.argmax())
        raise TableError(
            f"{place.name}, {place.row(row)}, column {column!r}: the largest value is {values[row]:g}, which is a"
            " perplexity by its name, but as small as a loss: say which with loss_unit='perplexity' or 'nats', in"
            " commands --loss-unit perplexity or --loss-unit nats"
        )
    converted = {column: conversion.to_nats(values, per_token)}
    if "loss_se" in frame and conversion.becomes == "loss":  # to first order in the error
        error = to_numbers(frame.loc[:, "loss_se"], place, "loss_se")
        converted["loss_se"] = error * conversion.slope(values, per_token)
    if conversion.becomes != column and conversion.becomes in frame:
        raise TableError(f"{place.name}: found column {conversion.becomes!r} beside an accuracy, expected one of them")
    names = [conversion.becomes if name == column else name for name in frame]
    note = conversion.formula + (f" ({per_token:g})" if needs else "")
    return frame.assign(**converted).set_axis(names, axis=1), note
