"""Posteriors on disk: NetCDF as ArviZ reads it, and the law at the highest density as `t2jax fit` writes its own."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from t2jax import laws
from t2jax.bayes import Posterior, inference_data
from t2jax.diagnose import diagnose
from t2jax.laws.base import Law
from t2jax.save import class_of, finite, save_json, whole
from t2jax.table import Table

POSTERIOR_FILE = "posterior.nc"
GROUPS = ("posterior", "sample_stats", "log_likelihood", "prior")


def save_posterior(path: str | os.PathLike[str], post: Posterior) -> None:
    """Write the draws as NetCDF, a group each for posterior, sample_stats, log_likelihood by run, and prior.

    `arviz.from_netcdf` of every generation reads the file, and `load_posterior` makes the result of it again.
    """
    import xarray  # slow to load

    about = {
        "law": laws.name_of(type(post.point)),
        "kind": f"posterior: {post.status}",
        "asked": post.asked,
        "made": post.made,
        "point": json.dumps(post.point.values()),
    }
    with whole(Path(path)) as temporary:
        for number, name in enumerate(GROUPS):
            group = post.idata[name]
            data = group.to_dataset() if isinstance(group, xarray.DataTree) else group
            data = data.assign_attrs(about) if name == "posterior" else data
            data.to_netcdf(temporary, group=name, engine="h5netcdf", mode="a" if number else "w")


def load_posterior(path: str | os.PathLike[str], law: type[Law] | None = None) -> Posterior:
    """The posterior that `save_posterior` wrote, judged anew; `law` is its class where that is not one of t2jax.

    Its `density` is None. Raises ValueError, naming the file, where it is no such file.
    """
    import xarray

    try:
        groups = {name: xarray.load_dataset(path, group=name, engine="h5netcdf") for name in GROUPS}
        about = groups["posterior"].attrs
        point, asked, name = dict(json.loads(about["point"])), int(about["asked"]), str(about["law"])
        drawn = {str(one): np.asarray(values.values, float) for one, values in groups["posterior"].items()}
        prior = {str(one): np.asarray(values.values, float).ravel() for one, values in groups["prior"].items()}
        stats = groups["sample_stats"]
        diverging, energy = np.asarray(stats["diverging"].values, bool), np.asarray(stats["energy"].values, float)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{path}: not a posterior that t2jax wrote ({type(error).__name__})") from None
    made = law or class_of(name, path)
    held = {one: np.full(diverging.size, value) for one, value in point.items()}
    own = {one: values.ravel() for one, values in drawn.items() if one in point}
    found = diagnose(drawn, prior, diverging, energy)
    return Posterior(made(**(held | own)), inference_data(groups), made(**point), found, asked, diverging.shape[1])


def save_point(path: str | os.PathLike[str], post: Posterior, table: Table) -> None:
    """Write the law at the highest density as JSON, to be read by `load_law`, which refuses it if nothing converged."""
    declared = type(post.point).declared()
    parameters: dict[str, Any] = {
        name: {
            "value": finite(value),
            "unit": declared[name].unit,
            "doc": declared[name].doc,
            "undetermined": False,
            "fixed": name not in post.diagnosis.r_hat,
            "prior_is_posterior": name in post.diagnosis.left,
        }
        for name, value in post.point.values().items()
    }
    content = {
        "law": laws.name_of(type(post.point)),
        "doc": (type(post.point).__doc__ or "").strip().splitlines()[0],
        "point": "the highest posterior density in the coordinates that are sampled",
        "parameters": parameters,
        "converged": post.converged,
        "status": post.status,
        "table": {"rows": len(table), **asdict(table.source)},
    }
    save_json(Path(path), content)
