"""Reads result files of evaluation tools, each of which is recognised by its content."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pandas as pd

from t2jax.results.counts import bigcode, evalplus, every_eval_ever, inspect_log, lm_eval, monkeys
from t2jax.results.documents import SUFFIXES, Document, load_document
from t2jax.results.losses import nanochat, olmo_ladder, wandb
from t2jax.results.part import one_sentence
from t2jax.results.record import Reading, ReadOptions, frame_of
from t2jax.results.results import Results
from t2jax.results.sizes import KnownSizes, read_model_sizes
from t2jax.tables.place import TableError

READERS: tuple[ModuleType, ...] = (
    lm_eval,
    evalplus,
    bigcode,
    inspect_log,
    every_eval_ever,
    monkeys,
    wandb,
    olmo_ladder,
    nanochat,
)
KEYS = ("model", "task", "question", "samples", "metric", "params", "tokens", "step")


@dataclass(frozen=True)
class ResultFile:
    """A file to read, and whether it was named itself or lies in a folder that was named."""

    path: Path
    named: bool


def read_results(
    *paths: str | os.PathLike[str],
    models: str | os.PathLike[str] | None = None,
    units: Mapping[str, str | float] | None = None,
    params: float | None = None,
    tokens: float | None = None,
    model: str | None = None,
    task: str | None = None,
    metric: str | None = None,
    answer_pattern: str | None = None,
    params_column: str | None = None,
    batch_tokens: float | None = None,
    bytes_per_token: float | None = None,
) -> Results:
    """Reads result files of evaluation tools into one frame of counts, scores or losses.

    The tools are lm-evaluation-harness, EvalPlus, bigcode-evaluation-harness, large_language_monkeys, inspect_ai,
    Every Eval Ever, Weights & Biases, OLMo ladder and nanochat. Each file is recognised by its content. Where a file
    says how many samples it has, or their mean, it must agree with what was read. Nothing is guessed: several metrics,
    filters or scorers are an error that names them.

    Args:
        paths: Files or folders. Files of other formats in a folder are named in the notes.
        models: CSV table with the columns model, params and tokens. It wins over sizes in the files.
        units: Factors of params and tokens in `models` that are not raw counts, as for `read_table`.
        params: Parameters N, for files of one model.
        tokens: Training tokens D, for files of one model.
        model: Name of the model, for files that do not name it.
        task: Name of the task, for files that do not name it.
        metric: The metric to read, such as "exact_match,strict-match"; for inspect_ai the scorer.
        answer_pattern: Regular expression of an answer. Each response of lm-evaluation-harness is then right if its
            last match (the first group, if there is one) is that of the target. Responses of large_language_monkeys
            keep their verdicts, and their answers are kept for majority votes.
        params_column: The column of nanochat that is N: "num_scaling_params" or "num_params".
        batch_tokens: Tokens of a training step, for tokens of Weights & Biases and of revisions such as step113000.
        bytes_per_token: Bytes of a token on average, for nanochat's bits per byte.

    Returns:
        The results. Their `frame` has one row per question, task or run.

    Raises:
        TableError: A file is not whole, of no known format, contradicts itself, repeats another, or does not say what
            is needed. The message names the file and the place in it.

    Examples:
        >>> import json, pathlib, tempfile
        >>> sample = {"id": 1, "epoch": 1, "scores": {"match": {"value": "C"}}}
        >>> log = {"status": "success", "eval": {"task": "gsm8k", "model": "acme/tiny"}, "samples": [sample]}
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "log.json"
        >>> _ = path.write_text(json.dumps(log))
        >>> t2.read_results(path).frame.iloc[0].to_dict()
        {'model': 'acme/tiny', 'task': 'gsm8k', 'question': '1', 'trials': 1, 'correct': 1}
    """
    options = ReadOptions(model, task, metric, answer_pattern, params_column, batch_tokens, bytes_per_token)
    try:
        _check_options(options)
        if units and models is None:
            raise TableError("units are given without models, whose params and tokens they are factors of")
        sizes = None if models is None else read_model_sizes(models, units or {})
        return _read_all(paths, options, KnownSizes(sizes, params, tokens))
    except TableError as error:
        raise TableError(one_sentence(str(error))) from None


def _read_all(paths: Sequence[str | os.PathLike[str]], options: ReadOptions, sizes: KnownSizes) -> Results:
    files, notes = _files(paths)
    groups, unknown = _by_reader(files)
    notes += unknown
    readings = [_read(reader, documents, options) for reader, documents in groups.items()]
    rows = [row for reading in readings for row in reading.rows]
    names = tuple(str(document.path) for documents in groups.values() for document in documents)
    where = ", ".join(map(str, paths[:3]))
    if not rows:
        raise TableError(f"{where}: found no results; {'; '.join(notes) or 'no file was read'}")
    kinds = {row.KIND: reading.tool for reading in readings for row in reading.rows}
    if len(kinds) > 1:
        listed = " and ".join(f"{kind} ({tool})" for kind, tool in kinds.items())
        raise TableError(f"{where}: found {listed}, expected one kind; import them apart")
    frame, remarks = sizes.add_to(frame_of(rows))
    _check_repetition(frame)
    notes += [note for reading in readings for note in reading.notes] + remarks + _unequal_trials(frame)
    tools = tuple(reading.tool for reading in readings)
    units = {} if sizes.models is None else sizes.models.units
    return Results(next(iter(kinds)), frame, tools, names, tuple(map(one_sentence, notes)), units)


def _read(reader: ModuleType, documents: Sequence[Document], options: ReadOptions) -> Reading:
    try:
        return reader.read(documents, options)
    except RecursionError:
        raise TableError(f"{documents[0].path}: nested too deeply for results of an evaluation") from None


def _check_options(options: ReadOptions) -> None:
    for name in ("batch_tokens", "bytes_per_token"):
        value = getattr(options, name)
        if value is not None and not 0 < value < float("inf"):
            raise TableError(f"{name}: found {value:g}, expected a number > 0")
    try:
        re.compile(options.answer_pattern or "")
    except re.error as error:
        raise TableError(
            f"answer_pattern: found {options.answer_pattern!r}, expected a regular expression ({error})"
        ) from None


def _files(paths: Sequence[str | os.PathLike[str]]) -> tuple[list[ResultFile], list[str]]:
    """Lists the files of all paths, each once; of a folder those with a known suffix."""
    files: dict[Path, ResultFile] = {}
    others: list[str] = []
    for path in map(Path, paths):
        if not path.exists():
            raise TableError(f"{path}: there is no such file or folder")
        inside = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
        if not inside:
            raise TableError(f"{path}: the folder is empty, expected files of results")
        for file in inside:
            if path.is_dir() and file.suffix.lower() not in SUFFIXES:
                others.append(file.name)
            else:
                files.setdefault(file.absolute(), ResultFile(file, named=not path.is_dir()))
    if not paths:
        raise TableError("found no path, expected files or folders of results")
    notes = [f"{len(others)} files of other formats were left out, such as {others[0]}"] if others else []
    return list(files.values()), notes


def _by_reader(files: Sequence[ResultFile]) -> tuple[dict[ModuleType, list[Document]], list[str]]:
    """Parses the files and groups them by the reader that recognises them."""
    groups: dict[ModuleType, list[Document]] = {}
    notes = []
    for file in files:
        document = load_document(file.path)
        reader = next((reader for reader in READERS if reader.recognises(document)), None)
        if reader is not None:
            groups.setdefault(reader, []).append(document)
            continue
        sentence = f"{file.path}: not a file of a known tool ({', '.join(reader.TOOL for reader in READERS)})"
        if file.named:
            raise TableError(sentence)
        notes.append(f"{file.path}: not a file of a known tool, so it was left out")
    return groups, notes


def _check_repetition(frame: pd.DataFrame) -> None:
    """Raises TableError where two files give the same question of the same model."""
    keys = [name for name in KEYS if name in frame]
    repeated = frame.duplicated(keys).to_numpy()
    if repeated.any():
        row = frame.iloc[int(repeated.argmax())]
        values = ", ".join(f"{name}={row[name]}" for name in keys[:4])
        raise TableError(
            f"found {values} more than once ({int(repeated.sum())} rows are repeated), expected each once: two files of"
            " one model, as at two temperatures, are imported apart"
        )


def _unequal_trials(frame: pd.DataFrame) -> list[str]:
    if "trials" not in frame:
        return []
    spread = frame.groupby(["model", "task"], sort=False)["trials"].agg(["min", "max"])
    return [
        f"{model}, {task}: questions have from {least} to {most} samples"
        for (model, task), least, most in spread.itertuples()
        if least != most
    ]
