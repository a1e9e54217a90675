"""Public tables by name: where each lies, its hash and licence, and how its columns become those of a Table."""

import difflib
import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t2jax.datasets.chinchilla_epoch import CHINCHILLA_EPOCH
from t2jax.datasets.files import Dataset, DatasetError, _bundled, _downloaded, _local
from t2jax.datasets.pythia_gsm8k import PYTHIA_GSM8K
from t2jax.datasets.testbed import TESTBED
from t2jax.tables.source import Source

if TYPE_CHECKING:
    from t2jax.tables.table import Table

__all__ = ["DatasetError", "fetch", "info", "load", "names"]


def names() -> tuple[str, ...]:
    """The names that `load` knows."""
    return tuple(entry.name for entry in REGISTRY)


def info(name: str) -> Dataset:
    """What is known of a data set: description, citation, licence and files. Raises DatasetError for another name."""
    for entry in REGISTRY:
        if entry.name == name:
            return entry
    raise DatasetError(f"there is no data set {name!r}, expected {_one_of(name, names())}")


def fetch(name: str) -> tuple[Path, ...]:
    """The files of a data set: from the folder that T2JAX_DATA names, if they are there, else downloaded and kept.

    Every file is checked against its hash each time. Downloads are kept in the user's cache folder.
    Raises: DatasetError where a file cannot be had, or is not the file that was published.
    """
    return tuple(_local(file) or (_downloaded(file) if file.url else _bundled(file)) for file in info(name).files)


def load(name: str, **options: Any) -> "Table":
    """A public table by name, such as load("chinchilla-epoch"); `info(name).load` tells its columns and options.

    Raises: DatasetError for an unknown name or option, and as `fetch` does.
    """
    from t2jax.tables.table import Table  # here, as a list of data sets needs no table

    entry = info(name)
    known = [p.name for p in inspect.signature(entry.load).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for option in options:
        if option not in known:
            raise DatasetError(f"data set {name!r} has no option {option!r}, expected {_one_of(option, known)}")
    frame = entry.load(*fetch(name), **options)
    chosen = "".join(f", {option}={value!r}" for option, value in options.items())
    read = tuple(f"read {file.url or file.place} (sha256 {file.sha256})" for file in entry.files)
    source = Source(
        name=name,
        sha256=entry.files[0].sha256,
        url=entry.files[0].url,
        licence=entry.licence,
        units=dict(entry.units),
        history=(*read, f"loaded as data set {name!r}{chosen}"),
    )
    return Table(frame, source)


def _one_of(name: str, known: Iterable[str]) -> str:
    known = tuple(known)
    alike = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {alike[0]!r}?" if alike else ""
    return (f"one of {', '.join(known)}" if known else "none") + hint


REGISTRY = (CHINCHILLA_EPOCH, PYTHIA_GSM8K, TESTBED)
