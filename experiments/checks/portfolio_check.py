"""Is a plan for several tasks beaten by brute force? Random laws, weights and budgets against a grid that zooms in.

Each problem has two or three tasks under one serving budget. The grid covers N, the share of training and the shares of
the tasks, and is refined around its best point.

    python -m experiments.checks.portfolio_check [tiny] [-o FOLDER]
"""

from dataclasses import dataclass
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

import t2jax as t2
from experiments.shared.beside_grid import BesideGrid
from experiments.shared.record import command, stage

KINDS = {  # tasks, law, limits
    "two budgets": (2, "T2Loss"),
    "one budget": (2, "T2Loss"),
    "three tasks": (3, "T2Loss"),
    "pass@k": (2, "T2PassK"),
}


@dataclass(frozen=True)
class Config:
    """How many problems, and how fine the grid."""

    problems: int = 50
    """Random problems of each of four kinds."""
    points: int = 41
    """Points of the grid on each axis."""
    rounds: int = 9
    """Times that the grid is refined."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(problems=1, points=11, rounds=5)


@dataclass(frozen=True)
class Checked(BesideGrid):
    """Problems of one kind. A plan is beaten by more than 1e-6, and `short` is the largest of all problems.

    Attributes:
        uneven: How many plans draw more than twice as many samples for one task as for another.
    """

    uneven: int


@dataclass(frozen=True)
class Result:
    """One entry for each kind of problem."""

    kinds: tuple[Checked, ...]


def run(config: Config) -> Result:
    rng, kinds = np.random.default_rng(config.seed), []
    for kind in KINDS:
        with stage(kind):
            kinds.append(check(kind, config, rng))
    return Result(tuple(kinds))


def check(kind: str, config: Config, rng: np.random.Generator) -> Checked:
    """Solves the problems of one kind and searches for better allocations."""
    count, law = KINDS[kind]
    gains, uneven = [], 0
    for _ in range(config.problems):
        laws = [random_law(law, rng) for _ in range(count)]
        weights = rng.dirichlet(np.full(count, 3.0))
        together = kind == "one budget"
        limits: Any = {"total": 10 ** rng.uniform(21, 25), "queries": 10 ** rng.uniform(9, 12)}
        if not together:
            limits = {"train": 10 ** rng.uniform(20, 24), "inference": 10 ** rng.uniform(11, 13)}
        names = [f"task {i}" for i in range(count)]
        named = dict(zip(names, weights.tolist(), strict=True))
        plan = t2.planning.plan_portfolio(dict(zip(names, laws, strict=True)), named, t2.Budget(**limits))
        if not plan.ok:
            continue
        best = search(laws, weights, limits, config)
        difference = (plan.value - best) / abs(plan.value)  # positive where the grid's loss is lower
        gains.append(-difference if law == "T2PassK" else difference)
        uneven += max(plan.samples.values()) > 2 * min(plan.samples.values())
    result = np.array(gains)
    beaten = int(np.sum(result > 1e-6))
    return Checked(kind, law, config.problems, len(result), beaten, float(result.max()), float(-result.min()), uneven)


def random_law(name: str, rng: np.random.Generator) -> t2.Law:
    """Draws a law of one task."""
    alpha, beta = rng.uniform(0.28, 0.42, 2)
    values = {"E": rng.uniform(0.3, 1.0), "alpha": alpha, "beta": beta}
    values |= {"A": 0.35 * 1e8**alpha * rng.uniform(0.7, 1.4), "B": 0.45 * 2e9**beta * rng.uniform(0.7, 1.4)}
    if name == "T2Loss":
        return t2.laws.T2Loss(**values, G=rng.uniform(0.3, 2.0), gamma=rng.uniform(0.2, 0.8))
    shape = {"theta0": rng.uniform(0.3, 1.2), "theta1": rng.uniform(1.0, 3.0), "theta2": rng.uniform(0.7, 0.98)}
    shape |= {"theta3": rng.uniform(-0.5, 1.0), "theta4": rng.uniform(-0.2, 0.2)}
    return t2.laws.T2PassK(loss=t2.laws.Chinchilla(**values), **shape)


def search(laws: list[t2.Law], weights: np.ndarray, limits: dict[str, float], config: Config) -> float:
    """The best weighted value over N, the share of training, and the shares of all tasks but the last."""
    shared, passes = "total" in limits, "pass_at_k" in type(laws[0]).response
    ends = [(np.log(1e6), np.log(1e13)), *([(1e-4, 1 - 1e-4)] if shared else []), *([(0.0, 1.0)] * (len(laws) - 1))]
    whole, best = list(ends), np.inf
    for _ in range(config.rounds):
        axes = [np.linspace(low, high, config.points) for low, high in ends]
        place = [axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")]
        size, shares = np.exp(place[0]), place[2:] if shared else place[1:]
        spent = limits["total"] * place[1] if shared else limits["train"]
        tokens = spent / (6 * size)
        purse = (limits["total"] - spent) / limits["queries"] if shared else limits["inference"]
        spare = purse / (2 * size) - 1  # every task draws one sample at least
        shares = [*shares, 1 - np.sum(shares, axis=0)]
        samples = [1 + spare * share / weight for share, weight in zip(shares, weights, strict=True)]
        allowed = (spare >= 0) & (shares[-1] >= -1e-12) & (tokens >= 1)
        with jax.enable_x64(True):
            value = np.asarray(mean(tuple(laws), weights, size, tokens, np.maximum(samples, 1.0)))
        worth = np.where(allowed & np.isfinite(value), -value if passes else value, np.inf)
        at = int(np.argmin(worth))
        best = min(best, float(worth[at]))
        steps = [4 * (high - low) / (config.points - 1) for low, high in ends]
        ends = [
            (max(axis[at] - step, low), min(axis[at] + step, high))
            for axis, step, (low, high) in zip(place, steps, whole, strict=True)
        ]
    return -best if passes else best


@jax.jit
def mean(laws: tuple[t2.Law, ...], weights: Any, size: Any, tokens: Any, samples: Any) -> Any:
    """Weighted mean of the predictions at allocations, shape (places,)."""
    values = [law(N=size, D=tokens, k=samples[i]) for i, law in enumerate(laws)]
    return sum(weight * value for weight, value in zip(weights, values, strict=True)) + jnp.zeros_like(size)


def words(result: Result) -> list[str]:
    return [
        f"{kind.kind} ({kind.law}): {kind.beaten} of {kind.solved} plans beaten, the grid gains at most {kind.gain:.1g}"
        f" and falls short by {kind.short:.1g}; {kind.uneven} draw twice as many samples for one task as for another"
        for kind in result.kinds
    ]


def main() -> None:
    command(Config, run, words)


if __name__ == "__main__":
    main()
