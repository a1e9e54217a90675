"""What `t2jax passk` prints: a table of k for each model, what forecasts rest on, targets and differences."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from t2jax.cli.passk.rows import ALL, BETA, COUNTS, MAJORITY, PASS, POWER_LAW, PRIOR, Cell, Difference
from t2jax.cli.words import columns, count
from t2jax.files import finite
from t2jax.forecasts.target import MOST, TargetSamples
from t2jax.results.counts_file import QuestionCounts


def counts_text(counts: QuestionCounts, cells: Sequence[Cell], statuses: Sequence[str], level: float) -> str:
    """Writes pass@k, pass^k and maj@k of one model, with intervals."""
    n, solved = counts.trials, int((counts.correct > 0).sum())
    drawn = f"{n.min():g}" if n.min() == n.max() else f"{n.min():g} to {n.max():g}"
    title = f"{counts.name}: {_counted(len(n), 'question')}, {solved} solved,"
    title += f" {drawn} sample{'' if n.max() == 1 else 's'} of each"
    quantities = [name for name in (PASS, ALL, MAJORITY) if any(cell.quantity == name for cell in cells)]
    samples = list(dict.fromkeys(cell.k for cell in cells))
    rows = [(f"k = {_whole(k)}", *(_shown(cells, name, k) for name in quantities), _basis(cells, k)) for k in samples]
    table = columns(("", *(f"{name} ({100 * level:g} %)" for name in quantities), "rests on"), rows)
    return "\n".join([title, table, *statuses])


def _shown(cells: Sequence[Cell], quantity: str, k: int) -> str:
    estimate = next((cell for cell in cells if cell.quantity == quantity and cell.k == k), None)
    if estimate is None:
        return "undefined"
    if math.isnan(estimate.low):
        return "unknown" if math.isnan(estimate.value) else f"{estimate.value:.4g} (no interval)"
    if math.isnan(estimate.value):
        return f"unknown ({estimate.low:.4g} to {estimate.high:.4g})"
    return f"{estimate.value:.4g} ({estimate.low:.4g} to {estimate.high:.4g})"


def _basis(cells: Sequence[Cell], k: int) -> str:
    """Returns what pass@k rests on, and beside a forecast what a power law in k gives."""
    here = {cell.rests_on: cell for cell in cells if cell.quantity == PASS and cell.k == k}
    if PRIOR in here and math.isnan(here[PRIOR].value):
        return "bounds: only pass@1 is known"
    if COUNTS in here:
        return COUNTS
    basis, line = PRIOR if PRIOR in here else BETA, here.get(POWER_LAW)
    return basis if line is None else f"{basis}; a power law in k gives {line.value:.3g}"


def _counted(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"


def _whole(k: int) -> str:
    """Writes a number of samples, one of ten or more digits as 1e+21."""
    return str(k) if k < 10**9 else f"{k:.6g}"


def target_text(answer: TargetSamples) -> str:
    """Writes the k that reaches a target."""
    where = "none" if math.isinf(answer.samples) else f"k = {_size(answer.samples)}"
    if not math.isfinite(answer.low):
        return f"pass@k of {answer.target:g}: {where}; {answer.status}"
    high = f"beyond {MOST:g}" if math.isinf(answer.high) else _size(answer.high)
    return f"pass@k of {answer.target:g}: {where} ({_size(answer.low)} to {high}); {answer.status}"


def _size(samples: float) -> str:
    return f"{samples:g}" if samples < 1000 else f"about {count(samples)}"


def differences_text(lines: Sequence[Difference], status: str, level: float) -> str:
    """Writes the paired differences of two models."""
    first = lines[0]
    title = f"{first.first} minus {first.second}" + (f", {first.task}" if first.task else "")
    rows = [(f"pass@{_whole(line.k)}", f"{line.value:+.4g} ({line.low:+.3g} to {line.high:+.3g})") for line in lines]
    return "\n".join([f"{title}: {status}", columns(("", f"difference ({100 * level:g} %)"), rows)])


def answer_cells(cells: Sequence[Cell | Difference]) -> list[dict[str, Any]]:
    """Returns rows for --json, with null where a number is not known."""
    return [
        {name: finite(value) if isinstance(value, float) else value for name, value in dataclasses.asdict(cell).items()}
        for cell in cells
    ]
