"""Losses and pass@k of the testbed of small models that t2jax trained."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from t2jax.datasets.files import DataFile, Dataset, DatasetError

if TYPE_CHECKING:
    import pandas as pd

SAMPLES = tuple(2.0**j for j in range(13))
EXTRA = ("params_with_embeddings", "unique_tokens", "forward_flops", "total_flops")


def _testbed(
    *files: Path, samples: Sequence[float] = SAMPLES, average: bool = False, seeds: bool = True, stage: str = "base"
) -> "pd.DataFrame":
    """Reads the t2jax testbed of models with 2 k to 0.9 M params on eight tasks: one row per checkpoint, task and k.

    Columns are `model`, `params` (without embeddings), `tokens`, `task`, `samples`, `neg_log_pass`, `pass_at_k`,
    `loss`, `validation_loss`, `budget` and `seed`. `loss` is the mean negative log-likelihood of the task's answers,
    which is neg_log_pass at k = 1. `validation_loss` is in nats/token on held-out text.
    `budget` is the training FLOPs of the isoFLOP group. Files that have `unique_tokens`, `params_with_embeddings`,
    `forward_flops` and `total_flops` give them too.

    Args:
        files: A file of checkpoints and one of success probabilities, and so on for every seed.
        samples: Values of k.
        average: Whether to average over tasks; the task is then "average".
        seeds: If False, checkpoints are averaged over seeds, and `weight` is the number of seeds.
            The columns `model` and `seed` are then missing.
        stage: "base", or "ft" or "sft" for the tasks and checkpoints with post-training.

    Raises:
        DatasetError: No question was asked at this stage.
    """
    import numpy as np
    import pandas as pd
    import pyarrow.parquet as pq

    from t2jax.datasets.pass_curves import pass_curves

    table = pd.concat([pd.read_csv(runs, dtype={"model": str}) for runs in files[::2]], ignore_index=True)
    answered = [pq.read_table(questions).to_pandas() for questions in files[1::2]]
    p = pd.concat([part if "stage" in part else part.assign(stage="base") for part in answered], ignore_index=True)
    p = p[p["stage"] == stage]
    if p.empty:
        raise DatasetError(
            f"testbed: found no question at stage {stage!r}, expected 'base', or a measured 'ft' or 'sft'"
        )
    cells = p.groupby(["model", "task"], observed=True, sort=False)["p"]
    names, probabilities = zip(*((name, values.to_numpy(float)) for name, values in cells), strict=True)
    models, tasks = zip(*names, strict=True)
    cost, passed = pass_curves(np.stack(probabilities), samples)
    loss = -np.mean(np.log(np.stack(probabilities)), axis=1)
    if average:
        count = len(set(tasks))
        cost, passed, loss = (
            values.reshape(-1, count, *values.shape[1:]).mean(axis=1) for values in (cost, passed, loss)
        )
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
    extra = list(EXTRA) if set(EXTRA) <= set(table) else []  # the first sweep has none of them
    checkpoints = table.loc[:, ["model", "params", "tokens", *extra, "validation_loss", "budget", "seed"]]
    joined = checkpoints.merge(frame, on="model", validate="one_to_many")
    columns = ["model", "params", "tokens", "task", "samples", "neg_log_pass", "pass_at_k", "loss"]
    rows = joined.loc[:, [*columns, *extra, "validation_loss", "budget", "seed"]]
    if seeds:
        return rows
    cell = ["params", "tokens", "task", "samples"]
    means = rows.drop(columns=["model", "seed"]).assign(weight=1.0).groupby(cell, as_index=False, sort=False)
    return means.agg(dict.fromkeys([*columns[5:], *extra, "validation_loss", "budget"], "mean") | {"weight": "sum"})


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
