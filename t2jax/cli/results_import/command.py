"""`t2jax import`: result files of evaluation tools, written as one table of counts, scores or losses."""

import json
import sys
from pathlib import Path
from typing import Any

from t2jax.cli.results_import.config import ImportConfig
from t2jax.cli.tables.pairs import Pairs
from t2jax.results.read import read_results
from t2jax.results.results import Results, checked_target
from t2jax.tables.reading.cells import Style, number_of


def run(config: ImportConfig) -> int:
    """Reads, prints and writes; returns 0. It raises TableError for files that are not whole or not clear."""
    checked_target(config.out)
    if config.out.absolute() in {path.absolute() for path in config.paths}:
        raise ValueError(f"-o: found {config.out}, which is one of the files to read")
    results = read_results(
        *config.paths,
        models=config.models,
        units=_units(config.units),
        params=_size("params", config.params),
        tokens=_size("tokens", config.tokens),
        model=config.model,
        task=config.task,
        metric=config.metric,
        answer_pattern=config.answer_pattern,
        params_column=config.params_column,
        batch_tokens=config.batch_tokens,
        bytes_per_token=config.bytes_per_token,
    )
    results.save(config.out)
    print(results_text(results, config.out), file=sys.stderr if config.json else sys.stdout)
    if config.json:
        print(json.dumps(results_answer(results, config.out), ensure_ascii=False, allow_nan=False))
    return 0


def results_text(results: Results, out: Path) -> str:
    """Describes what was read, what the files leave open, and the command that may come next."""
    frame = results.frame
    tasks = f", {_count(len(set(frame['task'])), 'task')}" if "task" in frame else ""
    contents = f"{_count(len(frame), 'row')} of {results.kind}, {_count(len(set(frame['model'])), 'model')}{tasks}"
    lines = [f"{out}: {contents}, from {_count(len(results.files), 'file')} of {', '.join(results.tools)}"]
    lines += [f"  {note}" for note in results.notes]
    if results.unknown_sizes:
        unknown = " and ".join(results.unknown_sizes)
        lines.append(f"  {unknown} of the models are not known; a fit needs --models models.csv (model,params,tokens)")
    if results.kind == "counts":
        lines.append(f"\npass@k of each model: t2jax passk {out} --k 1 10")
    if results.kind == "counts" and not results.unknown_sizes:
        tasks_there = list(dict.fromkeys(frame["task"]))
        where = f" --where task={tasks_there[0]}" if len(tasks_there) > 1 else ""
        lines.append(f"a law of the models: t2jax fit {out} --law t2-pass-k{where}")
    return "\n".join(lines)


def results_answer(results: Results, out: Path) -> dict[str, Any]:
    """Returns the answer for --json."""
    frame = results.frame
    return {
        "command": "import",
        "file": str(out),
        "kind": results.kind,
        "rows": len(frame),
        "columns": [str(name) for name in frame],
        "models": [str(name) for name in dict.fromkeys(frame["model"])],
        "tasks": [str(name) for name in dict.fromkeys(frame["task"])] if "task" in frame else [],
        "tools": list(results.tools),
        "files": list(results.files),
        "unknown_sizes": list(results.unknown_sizes),
        "notes": list(results.notes),
    }


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"


def _size(name: str, text: str | None) -> float | None:
    """Returns a size that may have a suffix, as in 70M. It raises ValueError for anything else."""
    if text is None:
        return None
    try:
        return float(number_of(text, name, Style(), False))
    except ValueError:
        raise ValueError(f"--{name}: found {text!r}, expected a number such as 7e7 or 70M") from None


def _units(options: Pairs) -> dict[str, str | float]:
    """Returns the units by column. It raises ValueError for anything but COLUMN=UNIT."""
    units: dict[str, str | float] = {}
    for pair in (pair for group in options for pair in group):
        name, equals, unit = pair.partition("=")
        if not (name and equals and unit):
            raise ValueError(f"--units: found {pair!r}, expected COLUMN=UNIT")
        units[name] = unit
    return units
