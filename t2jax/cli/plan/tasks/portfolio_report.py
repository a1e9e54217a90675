"""A plan for several tasks in words: the recommendation, its intervals and a table of the tasks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from t2jax.cli.fitting import LEVEL
from t2jax.cli.plan.distance import with_distance
from t2jax.cli.words import columns, cost, count, interval
from t2jax.fitting.measured_range import MeasuredRange
from t2jax.laws.base import Law
from t2jax.numerics.bands import band
from t2jax.planning.budget import Budget
from t2jax.planning.portfolio.plan import PortfolioPlan

RESPONSES = {"pass_at_k": "pass@k", "neg_log_pass": "-log pass@k"}


@dataclass(frozen=True)
class TaskLaw:
    """The law of a task, its draws if there are any, why there are none, the law's file, and what was measured."""

    law: Law
    laws: Law | None
    no_intervals: str
    path: Path
    measured: MeasuredRange | None


@dataclass(frozen=True)
class PortfolioReport:
    """A plan for several tasks, with plans from draws of their laws.

    Attributes:
        plan: The plan.
        tasks: Law of each task, by name.
        weights: Weight of each task, as it was given.
        budget: The budget.
        drawn: Plans from draws of the laws.
        no_intervals: Why there are no such plans, or nothing if there are.
    """

    plan: PortfolioPlan
    tasks: dict[str, TaskLaw]
    weights: dict[str, float]
    budget: Budget
    drawn: list[PortfolioPlan]
    no_intervals: str

    @property
    def response(self) -> str:
        """Name of what the laws predict."""
        response = next(iter(self.tasks.values())).law.response[0]
        return RESPONSES.get(response, response)

    @property
    def laws(self) -> dict[str, Law]:
        """Law of each task, by name."""
        return {name: task.law for name, task in self.tasks.items()}

    def header(self) -> tuple[str, ...]:
        """Returns the names of the columns of the table of tasks."""
        ends = (f"{LEVEL:.0%} interval",) if self.drawn else ()
        return ("task", "weight", "k", *ends, self.response, *ends)

    def rows(self) -> list[tuple[str, ...]]:
        """Returns the cells of each task."""
        total = sum(self.weights.values())
        return [
            (
                task,
                f"{weight / total:.3g}",
                *self._cells(self.plan.samples[task], [draw.samples[task] for draw in self.drawn]),
                *self._cells(self.plan.predictions[task], [draw.predictions[task] for draw in self.drawn]),
            )
            for task, weight in self.weights.items()
        ]

    def intervals(self) -> str:
        """Returns the intervals of N, D and the weighted mean in a sentence, or why there are none."""
        if not self.drawn:
            return f"No interval: {self.no_intervals}."
        quantities = {"N": "params", "D": "tokens", self.response: "value"}
        spread = {
            short: _interval([getattr(draw, of) for draw in self.drawn], "{:.4g}".format if of == "value" else count)
            for short, of in quantities.items()
        }
        return f"{LEVEL:.0%} intervals: {'; '.join(f'{short} {ends}' for short, ends in spread.items())}."

    def beyond(self) -> dict[str, float]:
        """Computes how many times beyond the measured ranges the plan lies, for the task that is farthest away."""
        farthest: dict[str, float] = {}
        for name, task in self.tasks.items():
            if task.measured is None:
                continue
            samples = self.plan.samples[name]
            for quantity, factor in task.measured.beyond(self.plan.params, self.plan.tokens, samples).items():
                if abs(np.log(factor)) > abs(np.log(farthest.get(quantity, 1.0))):
                    farthest[quantity] = factor
        return farthest

    def recommendation(self) -> str:
        """Returns what to train, the weighted mean that it gives, and how far beyond the measurements it lies."""
        plan = self.plan
        train = (
            f"Train {count(plan.params)} parameters on {count(plan.tokens)} tokens ({count(plan.tokens / plan.params)}"
            f" per parameter): a weighted {self.response} of {plan.value:.4g}."
        )
        return with_distance(train, self.beyond())

    def costs(self) -> str:
        """Returns what training and a query cost."""
        unit = self.budget.prices[0].unit
        return (
            f"Training costs {cost(self.plan.training_cost, unit)} and a query {cost(self.plan.query_cost, unit)} on"
            " average over the tasks."
        )

    def text(self) -> str:
        """Returns all of it, as the command prints it."""
        if not self.plan.ok:
            return f"There is no plan: {self.plan.status}"
        parts = (self.recommendation(), self.intervals(), columns(self.header(), self.rows()), self.costs())
        return "\n\n".join((*parts, self.plan.status))

    def _cells(self, value: float, drawn: list[float]) -> tuple[str, ...]:
        """Returns cells of a number and, if there are draws, of its interval."""
        return (f"{value:.4g}", _interval(drawn)) if drawn else (f"{value:.4g}",)


def ends(name: str, values: list[float]) -> dict[str, float | None]:
    """Returns the ends of an interval by name, None without draws."""
    if not values:
        return {f"{name}_low": None, f"{name}_high": None}
    spread = band(np.array(values), LEVEL)
    return {f"{name}_low": float(spread.low), f"{name}_high": float(spread.high)}


def _interval(drawn: list[float], show: Any = "{:.4g}".format) -> str:
    """Returns the interval of draws in words."""
    spread = band(np.array(drawn), LEVEL)
    return interval(float(spread.low), float(spread.high), show)
