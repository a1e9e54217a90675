"""`t2jax next --pool`: runs from a list, each at most once, that most reduce the error of predictions at targets."""

from typing import Any

import numpy as np

from t2jax.cli.next_runs.config import NextConfig
from t2jax.fitting.fit import Fit
from t2jax.planning.budget import Budget
from t2jax.planning.frontier import allocate
from t2jax.planning.next_runs.next_runs import NextRuns
from t2jax.planning.next_runs.pool import PoolChoice, choose_from_pool
from t2jax.tables.table import Table

REPLACED = {"candidates": None, "largest": None, "scale": None, "deviations": False}
"""Options of the other way to choose runs, with their defaults."""


def check_pool_options(config: NextConfig) -> None:
    """Refuses options that would do nothing: those of the other way with --pool, and --targets without.

    It raises ValueError.
    """
    if config.pool is None:
        if config.targets is not None:
            raise ValueError("--targets lists what runs of --pool are to predict; give --pool too")
        return
    for name, default in REPLACED.items():
        if getattr(config, name) != default:
            raise ValueError(f"--{name} does not apply to --pool, whose runs are listed")
    if config.of not in ("params", "value"):
        raise ValueError(f"--of {config.of} does not apply to --pool, whose runs are chosen for the predicted values")
    if config.compute is None and config.count is None:
        raise ValueError("--pool needs --compute, which pays for the runs, or --count")


def costs_in_pool(pool: Table) -> np.ndarray:
    """Returns what each run costs, shape (pool,): the column `cost`, else training FLOPs.

    It raises ValueError for costs that are not positive.
    """
    costs = np.asarray(pool["cost"], float) if "cost" in pool else pool.compute()
    if not (np.isfinite(costs).all() and (costs > 0).all()):
        raise ValueError(f"{pool.source.name}: every cost must be positive and finite")
    return costs


def choose(config: NextConfig, fit: Fit, budget: Budget, pool: Table, more: Table | None) -> NextRuns:
    """Chooses runs of the pool for the values at the planned model and at the rows of --targets.

    It raises ValueError where there is no plan.
    """
    costs = costs_in_pool(pool)
    spend = float(costs.sum()) if config.compute is None else config.compute
    chosen = choose_from_pool(fit, pool, targets_of(fit, budget, more), spend=spend, count=config.count, cost=costs)
    return as_next_runs(chosen, pool, costs)


def targets_of(fit: Fit, budget: Budget, more: Table | None) -> Table:
    """Returns the rows to predict: the planned model of the budget, then further rows. All weigh alike."""
    plan = allocate(fit.law, budget)
    if not plan.ok:
        raise ValueError(f"there is no plan at --train whose prediction runs could improve: {plan.status}")
    planned: dict[str, Any] = {name: float(getattr(plan, name)) for name in ("params", "tokens", "samples")}
    planned |= {name: float(np.asarray(value)) for name, value in (budget.inputs or {}).items()}
    read = type(fit.law).columns().values()
    planned = {name: value for name, value in planned.items() if name in read}
    rows: dict[str, Any] = {name: [value] for name, value in planned.items()}
    if more is not None:
        for name in rows:
            more.require(name, needed_by="--targets")
        rows = {name: [*value, *np.asarray(more[name], float)] for name, value in rows.items()}
    return Table.from_columns(**rows)


def as_next_runs(chosen: PoolChoice, pool: Table, costs: np.ndarray) -> NextRuns:
    """Returns the choice in the form of the other way, which is printed, saved and drawn alike."""
    rows = chosen.rows
    lowered = np.clip(chosen.gain / chosen.before, 0.0, 1 - 1e-12)
    return NextRuns(
        params=pool["params"][rows],
        tokens=pool["tokens"][rows],
        samples=pool["samples"][rows] if "samples" in pool else None,
        cost=chosen.cost,
        before=chosen.before,
        after=chosen.after,
        candidates=pool,
        candidate_cost=costs,
        gain=-np.log1p(-lowered),
        scale=chosen.error,
        status=chosen.status,
    )
