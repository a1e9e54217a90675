"""Losses and pass@k of the testbed of small models that t2jax trained."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t2jax.datasets.files import DataFile, Dataset, DatasetError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

SAMPLES = tuple(2.0**j for j in range(13))
EXTRA = ("params_with_embeddings", "unique_tokens", "forward_flops", "total_flops")
STEADY = ("sentence_end", "headword", "hypernym", "verse_end", "facts")
"""Tasks of averages. In the loss of the others, which are learnt all at once, seeds differ by more than 3 %.

data/testbed/DESIGN.md leaves such tasks out of averages: coefficient of variation, median over cells from 2^19 tokens.
"""
HASHES = {
    "seed0": (
        "30f74091e025c608492c862a765bdf7b8a1f2f4cabe7acd16cfda683b39b4bfa",
        "583404156af46290b771f9548c04029fc5b8cce3b0350a3e440fd4c2adb03365",
    ),
    "seed1": (
        "1edf59c30d88280779120a99ed0035ad6aca6eab32d79b6ae10bc42b50f39a58",
        "3abbc8ccf63c7b46cac6b18a5a92cb0bde750bb862e9111f49ee9083f6354faf",
    ),
    "seed2": (
        "b90b0fe5a127c56c1dc7cb892fda7d70da74f014defa1d0be014026402044449",
        "5442497ec8b928c635f532b067b4efe14e325fba5871070235944d661510bd1c",
    ),
}
"""SHA-256 of runs.csv and questions.parquet in the folder of every seed."""


def _testbed(
    *files: Path,
    samples: Sequence[float] = SAMPLES,
    average: bool = False,
    seeds: bool = True,
    stage: str = "base",
    tasks: Sequence[str] | None = None,
) -> "pd.DataFrame":
    """Reads the t2jax testbed of models with 2 k to 0.9 M params on eight tasks: one row per checkpoint, task and k.

    Columns are `model`, `params` (without embeddings), `tokens`, `task`, `samples`, `neg_log_pass`, `pass_at_k`,
    `loss`, `params_with_embeddings`, `unique_tokens`, `forward_flops`, `total_flops`, `validation_loss`, `budget` and
    `seed`. `loss` is the mean negative log-likelihood of the task's answers, which is neg_log_pass at k = 1.
    `validation_loss` is in nats/token on held-out text. `budget` is the training FLOPs of the isoFLOP group.

    Args:
        files: A file of checkpoints and one of success probabilities, and so on for every seed.
        samples: Values of k.
        average: Whether to average over tasks; the task is then "average".
        seeds: If False, checkpoints are averaged over seeds, and `weight` is the number of seeds.
            The columns `model` and `seed` are then missing.
        stage: "base", or "ft" or "sft" for the tasks and checkpoints with post-training.
        tasks: Names of tasks. By default all of them, and averages are over the five on which seeds agree.

    Raises:
        DatasetError: No question was asked at this stage, or a task is not there.
    """
    import numpy as np
    import pandas as pd

    runs, chances = read_seeds(files, (stage,))
    measured = {task: p for (_, task), p in chances.items()}
    if not measured:
        raise DatasetError(
            f"testbed: found no question at stage {stage!r}, expected 'base', or a measured 'ft' or 'sft'"
        )
    if tasks is None:
        tasks = [task for task in measured if task in STEADY or not average]
    for task in tasks:
        if task not in measured:
            raise DatasetError(f"testbed: found no task {task!r} at this stage, expected some of {', '.join(measured)}")
    curves = [_curves(measured[task], samples) for task in tasks]
    cost, passed, loss = (np.stack(parts, axis=1) for parts in zip(*curves, strict=True))
    if average:
        cost, passed, loss = (values.mean(axis=1, keepdims=True) for values in (cost, passed, loss))
        tasks = ("average",)
    of_task = len(tasks) * len(samples)
    columns = {name: np.repeat(runs[name].to_numpy(), of_task) for name in runs.columns}
    frame = pd.DataFrame(
        {
            **{name: columns[name] for name in ("model", "params", "tokens")},
            "task": np.tile(np.repeat(np.array(tasks, dtype=object), len(samples)), len(runs)),
            "samples": np.tile(np.asarray(samples, float), len(runs) * len(tasks)),
            "neg_log_pass": cost.ravel(),
            "pass_at_k": passed.ravel(),
            "loss": np.repeat(loss.ravel(), len(samples)),
            **{name: columns[name] for name in (*EXTRA, "validation_loss", "budget", "seed")},
        }
    )
    rows: Any = frame[frame["loss"].notna()].reset_index(drop=True)
    if seeds:
        return rows
    cell = ["params", "tokens", "task", "samples"]
    means = rows.drop(columns=["model", "seed"]).assign(weight=1.0).groupby(cell, as_index=False, sort=False)
    averaged = [name for name in rows.columns if name not in ("model", "seed", *cell)]
    return means.agg(dict.fromkeys(averaged, "mean") | {"weight": "sum"})


def read_seeds(
    files: Sequence[Path], stages: Iterable[str] = ("base", "ft", "sft")
) -> "tuple[pd.DataFrame, dict[tuple[str, str], np.ndarray]]":
    """Reads checkpoints and the chances that a sample answers their questions, without any summary.

    Args:
        files: A file of checkpoints and one of chances, and so on for every seed.
        stages: Stages to read.

    Returns:
        A row per checkpoint, and for every stage and task the chances of one sample, shape (checkpoints, questions).
        They are NaN for checkpoints that were not measured at this stage.

    Raises:
        DatasetError: A checkpoint's questions of a task are not those of the others.
    """
    import numpy as np
    import pandas as pd
    import pyarrow.parquet as pq

    runs = pd.concat([pd.read_csv(path, dtype={"model": str}) for path in files[::2]], ignore_index=True)
    place = {model: row for row, model in enumerate(runs["model"])}
    chances: dict[tuple[str, str], np.ndarray] = {}
    for path in files[1::2]:
        names = ["model", "stage", "task"]
        table = pq.read_table(path, columns=[*names, "p"], read_dictionary=names).unify_dictionaries().combine_chunks()
        # millions of rows, of which those of a checkpoint and task follow each other in the order of the questions
        encoded = [table[name].chunk(0) for name in names]
        code = np.stack([part.indices.to_numpy() for part in encoded])
        first = np.flatnonzero(np.any(np.diff(code, axis=1, prepend=-1), axis=0))
        ends = np.append(first[1:], len(table))
        p = table["p"].to_numpy()
        for start, end in zip(first, ends, strict=True):
            model, stage, task = (part.dictionary[i].as_py() for part, i in zip(encoded, code[:, start], strict=True))
            if stage not in stages:
                continue
            if (stage, task) not in chances:
                chances[stage, task] = np.full((len(runs), end - start), np.nan)
            values = chances[stage, task]
            if values.shape[1] != end - start:
                raise DatasetError(f"{path}: {model} has {end - start} questions of {task}, not {values.shape[1]}")
            values[place[model]] = p[start:end]
    return runs, chances


def _curves(p: "np.ndarray", samples: Sequence[float]) -> "tuple[np.ndarray, np.ndarray, np.ndarray]":
    """Computes mean -log pass@k, mean pass@k and mean loss of one task's p; rows of NaN stay NaN."""
    import numpy as np

    from t2jax.datasets.pass_curves import pass_curves

    measured = np.isfinite(p[:, 0])
    cost, passed = np.full((2, len(p), len(samples)), np.nan)
    cost[measured], passed[measured] = pass_curves(p[measured], samples)
    return cost, passed, -np.log(p).mean(axis=1)


TESTBED = Dataset(
    name="testbed",
    description="loss and pass@k of our own small models on eight tasks, from Chinchilla's ratio to overtraining",
    citation="t2jax, data/testbed/SOURCE.md",
    licence="Apache-2.0",
    files=tuple(
        DataFile(place=f"testbed/{seed}/{name}", url="", sha256=sha256)
        for seed, hashes in HASHES.items()
        for name, sha256 in zip(("runs.csv", "questions.parquet"), hashes, strict=True)
    ),
    load=_testbed,
    units={"loss": 1.0},  # of a whole answer, which may have several tokens
)
