"""Files of public tables: their places and hashes."""

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
    """Error for a data set, option or file that is unknown, unavailable or different from the published one.

    Examples:
        >>> try:
        ...     t2.datasets.info("chinchila-epoch")
        ... except t2.datasets.DatasetError as error:
        ...     print(str(error).partition(",")[0])
        there is no data set 'chinchila-epoch'
    """


@dataclass(frozen=True)
class DataFile:
    """One file of a data set: its place below a data folder, its URL and the hash of its bytes.

    A file without a URL is part of the t2jax package.
    """

    place: str
    url: str
    sha256: str


@dataclass(frozen=True)
class Dataset:
    """A public table; `load` turns the fetched `files`, in order, into a DataFrame with the columns of a Table.

    Attributes:
        name: Name of the data set.
        description: What it holds.
        citation: Its source.
        licence: Its licence.
        files: Its files.
        load: Function of the files; its docstring describes columns and options.
        units: Columns with unusual values that are correct, each with 1.0.
    """

    name: str
    description: str
    citation: str
    licence: str
    files: tuple[DataFile, ...]
    load: "Callable[..., pd.DataFrame]"
    units: Mapping[str, float] = field(default_factory=dict)


def _find_local(file: DataFile) -> Path | None:
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder and not Path(folder).is_dir():
        raise DatasetError(f"{FOLDER_VARIABLE} names {folder!r}, which is no folder: name one, or unset the variable")
    if not folder or not Path(folder, file.place).exists():
        return None
    return _check_hash(Path(folder, file.place), file)


def _find_bundled(file: DataFile) -> Path:
    """Finds a file beside the modules of an installed t2jax, or in the folder `data` of a checkout."""
    package = Path(__file__).parent.parent
    folder = next(
        (parent for parent in (package / "_data", package.parent / "data") if (parent / file.place).exists()), None
    )
    if folder is None:
        raise DatasetError(f"{file.place} is missing from this installation of t2jax in {package}; install it again")
    return _check_hash(folder / file.place, file)


def _check_hash(path: Path, file: DataFile) -> Path:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != file.sha256:
        raise DatasetError(f"{path}: found sha256 {digest}, expected {file.sha256}: this is not the published file")
    return path


def _download(file: DataFile) -> Path:
    import pooch

    folder = pooch.os_cache("t2jax") / Path(file.place).parent
    otherwise = f"put the file at {file.place} in a folder named by the environment variable {FOLDER_VARIABLE}"
    return retrieve(file.url, file.sha256, folder, otherwise, DatasetError)
