"""Tables with a column for each k, and tables with compute in place of params or tokens."""

import re

import numpy as np
import pandas as pd

from t2jax.tables.checks import to_numbers
from t2jax.tables.place import Place, TableError

PASS_AT = re.compile(r"pass(?:@|_at_|_at|_)(\d+)", flags=re.IGNORECASE)


def pass_columns(names: list[str]) -> dict[str, int]:
    """Returns k of each column such as `pass@10`, by its name."""
    return {name: int(match[1]) for name in names if (match := PASS_AT.fullmatch(name.strip()))}


def long_form(frame: pd.DataFrame, place: Place) -> tuple[pd.DataFrame, Place, str]:
    """Gives each column `pass@K` rows of its own, with K in `samples` and the share in `pass_at_k`.

    Args:
        frame: Columns by their names in t2jax.
        place: The file.

    Returns:
        The rows, their place, and a sentence, empty for a table without such columns.

    Raises:
        TableError: Two columns are of one k, or k stands in `samples` too.
    """
    wide = pass_columns([str(name) for name in frame])
    if not wide or "pass_at_k" in frame or "correct" in frame:
        return frame, place, ""
    if "samples" in frame:
        raise TableError(
            f"{place.name}: found k in column 'samples' and in the names of {', '.join(map(repr, wide))}, expected one"
        )
    if len(set(wide.values())) < len(wide):
        raise TableError(f"{place.name}: found columns {', '.join(map(repr, wide))}, expected one for each k")
    rest = frame.drop(columns=list(wide))
    parts = [rest.assign(samples=float(k), pass_at_k=frame[name]) for name, k in wide.items()]
    order = np.arange(len(frame) * len(wide)).reshape(len(wide), len(frame)).T.ravel()
    long = pd.concat(parts, ignore_index=True).iloc[order].reset_index(drop=True)
    lines = None if place.lines is None else np.repeat(place.lines, len(wide))
    shown = ", ".join(map(repr, wide))
    return long, Place(place.name, lines), f"columns {shown} are read as rows of pass_at_k, with k in samples"


def with_size_of_compute(frame: pd.DataFrame, place: Place) -> tuple[pd.DataFrame, str]:
    """Computes params or tokens from a column `compute` of 6 N D FLOPs, where one of them is missing.

    Args:
        frame: Columns by their names in t2jax, with `compute` only if the user named it.
        place: The file.

    Returns:
        The columns, and a sentence, empty where nothing was computed.

    Raises:
        TableError: A cell is no number > 0.
    """
    absent = [name for name in ("params", "tokens") if name not in frame]
    if len(absent) != 1 or "compute" not in frame:
        return frame, ""
    other = "params" if absent[0] == "tokens" else "tokens"
    numbers = {}
    for name in ("compute", other):
        numbers[name] = to_numbers(frame.loc[:, name], place, name)
        place.refuse(name, ~(np.isfinite(numbers[name]) & (numbers[name] > 0)), frame.loc[:, name], "a number > 0")
    size = numbers["compute"] / (6 * numbers[other])
    return frame.assign(**{absent[0]: size}), f"{absent[0]} are compute / (6 {other})"
