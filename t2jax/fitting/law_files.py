"""Files of fitted laws and their draws. Each file is written completely or not at all."""

import dataclasses
import hashlib
import json
import math
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from t2jax import laws
from t2jax.files import finite, save_json, save_variables
from t2jax.fitting.bootstrap import Bootstrap
from t2jax.fitting.fit import Fit
from t2jax.fitting.measured_range import MeasuredRange
from t2jax.laws.arguments import renamed
from t2jax.laws.base import Law
from t2jax.laws.user_code import Origin, load_origin, origin_of
from t2jax.tables.table import Table

LAW_FILE, DRAWS_FILE, ROWS_FILE = "law.json", "draws.nc", "rows.csv"
DRAWS_GROUP = "posterior"  # the group in which ArviZ looks for draws of any kind


def save_law(path: Path, fit: Fit, table: Table, rows: Path | None = None) -> None:
    """Writes a fitted law as JSON: parameters with units, the measured ranges, and the origin of the table.

    A parameter in `fit.undetermined` has the value null, so that nobody takes an arbitrary number for a measured one. A
    parameter at an end of its domain (`Param.edge`) is written as that end.

    Args:
        path: The file.
        fit: The fit.
        table: The table that was fitted.
        rows: The file beside it to which `table.to_csv` wrote the rows, so that `t2jax predict` can fit them again.

    Examples:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "law.json"
        >>> t2.save_law(path, fit, runs)
        >>> t2.load_law(path).values() == fit.law.values()
        True
    """
    law, fixed, settled = type(fit.law), dict(fit.problem.coordinates.fixed), settled_values(fit.law)
    parameters = {
        name: {
            "value": None if name in fit.undetermined else finite(settled[name]),
            "unit": param.unit,
            "doc": param.doc,
            "undetermined": name in fit.undetermined,
            "fixed": name in fixed,
        }
        for name, param in law.declared().items()
    }
    noise, scales = fit.problem.noise, fit.noise_values
    content = {
        "law": laws.name_of(law),
        **origin_content(law),
        "doc": ((law.__doc__ or "").strip().splitlines() or [""])[0],
        "parameters": parameters,
        "noise": {
            "model": type(noise).__name__,
            **origin_content(type(noise)),
            **dataclasses.asdict(noise),  # pyright: ignore
            "estimated": {name: value for name, value in scales.items() if name not in fixed},
            "fixed": {name: value for name, value in scales.items() if name in fixed},
        },
        "objective": finite(fit.objective),
        "converged": fit.converged,
        "status": fit.status,
        "starts": fit.starts,
        "agreement": finite(fit.agreement),
        "measured": dataclasses.asdict(MeasuredRange.of(table)),
        "table": {"rows": len(table), **dataclasses.asdict(table.source)},
    }
    if rows is not None:
        content["rows"] = {"file": rows.name, "sha256": hashlib.sha256(rows.read_bytes()).hexdigest()}
    save_json(path, content)


def load_law(path: str | os.PathLike[str], law: type[Law] | None = None) -> Law:
    """Reads the law that `save_law` wrote.

    A law that was named by its file, as "my_laws.py:MoE", is read from there again, which runs that file.

    Args:
        path: The file.
        law: Class of the law, where it is not one of t2jax.

    Returns:
        The law.

    Raises:
        ValueError: The file is no such file, the fit did not converge, or a parameter is null, missing, no number or
            outside its domain. Also if the file that defines the law is missing or has changed. The message names the
            file.

    Examples:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "law.json"
        >>> t2.save_law(path, fit, runs)
        >>> round(float(t2.load_law(path)(1e9, 2e10)), 3)
        2.464
    """
    content = read_law_file(path)
    parameters = {name: param["value"] for name, param in content["parameters"].items()}
    missing = [name for name, value in parameters.items() if value is None]
    if missing:
        raise ValueError(
            f"{path}: the rows did not determine {', '.join(missing)} (null), so there is no law to use; fit it to rows"
            " that do, or hold what they leave open with --fixed NAME=VALUE"
        )
    return _checked(law or class_of(content["law"], path, content.get("origin")), parameters, path)


def read_law_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads the content of a law's file. It raises ValueError for another file, and for a fit that failed."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        _values = [param["value"] for param in content["parameters"].values()]  # fails here if one is missing
        _law, converged, status = content["law"], content["converged"], content["status"]
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror}), expected a law that t2jax wrote") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: not a law that t2jax wrote ({type(error).__name__}: {error})") from None
    if not converged:
        raise ValueError(f"{path}: the fit failed ({status})")
    return content


def _checked(law: type[Law], parameters: dict[str, Any], path: str | os.PathLike[str]) -> Law:
    """Makes the law from parameters in a file, and raises ValueError for bad ones."""
    declared = law.declared()
    for name in (*declared, *parameters):
        if name not in parameters or name not in declared:
            wrong = "is missing" if name in declared else f"is no parameter of {law.__name__}"
            raise ValueError(f"{path}: {name} {wrong}; its parameters are {', '.join(declared)}")
        value, (low, high) = parameters[name], declared[name].domain
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(f"{path}: found {name} = {value!r}, expected a number in its domain, {low:g} to {high:g}")
        if not math.isfinite(value):
            raise ValueError(f"{path}: found {name} = {value!r}, expected a finite number")
    return law(**{name: float(value) for name, value in parameters.items()})


