"""Plan with all its context, and other sizes at the same costs."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from t2jax.cli.frontier.allocations import LEAST_GOOD, why_no_band
from t2jax.cli.frontier.smooth_draws import SmoothDraws
from t2jax.fitting.measured_range import MeasuredRange
from t2jax.laws.base import Law
from t2jax.numerics.bands import Band
from t2jax.planning.advice.best_samples import BestSamples
from t2jax.planning.budget import Budget
from t2jax.planning.frontier import frontier
from t2jax.planning.plan import Plan
from t2jax.planning.problem import chooses_samples
from t2jax.planning.rivals import Choice, models
from t2jax.planning.sensitivity import DeltaBand, Elasticities, ShadowPrices

NEGLIGIBLE = 5e-4
"""Smaller elasticities are not shown."""


@dataclass(frozen=True)
class PlanReport:
    """A plan with its context: draws, alternatives, elasticities and shadow prices.

    Attributes:
        law: The fitted law.
        laws: Its draws, if there are any.
        budget: The problem.
        plan: The optimum of the law.
        draws: Optima of the draws; `SmoothDraws` include the law's discrepancy.
        training_cost: Cost of training the plan, in the unit of the budget.
        query_cost: Cost of one query of the plan, in the same unit.
        choices: The plan, then its alternatives under the same budget.
        moves: Elasticities of the plan, None if small changes do not move it.
        worth: Shadow prices of the limits.
        measured: Ranges of the fitted rows, None if they are not known.
        delta: Intervals by the delta method, None unless the law was fitted here and small changes move the plan.
        what_if: Plans of changed budgets by the text of --what-if.
        laws_alone: Optima of the draws without deviations, where `draws` include them.
        best_samples: Samples that are worth drawing at the plan's size, None for an oracle.
        ranges: Ends of the options that are ranges, over which the draws are spread.
        over: The budget at points of these ranges.
        move_bands: Intervals of the elasticities that include deviations, by answer and option.
        no_intervals: Sentence on why the law's draws give no intervals, empty if they do or there are none.
    """

    law: Law
    laws: Law | None
    budget: Budget
    plan: Plan
    draws: Plan | SmoothDraws | None
    training_cost: float
    query_cost: float
    choices: tuple[Choice, ...]
    moves: Elasticities | None
    worth: ShadowPrices
    measured: MeasuredRange | None = None
    delta: DeltaBand | None = None
    what_if: dict[str, Plan] = field(default_factory=dict)
    laws_alone: Plan | None = None
    best_samples: BestSamples | None = None
    no_intervals: str = ""
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    over: tuple[Budget, ...] = ()
    move_bands: dict[str, dict[str, Band]] = field(default_factory=dict)

    @property
    def with_deviations(self) -> bool:
        """Whether the intervals include how far runs may deviate from the law."""
        return isinstance(self.draws, SmoothDraws) and not self.why_no_intervals

    @property
    def why_no_intervals(self) -> str:
        """Sentence on why there are no intervals from draws. It is empty if there are."""
        if self.draws is None:
            return self.no_intervals or "the law has no draws; fit with --draws, or sample it"
        good = int(np.sum(self.draws.ok))
        if isinstance(self.draws, SmoothDraws) and good < LEAST_GOOD * self.draws.ok.size:
            share = 1 - good / self.draws.ok.size
            return (
                f"the rows do not bound the optimum if runs may deviate from the law ({share:.0%} of the draws lie at"
                " an end of the sizes that were searched)"
            )
        return why_no_band(good, self.draws.ok.size)

    @property
    def answers(self) -> dict[str, str]:
        """Chosen quantities with their short names: N, D, and k if the plan chooses samples."""
        sampled = {"samples": "k"} if chooses_samples(type(self.law), self.budget) else {}
        return {"params": "N", "tokens": "D"} | sampled

    @property
    def beyond(self) -> dict[str, float] | None:
        """How many times beyond the measured ranges the plan lies, None if they are not known."""
        if self.measured is None:
            return None
        samples = float(self.plan.samples) if "samples" in self.answers else None
        return self.measured.beyond(float(self.plan.params), float(self.plan.tokens), samples)

    def with_size(self, params: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns tokens and samples of other sizes (models,) at the plan's costs, both NaN if these afford no model.

        If training and queries share one budget, `total`, each size divides it optimally. Otherwise each size costs as
        much as the plan, to train and per query. All limits hold except those on sizes.
        """
        budget = replace(self.budget, params_min=params, params_max=params, sizes=None, tokens_per_param=None)
        if self.budget.goal == "quality" and self.budget.total is not None:
            best = frontier(self.law, budget)
            return best.tokens, best.samples
        costs = {"train": self.training_cost, "inference": self.query_cost if self.budget.serves else None}
        no_limits = dict.fromkeys(("target", "total", "queries", "params_min", "params_max"))
        budget = replace(budget, **(no_limits | costs))
        sizes = models(self.law, budget, params)
        samples = sizes.samples if budget.samples_max is None else np.minimum(sizes.samples, budget.samples_max)
        # for the other sizes in the figure; the plan has the solver's k
        samples = np.floor(samples * (1 + 1e-9)) if budget.whole_samples else samples
        if (samples != sizes.samples).any():
            sizes = models(self.law, budget, params, sizes.tokens, samples)
        return np.where(sizes.within_limits, sizes.tokens, np.nan), np.where(sizes.within_limits, sizes.samples, np.nan)


def moving_options(moves: Elasticities, law: Law, answers: Iterable[str], least: float = NEGLIGIBLE) -> list[str]:
    """Lists the limits and prices that move an answer, whose elasticities are shown.

    Args:
        moves: Elasticities of a plan by option.
        law: The law, whose parameters are left out.
        answers: Names of the answers, such as "params".
        least: Elasticity that one of the answers has to exceed.

    Returns:
        Names of options.
    """
    tables, parameters = [getattr(moves, answer) for answer in answers], law.values()
    return [n for n in moves.params if n not in parameters and max(abs(table[n]) for table in tables) > least]


def by_option(moves: Elasticities) -> Elasticities:
    """Returns the elasticities under the names of the command's options.

    An option that changes both training and serving has the sum of both elasticities.
    """

    def sum_by_option(table: dict[str, float]) -> dict[str, float]:
        sums: dict[str, float] = {}
        for name, value in table.items():
            option = name.rpartition(".")[2]
            sums[option] = sums.get(option, 0.0) + value
        return sums

    tables = {name: sum_by_option(table) for name, table in vars(moves).items() if isinstance(table, dict)}
    return replace(moves, **tables)
