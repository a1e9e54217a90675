"""Choice of the training runs that most reduce the variance of a planned answer for their cost."""

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
from t2jax.laws.held_inputs import held_values
from t2jax.planning.budget import Budget
from t2jax.planning.next_runs.choice import choose_runs, covariance_with, log_variance, reductions
from t2jax.planning.next_runs.information import Information, columns_of, inform
from t2jax.planning.next_runs.region import Region, tokens_at_cost
from t2jax.planning.prices.costs import Training
from t2jax.printing import report
from t2jax.tables.table import Table
from t2jax.typing import Array
from t2jax.working_precision import scope

Answer = Literal["params", "tokens", "samples", "value"]
SHORT = {"params": "N*", "tokens": "D*", "samples": "k*", "value": "value"}
"""Names of the answers in sentences."""

STEPS = 100
"""Gradient steps in log N."""


@dataclass(frozen=True, repr=False)
class NextRuns:
    """Result of `next_runs`: the runs to train, in the order of their choice.

    With several laws, variances are geometric means over them.

    Attributes:
        params: N of each run, shape (chosen,).
        tokens: D of each run, shape (chosen,).
        samples: k of each run, shape (chosen,), or None for a law without k.
        cost: Training cost of each run, shape (chosen,).
        before: Variance of the log of the answer now.
        after: This variance once each run and those before it are measured, shape (chosen,).
        candidates: Table of the candidates.
        candidate_cost: Training cost of each candidate, shape (candidates,).
        gain: Decrease of the log variance by one run at each candidate, shape (candidates,).
        scale: Standard deviation of one measurement.
        status: Result in English.

    Examples:
        >>> chosen = t2.next_runs(fit, runs, t2.Budget(train=1e22), candidates=runs, count=2, scale=0.01)
        >>> print(f"{chosen.params[0]:.3g} parameters, {chosen.tokens[0]:.3g} tokens, {chosen.cost[0]:.3g} FLOPs")
        1e+09 parameters, 4.64e+09 tokens, 2.78e+19 FLOPs
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

    def __repr__(self) -> str:
        """Prints the status, then the runs with the standard error that each leaves."""
        errors = np.sqrt(self.after)
        rows = {
            f"run {i + 1}": f"N={n:.3g}, D={d:.3g}, cost {cost:.3g}, then a standard error of {error:.1%}"
            for i, (n, d, cost, error) in enumerate(zip(self.params, self.tokens, self.cost, errors, strict=True))
        }
        return report(f"NextRuns: {self.status}", rows)


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
    """Chooses the runs that most reduce the variance of the log of an answer at a target budget.

    The law is linearised around the fit (delta method) and errors are independent. A measurement with slopes j over its
    scale adds j jᵀ to the information M. It reduces the variance gᵀM⁻¹g by (gᵀM⁻¹j)²/(1 + jᵀM⁻¹j).
    This is c-optimal design (Elfving 1952; Fedorov 1972; for nonlinear laws Chaloner & Verdinelli 1995).
    M includes the law's priors, so the variance is finite even if the rows leave a direction open; `status` then names
    it. The choice is greedy in log variance per cost, where each run costs a toll on top of its compute. The toll is
    the one with which all runs together do best.

    Args:
        fit: Fit of a law to the table.
        table: The runs measured so far.
        budget: Target budget of the plan, of single numbers.
        candidates: Where new runs may lie. A table lists runs with `params`, `tokens` and the law's other inputs, and
            any of them may be trained again. In a Region, each run moves along its cost by gradient. By default it is
            the region of the table's costs with 1 to 1000 tokens per parameter. Other inputs (samples) are at the
            table's medians there. A run counts as one measurement, so a run measured at several k is worth more.
        count: Largest number of runs.
        compute: Largest cost of all runs together, at the budget's price of training (6ND). Without it, cost is
            ignored.
        of: Answer of `t2.allocate` whose variance is reduced. "value" is the loss or pass@k.
        scale: Standard deviation of one measurement, for a loss of its log. By default that of the residuals.
        laws: Batch of laws (draws,), such as `boot.laws` or `post.laws`. The log variance is then averaged over it.
            This is safer than the fit alone if the fit is poor.

    Returns:
        The runs to train, with the variance before and after each.

    Raises:
        ValueError: When `count` is below one, or `compute` does not pay for the cheapest candidate. Also when the table
            has counts, rows are too few to determine the scale, or the law has no optimum at the budget.
        TableError: When candidates lack a column.

    Examples:
        >>> chosen = t2.next_runs(fit, runs, t2.Budget(train=1e22), candidates=runs, count=2, scale=0.01)
        >>> print(f"{chosen.before ** 0.5:.1%} standard error now, {chosen.after[1] ** 0.5:.1%} after two runs")
        22.5% standard error now, 19.9% after two runs
    """
    if count < 1:
        raise ValueError(f"count must be at least one run, not {count}")
    for name, value in (("compute", compute), ("scale", scale)):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be positive, not {value:g}")
    training = budget.prices[0]
    region = candidates if isinstance(candidates, Region) else None
    if candidates is None:
        costs = training_costs(training, table["params"], table["tokens"])
        region = Region(float(costs.min()), float(costs.max()))
    if region is not None:
        params, tokens = region.lattice(training)
        candidates = Table.from_columns(params=params, tokens=tokens, **median_inputs(fit.problem.law, table))
    assert isinstance(candidates, Table)
    cost = training_costs(training, candidates["params"], candidates["tokens"])
    if compute is not None and compute < cost.min():
        cheapest = f"{cost.min():.4g} {training.unit}"
        raise ValueError(f"compute of {compute:.4g} does not pay for the cheapest candidate, which costs {cheapest}")
    columns = columns_of(fit.problem.law, candidates)
    information, scale, weak_directions = inform(fit, table, budget, of, scale, laws)
    with scope() as dtype:
        columns = {name: jnp.asarray(column, dtype) for name, column in columns.items()}
        rows, covariance = _prepare(information, columns)
        before = float(np.exp(log_variance(covariance, information.slopes)))
        gain = np.asarray(reductions(covariance, information.slopes, rows))
        picks = choose_runs(covariance, information.slopes, rows, cost, compute, count)
        runs = {name: column[picks] for name, column in columns.items()}
        if region is not None:
            runs = _refine(information, runs, training, region, cost[picks])
        after = np.exp(np.asarray(_log_variance_path(information, runs)))
    runs = {name: np.asarray(column) for name, column in runs.items()}
    return NextRuns(
        params=runs["params"],
        tokens=runs["tokens"],
        samples=runs.get("samples"),
        cost=training_costs(training, runs["params"], runs["tokens"]),
        before=before,
        after=after,
        candidates=candidates,
        candidate_cost=cost,
        gain=gain,
        scale=scale,
        status=status_of(of, runs, cost[picks], training.unit, before, float(after[-1]))
        + unspent_compute(compute, cost, picks, count, training.unit)
        + (f"; {weak_directions}" if weak_directions else ""),
    )


@jax.jit
def _prepare(information: Information, columns: Any) -> tuple[Array, Array]:
    return information.rows(columns), jnp.linalg.inv(information.matrix)


@jax.jit
def _log_variance_path(information: Information, runs: Any) -> Array:
    """Computes the log variance after each run in turn."""

    def step(covariance: Array, row: Array) -> tuple[Array, Array]:
        covariance = covariance_with(covariance, row)
        return covariance, log_variance(covariance, information.slopes)

    return jax.lax.scan(step, jnp.linalg.inv(information.matrix), jnp.swapaxes(information.rows(runs), 0, 1))[1]


def final_log_variance(information: Information, runs: Any) -> Array:
    """Computes `log_variance` after all runs are measured. It is differentiable in their N and D."""
    rows = information.rows(runs)
    matrix = information.matrix + jnp.einsum("lri,lrj->lij", rows, rows)
    solved = jnp.linalg.solve(matrix, information.slopes[..., None])[..., 0]
    return jnp.mean(jnp.log(jnp.einsum("li,li->l", information.slopes, solved)))


def _refine(information: Information, runs: Any, training: Training, region: Region, cost: np.ndarray) -> Any:
    """Moves the runs along their costs, within the region, to the least variance."""
    low, high = (jnp.asarray(end, information.u.dtype) for end in region.sizes(training, cost))
    log_params, _ = _descend(information, runs, training, jnp.asarray(cost, information.u.dtype), low, high)
    return runs | {"params": jnp.exp(log_params), "tokens": tokens_at_cost(training, cost, log_params)}


@jax.jit
def _descend(information: Information, runs: Any, training: Training, cost: Array, low: Array, high: Array) -> Any:
    method = optax.adam(optax.cosine_decay_schedule(0.1, STEPS))

    def objective(log_params: Array) -> Array:
        moved_runs = {"params": jnp.exp(log_params), "tokens": tokens_at_cost(training, cost, log_params)}
        return final_log_variance(information, runs | moved_runs)

    def step(carry: Any, _: Any) -> tuple[Any, None]:
        x, state, best = carry
        value, slope = jax.value_and_grad(objective)(x)
        best = jax.tree.map(partial(jnp.where, value < best[1]), (x, value), best)
        moves, state = method.update(slope, state)
        return (jnp.clip(x + moves, low, high), state, best), None  # pyright: ignore[reportOperatorIssue]

    start = jnp.log(runs["params"])
    (_, _, best), _ = jax.lax.scan(step, (start, method.init(start), (start, jnp.inf)), None, length=STEPS)
    return best


def training_costs(training: Training, params: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Returns what each run costs, in the unit of the training price."""
    with scope():
        return np.asarray(training(params, tokens), float)


