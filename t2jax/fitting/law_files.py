"""Results on disk: the law, its draws, the figures and how they came about, each file whole or not there at all."""

import dataclasses
import json
import math
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from t2jax import laws
from t2jax.files import finite, save_json, save_netcdf
from t2jax.fitting.fit import Fit
from t2jax.laws.base import Law
from t2jax.tables.table import Table

LAW_FILE, DRAWS_FILE = "law.json", "draws.nc"
DRAWS_GROUP = "posterior"  # the name under which ArviZ looks for draws, whatever made them


def save_law(path: Path, fit: Fit, table: Table) -> None:
    """Write a fitted law as JSON: its parameters with units, what the rows do not determine, and the table's origin.

    A parameter in `fit.undetermined` has value null, so that nobody takes an arbitrary number for a measured one. One
    that counts as at an end of its domain (`Param.edge`) is written as that end.
    """
    law, held, settled = type(fit.law), dict(fit.problem.coordinates.fixed), settled_values(fit.law)
    parameters = {
        name: {
            "value": None if name in fit.undetermined else finite(settled[name]),
            "unit": one.unit,
            "doc": one.doc,
            "undetermined": name in fit.undetermined,
            "fixed": name in held,
        }
        for name, one in law.declared().items()
    }
    noise, scales = fit.problem.noise, fit.noise_values
    content = {
        "law": laws.name_of(law),
        "doc": (law.__doc__ or "").strip().splitlines()[0],
        "parameters": parameters,
        "noise": {
            "model": type(noise).__name__,
            **dataclasses.asdict(noise),  # pyright: ignore
            "estimated": {name: value for name, value in scales.items() if name not in held},
            "fixed": {name: value for name, value in scales.items() if name in held},
        },
        "objective": finite(fit.objective),
        "converged": fit.converged,
        "status": fit.status,
        "starts": fit.starts,
        "agreement": finite(fit.agreement),
        "table": {"rows": len(table), **dataclasses.asdict(table.source)},
    }
    save_json(path, content)


def load_law(path: str | os.PathLike[str], law: type[Law] | None = None) -> Law:
    """The law that `save_law` wrote; `law` is its class where that is not one of t2jax.

    Raises ValueError, naming the file, where it is no such file, the fit had not converged, or a parameter is null,
    missing, no number or outside its domain.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        parameters = {name: one["value"] for name, one in content["parameters"].items()}
        name, converged, status = content["law"], content["converged"], content["status"]
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror}), expected a law that t2jax wrote") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: not a law that t2jax wrote ({type(error).__name__}: {error})") from None
    if not converged:
        raise ValueError(f"{path}: the fit gave no law ({status})")
    missing = [name for name, value in parameters.items() if value is None]
    if missing:
        raise ValueError(
            f"{path}: the rows did not determine {', '.join(missing)} (null), so there is no law to use; fit it to rows"
            " that do, or hold what they leave open with --fixed NAME=VALUE"
        )
    return _checked(law or class_of(name, path), parameters, path)


def _checked(law: type[Law], parameters: dict[str, Any], path: str | os.PathLike[str]) -> Law:
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


def save_draws(path: Path, draws: Law, point: Law, kind: str, *, asked: int, made: int) -> None:
    """Write a batch of laws as NetCDF, one variable (chain, draw) for each parameter; `arviz.from_netcdf` reads it.

    draws: leaves (draws,). point: the fitted law they belong to. kind: what they are, such as "bootstrap over rows".
    asked, made: how many draws there should be and how many were tried; fewer are made when that was interrupted, and
    of those made the failed ones are left out.
    """
    declared = type(draws).declared()
    dataset = _xarray().Dataset(
        {
            name: (("chain", "draw"), np.asarray(values, float)[None], {"units": declared[name].unit})
            for name, values in draws.values().items()
        },
        coords={"chain": [0], "draw": np.arange(len(next(iter(draws.values().values()))))},
        attrs={
            "law": laws.name_of(type(draws)),
            "kind": kind,
            "asked": asked,
            "made": made,
            "point": json.dumps(settled_values(point)),
        },
    )
    save_netcdf(path, {DRAWS_GROUP: dataset})


def load_draws(path: str | os.PathLike[str], point: Law) -> Law:
    """The draws of `point` that `save_draws` wrote, as a batch of laws with leaves (draws,).

    Warns (UserWarning) where the drawing was interrupted, so that fewer draws were made than asked for. Raises
    ValueError where the file is no such file or its draws belong to another fitted law.
    """
    try:
        with _xarray().open_dataset(path, group=DRAWS_GROUP, engine="h5netcdf") as dataset:
            owner = dict(json.loads(dataset.attrs["point"]))
            asked, made = int(dataset.attrs["asked"]), int(dataset.attrs["made"])
            found = {name: np.asarray(dataset[name].values, float).ravel() for name in point.values()}
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{path}: not draws that t2jax wrote ({type(error).__name__})") from None
    if owner != settled_values(point):
        raise ValueError(f"{path}: the draws belong to another fit than the law beside them; remove them or fit again")
    if made < asked:
        warnings.warn(f"{path}: the drawing was interrupted, {made} of {asked} draws were made", stacklevel=2)
    return type(point)(**found)


def settled_values(law: Law) -> dict[str, float]:
    """The values of one law as files hold them, at the end of a domain where they count as there."""
    declared = type(law).declared()
    return {name: declared[name].settle(value) for name, value in law.values().items()}


def class_of(name: str, path: str | os.PathLike[str]) -> type[Law]:
    """The law of a name in a file, also one on another; ValueError that names the file for one that is not t2jax's."""
    try:
        return laws.by_name(name)
    except ValueError as error:
        raise ValueError(f"{path}: {error}; for a law of your own give load_law its class") from None


def _xarray() -> Any:
    import xarray  # slow to load, and only needed for draws

    return xarray
