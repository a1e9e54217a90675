"""Compute-optimal sizes from measured isoFLOP curves, without any law: what rq1_overtrain sets beside its fits."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t as student

LEVEL = 0.9


@dataclass(frozen=True)
class Spread:
    """Values at every budget with a 90 % interval, null where there is none."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def verdicts(self) -> np.ndarray:
        """-1 where the interval is below zero, +1 where above, 0 where it is neither or missing."""
        return np.where(self.high < 0, -1, np.where(self.low > 0, 1, 0))


@dataclass(frozen=True)
class Measured:
    """Optima without a law, (seeds, budgets), NaN for too few cells: once for one sample, served for k = C_inf/(2N).

    shift: log2 of served/once where `once` is no edge of the sizes trained, mean over seeds with Student's interval;
    pooled: of its mean over the `pooled_budgets` at which it is none in any seed, (1,), a bound where `served` is an
    edge; inner: over the `inner_budgets` of those at which neither is.
    low, high: smallest and largest size at each budget.
    best: mean over seeds of the best measured value at k = C_inf/(2N), in nats, at the budgets that have the smallest
    size of all. chinchilla: of the size nearest to `once`.
    """

    response: str
    once: np.ndarray
    served: np.ndarray
    shift: Spread
    pooled: Spread
    pooled_budgets: int
    inner: Spread
    inner_budgets: int
    low: np.ndarray
    high: np.ndarray
    best: np.ndarray
    chinchilla: np.ndarray

    def inside(self) -> np.ndarray:
        """At which budgets the served optimum of every seed lies between the smallest and the largest size trained."""
        return _all_between(self.served, self.low, self.high)


def measure(rows: pd.DataFrame, response: str, inference: float) -> Measured:
    """The optima of one task. rows: the testbed's columns, with the rows of k = 1 and of each size's k = C_inf/(2N).

    response: "neg_log_pass" or "pass_at_k", whose negative logarithm is then the cost. A seed counts at the budgets at
    which it has every size: a curve whose large sizes alone are trained has another optimum.
    """
    seeds, train, sizes = (np.unique(rows[name]) for name in ("seed", "budget", "params"))

    def costs(rows_of_k: np.ndarray, column: str) -> np.ndarray:
        """In nats: (seeds, budgets, sizes), NaN where there is no cell."""
        cells = rows[rows_of_k]
        values = np.full((len(seeds), len(train), len(sizes)), np.nan)
        names = (("seed", seeds), ("budget", train), ("params", sizes))
        place = tuple(np.searchsorted(axis, cells[name]) for name, axis in names)
        values[place] = -np.log(cells[column]) if column == "pass_at_k" else cells[column]
        count = np.isfinite(values).sum(axis=2, keepdims=True)
        return np.where(count == count.max(axis=0), values, np.nan)

    k = inference / (2 * rows["params"].to_numpy())
    once = costs(rows["samples"].to_numpy() == 1, "neg_log_pass")
    served = costs(np.isclose(rows["samples"], k, rtol=1e-9), response)
    once_at, served_at = (np.apply_along_axis(vertex, 2, costs_of_k, sizes) for costs_of_k in (once, served))
    there = np.ma.masked_where(np.isnan(served), np.broadcast_to(sizes, served.shape))
    low, high = (end.filled(np.nan) for end in (there.min(axis=(0, 2)), there.max(axis=(0, 2))))
    shifts = np.where((once_at > low) & (once_at < high), np.log2(served_at / once_at), np.nan)
    inner_once = _all_between(once_at, low, high)
    inner = inner_once & _all_between(served_at, low, high)
    distance = np.nan_to_num(np.abs(np.log(sizes / once_at[..., None])), nan=np.inf)
    nearest = np.where(np.isnan(served), np.inf, distance).argmin(axis=2)
    whole = (low == sizes[0]) & np.isfinite(once_at).any(axis=0)
    chosen = np.take_along_axis(served, nearest[..., None], 2)[..., 0]
    return Measured(
        response=response,
        once=once_at,
        served=served_at,
        shift=over_seeds(shifts),
        pooled=_pooled(shifts, inner_once),
        pooled_budgets=int(inner_once.sum()),
        inner=_pooled(shifts, inner),
        inner_budgets=int(inner.sum()),
        low=low,
        high=high,
        best=over_seeds(np.ma.masked_invalid(served).min(axis=2).filled(np.nan)).value[whole],
        chinchilla=over_seeds(np.where(np.isfinite(once_at), chosen, np.nan)).value[whole],
    )


def _pooled(shifts: np.ndarray, budgets: np.ndarray) -> Spread:
    """The mean over some of the budgets, and its interval over seeds: (1,), NaN without budgets."""
    means = np.ma.masked_invalid(shifts[:, budgets]).mean(axis=1) if budgets.any() else np.full(len(shifts), np.nan)
    return over_seeds(np.ma.filled(means, np.nan)[:, None])


def _all_between(sizes: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """At which budgets every seed that has a size (seeds, budgets) has it strictly inside."""
    present = np.isfinite(sizes)
    return present.any(axis=0) & np.all(~present | ((sizes > low) & (sizes < high)), axis=0)


def vertex(cost: np.ndarray, sizes: np.ndarray) -> float:
    """Size of least cost by a parabola in log N through the lowest cell and two at either side; an edge as it is.

    NaN for fewer than three cells.
    """
    there = np.flatnonzero(np.isfinite(cost))
    if len(there) < 3:
        return np.nan
    x, y = np.log2(sizes[there]), cost[there]
    at = int(y.argmin())
    if at in (0, len(y) - 1):
        return float(sizes[there][at])
    near = slice(max(at - 2, 0), at + 3)
    bend, slope, _ = np.polyfit(x[near] - x[at], y[near], 2)
    lowest = -slope / (2 * bend) if bend > 0 else 0.0
    return float(2 ** np.clip(x[at] + lowest, x[at - 1], x[at + 1]))


def over_seeds(values: np.ndarray) -> Spread:
    """Mean over the leading axis with Student's interval, NaN without a second seed."""
    present = np.ma.masked_invalid(values)
    count = present.count(axis=0)
    with np.errstate(all="ignore"):
        half = student.ppf(0.5 + LEVEL / 2, count - 1) * present.std(axis=0, ddof=1).filled(np.nan) / np.sqrt(count)
    mean = present.mean(axis=0).filled(np.nan)
    return Spread(mean, mean - half, mean + half)