def median_inputs(law: type[Law], table: Table) -> dict[str, Any]:
    """Returns the law's inputs other than N, D and those that it holds, at the table's medians."""
    columns, elsewhere = columns_of(law, table), {"params", "tokens", *held_values(law)}
    return {name: float(np.median(column)) for name, column in columns.items() if name not in elsewhere}


def status_of(of: str, runs: dict[str, np.ndarray], cost: np.ndarray, unit: str, before: float, after: float) -> str:
    """Describes how many runs were chosen, what they cost, and how much they lower the error of the answer."""
    count = "1 run" if len(cost) == 1 else f"{len(cost)} runs"
    place = f" of N={runs['params'][0]:.3g}, D={runs['tokens'][0]:.3g}" if len(cost) == 1 else ""
    return (
        f"{count}{place} for {cost.sum():.3g} {unit}: the standard error of {SHORT[of]} at the target falls from "
        f"{np.sqrt(before):.1%} to {np.sqrt(after):.1%}"
    )


def unspent_compute(compute: float | None, cost: np.ndarray, picks: np.ndarray, count: int, unit: str) -> str:
    """Describes how much compute is left and why. Empty if it is at most a hundredth."""
    spent = float(cost[picks].sum())
    if compute is None or compute - spent <= 0.01 * compute:
        return ""
    request = f"{count} {'run was' if count == 1 else 'runs were'} asked for at most"
    reason = request if len(picks) == count else f"the cheapest candidate costs {cost.min():.3g}"
    return f"; {compute - spent:.3g} {unit} are left: {reason}"
