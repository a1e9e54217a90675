"""Stages of training: rows of base models beside rows of the same models after post-training."""

import numpy as np

from t2jax.tables.place import TableError
from t2jax.tables.table import Table

BASE = "base"
STAGE, TUNED = "stage", "tuned"


def mark_tuned(table: Table, stage: str) -> Table:
    """Keeps the rows of base models and of one stage of post-training, and adds the column `tuned`.

    Args:
        table: Rows with a column `stage`, which is "base" or a name such as "sft".
        stage: The stage of post-training.

    Returns:
        The rows of both stages. `tuned` is 0 for base models and 1 for the others, and `stage` is left out.

    Raises:
        TableError: The column is missing, or there are no rows of one of the two stages.
    """
    table.require(STAGE, needed_by="stage (--stage)")
    names = list(dict.fromkeys(map(str, table[STAGE])))
    if stage == BASE:
        raise TableError(f"stage (--stage): found {BASE!r}, expected a stage after it, such as sft")
    for name in (BASE, stage):
        if name not in names:
            raise TableError(
                f"{table.source.name}, column {STAGE!r}: found {', '.join(names)}, expected rows of {name!r} too"
            )
    rows = table.where(stage=[BASE, stage])
    tuned = np.asarray([name == stage for name in map(str, rows[STAGE])], float)
    frame = rows.to_frame().drop(columns=STAGE)
    return Table(frame.assign(tuned=tuned), rows.source.then(f"tuned is 1 at stage {stage}"))
