"""Which run to train next: the one that most reduces the variance of an answer, for what it costs."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax

from t2jax.fitting.fit import Fit
from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law
from t2jax.planning.budget import Budget
from t2jax.planning.costs import Training
from t2jax.planning.next_runs.choice import _chosen, covariance_with, log_variance, reductions
from t2jax.planning.next_runs.information import Information, columns_of, inform
from t2jax.planning.next_runs.region import Region, _tokens
from t2jax.tables.table import Table
from t2jax.typing import Array
from t2jax.working_precision import scope

Answer = Literal["params", "tokens", "samples", "value"]
SHORT = {"params": "N*", "tokens": "D*", "samples": "k*", "value": "value"}
"""Names of the answers in sentences."""

STEPS = 100
"""Gradient steps in log N."""


@dataclass(frozen=True)
class NextRuns:
    """The result of `next_runs`: the runs to train, in order of choice, shape (chosen,).

    cost: of each. before: variance of the log of the answer as it is; after: once this run and those above it are
    measured; with several laws geometric means over them. candidates: what was chosen from, candidate_cost and gain
    (candidates,): cost of each and decrease of the log of the variance by one run there. scale: of the errors.
    """

    params: np.ndarray
    tokens: np.ndarray
    samples: np.ndarray | None
    cost: np.ndarray
    before: float
    after: np.ndarray
    candidates: Table
    candidate_cost: np.ndarray
    gain: np.ndarray
    scale: float
    status: str


@check_arguments
def next_runs(
    fit: Fit,
    table: Table,
    budget: Budget,
    *,
    candidates: Table | Region | None = None,
    count: int = 1,
    compute: float | None = None,
    of: Answer = "params",
    scale: float | None = None,
    laws: Law | None = None,
) -> NextRuns:
    """The runs that most reduce the variance of the log of N* (or of what `of` names) at a target budget.

    candidates: a list of runs, a table of `params`, `tokens` and what else the law reads, any of which may be trained
    again; or a Region, in which each run is moved along its cost by gradient; left out, the region that the table
    spans, one to a thousand tokens per parameter. What else the law reads (samples) is at the table's median there: a
    run is taken to be measured once, and one measured at several k is worth more. count: how many runs at most.
    compute: what they may cost together, at the budget's price of training (6ND); left out, cost does not matter. of:
    an answer of `t2.allocate`; "value" is the loss or pass@k reached. scale: standard deviation of one measurement, of
    the log of a loss; left out, that of the residuals. laws: a batch (draws,), such as `boot.laws` or `post.laws`, over
    which the log of the variance is averaged: where the fit is poor, the best run under it alone may be a bad one.

    The law is taken as linear around the fit (the delta method) and errors as independent, so a measurement whose
    prediction has the slopes j over its scale adds j jᵀ to the information M, and takes (gᵀM⁻¹j)²/(1 + jᵀM⁻¹j) from the
    variance gᵀM⁻¹g: c-optimal design (Elfving 1952; Fedorov 1972; for nonlinear laws Chaloner & Verdinelli 1995). The
    priors of the law are part of M, so the variance is finite where the rows leave a direction open; `status` tells.
    Runs are chosen greedily by log variance per cost, each taken to cost something beside its compute; how much is
    chosen so that all together do best.

    Raises ValueError for a count below one, for compute that does not pay for the cheapest candidate, for a table of
    counts, where rows are too few to tell the scale, and where the law has no optimum at the budget; TableError for
    candidates that lack a column.
    Example: `t2.next_runs(fit, runs, t2.Budget(train=1e24), candidates=t2.planning.Region(1e19, 1e21), count=8)`.
    """
    if count < 1:
        raise ValueError(f"count must be at least one run, not {count}")
    for name, value in (("compute", compute), ("scale", scale)):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be positive, not {value:g}")
    training = budget.prices[0]
    region = candidates if isinstance(candidates, Region) else None
    if candidates is None:
        costs = _costs(training, table["params"], table["tokens"])
        region = Region(float(costs.min()), float(costs.max()))
    if region is not None:
        params, tokens = region.lattice(training)
        candidates = Table.from_columns(params=params, tokens=tokens, **_others(fit.problem.law, table))
    assert isinstance(candidates, Table)
    cost = _costs(training, candidates["params"], candidates["tokens"])
    if compute is not None and compute < cost.min():
        least = f"{cost.min():.4g} {training.unit}"
        raise ValueError(f"compute of {compute:.4g} does not pay for the cheapest candidate, which costs {least}")
    columns = columns_of(fit.problem.law, candidates)
    known, scale, left = inform(fit, table, budget, of, scale, laws)
    with scope() as dtype:
        columns = {name: jnp.asarray(column, dtype) for name, column in columns.items()}
        rows, covariance = _prepared(known, columns)
        before = float(np.exp(log_variance(covariance, known.slopes)))
        gain = np.asarray(reductions(covariance, known.slopes, rows))
        picks = _chosen(covariance, known.slopes, rows, cost, compute, count)
        runs = {name: column[picks] for name, column in columns.items()}
        if region is not None:
            runs = _moved(known, runs, training, region, cost[picks])
        after = np.exp(np.asarray(_path(known, runs)))
    runs = {name: np.asarray(column) for name, column in runs.items()}
    return NextRuns(
        params=runs["params"],
        tokens=runs["tokens"],
        samples=runs.get("samples"),
        cost=_costs(training, runs["params"], runs["tokens"]),
        before=before,
        after=after,
        candidates=candidates,
        candidate_cost=cost,
        gain=gain,
        scale=scale,
        status=_status(of, runs, cost[picks], training.unit, before, float(after[-1]))
        + _unspent(compute, cost, picks, count, training.unit)
        + (f"; {left}" if left else ""),
    )


@jax.jit
def _prepared(known: Information, columns: Any) -> tuple[Array, Array]:
    return known.rows(columns), jnp.linalg.inv(known.matrix)


@jax.jit
def _path(known: Information, runs: Any) -> Array:
    """The log variance after each run in turn."""

    def step(covariance: Array, row: Array) -> tuple[Array, Array]:
        covariance = covariance_with(covariance, row)
        return covariance, log_variance(covariance, known.slopes)

    return jax.lax.scan(step, jnp.linalg.inv(known.matrix), jnp.swapaxes(known.rows(runs), 0, 1))[1]


def final_log_variance(known: Information, runs: Any) -> Array:
    """`log_variance` once all runs are measured: differentiable in their N and D."""
    rows = known.rows(runs)
    matrix = known.matrix + jnp.einsum("lri,lrj->lij", rows, rows)
    solved = jnp.linalg.solve(matrix, known.slopes[..., None])[..., 0]
    return jnp.mean(jnp.log(jnp.einsum("li,li->l", known.slopes, solved)))


def _moved(known: Information, runs: Any, training: Training, region: Region, cost: np.ndarray) -> Any:
    """The runs moved along their costs, within the region, to where the variance is least."""
    low, high = (jnp.asarray(one, known.u.dtype) for one in region.sizes(training, cost))
    log_params, _ = _descend(known, runs, training, jnp.asarray(cost, known.u.dtype), low, high)
    return runs | {"params": jnp.exp(log_params), "tokens": _tokens(training, cost, log_params)}


@jax.jit
def _descend(known: Information, runs: Any, training: Training, cost: Array, low: Array, high: Array) -> Any:
    method = optax.adam(optax.cosine_decay_schedule(0.1, STEPS))

    def objective(log_params: Array) -> Array:
        places = {"params": jnp.exp(log_params), "tokens": _tokens(training, cost, log_params)}
        return final_log_variance(known, runs | places)

    def step(carry: Any, _: Any) -> tuple[Any, None]:
        x, state, best = carry
        value, slope = jax.value_and_grad(objective)(x)
        best = jax.tree.map(partial(jnp.where, value < best[1]), (x, value), best)
        moves, state = method.update(slope, state)
        return (jnp.clip(x + moves, low, high), state, best), None  # pyright: ignore[reportOperatorIssue]

    start = jnp.log(runs["params"])
    (_, _, best), _ = jax.lax.scan(step, (start, method.init(start), (start, jnp.inf)), None, length=STEPS)
    return best


def _costs(training: Training, params: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    with scope():
        return np.asarray(training(params, tokens), float)


def _others(law: type[Law], table: Table) -> dict[str, Any]:
    """What else than N and D the law reads, at the table's medians."""
    columns = columns_of(law, table)
    return {name: float(np.median(one)) for name, one in columns.items() if name not in ("params", "tokens")}


def _status(of: str, runs: dict[str, np.ndarray], cost: np.ndarray, unit: str, before: float, after: float) -> str:
    many = "1 run" if len(cost) == 1 else f"{len(cost)} runs"
    where = f" of N={runs['params'][0]:.3g}, D={runs['tokens'][0]:.3g}" if len(cost) == 1 else ""
    return (
        f"{many}{where} for {cost.sum():.3g} {unit}: the standard error of {SHORT[of]} at the target falls from "
        f"{np.sqrt(before):.1%} to {np.sqrt(after):.1%}"
    )


def _unspent(compute: float | None, cost: np.ndarray, picks: np.ndarray, count: int, unit: str) -> str:
    """How much compute is left and why; nothing where it is no more than a hundredth."""
    spent = float(cost[picks].sum())
    if compute is None or compute - spent <= 0.01 * compute:
        return ""
    asked = f"{count} {'run was' if count == 1 else 'runs were'} asked for at most"
    why = asked if len(picks) == count else f"the cheapest candidate costs {cost.min():.3g}"
    return f"; {compute - spent:.3g} {unit} are left: {why}"
