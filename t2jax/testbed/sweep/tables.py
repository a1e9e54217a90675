"""Writes the measurements of a sweep as files: runs.csv, questions.parquet and answers.parquet."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from t2jax.files import whole
from t2jax.testbed.sweep.sweep import Measured, Sweep, SweepError, Tuned
from t2jax.testbed.sweep.train import branch_step
from t2jax.testbed.sweep.tuning import STAGES

RUNS, QUESTIONS, ANSWERS = "runs.csv", "questions.parquet", "answers.parquet"
LEAST = 1e-37  # smallest probability kept, within float32's normal numbers
KEPT_BITS = 8  # of float32's 23 bits of fraction: p to 1 part in 512, a fraction of the spread between seeds


def write_tables(sweep: Sweep, folder: Path) -> tuple[Path, ...]:
    """Writes the finished cells of a sweep to `folder` and returns the paths of the files.

    runs.csv has one row per checkpoint with these columns:

    - model, seed, width, layers, heads.
    - params (blocks), params_with_embeddings, tokens, unique_tokens.
    - flops: 6·params·tokens. total_flops: the same with output matrix and attention.
    - forward_flops: FLOPs of one token's forward pass, with output matrix and attention.
    - budget: nominal FLOPs of the isoFLOP group.
    - validation_loss: nats/token.
    - rate: Adam's rate where the checkpoint leaves the trunk. ft_rate, sft_rate: those of post-training, or empty.
    - seconds: wall time in addition to the checkpoint before it.

    questions.parquet has model, stage ("base", "ft" or "sft"), task, question (number within the task) and p
    (probability that one sample is correct). answers.parquet, if wrong answers were measured, has model, task,
    question, rank and p of the strongest wrong answers. A sweep without a finished cell raises SweepError.
    """
    # read once, since a sweep that goes on finishes more cells meanwhile
    cells = [(measured, list(sweep.tuned(measured.run, measured.cell))) for measured in sweep.measured()]
    if not cells:
        raise SweepError(f"{sweep.folder}: no checkpoint is finished, expected at least one")
    written = [folder / RUNS, folder / QUESTIONS]
    with whole(folder / RUNS) as path:
        pd.DataFrame([_run(sweep, *cell) for cell in cells]).to_csv(path, index=False)
    _write(folder / QUESTIONS, pa.concat_tables(_questions(sweep, cells), promote_options="none"))
    if answers := list(_answers(sweep, [measured for measured, _ in cells])):
        _write(folder / ANSWERS, pa.concat_tables(answers))
        written.append(folder / ANSWERS)
    return tuple(written)


def _run(sweep: Sweep, measured: Measured, tuned: Sequence[Tuned]) -> dict[str, Any]:
    run, cell, _, loss, seconds = measured
    shape, tokens, recipe = cell.shape, cell.steps * sweep.recipe.tokens_per_step, sweep.recipe_of(run)
    forward = shape.forward_flops(recipe.context)
    rates = {stage.stage: stage.factor * sweep.recipe.rate / shape.width for stage in tuned}
    return {
        "model": run.name(cell),
        "seed": run.seed,
        "width": shape.width,
        "layers": shape.layers,
        "heads": shape.heads,
        "params": shape.params,
        "params_with_embeddings": shape.params_with_embeddings,
        "tokens": tokens,
        "unique_tokens": sweep.unique_tokens(run, cell),
        "flops": 6 * shape.params * tokens,
        "forward_flops": forward,
        "total_flops": 3 * forward * tokens,
        "budget": round(cell.budget),
        "validation_loss": round(loss, 6),
        "rate": float(f"{float(recipe.rate_at(shape, jnp.asarray(branch_step(cell.steps)))):.4g}"),
        **{f"{stage}_rate": float(f"{rates[stage]:.4g}") if stage in rates else None for stage in STAGES},
        "seconds": round(seconds, 2),
    }


def _questions(sweep: Sweep, cells: Sequence[tuple[Measured, Sequence[Tuned]]]) -> Iterator[pa.Table]:
    questions = sweep.corpus.questions
    for (run, cell, nll, _, _), after in cells:
        model = run.name(cell)
        for index, task in enumerate(questions.tasks):
            yield _of_task(model, "base", task, nll[questions.task == index])
        for tuned in after:
            yield _of_task(model, tuned.stage, tuned.task, tuned.nll)


def _of_task(model: str, stage: str, task: str, nll: np.ndarray) -> pa.Table:
    p = np.maximum(np.exp(-nll.astype(np.float64)), LEAST)
    names = {name: _repeated(value, len(p)) for name, value in (("model", model), ("stage", stage), ("task", task))}
    return pa.table({**names, "question": pa.array(np.arange(len(p), dtype=np.int16)), "p": pa.array(_rounded(p))})


def _answers(sweep: Sweep, cells: Sequence[Measured]) -> Iterator[pa.Table]:
    tasks = sweep.corpus.questions.tasks
    for run, cell, *_ in cells:
        if (answers := sweep.wrong_answers(run, cell)) is None:
            continue
        for task, p in zip(tasks, np.split(answers, len(tasks)), strict=True):
            question, rank = np.nonzero(p >= LEAST)
            yield pa.table(
                {
                    "model": _repeated(run.name(cell), len(rank)),
                    "task": _repeated(task, len(rank)),
                    "question": pa.array(question.astype(np.int16)),
                    "rank": pa.array((rank + 1).astype(np.int8)),
                    "p": pa.array(_rounded(p[question, rank])),
                }
            )


def _repeated(name: str, count: int) -> pa.Array:
    return pa.array([name] * count)


def _write(file: Path, table: pa.Table) -> None:
    """Writes a table with encodings that suit its columns: they halve a file of rounded probabilities."""
    names = [name for name in ("model", "stage", "task") if name in table.column_names]
    numbers = {"question": "DELTA_BINARY_PACKED", "rank": "DELTA_BINARY_PACKED", "p": "BYTE_STREAM_SPLIT"}
    options: Any = {
        "compression": "zstd",
        "compression_level": 19,
        "use_dictionary": names,
        "column_encoding": {name: code for name, code in numbers.items() if name in table.column_names},
        "row_group_size": 10**7,
    }
    with whole(file) as path:
        pq.write_table(table, path, **options)


def _rounded(p: np.ndarray) -> np.ndarray:
    """Rounds p to float32 with KEPT_BITS bits of fraction, which halves the file."""
    drop = 23 - KEPT_BITS
    bits = p.astype(np.float32).view(np.uint32)
    return ((bits + (1 << (drop - 1))) & np.uint32(0xFFFFFFFF << drop & 0xFFFFFFFF)).view(np.float32)
