"""Posteriors on disk: NetCDF as ArviZ reads it, and the law at the highest density as `t2jax fit` writes its own."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from t2jax import laws
from t2jax.files import finite, save_json, save_netcdf
from t2jax.fitting.law_files import class_of
from t2jax.laws.base import Law
from t2jax.posterior.arviz_groups import inference_data
from t2jax.posterior.diagnosis import diagnose, left_together
from t2jax.posterior.posterior import Posterior
from t2jax.posterior.tasks.task_posterior import TaskPosterior
from t2jax.tables.table import Table

POSTERIOR_FILE = "posterior.nc"
GROUPS = ("posterior", "sample_stats", "log_likelihood", "prior")


def save_posterior(path: str | os.PathLike[str], post: Posterior | TaskPosterior) -> None:
    """Write the draws as NetCDF, a group each for posterior, sample_stats, log_likelihood by unit, and prior.

    `arviz.from_netcdf` of every generation reads the file; `load_posterior`, or of several tasks `load_task_posterior`,
    makes the result of it again.
    """
    import xarray  # slow to load

    about = {
        "law": laws.name_of(type(post.point)),
        "kind": f"posterior: {post.status}",
        "asked": post.asked,
        "made": post.made,
        "point": json.dumps({name: np.asarray(one).tolist() for name, one in post.point.values().items()}),
    }
    if isinstance(post, TaskPosterior):
        about |= {"tasks": json.dumps(post.tasks), "pooled": json.dumps(post.pooled)}
    groups = {}
    for name in GROUPS:
        group = post.idata[name]
        data = group.to_dataset() if isinstance(group, xarray.DataTree) else group
        groups[name] = data.assign_attrs(about) if name == "posterior" else data
    save_netcdf(Path(path), groups)


@dataclass(frozen=True)
class PosteriorFile:
    """What a file holds. drawn: by parameter (chains, draws), or with tasks as the last axis."""

    groups: dict[str, Any]
    about: dict[str, Any]
    law: type[Law]
    drawn: dict[str, np.ndarray]
    prior: dict[str, np.ndarray]
    diverging: np.ndarray
    energy: np.ndarray


def load_posterior(path: str | os.PathLike[str], law: type[Law] | None = None) -> Posterior:
    """The posterior that `save_posterior` wrote, judged anew; `law` is its class where that is not one of t2jax.

    Its `density` is None. Raises ValueError, naming the file, where it is no such file, or of several tasks.
    """
    read = read_posterior(path, law)
    if "tasks" in read.about:
        raise ValueError(f"{path}: a posterior of several tasks; read it with load_task_posterior")
    held = {one: np.full(read.diverging.size, value) for one, value in read.about["point"].items()}
    own = {one: values.ravel() for one, values in read.drawn.items() if one in held}
    judged = {one: values for one, values in read.drawn.items() if one in read.prior}
    latent = {
        f"{one}[{name}]": values[..., i]
        for one, values in read.drawn.items()
        if one not in read.prior
        for i, name in enumerate(read.groups["posterior"]["run"].values)
    }
    found = diagnose(judged, read.prior, read.diverging, read.energy, left_together, latent)
    point = read.law(**read.about["point"])
    idata, made = inference_data(read.groups), read.diverging.shape[1]
    return Posterior(read.law(**(held | own)), idata, point, found, read.about["asked"], made)


def read_posterior(path: str | os.PathLike[str], law: type[Law] | None) -> PosteriorFile:
    import xarray

    try:
        groups = {name: xarray.load_dataset(path, group=name, engine="h5netcdf") for name in GROUPS}
        attributes = groups["posterior"].attrs
        about: dict[str, Any] = {"asked": int(attributes["asked"]), "point": dict(json.loads(attributes["point"]))}
        about |= {name: json.loads(attributes[name]) for name in ("tasks", "pooled") if name in attributes}
        stats, name = groups["sample_stats"], str(attributes["law"])
        drawn, prior = (
            {str(one): np.asarray(values.values, float) for one, values in groups[group].items()}
            for group in ("posterior", "prior")
        )
        prior = {one: values.ravel() for one, values in prior.items()}
        diverging, energy = np.asarray(stats["diverging"].values, bool), np.asarray(stats["energy"].values, float)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{path}: not a posterior that t2jax wrote ({type(error).__name__})") from None
    return PosteriorFile(groups, about, law or class_of(name, path), drawn, prior, diverging, energy)


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
