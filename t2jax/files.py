"""Files that are written whole or not at all: JSON, figures, NetCDF."""

import io
import json
import math
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` to write to; it becomes `path` when the block ends, and vanishes if that fails.

    Raises OSError that names `path` where it cannot be written, as on a full disk.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(temporary), temporary):
            raise
        raise OSError(error.errno, f"cannot be written ({error.strerror})", str(path)) from None
    finally:
        with suppress(OSError):  # of its own, where there is no folder: it would hide the first
            temporary.unlink(missing_ok=True)


def save_json(path: Path, content: Any) -> None:
    """Write `content` as JSON with floats exact to the last bit. ValueError for NaN, which JSON has no word for."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    with whole(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def save_figure(stem: Path, figure: "Figure", formats: Sequence[str] = ("png",), dpi: float = 160) -> tuple[Path, ...]:
    """Write a figure in each of some formats.

    Args:
        stem: Path of the files, without suffix.
        figure: The figure.
        formats: Suffixes such as "png" and "pdf", which say how it is written.
        dpi: Dots per inch, of formats made of dots.

    Returns:
        The path of each file.
    """
    paths = tuple(stem.with_name(f"{stem.name}.{suffix}") for suffix in formats)
    engine = figure.get_layout_engine()
    for path in paths:
        with whole(path) as temporary:
            figure.savefig(temporary, format=path.suffix[1:], dpi=dpi)
        figure.set_layout_engine("none")  # laid out for the first, which takes as long as to draw it
    figure.set_layout_engine(engine)
    return paths


def save_netcdf(path: Path, groups: Mapping[str, Any]) -> None:
    """Write data sets of xarray as the groups of one NetCDF file.

    It is made in memory first: HDF5 brings down the process where a disk is full.
    """
    import h5netcdf  # slow to load, as xarray is
    from xarray.backends import H5NetCDFStore

    made = io.BytesIO()
    for name, data in groups.items():
        with h5netcdf.File(made, "a" if made.getbuffer().nbytes else "w") as file:
            data.dump_to_store(H5NetCDFStore(file, group=name, mode="a"))
    with whole(path) as temporary:
        temporary.write_bytes(made.getvalue())


def finite(value: float) -> float | None:
    """The number, or None in place of NaN and infinity."""
    return float(value) if math.isfinite(value) else None


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole. Raises FileNotFoundError where there is no folder for it."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: there is no folder {path.parent}")
    with whole(path) as temporary:
        temporary.write_bytes(data)
