"""Choice of the runs that most reduce the variance of a plan if runs may deviate smoothly from the law."""

from dataclasses import replace
from typing import Any

import numpy as np

from t2jax.extrapolation.law_choice import LawChoice
from t2jax.laws.arguments import check_arguments
from t2jax.planning.budget import Budget
from t2jax.planning.frontier import frontier
from t2jax.planning.next_runs.joint_moments import joint_moments
from t2jax.planning.next_runs.next_runs import (
    Answer,
    NextRuns,
    median_inputs,
    status_of,
    training_costs,
    unspent_compute,
)
from t2jax.planning.next_runs.region import Region
from t2jax.planning.next_runs.v_optimal import VOptimalProblem, choose_measurements, variances_after
from t2jax.planning.problem import inputs_at
from t2jax.tables.table import Table
from t2jax.typing import Float

STEP = 0.25
"""Step of log N to either side of the optimum, over which the slope along the budget is taken."""


@check_arguments
def next_runs_with_deviations(
    choice: LawChoice,
    table: Table,
    budget: Budget,
    *,
    candidates: Table | Region,
    count: int = 1,
    compute: float | None = None,
    of: Answer = "params",
) -> NextRuns:
    """Chooses runs as `next_runs`, where runs may deviate smoothly from the law.

    The law's parameters, its deviation and the errors of runs are jointly normal. The log of the answer is a weighted
    sum of responses (`answer_weights`). So runs near the target are worth more than under an exact law.
    No run is chosen twice, since its deviation is then measured, and runs of a region lie on its lattice.
    Source: Fedorov 1972; Sacks, Welch, Mitchell & Wynn 1989 (Stat. Sci. 4:409).

    Args:
        choice: The laws with their discrepancies, as `t2.choose_law` gives them.
        table: The runs measured so far.
        budget: Target budget of the plan, of single numbers.
        candidates: Where new runs may lie, as for `next_runs`.
        count: Largest number of runs.
        compute: Largest cost of all runs together. Without it, cost is ignored.
        of: Answer whose variance is reduced.

    Returns:
        The runs to train, with the variance before and after each.

    Raises:
        ValueError: There is no optimum with room on both sides at the budget, or `compute` pays for no run.

    Examples:
        >>> choice = t2.choose_law(runs, key=jax.random.key(0), laws=[t2.laws.Chinchilla])
        >>> target = t2.Budget(train=1e22)
        >>> chosen = t2.planning.next_runs_with_deviations(choice, runs, target, candidates=runs)
        >>> bool(chosen.after[0] < chosen.before)
        True
    """
    training, law = budget.prices[0], choice.fits[0].curve.law
    if isinstance(candidates, Region):
        params, tokens = candidates.lattice(training)
        candidates = Table.from_columns(params=params, tokens=tokens, **median_inputs(law, table))
    cost = training_costs(training, candidates["params"], candidates["tokens"])
    if count < 1 or (compute is not None and compute < cost.min()):
        raise ValueError(
            f"count of {count} and compute of {compute} pay for no run: the cheapest costs {cost.min():.4g}"
        )
    rows, weights = answer_weights(choice, budget, of)
    moments = joint_moments(choice, [candidates, rows])
    here, there = slice(len(candidates)), slice(len(candidates), None)
    problem = VOptimalProblem(
        pool=moments.covariance[here, here],
        cross=moments.covariance[here, there] @ weights[:, None],
        targets=np.array([weights @ moments.covariance[there, there] @ weights]),
        error=moments.error,
        weight=np.ones(1),
        cost=np.ones(len(cost)) if compute is None else cost,
    )
    picks = np.array(choose_measurements(problem, float(count) if compute is None else compute, count).runs)
    after, before = variances_after(problem, picks.tolist()), problem.variance
    runs = {name: np.asarray(candidates[name])[picks] for name in ("params", "tokens", "samples") if name in candidates}
    return NextRuns(
        params=runs["params"],
        tokens=runs["tokens"],
        samples=runs.get("samples"),
        cost=cost[picks],
        before=before,
        after=after,
        candidates=candidates,
        candidate_cost=cost,
        gain=-np.log1p(-np.minimum(problem.reductions() / before, 1 - 1e-12)),
        scale=float(np.sqrt(moments.error)),
        status=status_of(of, runs, cost[picks], training.unit, before, float(after[-1]))
        + unspent_compute(compute, cost, picks, count, training.unit)
        + "; deviations of runs from the law are counted",
    )


def answer_weights(choice: LawChoice, budget: Budget, of: Answer) -> tuple[Table, Float[np.ndarray, " rows"]]:
    """Writes the log of an answer of a plan as a weighted sum of the responses at sizes about the optimum.

    Along a budget the response y has its least value where its slope is zero. A deviation of slope s moves the optimum
    by -s/y'' in log N, to first order. The slope and the curvature y'' are differences over three sizes.

    Args:
        choice: The law or laws with their discrepancies.
        budget: The target budget, of single numbers, without a target.
        of: The answer.

    Returns:
        Rows of the three sizes, and the weights of their responses, shape (3,).

    Raises:
        ValueError: The fitted law has no optimum at the budget or next to it.
    """
    law = choice.fits[0].law
    best = frontier(law, budget)
    sizes = float(best.params) * np.exp(STEP * np.array([-1.0, 0.0, 1.0]))
    plans = frontier(law, replace(budget, params_min=sizes, params_max=sizes))
    if not (best.ok and np.all(plans.ok)):
        raise ValueError(f"there is no optimum with room on both sides at this budget ({best.status})")
    inputs = inputs_at(law, budget, sizes, np.asarray(plans.tokens), np.asarray(plans.samples))
    columns: Any = {column: np.broadcast_to(inputs[name], 3) for name, column in law.columns().items()}
    rows = Table.from_columns(**columns)
    curve = choice.fits[0].curve
    values, _ = curve.evaluate(choice.fits[0].u, curve.read(rows))
    if of == "value":  # a deviation that moves the optimum changes the value there to second order
        share = 1 - float(curve.to_response(values[1])) if curve.scale == "logit" else 1.0
        return rows, np.array([0.0, share, 0.0])
    bend = (values[0] - 2 * values[1] + values[2]) / STEP**2
    slopes = {
        name: np.log(getattr(plans, name)[2] / getattr(plans, name)[0]) / (2 * STEP) for name in ("tokens", "samples")
    }
    along = 1.0 if of == "params" else float(slopes[of])
    return rows, along * np.array([1.0, 0.0, -1.0]) / (2 * STEP * bend)
