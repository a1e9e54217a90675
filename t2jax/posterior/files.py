"""Posteriors on disk: NetCDF files for ArviZ, and the law at the highest density as JSON."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from t2jax import laws
from t2jax.files import finite, save_json, save_netcdf
from t2jax.fitting.law_files import class_of, origin_content
from t2jax.laws.base import Law
from t2jax.posterior.arviz_groups import inference_data
from t2jax.posterior.diagnosis import diagnose, left_together
from t2jax.posterior.posterior import Posterior
from t2jax.posterior.tasks.task_posterior import TaskPosterior
from t2jax.tables.table import Table

POSTERIOR_FILE = "posterior.nc"
GROUPS = ("posterior", "sample_stats", "log_likelihood", "prior")


def save_posterior(path: str | os.PathLike[str], post: Posterior | TaskPosterior) -> None:
    """Writes a posterior as NetCDF, with groups posterior, sample_stats, log_likelihood by unit, and prior.

    `arviz.from_netcdf` of every generation reads the file. `load_posterior` and `load_task_posterior` restore the
    result.

    Args:
        path: File to write.
        post: Result of `sample` or `sample_tasks`.

    Examples:
        >>> import pathlib, tempfile
        >>> fixed = {"A": 480.0, "B": 2100.0, "beta": 0.37, "sigma": 0.01}
        >>> post = t2.sample(t2.laws.Chinchilla, runs, key=jax.random.key(0), fixed=fixed)
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "posterior.nc"
        >>> t2.posterior.save_posterior(path, post)
        >>> path.exists()
        True
    """
    import xarray  # slow to load

    about = {
        "law": laws.name_of(type(post.point)),
        "kind": f"posterior: {post.status}",
        "asked": post.draws_requested,
        "made": post.draws_made,
        "point": json.dumps({name: np.asarray(value).tolist() for name, value in post.point.values().items()}),
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
    """Content of a file. Draws by parameter have shape (chains, draws), with tasks as a last axis if there are any."""

    groups: dict[str, Any]
    about: dict[str, Any]
    law: type[Law]
    drawn: dict[str, np.ndarray]
    prior: dict[str, np.ndarray]
    diverging: np.ndarray
    energy: np.ndarray


def load_posterior(path: str | os.PathLike[str], law: type[Law] | None = None) -> Posterior:
    """Reads a posterior that `save_posterior` wrote, and diagnoses it again.

    Args:
        path: File to read.
        law: Class of the law, if it is not one of t2jax.

    Returns:
        The posterior. Its `density` is None.

    Raises:
        ValueError: When the file is no posterior of t2jax, or one of several tasks. The message names the file.

    Examples:
        >>> import pathlib, tempfile
        >>> fixed = {"A": 480.0, "B": 2100.0, "beta": 0.37, "sigma": 0.01}
        >>> post = t2.sample(t2.laws.Chinchilla, runs, key=jax.random.key(0), fixed=fixed)
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "posterior.nc"
        >>> t2.posterior.save_posterior(path, post)
        >>> t2.posterior.load_posterior(path).status == post.status
        True
    """
    file = read_posterior(path, law)
    if "tasks" in file.about:
        raise ValueError(f"{path}: a posterior of several tasks; read it with load_task_posterior")
    fixed = {name: np.full(file.diverging.size, value) for name, value in file.about["point"].items()}
    sampled = {name: values.ravel() for name, values in file.drawn.items() if name in fixed}
    with_prior = {name: values for name, values in file.drawn.items() if name in file.prior}
    latent = {
        f"{name}[{run}]": values[..., i]
        for name, values in file.drawn.items()
        if name not in file.prior
        for i, run in enumerate(file.groups["posterior"]["run"].values)
    }
    diagnosis = diagnose(with_prior, file.prior, file.diverging, file.energy, left_together, latent)
    point = file.law(**file.about["point"])
    idata, draws = inference_data(file.groups), file.diverging.shape[1]
    return Posterior(file.law(**(fixed | sampled)), idata, point, diagnosis, file.about["asked"], draws)


def read_posterior(path: str | os.PathLike[str], law: type[Law] | None) -> PosteriorFile:
    """Reads the groups and attributes of a file. Raises ValueError if `save_posterior` did not write it."""
    import xarray

    try:
        groups = {name: xarray.load_dataset(path, group=name, engine="h5netcdf") for name in GROUPS}
        attributes = groups["posterior"].attrs
        about: dict[str, Any] = {"asked": int(attributes["asked"]), "point": dict(json.loads(attributes["point"]))}
        about |= {name: json.loads(attributes[name]) for name in ("tasks", "pooled") if name in attributes}
        stats, name = groups["sample_stats"], str(attributes["law"])
        drawn, prior = (
            {str(key): np.asarray(values.values, float) for key, values in groups[group].items()}
            for group in ("posterior", "prior")
        )
        prior = {key: values.ravel() for key, values in prior.items()}
        diverging, energy = np.asarray(stats["diverging"].values, bool), np.asarray(stats["energy"].values, float)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{path}: not a posterior that t2jax wrote ({type(error).__name__})") from None
    return PosteriorFile(groups, about, law or class_of(name, path), drawn, prior, diverging, energy)


def save_point(path: str | os.PathLike[str], post: Posterior, table: Table) -> None:
    """Writes the law at the highest density as JSON for `load_law`, which refuses it if the chains did not converge."""
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
        **origin_content(type(post.point)),
        "doc": ((type(post.point).__doc__ or "").strip().splitlines() or [""])[0],
        "point": "the highest posterior density in the coordinates that are sampled",
        "parameters": parameters,
        "converged": post.converged,
        "status": post.status,
        "table": {"rows": len(table), **asdict(table.source)},
    }
    save_json(Path(path), content)
