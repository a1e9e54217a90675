"""Which runs decide the optimum: how N* moves when a budget, a size or a run is left out of the fit."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import jax
import numpy as np

from t2jax.evaluation.held_out import WITHIN, By, NoFit, fit_without, groups
from t2jax.fitting.fit import Fit
from t2jax.laws import name_of
from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law
from t2jax.noise.protocol import Noise
from t2jax.planning.budget import Budget
from t2jax.planning.frontier import frontier
from t2jax.tables.place import TableError
from t2jax.tables.table import Table
from t2jax.typing import Array


class NoOptimum(ValueError):
    """A law that has no compute-optimal size at the budget asked for."""


@dataclass(frozen=True)
class Influence:
    """Groups of rows by how much N* moves without them, the most first. Arrays have an entry per group, (groups,).

    train: FLOPs of the budget; largest: of the table's; params: N* at `train` by the fit of all rows. labels: what each
    group is; rows: how many. change: log of N* without the group over N* with it. failed: groups without which there
    was no fit, no optimum or too few rows.
    """

    fit: Fit = field(repr=False)
    train: float
    largest: float
    by: By
    params: float
    labels: tuple[str, ...]
    rows: np.ndarray
    change: np.ndarray
    failed: tuple[str, ...]

    @property
    def status(self) -> str:
        """What decides N* most, in English."""
        ratio = self.train / self.largest
        place = f"{ratio:.3g} times the largest budget measured" if ratio > 1 else "inside the budgets measured"
        said = f"N* = {self.params:.4g} at {self.train:.3g} FLOPs, {place}"
        if self.labels:
            said += f"; without {self.labels[0]} it is {np.exp(self.change[0]):.3g} times that"
        return said + (f"; no answer without {', '.join(self.failed)}" if self.failed else "")


@check_arguments
def influence(
    law: type[Law],
    table: Table,
    train: float,
    *,
    key: Array,
    by: By = "budget",
    noise: Noise | None = None,
    fixed: Mapping[str, float] | None = None,
    starts: int = 8,
    within: float = WITHIN,
) -> Influence:
    """Leave out each training budget (or size, or run), refit, and see how far N* moves at `train` FLOPs, one sample.

    A group that moves N* more than the bootstrap's band is wide decides it. within: how nearly equal budgets are
    (`held_out.groups`). Source: case deletion, Cook 1977, by the quantity that is asked for.

    Raises ValueError for one group only, NoOptimum where the law has none at this budget, NoFit where all rows gave no
    fit, TableError where all rows are too few.
    """
    budget = Budget(train=train)
    if more := [name for name in law.inputs() if name not in ("N", "D", "k")]:
        raise NoOptimum(f"{name_of(law)} reads {', '.join(more)} too, of which budgets say nothing")
    if not {"N", "D"} <= set(law.inputs()):
        raise NoOptimum(f"{name_of(law)} says nothing of N and D, so no run decides its optimum")
    group = groups(table, by, within)
    count = int(group.max()) + 1
    if count < 2:
        raise ValueError(f"{table.source.name}: the table has one {by} only, which leaves nothing to compare it with")

    def fitted(out: np.ndarray) -> Fit:
        return fit_without(law, table, out, key=key, noise=noise, fixed=fixed, starts=starts)

    whole = fitted(np.zeros(len(table), bool))
    if not whole.converged:
        raise NoFit(f"{name_of(law)}: the fit to all rows gave no law ({whole.status})")
    fits = [whole]
    for one in range(count):
        try:
            fits.append(fitted(group == one))
        except TableError:  # too few rows without it: as little of an answer as a fit that fails
            fits.append(replace(whole, converged=False))
    laws = jax.tree.map(lambda *leaves: np.stack(leaves), *(one.law for one in fits))
    plans = frontier(laws, budget)
    good = plans.ok & np.array([one.converged for one in fits])
    if not good[0]:
        best = jax.tree.map(lambda leaf: leaf[0], plans)
        raise NoOptimum(f"{name_of(law)} has no optimum at {train:.3g} FLOPs: {best.status}")
    labels = [_label(table, group == one, by) for one in range(count)]
    there = np.flatnonzero(good[1:])
    change = np.log(plans.params[1:][there] / plans.params[0])
    order = np.argsort(-np.abs(change), kind="stable")
    return Influence(
        fit=whole,
        train=float(train),
        largest=float(table.compute().max()),
        by=by,
        params=float(plans.params[0]),
        labels=tuple(labels[i] for i in there[order]),
        rows=np.bincount(group)[there[order]],
        change=change[order],
        failed=tuple(labels[i] for i in np.flatnonzero(~good[1:])),
    )


def _label(table: Table, rows: np.ndarray, by: By) -> str:
    if by == "run" and "model" in table:
        return str(table["model"][rows][0])
    values = (table["params"], table["tokens"], table.compute())
    params, tokens, flops = (float(np.exp(np.log(value[rows]).mean())) for value in values)
    names = {"budget": f"{flops:.3g} FLOPs", "size": f"{params:.3g} params", "run": f"N={params:.4g}, D={tokens:.4g}"}
    return names[by]