@renamed(made="tried")
def save_draws(path: Path, draws: Law, point: Law, kind: str, *, asked: int, tried: int) -> None:
    """Writes a batch of laws as NetCDF, one variable (chain, draw) for each parameter, which ArviZ reads too.

    Args:
        path: The file, which `arviz.from_netcdf` reads.
        draws: The laws, leaves of shape (draws,).
        point: The fitted law that they belong to.
        kind: What they are, such as "bootstrap over rows".
        asked: Number of draws that were asked for.
        tried: Number of draws that were tried. It is smaller after an interruption. Failed draws are left out.

    Examples:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "draws.nc"
        >>> boot = t2.bootstrap(fit, runs, draws=8, key=jax.random.key(0))
        >>> t2.save_draws(path, boot.laws, fit.law, "bootstrap over rows", asked=8, tried=8)
        >>> t2.load_draws(path, fit.law).E.shape
        (8,)
    """
    declared = type(draws).declared()
    names, lengths = ("chain", "draw"), (1, len(next(iter(draws.values().values()))))
    variables: dict[str, Any] = {
        name: ((name,), np.arange(length), {}) for name, length in zip(names, lengths, strict=True)
    }
    for name, values in draws.values().items():
        variables[name] = names, np.asarray(values, float)[None], {"units": declared[name].unit}
    attributes = {"law": laws.name_of(type(draws)), "kind": kind, "asked": asked, "made": tried}
    save_variables(path, DRAWS_GROUP, variables, **attributes, point=json.dumps(settled_values(point)))


def load_draws(path: str | os.PathLike[str], point: Law) -> Law:
    """Reads the draws that `save_draws` wrote, as a batch of laws. It warns (UserWarning) if drawing was interrupted.

    Args:
        path: The file.
        point: The fitted law that the draws belong to.

    Returns:
        The laws, leaves of shape (draws,).

    Raises:
        ValueError: The file is no such file, or its draws belong to another fitted law.

    Examples:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "draws.nc"
        >>> laws = t2.laws.Chinchilla(**{name: np.full(3, value) for name, value in law.values().items()})
        >>> t2.save_draws(path, laws, law, "copies", asked=3, tried=3)
        >>> t2.load_draws(path, law).alpha
        array([0.35, 0.35, 0.35])
    """
    import h5netcdf  # slow to load

    try:
        with h5netcdf.File(path, "r") as file:
            group: Any = file[DRAWS_GROUP]
            owner = dict(json.loads(group.attrs["point"]))
            asked, tried = int(group.attrs["asked"]), int(group.attrs["made"])
            values = {name: np.asarray(group[name][...], float).ravel() for name in point.values()}
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{path}: not draws that t2jax wrote ({type(error).__name__})") from None
    if owner != settled_values(point):
        raise ValueError(f"{path}: the draws belong to another fit than the law beside them; remove them or fit again")
    if tried < asked:
        warnings.warn(f"{path}: the drawing was interrupted, {tried} of {asked} draws were made", stacklevel=2)
    return type(point)(**values)


def load_bootstrap(path: str | os.PathLike[str], point: Law) -> Bootstrap:
    """Reads the draws of a file with what is known of them: how many were tried, and errors that they do not show.

    Raises:
        ValueError: As `load_draws`.
    """
    drawn = load_draws(path, point)
    import h5netcdf

    with h5netcdf.File(path, "r") as file:
        attributes: Any = file[DRAWS_GROUP].attrs
        tried, kind = int(attributes["made"]), str(attributes.get("kind", ""))
    good = len(next(iter(drawn.values().values())))
    caution = next((part for part in kind.removeprefix("bootstrap: ").split("; ") if "share errors" in part), "")
    return Bootstrap(drawn, tried, tried - good, "those of a file", caution)


def settled_values(law: Law) -> dict[str, float]:
    """Returns the values of a law for a file, with values near an end of their domain moved onto it."""
    declared = type(law).declared()
    return {name: declared[name].settle(value) for name, value in law.values().items()}


def class_of(name: str, path: str | os.PathLike[str], origin: Mapping[str, str] | None = None) -> type[Law]:
    """Finds the law class of a name in a file, also of a law on another. A law with an origin is read from there.

    Raises:
        ValueError: The law is not one of t2jax, or the file that defines it is missing or has changed. The message
            names the file.
    """
    if origin is not None:
        outer, on, _ = name.partition("-on-")
        try:
            place = Origin(*(str(origin[key]) for key in ("file", "class", "sha256")))
            law_class = load_origin(place, Path(path), Law)
        except KeyError as error:
            raise ValueError(f"{path}: not a law that t2jax wrote (origin without {error})") from None
        return laws.by_name(outer).on(law_class) if on else law_class
    try:
        return laws.by_name(name)
    except ValueError as error:
        raise ValueError(f"{path}: {error}; for a law of your own give load_law its class") from None


def origin_content(cls: type) -> dict[str, Any]:
    """Returns the origin of a class for a file: where the file is that defines it, and its hash. Empty for t2jax's."""
    origin = origin_of(cls)
    return {} if origin is None else {"origin": {"file": origin.file, "class": origin.name, "sha256": origin.sha256}}
