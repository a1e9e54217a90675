"""Greedy choice of measurements that most reduce the mean variance over a region of targets."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from t2jax.planning.next_runs.choice import TOLLS
from t2jax.typing import Float


@dataclass(frozen=True)
class VOptimalProblem:
    """Jointly normal mean responses of a pool of possible runs and of targets.

    Attributes:
        pool: Covariance of the pool, shape (pool, pool).
        cross: Covariance of pool and targets, shape (pool, targets).
        targets: Variance of each target, shape (targets,).
        error: Variance of one measurement about its mean response.
        weight: Weight of each target, with sum 1, shape (targets,).
        cost: Cost of each run, shape (pool,).
    """

    pool: Float[np.ndarray, "pool pool"]
    cross: Float[np.ndarray, "pool targets"]
    targets: Float[np.ndarray, " targets"]
    error: float
    weight: Float[np.ndarray, " targets"]
    cost: Float[np.ndarray, " pool"]

    @property
    def variance(self) -> float:
        """Weighted mean of the variances of the targets."""
        return float(self.weight @ self.targets)

    def reductions(self) -> Float[np.ndarray, " pool"]:
        """Computes by how much each run alone reduces `variance`: Σ w·cov(run, target)² / (var(run) + error)."""
        return (self.cross**2 @ self.weight) / (np.diag(self.pool) + self.error)

    def measure(self, runs: list[int]) -> "VOptimalProblem":
        """Conditions on a measurement of each of some runs."""
        seen = self.pool[np.ix_(runs, runs)] + self.error * np.eye(len(runs))
        gain = np.linalg.solve(seen, np.hstack([self.pool[runs], self.cross[runs]]))
        by_pool, by_target = gain[:, : len(self.pool)], gain[:, len(self.pool) :]
        return VOptimalProblem(
            pool=self.pool - self.pool[:, runs] @ by_pool,
            cross=self.cross - self.pool[:, runs] @ by_target,
            targets=self.targets - np.sum(self.cross[runs] * by_target, axis=0),
            error=self.error,
            weight=self.weight,
            cost=self.cost,
        )


@dataclass(frozen=True)
class Design:
    """Runs in the order of their choice.

    Attributes:
        runs: Indices of the runs.
        variance: Mean variance of the targets once all are measured.
    """

    runs: tuple[int, ...]
    variance: float


def greedy(
    problem: VOptimalProblem,
    spend: float,
    count: int,
    toll: float,
    start: Sequence[int] = (),
    banned: int | None = None,
) -> Design:
    """Picks runs one by one, each of the largest reduction of variance per cost + toll, each at most once.

    Args:
        problem: The pool and the targets.
        spend: Largest cost of all runs together.
        count: Largest number of runs.
        toll: Cost of a run on top of its own.
        start: Runs that are picked already.
        banned: A run that must not be picked.

    Returns:
        The runs, those of `start` first.
    """
    picks, free = [*start], np.ones(len(problem.cost), bool)
    free[[*picks, *([] if banned is None else [banned])]] = False
    left = spend * (1 + 1e-9) - problem.cost[picks].sum()
    problem = problem.measure(picks) if picks else problem
    while len(picks) < count:
        allowed = free & (problem.cost <= left)
        if not allowed.any():
            break
        pick = int(np.argmax(np.where(allowed, problem.reductions() / (problem.cost + toll), -1.0)))
        problem = problem.measure([pick])
        left, free[pick] = left - problem.cost[pick], False
        picks.append(pick)
    return Design(tuple(picks), problem.variance)


def choose_measurements(problem: VOptimalProblem, spend: float, count: int) -> Design:
    """Picks greedily at several tolls, and improves the best choice by exchanges.

    An exchange leaves one run out and fills what its cost frees with others. Each run is tried once, the last first.
    Source: Fedorov 1972.
    """
    tolls = TOLLS * float(problem.cost[problem.cost <= spend * (1 + 1e-9)].max())
    attempts = [(greedy(problem, spend, count, toll), toll) for toll in tolls]
    best, toll = min(attempts, key=lambda attempt: attempt[0].variance)
    for run in reversed(best.runs):
        rest = [other for other in best.runs if other != run]
        best = min(best, greedy(problem, spend, count, toll, rest, run), key=lambda design: design.variance)
    return best


def variances_after(problem: VOptimalProblem, runs: Sequence[int]) -> Float[np.ndarray, " chosen"]:
    """Computes the mean variance of the targets after each of some runs in turn."""
    variances = []
    for run in runs:
        problem = problem.measure([run])
        variances.append(problem.variance)
    return np.array(variances)
