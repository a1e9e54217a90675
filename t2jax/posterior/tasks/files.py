"""Posteriors of several tasks on disk."""

import os

import numpy as np

from t2jax.laws.base import Law
from t2jax.posterior.arviz_groups import inference_data
from t2jax.posterior.diagnosis import diagnose, left_alone
from t2jax.posterior.files import read_posterior
from t2jax.posterior.tasks.task_posterior import TaskPosterior, by_name


def load_task_posterior(path: str | os.PathLike[str], law: type[Law] | None = None) -> TaskPosterior:
    """Reads a posterior of several tasks that `save_posterior` wrote, and diagnoses it again.

    Args:
        path: File to read.
        law: Class of the law, if it is not one of t2jax.

    Returns:
        The posterior. Its `target` is None.

    Raises:
        ValueError: When the file is no posterior of t2jax, or one of a single table. The message names the file.

    Examples:
        >>> import pathlib, tempfile
        >>> settings = {"fixed": {"A": 480.0, "B": 2100.0, "beta": 0.37, "sigma": 0.01}, "chains": 2, "draws": 10}
        >>> tables = {"web": runs, "code": runs}
        >>> post = t2.sample_tasks(t2.laws.Chinchilla, tables, key=jax.random.key(0), warmup=20, **settings)
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "posterior.nc"
        >>> t2.posterior.save_posterior(path, post)
        >>> t2.posterior.load_task_posterior(path).tasks
        ('web', 'code')
    """
    file = read_posterior(path, law)
    if "tasks" not in file.about:
        raise ValueError(f"{path}: a posterior of one table; read it with load_posterior")
    tasks, count = tuple(file.about["tasks"]), file.diverging.size
    fixed = {name: np.tile(np.asarray(value)[:, None], count) for name, value in file.about["point"].items()}
    sampled = {name: value.reshape(-1, len(tasks)).T for name, value in file.drawn.items() if name in fixed}
    idata = inference_data(file.groups)
    values = by_name(idata, tasks)
    priors = {name: file.prior[name.partition("[")[0]] for name in values}
    diagnosis = diagnose(values, priors, file.diverging, file.energy, left_alone)
    point = file.law(**{name: np.asarray(value) for name, value in file.about["point"].items()})
    asked, draws = file.about["asked"], file.diverging.shape[1]
    laws, pooled = file.law(**(fixed | sampled)), tuple(file.about["pooled"])
    return TaskPosterior(laws, tasks, pooled, idata, point, diagnosis, asked, draws)
