"""Numbers and the choice of a metric in CSV files of training runs."""

import re
from collections.abc import Sequence

import numpy as np

from t2jax.results.documents import Document
from t2jax.tables.place import TableError

NOT_FINITE = re.compile(r"""(?im)(?:^|[,"])\s*[+-]?(?:nan|inf|infinity)\s*(?=[,"\r\n]|$)""")


def has_columns(document: Document, *names: str) -> bool:
    """Checks that a CSV file has all of these columns."""
    return set(names) <= set(document.columns)


def column(document: Document, name: str) -> np.ndarray:
    """Returns a column as numbers, NaN for empty cells. It raises TableError for text and for NaN or infinity."""
    if NOT_FINITE.search(document.text):
        raise TableError(f"{document.path}: found NaN or infinity in a cell, expected numbers or empty cells")
    return document.numbers(name)


def positive(document: Document, name: str) -> np.ndarray:
    """Returns a column of numbers > 0, without empty cells. It raises TableError for any other."""
    values = column(document, name)
    document.refuse(name, ~(np.isfinite(values) & (values > 0)), "a number > 0")
    return values


def counts(document: Document, name: str) -> np.ndarray:
    """Returns a column of whole numbers >= 1, without empty cells. It raises TableError for any other."""
    values = column(document, name)
    document.refuse(name, ~(np.isfinite(values) & (values >= 1) & (values == np.floor(values))), "a whole number >= 1")
    return values


def positive_or_empty(document: Document, name: str) -> np.ndarray:
    """Returns a column of numbers > 0, NaN for empty cells. It raises TableError for any other."""
    values = column(document, name)
    document.refuse(name, ~(np.isnan(values) | (np.isfinite(values) & (values > 0))), "a number > 0 or an empty cell")
    return values


def rising(document: Document, name: str) -> np.ndarray:
    """Returns a column of numbers from 0 that rise from row to row. It raises TableError for any other."""
    values = column(document, name)
    falls = np.r_[False, ~(np.diff(values) > 0)]
    document.refuse(name, ~(np.isfinite(values) & (values >= 0)) | falls, "numbers from 0 that rise from row to row")
    return values


def chosen_metric(document: Document, metrics: Sequence[str], wanted: str | None) -> str:
    """Returns the wanted metric, or the only one. It raises TableError where it is missing or there are several."""
    if wanted is not None and wanted in metrics:
        return wanted
    if wanted is None and len(metrics) == 1:
        return metrics[0]
    expected = "one metric" if wanted is None else repr(wanted)
    listed = ", ".join(metrics) or "no metric"
    raise TableError(f"{document.path}: found {listed}, expected {expected}; choose one as metric (--metric)")
