"""Options of `t2jax import`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from t2jax.cli.tables.pairs import Pairs


@dataclass(frozen=True)
class ImportConfig:
    """Import result files of evaluation tools: EvalPlus, lm-evaluation-harness, inspect_ai, W&B and others."""

    paths: tyro.conf.Positional[Annotated[tuple[Path, ...], tyro.conf.arg(metavar="PATH ...")]]
    """Files or folders: JSON, JSON lines, YAML, CSV or .eval, of which each is recognised by its content."""
    out: Annotated[Path, tyro.conf.arg(aliases=("-o",), metavar="counts.csv")]
    """File to write: .csv, .csv.gz or .parquet."""
    models: Annotated[Path | None, tyro.conf.arg(metavar="models.csv")] = None
    """CSV table with the columns model, params and tokens; it wins over sizes in the files."""
    units: tyro.conf.UseAppendAction[Annotated[Pairs, tyro.conf.arg(metavar="COLUMN=UNIT ...")]] = ()
    """Units of params and tokens in --models that are not raw counts: params=M tokens=B."""
    params: Annotated[str | None, tyro.conf.arg(metavar="NUMBER")] = None
    """Parameters N, for files of one model: 7e7 or 70M."""
    tokens: Annotated[str | None, tyro.conf.arg(metavar="NUMBER")] = None
    """Training tokens D, for files of one model: 3e11 or 300B."""
    model: str | None = None
    """Name of the model, for files that do not name it."""
    task: str | None = None
    """Name of the task, for files that do not name it."""
    metric: str | None = None
    """The metric to read where a file has several, such as exact_match,strict-match; for inspect_ai the scorer."""
    answer_pattern: Annotated[str | None, tyro.conf.arg(metavar="REGEX")] = None
    """Pattern of an answer, with which every response of lm-evaluation-harness is scored again, and which finds the
    answers of large_language_monkeys for majority votes."""
    params_column: str | None = None
    """Column of nanochat that is N: num_scaling_params or num_params."""
    batch_tokens: float | None = None
    """Tokens of a training step, for W&B and for revisions such as step113000."""
    bytes_per_token: float | None = None
    """Bytes of a token on average, for nanochat's bits per byte."""
    json: bool = False
    """Print the result as JSON on stdout, and nothing else there."""
