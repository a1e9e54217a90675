"""Choice of runs from a pool that most reduce the variance of predictions over a region of targets."""

from dataclasses import dataclass

import numpy as np

from t2jax.extrapolation.discrepancy import DiscrepancyFit, fit_from
from t2jax.extrapolation.law_choice import LawChoice
from t2jax.fitting.fit import Fit
from t2jax.laws.arguments import check_arguments
from t2jax.noise.smooth.response_curve import ResponseCurve
from t2jax.planning.next_runs.joint_moments import joint_moments
from t2jax.planning.next_runs.v_optimal import VOptimalProblem, choose_measurements, variances_after
from t2jax.printing import report
from t2jax.tables.table import Table


@dataclass(frozen=True, repr=False)
class PoolChoice:
    """Result of `choose_from_pool`: runs of the pool, in the order of their choice.

    Variances are weighted means over the targets, of the log of the mean loss or the logit of pass@k.

    Attributes:
        rows: Row of each run in the pool, shape (chosen,).
        cost: Cost of each run, shape (chosen,).
        before: Variance now.
        after: Variance once each run and those before it are measured, shape (chosen,).
        gain: Decrease of the variance by each run of the pool alone, shape (pool,).
        error: Standard deviation of one measurement about its mean.
        status: Result in English.

    Examples:
        >>> pool = t2.Table.from_columns(params=[1e8, 1e9, 1e10], tokens=[1e11, 2e10, 1e10])
        >>> dear = t2.Table.from_columns(params=[1e10, 3e10], tokens=[2e11, 6e11])
        >>> chosen = t2.planning.choose_from_pool(fit, pool, dear, spend=7e20)
        >>> chosen.rows.tolist(), bool(chosen.after[-1] < chosen.before)
        ([2, 0], True)
    """

    rows: np.ndarray
    cost: np.ndarray
    before: float
    after: np.ndarray
    gain: np.ndarray
    error: float
    status: str

    def __repr__(self) -> str:
        """Prints the status, then the runs with the standard error that each leaves."""
        lines = {
            f"run {i + 1}": f"row {row} of the pool, cost {cost:.3g}, then a standard error of {np.sqrt(after):.2%}"
            for i, (row, cost, after) in enumerate(zip(self.rows, self.cost, self.after, strict=True))
        }
        return report(f"PoolChoice: {self.status}", lines)


@check_arguments
def choose_from_pool(
    fit: Fit | DiscrepancyFit | LawChoice,
    pool: Table,
    targets: Table,
    *,
    spend: float,
    count: int | None = None,
    cost: np.ndarray | None = None,
) -> PoolChoice:
    """Chooses runs from a pool that most reduce the mean variance of predictions at targets (V-optimal design).

    The law, its smooth misfit and the errors of runs are jointly normal, with the moments of the fit's mixture over
    laws and scales. A measurement of a run x reduces the variance at a target t by cov(x, t)² / (var(x) + σ²).
    So a run near the targets is worth more where the law may be wrong than where it holds. The choice is greedy in
    reduction per cost plus a toll, and uses the toll that leaves the least variance.
    Choose some runs, measure them, fit again and repeat: the variance does not know what the measurements will show.
    Source: Fedorov 1972 (V-optimality); Sacks, Welch, Mitchell & Wynn 1989 (Stat. Sci. 4:409) with a discrepancy.

    Args:
        fit: Fit of a law to the runs measured so far. A `Fit` gets a discrepancy first.
        pool: Possible runs, with the inputs of the law. Each may be chosen once. Leave measured runs out.
        targets: Rows to predict, with the inputs of the law. A column `weight` weighs them.
        spend: Largest cost of all chosen runs together.
        count: Largest number of runs. By default as many as `spend` pays for.
        cost: Cost of each run of the pool, shape (pool,). By default training FLOPs, 6ND.

    Returns:
        The chosen runs, with the variance before and after each.

    Raises:
        ValueError: `spend` pays for no run, `count` is below one, a cost is not positive, or the fit failed.
        TableError: A table lacks an input of the law.

    Examples:
        >>> pool = t2.Table.from_columns(params=[1e8, 1e9, 1e10], tokens=[1e11, 2e10, 1e10])
        >>> dear = t2.Table.from_columns(params=[1e10], tokens=[2e11])
        >>> t2.planning.choose_from_pool(fit, pool, dear, spend=1e20, count=1).rows.tolist()
        [0]
    """
    costs = pool.compute() if cost is None else np.asarray(cost, float)
    if costs.shape != (len(pool),) or not (np.isfinite(costs).all() and (costs > 0).all()):
        raise ValueError(f"cost must be {len(pool)} positive numbers, one for each run of the pool")
    if count is not None and count < 1:
        raise ValueError(f"count must be at least one run, not {count}")
    if not spend >= costs.min():
        raise ValueError(f"spend of {spend:.4g} does not pay for the cheapest run of the pool: {costs.min():.4g}")
    moments = joint_moments(as_mixture(fit), [pool, targets])
    here, there = slice(len(pool)), slice(len(pool), None)
    weight = targets.weights()
    problem = VOptimalProblem(
        pool=moments.covariance[here, here],
        cross=moments.covariance[here, there],
        targets=np.diag(moments.covariance)[there],
        error=moments.error,
        weight=weight / weight.sum(),
        cost=costs,
    )
    rows = list(choose_measurements(problem, spend, len(pool) if count is None else count).runs)
    after = variances_after(problem, rows)
    runs, total = "1 run" if len(rows) == 1 else f"{len(rows)} runs", costs[rows].sum()
    return PoolChoice(
        rows=np.array(rows),
        cost=costs[rows],
        before=problem.variance,
        after=after,
        gain=problem.reductions(),
        error=float(np.sqrt(moments.error)),
        status=(
            f"{runs} for {total:.3g} of {spend:.3g}: the standard error at the targets falls from "
            f"{np.sqrt(problem.variance):.2%} to {np.sqrt(after[-1]):.2%}"
        ),
    )


def as_mixture(fit: Fit | DiscrepancyFit | LawChoice) -> LawChoice:
    """Returns a fit as a choice of one law, without the backtest that only widens bands."""
    if isinstance(fit, LawChoice):
        return fit
    if isinstance(fit, Fit):
        if not fit.converged:
            raise ValueError(f"there is no fit to choose runs by ({fit.status})")
        fixed = {name: float(np.asarray(value)) for name, value in fit.problem.coordinates.fixed.items()}
        curve = ResponseCurve.of(type(fit.law), fit.table, fixed)
        fit = fit_from(curve, fit.table, curve.coordinates(fit.law)[None], 1)
    return LawChoice((fit,), np.ones(1), (), np.zeros((1, 0)), 1.0)
