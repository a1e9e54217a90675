"""Files of public tables: where each lies, and its hash."""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from t2jax.datasets.downloads import retrieve

if TYPE_CHECKING:
    import pandas as pd

FOLDER_VARIABLE = "T2JAX_DATA"


class DatasetError(ValueError):
    """There is no such data set or option, or a file of one can be neither found nor downloaded, or is another file."""


@dataclass(frozen=True)
class DataFile:
    """One file of a data set: its place below a data folder, where it is published, and the hash of its bytes.

    A file without a URL comes with t2jax itself.
    """

    place: str
    url: str
    sha256: str


@dataclass(frozen=True)
class Dataset:
    """A public table. `load` turns the fetched `files`, in order, into a DataFrame with the columns of a Table.

    Attributes:
        units: Columns whose numbers are meant as they are, however odd they look, each with 1.0.
    """

    name: str
    description: str
    citation: str
    licence: str
    files: tuple[DataFile, ...]
    load: "Callable[..., pd.DataFrame]"
    units: Mapping[str, float] = field(default_factory=dict)


def _local(file: DataFile) -> Path | None:
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder and not Path(folder).is_dir():
        raise DatasetError(f"{FOLDER_VARIABLE} names {folder!r}, which is no folder: name one, or unset the variable")
    if not folder or not Path(folder, file.place).exists():
        return None
    return _checked(Path(folder, file.place), file)


def _bundled(file: DataFile) -> Path:
    """A file that an installed t2jax has beside its modules, and a checkout in its folder `data`."""
    package = Path(__file__).parent.parent
    folder = next((one for one in (package / "_data", package.parent / "data") if (one / file.place).exists()), None)
    if folder is None:
        raise DatasetError(f"{file.place} is missing from this installation of t2jax in {package}; install it again")
    return _checked(folder / file.place, file)


def _checked(path: Path, file: DataFile) -> Path:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != file.sha256:
        raise DatasetError(f"{path}: found sha256 {found}, expected {file.sha256}: this is not the published file")
    return path


def _downloaded(file: DataFile) -> Path:
    import pooch

    folder = pooch.os_cache("t2jax") / Path(file.place).parent
    otherwise = f"put the file at {file.place} in a folder named by the environment variable {FOLDER_VARIABLE}"
    return retrieve(file.url, file.sha256, folder, otherwise, DatasetError)
