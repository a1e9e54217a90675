"""Posteriors of several tasks on disk."""

import os

import numpy as np

from t2jax.laws.base import Law
from t2jax.posterior.arviz_groups import inference_data
from t2jax.posterior.diagnosis import diagnose, left_alone
from t2jax.posterior.files import read_posterior
from t2jax.posterior.tasks.task_posterior import TaskPosterior, by_name


def load_task_posterior(path: str | os.PathLike[str], law: type[Law] | None = None) -> TaskPosterior:
    """The posterior of several tasks that `save_posterior` wrote, judged anew; arguments and errors likewise.

    Its `target` is None.
    """
    read = read_posterior(path, law)
    if "tasks" not in read.about:
        raise ValueError(f"{path}: a posterior of one table; read it with load_posterior")
    tasks, count = tuple(read.about["tasks"]), read.diverging.size
    held = {name: np.tile(np.asarray(one)[:, None], count) for name, one in read.about["point"].items()}
    own = {name: one.reshape(-1, len(tasks)).T for name, one in read.drawn.items() if name in held}
    idata = inference_data(read.groups)
    values = by_name(idata, tasks)
    before = {name: read.prior[name.partition("[")[0]] for name in values}
    found = diagnose(values, before, read.diverging, read.energy, left_alone)
    point = read.law(**{name: np.asarray(one) for name, one in read.about["point"].items()})
    asked, made = read.about["asked"], read.diverging.shape[1]
    return TaskPosterior(read.law(**(held | own)), tasks, tuple(read.about["pooled"]), idata, point, found, asked, made)
