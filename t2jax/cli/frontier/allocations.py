"""Frontier of a law and its draws, solved together, beside the Chinchilla rule."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from t2jax.cli.fitting import LEVEL
from t2jax.cli.frontier.smooth_draws import SmoothDraws
from t2jax.cli.output import Output
from t2jax.cli.process.interrupt import Interrupted
from t2jax.laws.base import Law
from t2jax.laws.predict import evaluate
from t2jax.numerics.bands import Band, band, too_few_draws
from t2jax.planning.budget import Budget
from t2jax.planning.frontier import frontier
from t2jax.planning.plan import Plan
from t2jax.planning.problem import chooses_samples, inputs_at
from t2jax.planning.rivals import loss_law
from t2jax.plot.frontier import Optima

LEAST_GOOD = 0.9
"""Share of draws with an optimum for an interval: those without are no random part of all."""
PROBLEMS = 4096
"""Optima that are found between two steps of the progress bar, of a law and its draws at several budgets."""


@dataclass(frozen=True)
class Allocations:
    """Optima at each training budget, shape (budgets,), and in each draw, shape (draws, budgets).

    Attributes:
        law: The fitted law.
        laws: Its draws, if there are any.
        budget: The problem, with training budgets of shape (budgets,).
        plan: Optima of the fitted law.
        draws: Optima of its draws; `SmoothDraws` include the law's discrepancy.
        chinchilla: Optima for one sample and free serving, None if the problem does not choose samples.
        chinchilla_draws: The same for the draws.
        no_intervals: Sentence on why the draws were left out, empty if they were not.
    """

    law: Law
    laws: Law | None
    budget: Budget
    plan: Plan
    draws: Plan | SmoothDraws | None
    chinchilla: Plan | None
    chinchilla_draws: Plan | None
    no_intervals: str = ""

    @property
    def train(self) -> np.ndarray:
        """Training FLOPs, (budgets,)."""
        return np.asarray(self.budget.train, float)

    @property
    def usable(self) -> np.ndarray:
        """Whether each budget has an optimum, (budgets,): in the fitted law, and in at least 90 % of the draws."""
        return _usable(self.plan, self.draws) & _usable(self.chinchilla, self.chinchilla_draws)

    def spread(self, quantity: str) -> Band | None:
        """Returns the interval of a quantity at the usable budgets, or None without draws or such budgets."""
        if self.draws is None or not self.usable.any():
            return None
        return band(getattr(self.draws, quantity)[:, self.usable], LEVEL)

    def shift(self) -> Band | None:
        """Returns the interval of N* relative to that of one sample at the usable budgets, if there is one."""
        if self.draws is None or self.chinchilla_draws is None or not self.usable.any():
            return None
        return band((self.draws.params / self.chinchilla_draws.params)[:, self.usable], LEVEL)

    def optima(self) -> list[Optima]:
        """Returns the optima of both rules for the figures, at the usable budgets."""
        label = "optimum" if self.chinchilla is None else "T² optimum"
        optima = [_optima(label, self.plan, self.draws, self.usable)]
        if self.chinchilla is not None:
            optima.append(_optima("Chinchilla optimum, k = 1", self.chinchilla, self.chinchilla_draws, self.usable))
        return optima


def solve(
    law: Law, laws: Law | None, budget: Budget, smooth: Callable[[Budget], SmoothDraws | None], out: Output
) -> Allocations:
    """Finds the optimum of the law and of each of its draws at every training budget, (budgets,).

    Args:
        law: The fitted law.
        laws: Its draws, if there are any.
        budget: The problem, with training budgets of shape (budgets,).
        smooth: Draws the optima of budgets with the law's discrepancy, which take the place of those of `laws`. It
            returns None where there are none.
        out: Output with the progress bar.

    Raises:
        Interrupted: The command was interrupted. It has the allocations of the budgets before that, if any.
    """
    trains = np.asarray(budget.train, float)
    most = -(-PROBLEMS // (1 if laws is None else 1 + len(jax.tree.leaves(laws)[0])))
    parts: list[Allocations] = []
    with out.progress("frontier", total=len(trains)) as bar:
        try:
            for chunk in np.array_split(trains, -(-len(trains) // most)):
                parts.append(_solve_chunk(law, laws, replace(budget, train=chunk), smooth))
                bar.update(len(chunk))
        except KeyboardInterrupt as stop:
            if not parts:
                raise
            raise Interrupted(_without_poor_draws(_join(parts, budget)), stop) from None
        if len({type(part.draws) for part in parts}) > 1:  # smooth draws at some budgets only are no band
            return solve(law, laws, budget, lambda _: None, out)
    return _without_poor_draws(_join(parts, budget))


def _solve_chunk(
    law: Law, laws: Law | None, budget: Budget, smooth: Callable[[Budget], SmoothDraws | None]
) -> Allocations:
    """Solves some of the training budgets."""
    smooth_draws = smooth(budget)
    plan, draws = solve_with_draws(law, None if smooth_draws else laws, budget)
    if not chooses_samples(type(law), budget):
        return Allocations(law, laws, budget, plan, smooth_draws or draws, None, None)
    # at one sample these laws are monotonic in their loss, whose optimum compiles much faster
    # smooth draws along two lines of sizes are not the same deviations, so those of one sample are left out
    single, singles = loss_law(law), None if laws is None or smooth_draws else loss_law(laws)
    one_sample = replace(budget, inference=None, whole_samples=False)
    chinchilla, chinchilla_draws = solve_with_draws(single, singles, one_sample)
    columns = type(law).columns()
    inputs = inputs_at(law, one_sample, chinchilla.params, chinchilla.tokens, 1.0)
    chinchilla = replace(chinchilla, value=evaluate(law, **{columns[name]: value for name, value in inputs.items()}))
    return Allocations(law, laws, budget, plan, smooth_draws or draws, chinchilla, chinchilla_draws)


def _join(parts: Sequence[Allocations], budget: Budget) -> Allocations:
    """Joins the allocations of chunks of training budgets."""

    def along(axis: int, plans: list[Any]) -> Any:
        return None if plans[0] is None else jax.tree.map(lambda *leaves: np.concatenate(leaves, axis), *plans)

    return replace(
        parts[0],
        budget=replace(budget, train=np.concatenate([part.train for part in parts])),
        plan=along(0, [part.plan for part in parts]),
        draws=along(1, [part.draws for part in parts]),
        chinchilla=along(0, [part.chinchilla for part in parts]),
        chinchilla_draws=along(1, [part.chinchilla_draws for part in parts]),
    )


def why_no_band(good: int, draws: int) -> str:
    """Returns a sentence if too few draws have an optimum for intervals of a plan, empty if enough have."""
    if good < LEAST_GOOD * draws:
        return f"only {good} of {draws} draws have an optimum, so intervals would be biased"
    return too_few_draws(good, LEVEL)


def _usable(plan: Plan | None, draws: Plan | SmoothDraws | None) -> np.ndarray:
    """Returns whether each budget has an optimum, in the fitted law and in enough of its draws."""
    usable = np.asarray(True if plan is None else plan.ok)
    return usable if draws is None else usable & (np.mean(draws.ok, axis=0) >= LEAST_GOOD)


def _without_poor_draws(solved: Allocations) -> Allocations:
    """Leaves the draws out where too many of them have no optimum at any budget, so that the optima remain."""
    alone = replace(solved, laws=None, draws=None, chinchilla_draws=None)
    if solved.usable.any() or not alone.usable.any():
        return solved
    reason = f"fewer than {LEAST_GOOD:.0%} of the draws have an optimum, so intervals would be biased"
    return replace(alone, no_intervals=reason)


def solve_with_draws(law: Law, laws: Law | None, budget: Budget) -> tuple[Plan, Plan | None]:
    """Returns the plans of a law and of its draws. One call solves both, so that one program is compiled."""
    if laws is None:
        return frontier(law, budget), None
    stacked = jax.tree.map(lambda point, leaf: np.concatenate([np.atleast_1d(point), leaf]), law, laws)
    plans = frontier(stacked, budget)
    return jax.tree.map(lambda leaf: leaf[0], plans), jax.tree.map(lambda leaf: leaf[1:], plans)


def _optima(label: str, plan: Plan, draws: Plan | SmoothDraws | None, usable: np.ndarray) -> Optima:
    """Returns the optima of one rule at the usable budgets."""
    if draws is None:
        return Optima(label, plan.params[usable], plan.tokens[usable])
    interval = {"interval": "interval, deviations included"} if isinstance(draws, SmoothDraws) else {}
    drawn = draws.params[:, usable], draws.tokens[:, usable]
    return Optima(label, plan.params[usable], plan.tokens[usable], *drawn, **interval)
