"""Files that are written completely or not at all: JSON, figures and NetCDF."""

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
    """Yields a temporary path beside `path`; it replaces `path` at the end of the block and vanishes after an error.

    An OSError names `path` if it cannot be written, as on a full disk.
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
        with suppress(OSError):  # without a folder this error would hide the first one
            temporary.unlink(missing_ok=True)


def save_json(path: Path, content: Any) -> None:
    """Writes `content` as JSON with floats exact to the last bit; NaN raises ValueError, since JSON has none."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    with whole(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def save_figure(stem: Path, figure: "Figure", formats: Sequence[str] = ("png",), dpi: float = 160) -> tuple[Path, ...]:
    """Writes a figure in one or several formats.

    Args:
        stem: Path of the files, without suffix.
        figure: The figure.
        formats: Suffixes such as "png" and "pdf", which determine the formats.
        dpi: Dots per inch, for formats made of dots.

    Returns:
        The path of each file.
    """
    paths = tuple(stem.with_name(f"{stem.name}.{suffix}") for suffix in formats)
    engine, resolution = figure.get_layout_engine(), figure.dpi
    try:
        if engine is not None:  # laid out once for all formats, where savefig would draw each twice
            figure.dpi = dpi
            engine.execute(figure)
        figure.dpi = resolution
        figure.set_layout_engine("none")
        for path in paths:
            with whole(path) as temporary:
                figure.savefig(temporary, format=path.suffix[1:], dpi=dpi)
    finally:
        figure.dpi = resolution
        figure.set_layout_engine(engine)
    return paths


def save_netcdf(path: Path, groups: Mapping[str, Any]) -> None:
    """Writes xarray data sets as the groups of one NetCDF file.

    The file is first written to memory, since HDF5 crashes the process on a full disk.
    """
    import h5netcdf  # slow to load, as xarray is
    from xarray.backends import H5NetCDFStore

    buffer = io.BytesIO()
    for name, data in groups.items():
        with h5netcdf.File(buffer, "a" if buffer.getbuffer().nbytes else "w") as file:
            data.dump_to_store(H5NetCDFStore(file, group=name, mode="a"))
    with whole(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def save_variables(
    path: Path, group: str, variables: Mapping[str, tuple[tuple[str, ...], Any, Mapping[str, str]]], **attributes: Any
) -> None:
    """Writes arrays as the variables of one group of a NetCDF file, without xarray, which is slow to load.

    Args:
        path: The file.
        group: Name of the group.
        variables: Names of the dimensions, the array, and its attributes, of each variable. A variable with the name of
            a dimension has its coordinates.
        attributes: Attributes of the group.
    """
    import h5netcdf  # slow to load

    buffer = io.BytesIO()  # HDF5 crashes the process on a full disk
    with h5netcdf.File(buffer, "w") as file:
        place = file.create_group(group)
        for name, (dimensions, values, of_variable) in variables.items():
            for dimension, length in zip(dimensions, values.shape, strict=True):
                if dimension not in place.dimensions:
                    place.dimensions[dimension] = length
            variable = place.create_variable(name, dimensions, values.dtype, data=values)
            variable.attrs.update(of_variable)
        place.attrs.update(attributes)
    with whole(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def finite(value: float) -> float | None:
    """Returns the number, or None in place of NaN and infinity."""
    return float(value) if math.isfinite(value) else None


def write_bytes(path: Path, data: bytes) -> None:
    """Writes a file completely or not at all; raises FileNotFoundError if its folder does not exist."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: there is no folder {path.parent}")
    with whole(path) as temporary:
        temporary.write_bytes(data)
