"""Public tables by name, with their files, hashes and licences."""

import difflib
import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t2jax.datasets.chinchilla_epoch import CHINCHILLA_EPOCH
from t2jax.datasets.files import Dataset, DatasetError, _download, _find_bundled, _find_local
from t2jax.datasets.pythia_gsm8k import PYTHIA_GSM8K
from t2jax.datasets.scalebench import SCALEBENCH_FARSEER, SCALEBENCH_REPETITION
from t2jax.datasets.testbed import TESTBED
from t2jax.tables.source import Source

if TYPE_CHECKING:
    from t2jax.tables.table import Table

__all__ = ["DatasetError", "fetch", "info", "load", "names"]


def names() -> tuple[str, ...]:
    """Lists the names of the data sets.

    Returns:
        The names that `load` accepts.

    Examples:
        >>> t2.datasets.names()
        ('chinchilla-epoch', 'pythia-gsm8k', 'scalebench-farseer', 'scalebench-repetition', 'testbed')
    """
    return tuple(entry.name for entry in REGISTRY)


def info(name: str) -> Dataset:
    """Describes a data set without loading it.

    Args:
        name: Name of the data set.

    Returns:
        Description, citation, licence and files. The docstring of its `load` describes columns and options.

    Raises:
        DatasetError: There is no data set of this name.

    Examples:
        >>> t2.datasets.info("testbed").licence
        'Apache-2.0'
    """
    for entry in REGISTRY:
        if entry.name == name:
            return entry
    raise DatasetError(f"there is no data set {name!r}, expected {_list_names(name, names())}")


def fetch(name: str) -> tuple[Path, ...]:
    """Finds or downloads the files of a data set.

    A file in the folder named by the environment variable T2JAX_DATA is used if it exists.
    Other files are downloaded to the user's cache folder. Every call checks the hashes.

    Args:
        name: Name of the data set.

    Returns:
        Paths of the files.

    Raises:
        DatasetError: There is no such data set, or a file is unavailable or differs from the published one.

    Examples:
        >>> [path.name for path in t2.datasets.fetch("testbed")][:2]
        ['runs.csv', 'questions.parquet']
    """
    return tuple(
        _find_local(file) or (_download(file) if file.url else _find_bundled(file)) for file in info(name).files
    )


def load(name: str, **options: Any) -> "Table":
    """Loads a public table by name.

    Args:
        name: Name of the data set, such as "chinchilla-epoch".
        options: Options of the data set; see `info(name).load`.

    Returns:
        The table.

    Raises:
        DatasetError: There is no such data set or option, or a file is unavailable or differs from the published one.

    Examples:
        >>> table = t2.datasets.load("testbed", samples=(1.0,), average=True, seeds=False)
        >>> len(table), table.columns[:3]
        (159, ('params', 'tokens', 'task'))
    """
    from t2jax.tables.table import Table  # here, as a list of data sets needs no table

    entry = info(name)
    options_of_entry = [p.name for p in inspect.signature(entry.load).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for option in options:
        if option not in options_of_entry:
            raise DatasetError(
                f"data set {name!r} has no option {option!r}, expected {_list_names(option, options_of_entry)}"
            )
    frame = entry.load(*fetch(name), **options)
    arguments = "".join(f", {option}={value!r}" for option, value in options.items())
    steps = tuple(f"read {file.url or file.place} (sha256 {file.sha256})" for file in entry.files)
    source = Source(
        name=name,
        sha256=entry.files[0].sha256,
        url=entry.files[0].url,
        licence=entry.licence,
        units=dict(entry.units),
        history=(*steps, f"loaded as data set {name!r}{arguments}"),
    )
    return Table(frame, source)


def _list_names(name: str, names: Iterable[str]) -> str:
    names = tuple(names)
    similar = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {similar[0]!r}?" if similar else ""
    return (f"one of {', '.join(names)}" if names else "none") + hint


REGISTRY = (CHINCHILLA_EPOCH, PYTHIA_GSM8K, SCALEBENCH_FARSEER, SCALEBENCH_REPETITION, TESTBED)
