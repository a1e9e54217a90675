"""Checks for values that are in other units, or another quantity, than the column's."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from t2jax.tables.columns import RESPONSES, of_compute_alone
from t2jax.tables.doubts.fractions import fraction_of_a_count
from t2jax.tables.doubts.grid_slips import slip_in_grid
from t2jax.tables.doubts.lone_losses import loss_out_of_order

SMALLEST_LARGEST = 1e4  # a table whose largest count is smaller is in millions or billions
SMALL, GAP = 1e4, 1e3  # a count below SMALL and smaller than all others by this factor is in other units
LARGEST = {"params": 1e15, "tokens": 1e18, "unique_tokens": 1e18, "samples": 1e12, "trials": 1e12}
"""At least a thousand times the largest published values."""
SMALL_PARAMS, SMALL_TOKENS = 1e5, 1e7
"""A table whose largest params and largest tokens are both smaller is in thousands or millions. The smallest published
runs with few params have more tokens: those of `t2.datasets.load("testbed")` have 9e5 and 2e7."""
LARGEST_LOSS = 15.0
"""Guessing evenly among the 262,144 tokens of the largest vocabulary in use costs ln 262,144 = 12.5 nats."""
LARGEST_LOSS_OF_TINY = 25.0
"""Where no row has a million parameters and 1e8 tokens, models may be surely wrong, or answers have several tokens: the
largest loss of our own tiny models is 23.2."""
PERPLEXITIES = 6.0
"""Nats a token that a model of a million parameters falls below on 1e8 tokens: if no row does, these are perplexities.
A bound of ours, as unigram models reach about 7."""
LEAST_COMPUTE = 1e9
"""FLOPs of a thousand parameters on 170,000 tokens: a table whose largest compute is smaller is in other units."""
FEWEST_TOKENS_PER_PARAM, MOST_TOKENS_PER_PARAM = 0.3, 1e5
"""Bounds on D/N, which half of the rows or more, or of the last checkpoints of named models, may not lie beyond.
Published tables have medians from 5 to 400, so swapped columns have less than 0.2, and so have tokens in thousands. The
most of a published model are 6e4 (Qwen3 0.6B: 36e12 tokens)."""
LOSS_GAP = 10.0
"""Losses of one task that are apart by this factor, with none between, are not of one unit."""
LONE_GAP, FEWEST_LOSSES = 3.0, 8
"""A loss that all others exceed by this factor, of so many rows or more, is of another unit. Losses of a law lie close
to each other at its lower end."""
MOST_MEASURED = {"params": 1e13, "tokens": 1e14}
"""Sizes of runs that were measured: the most published tokens are 3.6e13 (Qwen3), and params are below 3e12."""
ALONE = frozenset({"model", "params", "tokens", "loss", "loss_se", "weight"})
"""In a table with other columns a setting may explain a high loss, as much repetition of few tokens does."""
SMALLEST_LOSS = 0.05
"""Bound on the largest loss of a table: text has at least some tenths of a nat per token."""


@dataclass(frozen=True)
class Doubt:
    """An implausible value: its column, its row (from 0) and a sentence about it."""

    column: str
    row: int
    sentence: str


def doubts(columns: Mapping[str, Any]) -> Iterator[Doubt]:
    """Finds implausible values in columns of fixed meaning, at most one per column.

    Args:
        columns: Columns by name, each of shape (rows,); columns without a fixed meaning are ignored.

    Returns:
        The doubts in the order of the messages.
    """
    if of_compute_alone(columns):
        yield from _compute(np.asarray(columns["compute"], float))
    else:
        for name in ("params", "tokens"):
            yield from _counts(name, np.asarray(columns[name], float))
    for name, limit in LARGEST.items():
        if name in columns:
            values = np.asarray(columns[name], float)
            row = int(values.argmax())
            if values[row] > limit:
                yield Doubt(name, row, f"found {values[row]:g}, expected at most {limit:g}{_how_to_confirm(name)}")
    if "loss" in columns:
        yield from _losses(np.asarray(columns["loss"], float), columns)
    if any(name in columns for name in RESPONSES) and not of_compute_alone(columns):
        yield from _ratios(columns)


def doubts_of_a_file(columns: Mapping[str, Any]) -> Iterator[Doubt]:
    """Finds values that are implausible in a file, where units may be missing; a script may compute such tables.

    Args:
        columns: As for `doubts`.

    Returns:
        The doubts in the order of the messages.
    """
    if of_compute_alone(columns):
        return
    params, tokens = np.asarray(columns["params"], float), np.asarray(columns["tokens"], float)
    yield from _both_small(params, tokens)
    yield from _fractions(params)
    for name, values, others in (("params", params, tokens), ("tokens", tokens, params)):
        if slip := slip_in_grid(values, others):
            row, level = slip
            yield Doubt(
                name,
                row,
                f"found {values[row]:g}, while the other rows form a grid of params and tokens that lacks {level:g}"
                f" here: is it a factor of {values[row] / level:g} off?{_how_to_confirm(name)}",
            )
    if any(name in columns for name in RESPONSES):
        yield from _beyond_any_run({"params": params, "tokens": tokens})
        yield from _half_of_ratios(columns)
    if "loss" in columns and ALONE.issuperset(columns):
        yield from _lone_loss(params, tokens, np.asarray(columns["loss"], float))


def _compute(values: np.ndarray) -> Iterator[Doubt]:
    row = int(values.argmax())
    if values[row] < LEAST_COMPUTE:
        yield Doubt(
            "compute",
            row,
            f"the largest value is {values[row]:g}, expected FLOPs: for another unit pass its FLOPs, such as"
            f" units={{'compute': 1e15}} for petaFLOPs (in commands --units compute=1e15){_how_to_confirm('compute')}",
        )


def _counts(name: str, values: np.ndarray) -> Iterator[Doubt]:
    largest = int(values.argmax())
    if values[largest] < SMALLEST_LARGEST:
        yield Doubt(
            name,
            largest,
            f"the largest value is {values[largest]:g}, expected raw counts, not millions or billions: pass"
            f' units={{{name!r}: "M"}} or "B", or units={{{name!r}: 1}} for raw counts (in commands --units {name}=M)',
        )
        return
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    gaps = np.flatnonzero((ordered[:-1] < SMALL) & (ordered[1:] >= GAP * ordered[:-1]))
    if gaps.size:
        row = int(order[: gaps[-1] + 1].min())
        yield Doubt(
            name,
            row,
            f"found {values[row]:g} among values from {ordered[gaps[-1] + 1]:g} to {values[largest]:g}, expected one"
            f" unit in all rows: write the raw count{_how_to_confirm(name)}",
        )
        return
    alone = [
        end for end, next_one in ((0, 1), (-1, -2)) if len(ordered) > 3 and _apart(ordered[end], ordered[next_one])
    ]
    if alone:
        row, others = int(order[alone[0]]), np.delete(ordered, alone[0])
        yield Doubt(
            name,
            row,
            f"found {values[row]:g}, while all others are from {others[0]:g} to {others[-1]:g}, expected one unit in"
            f" all rows: write the raw count{_how_to_confirm(name)}",
        )


def _both_small(params: np.ndarray, tokens: np.ndarray) -> Iterator[Doubt]:
    """Doubts counts that are each possible, but too small together; others have been doubted already."""
    if SMALLEST_LARGEST <= params.max() < SMALL_PARAMS and SMALLEST_LARGEST <= tokens.max() < SMALL_TOKENS:
        for name, values in (("params", params), ("tokens", tokens)):
            yield Doubt(
                name,
                int(values.argmax()),
                f"the largest params are {params.max():g} and the largest tokens {tokens.max():g}, expected raw counts:"
                f" are both in thousands or millions? Pass units={{{name!r}: 'M'}}, in commands --units"
                f" {name}=M{_how_to_confirm(name)}",
            )


def _fractions(params: np.ndarray) -> Iterator[Doubt]:
    row = fraction_of_a_count(params)
    if row is not None:
        yield Doubt(
            "params",
            row,
            f"found {params[row]:.12g}, expected a whole number of parameters: is it in another unit? Then pass that"
            f" unit as units={{'params': 10}}, in commands --units params=10{_how_to_confirm('params')}",
        )


def _beyond_any_run(sizes: Mapping[str, np.ndarray]) -> Iterator[Doubt]:
    for name, most in MOST_MEASURED.items():
        row = int(sizes[name].argmax())
        if sizes[name][row] > most:
            yield Doubt(
                name,
                row,
                f"found {sizes[name][row]:g} {name} of a measured run, expected at most {most:g}: are they in a smaller"
                f" unit?{_how_to_confirm(name)}",
            )


def _lone_loss(params: np.ndarray, tokens: np.ndarray, loss: np.ndarray) -> Iterator[Doubt]:
    if stray := loss_out_of_order(params, tokens, loss):
        row, comparison = stray
        yield Doubt(
            "loss",
            row,
            f"found {loss[row]:g}, while {comparison}: did a run diverge, or is this in another unit? Leave the row"
            f" out, or keep it{_how_to_confirm('loss')}",
        )


def _apart(first: float, second: float) -> bool:
    return max(first, second) >= GAP * min(first, second)


def _losses(values: np.ndarray, columns: Mapping[str, Any]) -> Iterator[Doubt]:
    limit = LARGEST_LOSS if has_trained_run(columns) else LARGEST_LOSS_OF_TINY
    row = int(np.flatnonzero(values > limit)[0]) if np.any(values > limit) else int(values.argmax())
    if values[row] > limit:
        yield Doubt(
            "loss",
            row,
            f"found {values[row]:g}, expected at most {limit:g} nats a token, which is more than guessing costs;"
            f" of a perplexity take the log (loss_unit='perplexity', in commands --loss-unit perplexity)"
            f"{_how_to_confirm('loss')}",
        )
    elif len(values) >= 3 and values.min() > PERPLEXITIES and has_trained_run(columns):
        row = int(values.argmin())
        yield Doubt(
            "loss",
            row,
            f"the smallest value is {values[row]:g}, expected fewer nats a token of models of this size;"
            f" of a perplexity take the log (loss_unit='perplexity', in commands --loss-unit perplexity)"
            f"{_how_to_confirm('loss')}",
        )
    elif values[row] < SMALLEST_LOSS:
        yield Doubt(
            "loss", row, f"the largest value is {values[row]:g}, expected nats a token{_how_to_confirm('loss')}"
        )
    elif "task" not in columns:
        ordered = np.sort(values)
        gaps = np.flatnonzero(ordered[1:] >= LOSS_GAP * ordered[:-1])
        if len(ordered) >= FEWEST_LOSSES and ordered[1] >= LONE_GAP * ordered[0]:
            gaps = np.append(gaps, 0)
        if gaps.size:
            row, above = int(values.argmin()), ordered[gaps.max() + 1]
            yield Doubt(
                "loss",
                row,
                f"found {values[row]:g} among values from {above:g} to {ordered[-1]:g}, expected one unit in all rows"
                f"{_how_to_confirm('loss')}",
            )


def has_trained_run(columns: Mapping[str, Any]) -> bool:
    """Tells whether a row has a million parameters and 1e8 tokens, or as much compute.

    Args:
        columns: Columns by name, each of shape (rows,).

    Returns:
        Whether there is such a row.
    """
    if of_compute_alone(columns):
        return bool(np.any(np.asarray(columns["compute"], float) >= 6 * 1e6 * 1e8))
    return bool(np.any((np.asarray(columns["params"], float) >= 1e6) & (np.asarray(columns["tokens"], float) >= 1e8)))


def _ratios(columns: Mapping[str, Any]) -> Iterator[Doubt]:
    params, tokens = np.asarray(columns["params"], float), np.asarray(columns["tokens"], float)
    ratio = tokens / params
    row = int(np.argmax(ratio))
    if tokens[row] < params[row]:
        yield Doubt(
            "tokens",
            row,
            f"found {tokens[row]:g} tokens for {params[row]:g} params, and no row has as many tokens as params: are"
            f" tokens in thousands, or the two columns swapped?{_how_to_confirm('tokens')}",
        )


def _half_of_ratios(columns: Mapping[str, Any]) -> Iterator[Doubt]:
    """Doubts half of the rows or more; fewer rows than three have no half."""
    params, tokens = np.asarray(columns["params"], float), np.asarray(columns["tokens"], float)
    ratio = tokens / params
    if len(ratio) < 3:
        return
    typical = _implausible_half(np.sort(last_checkpoints(ratio, columns)))
    if typical is not None:
        row = int(np.argmin(np.abs(np.log(ratio / typical))))
        scale = "thousands" if typical < 1 else "a smaller unit"
        yield Doubt(
            "tokens",
            row,
            f"found {tokens[row]:g} tokens for {params[row]:g} params, and half of the rows have at"
            f" {'most' if typical < 1 else 'least'} {typical:.2g} tokens for each param:"
            f" are tokens in {scale}, or the two columns swapped?{_how_to_confirm('tokens')}",
        )


def _implausible_half(ordered: np.ndarray) -> float | None:
    """Returns a bound on D/N that half of the rows or more keep, if it is implausible, else None."""
    half = (len(ordered) + 1) // 2
    low, high = float(ordered[half - 1]), float(ordered[-half])
    if low < FEWEST_TOKENS_PER_PARAM:
        return low
    return high if high > MOST_TOKENS_PER_PARAM else None


def last_checkpoints(ratio: np.ndarray, columns: Mapping[str, Any]) -> np.ndarray:
    """Returns D/N of the last checkpoint of each model, or of all rows without names, as early ones have few tokens.

    Args:
        ratio: D/N, shape (rows,).
        columns: Columns by name.

    Returns:
        Ratios, shape (models,) or (rows,).
    """
    if "model" not in columns:
        return ratio
    last = np.zeros(len(ratio))
    index = np.unique(np.asarray(columns["model"]).astype(str), return_inverse=True)[1]
    np.maximum.at(last, index, ratio)
    return last[np.unique(index)]


def _how_to_confirm(name: str) -> str:
    """Explains how to confirm a value that is correct."""
    return f" (if it is meant: units={{{name!r}: 1}}, in commands --units {name}=1)"
