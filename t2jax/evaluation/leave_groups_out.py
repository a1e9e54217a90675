"""Influence of budgets, sizes or runs on the optimum: the change of N* without them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import jax
import numpy as np

from t2jax.evaluation.held_out import WITHIN, By, NoFit, fit_without, groups
from t2jax.fitting.fit import Fit
from t2jax.laws import name_of
from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law
from t2jax.laws.held_inputs import own_inputs
from t2jax.noise.protocol import Noise
from t2jax.planning.budget import Budget
from t2jax.planning.frontier import frontier
from t2jax.printing import summary
from t2jax.tables.place import TableError
from t2jax.tables.table import Table
from t2jax.typing import Array

SHOWN = 5  # groups that print


class NoOptimum(ValueError):
    """A law has no compute-optimal size at a budget."""


@dataclass(frozen=True, repr=False)
class Influence:
    """Result of `influence`: groups of rows by the change of N* without them, the largest first.

    Attributes:
        fit: The fit to all rows.
        train: Training budget of the optimum in FLOPs.
        largest: Largest training compute in the table in FLOPs.
        by: Unit of the groups: "run", "size" or "budget".
        params: N* at `train` by the fit to all rows.
        labels: Name of each group.
        rows: Number of rows of each group, shape (groups,).
        change: Log of N* without the group over N* with it, shape (groups,).
        failed: Names of groups without which there is no fit, no optimum, or too few rows.
    """

    fit: Fit
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
        """N*, how far it is beyond the measured budgets, and the group with the largest influence."""
        ratio = self.train / self.largest
        place = f"{ratio:.3g} times the largest budget measured" if ratio > 1 else "inside the budgets measured"
        sentence = f"N* = {self.params:.4g} at {self.train:.3g} FLOPs, {place}"
        if self.labels:
            sentence += f"; without {self.labels[0]} it is {np.exp(self.change[0]):.3g} times that"
        return sentence + (f"; no answer without {', '.join(self.failed)}" if self.failed else "")

    def __repr__(self) -> str:
        """Writes the status, then the change of N* without each of the groups with the largest influence."""
        changes = zip(self.labels[:SHOWN], self.change, self.rows, strict=False)
        answers = {f"without {label}": f"N* {np.expm1(log):+.1%} ({count} rows)" for label, log, count in changes}
        return summary("Influence", self.status, answers)


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
    """Leaves out each budget, size or run, refits, and computes the change of the compute-optimal N*.

    The optimum is that of `train` FLOPs and one sample. A group decides N* if the change is larger than the bootstrap's
    band. Source: case deletion, Cook 1977, applied to the quantity of interest.

    Args:
        law: The law class.
        table: The table.
        train: Training budget in FLOPs.
        key: JAX random key of the fits.
        by: Unit to leave out: "budget" (6ND), "size" (params) or "run".
        noise: Noise model. The default suits the law and the table (`t2.noise.default_noise`).
        fixed: Values of fixed parameters by name.
        starts: Number of starts of each fit.
        within: Relative difference up to which sizes or budgets count as equal.

    Returns:
        An `Influence`.

    Raises:
        ValueError: The table has only one group.
        NoOptimum: The law has no optimum at this budget.
        NoFit: The fit to all rows reached no optimum.
        TableError: The table has fewer rows than the fit needs.

    Examples:
        >>> moved = t2.evaluation.influence(t2.laws.Chinchilla, runs, 1e21, key=jax.random.key(0), by="size")
        >>> len(moved.labels), bool(np.all(np.abs(moved.change) < 1e-3))  # exact rows agree
        (6, True)
    """
    budget = Budget(train=train)
    if more := [name for name in law.inputs() if name == "U" or name in own_inputs(law)]:
        raise NoOptimum(f"{name_of(law)} also reads {', '.join(more)}, which a budget does not give")
    if not {"N", "D"} <= set(law.inputs()):
        raise NoOptimum(f"{name_of(law)} does not depend on N and D, so it has no optimum")
    group = groups(table, by, within)
    count = int(group.max()) + 1
    if count < 2:
        raise ValueError(f"{table.source.name}: the table has one {by} only, which leaves nothing to compare it with")

    def fitted(out: np.ndarray) -> Fit:
        return fit_without(law, table, out, key=key, noise=noise, fixed=fixed, starts=starts)

    whole = fitted(np.zeros(len(table), bool))
    if not whole.converged:
        raise NoFit(f"{name_of(law)}: the fit to all rows failed ({whole.status})")
    fits = [whole]
    for i in range(count):
        try:
            fits.append(fitted(group == i))
        except TableError:  # too few rows without the group count as a failed fit
            fits.append(replace(whole, converged=False))
    laws = jax.tree.map(lambda *leaves: np.stack(leaves), *(fit.law for fit in fits))
    plans = frontier(laws, budget)
    good = plans.ok & np.array([fit.converged for fit in fits])
    if not good[0]:
        best = jax.tree.map(lambda leaf: leaf[0], plans)
        raise NoOptimum(f"{name_of(law)} has no optimum at {train:.3g} FLOPs: {best.status}")
    labels = [_label(table, group == i, by) for i in range(count)]
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
