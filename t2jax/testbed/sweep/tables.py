"""Writes the measurements of a sweep as two files, runs.csv and questions.parquet."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from t2jax.files import whole
from t2jax.testbed.sweep.sweep import Sweep, SweepError

RUNS, QUESTIONS = "runs.csv", "questions.parquet"
LEAST = 1e-37  # smallest probability kept, within float32's normal numbers
KEPT_BITS = 12  # of float32's 23 bits of fraction: p to 1 part in 8,000


def write_tables(sweep: Sweep, folder: Path) -> tuple[Path, Path]:
    """Writes the finished cells of a sweep to `folder` and returns the paths of runs.csv and questions.parquet.

    runs.csv has one row per checkpoint with these columns:

    - model, seed, width, layers, heads, params (blocks), params_with_embeddings, tokens and flops (6·params·tokens).
    - budget: nominal FLOPs of the isoFLOP group.
    - validation_loss: nats/token.
    - rate: Adam's rate on the trunk.
    - seconds: wall time in addition to the checkpoint before it.

    questions.parquet has model, task, question (number within the task) and p (probability that one sample is correct).
    A sweep without a finished cell raises SweepError.
    """
    questions = sweep.corpus.questions
    tasks = np.array(questions.tasks)[questions.task]
    number = np.concatenate([np.arange(count) for count in np.bincount(questions.task)])
    runs, answers = [], []
    for run, cell, nll, loss, seconds in sweep.measured():
        shape, tokens = cell.shape, cell.steps * sweep.recipe.tokens_per_step
        runs.append(
            {
                "model": run.name(cell),
                "seed": run.seed,
                "width": shape.width,
                "layers": shape.layers,
                "heads": shape.heads,
                "params": shape.params,
                "params_with_embeddings": shape.params_with_embeddings,
                "tokens": tokens,
                "flops": 6 * shape.params * tokens,
                "budget": round(cell.budget),
                "validation_loss": round(loss, 6),
                "rate": round(sweep.recipe.rate_of(shape), 6),
                "seconds": round(seconds, 2),
            }
        )
        answers.append(np.maximum(np.exp(-nll.astype(np.float64)), LEAST))
    if not runs:
        raise SweepError(f"{sweep.folder}: no checkpoint is finished, expected at least one")
    models = np.array([row["model"] for row in runs])
    columns = {
        "model": pa.array(np.repeat(models, len(questions))).dictionary_encode(),
        "task": pa.array(np.tile(tasks, len(models))).dictionary_encode(),
        "question": pa.array(np.tile(number, len(models)).astype(np.int16)),
        "p": pa.array(_rounded(np.concatenate(answers))),
    }
    with whole(folder / RUNS) as path:
        pd.DataFrame(runs).to_csv(path, index=False)
    with whole(folder / QUESTIONS) as path:
        pq.write_table(pa.table(columns), path, compression="zstd", use_dictionary=["model", "task"])  # pyright: ignore[reportArgumentType]
    return folder / RUNS, folder / QUESTIONS


def _rounded(p: np.ndarray) -> np.ndarray:
    """Rounds p to float32 with KEPT_BITS bits of fraction, which halves the file."""
    drop = 23 - KEPT_BITS
    bits = p.astype(np.float32).view(np.uint32)
    return ((bits + (1 << (drop - 1))) & np.uint32(0xFFFFFFFF << drop & 0xFFFFFFFF)).view(np.float32)
