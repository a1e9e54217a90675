"""Losses and pass@k of the testbed of small models that t2jax trained."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from t2jax.datasets.files import DataFile, Dataset

if TYPE_CHECKING:
    import pandas as pd

SAMPLES = tuple(2.0**j for j in range(13))


def _testbed(
    runs: Path, questions: Path, *, samples: Sequence[float] = SAMPLES, average: bool = False, seeds: bool = True
) -> "pd.DataFrame":
    """Our own models of 2 k to 0.9 M parameters on eight tasks: one row per checkpoint, task and k.

    Columns: `model`, `params` (without embeddings), `tokens`, `task`, `samples`, `neg_log_pass`, `pass_at_k`, `loss`
    (mean negative log-likelihood of the task's answers, which is neg_log_pass at k = 1), `validation_loss`
    (nats/token on held-out text), `budget` (training FLOPs of the isoFLOP group), `seed`. samples: the k to compute.
    average: instead of each task their mean, as task "average". seeds: if False, instead of each seed's checkpoint the
    mean over seeds, with `weight`, how many there are, and without `model` and `seed`.
    """
    import numpy as np
    import pandas as pd
    import pyarrow.parquet as pq

    from t2jax.datasets.pass_curves import pass_curves

    table = pd.read_csv(runs, dtype={"model": str})
    p = pq.read_table(questions).to_pandas()
    cells = p.groupby(["model", "task"], observed=True, sort=False)["p"]
    names, chances = zip(*((name, one.to_numpy(float)) for name, one in cells), strict=True)
    models, tasks = zip(*names, strict=True)
    cost, passed = pass_curves(np.stack(chances), samples)
    loss = -np.mean(np.log(np.stack(chances)), axis=1)
    if average:
        count = len(set(tasks))
        cost, passed, loss = (one.reshape(-1, count, *one.shape[1:]).mean(axis=1) for one in (cost, passed, loss))
        models, tasks = models[::count], ("average",) * len(loss)
    frame = pd.DataFrame(
        {
            "model": np.repeat(models, len(samples)),
            "task": np.repeat(tasks, len(samples)),
            "samples": np.tile(np.asarray(samples, float), len(loss)),
            "neg_log_pass": cost.ravel(),
            "pass_at_k": passed.ravel(),
            "loss": np.repeat(loss, len(samples)),
        }
    )
    facts = table.loc[:, ["model", "params", "tokens", "validation_loss", "budget", "seed"]]
    joined = facts.merge(frame, on="model", validate="one_to_many")
    columns = ["model", "params", "tokens", "task", "samples", "neg_log_pass", "pass_at_k", "loss"]
    found = joined.loc[:, [*columns, "validation_loss", "budget", "seed"]]
    if seeds:
        return found
    cell = ["params", "tokens", "task", "samples"]
    means = found.drop(columns=["model", "seed"]).assign(weight=1.0).groupby(cell, as_index=False, sort=False)
    return means.agg(dict.fromkeys([*columns[5:], "validation_loss", "budget"], "mean") | {"weight": "sum"})


TESTBED = Dataset(
    name="testbed",
    description="loss and pass@k of our own small models on eight tasks, from Chinchilla's ratio to overtraining",
    citation="t2jax, data/testbed/SOURCE.md",
    licence="Apache-2.0",
    files=(
        DataFile(
            place="testbed/runs.csv",
            url="",
            sha256="81645c7140074c223bbbccb9d8a632d8cf6e64f48795a6c57c2e6bbb84e0e701",
        ),
        DataFile(
            place="testbed/questions.parquet",
            url="",
            sha256="826045b64ca078365fb72cf54a3f68f75ee109f2b27a09243c06f475f045fbab",
        ),
    ),
    load=_testbed,
    units={"loss": 1.0},  # of a whole answer, which may have several tokens
)
