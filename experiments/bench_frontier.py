"""How fast, and how exact, are 100,000 allocations beside a loop over SciPy's SLSQP?

Random T²-loss laws by training and inference budgets, all in one call of `t2.frontier`. SciPy solves some of the same
problems one by one: the same three logs, linear constraints, and the exact gradient in plain NumPy. Both are timed in
turn, so that noise of the machine meets them alike, by the wall clock and by the CPU over all threads.

    python -m experiments.bench_frontier [tiny] [-o FOLDER]
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.optimize import minimize

import t2jax as t2
from experiments.record import command, stage, timed


@dataclass(frozen=True)
class Config:
    """How many problems, and how many of them SciPy gets."""

    laws: int = 1000
    """Random laws."""
    train: int = 10
    """Training budgets, from 1e18 to 1e25 FLOPs."""
    inference: int = 10
    """Inference budgets, from 1e9 to 1e13 FLOPs per token served."""
    repeats: int = 5
    """Calls after the first, which compiles."""
    scipy: int = 200
    """Problems that SciPy solves after each of our calls."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(laws=20, train=2, inference=2, repeats=1, scipy=10)


@dataclass(frozen=True)
class Result:
    """Seconds are for all problems of ours; rates are allocations per second. `succeeded`: share of ours with status
    optimal. difference: of log N, ours and SciPy's, where both succeeded.

    scipy_succeeded: share of its problems that SciPy says it solved. worse: largest excess of SciPy's loss over ours,
    and of ours over SciPy's, relative.
    """

    problems: int
    status: str
    succeeded: float
    largest_kkt: float
    cold_seconds: float
    warm_seconds: float
    rate: float
    scipy_rate: float
    ratio: float
    cpu_ratio: float
    scipy_succeeded: float
    median_difference: float
    largest_difference: float
    scipy_worse: float
    ours_worse: float


def run(config: Config) -> Result:
    random = np.random.default_rng(config.seed)
    laws = random_laws(config.laws, random)
    train, inference = np.geomspace(1e18, 1e25, config.train), np.geomspace(1e9, 1e13, config.inference)
    budget = t2.Budget(train=train[:, None], inference=inference)

    values = laws.values()

    def one_by_one(problems: np.ndarray) -> list[Any]:
        laws = [{name: leaf[i] for name, leaf in values.items()} for i in problems[:, 0]]
        budgets = zip(train[problems[:, 1]].tolist(), inference[problems[:, 2]].tolist(), strict=True)
        return [slsqp(law, *budget) for law, budget in zip(laws, budgets, strict=True)]

    with stage("the first call"):
        (cold, _), plan = timed(lambda: t2.frontier(laws, budget))
    ours, theirs, chosen, found = [], [], [], []
    with stage(f"{config.repeats} calls, and {config.scipy} problems by SciPy after each"):
        for _ in range(config.repeats):
            ours.append(timed(lambda: t2.frontier(laws, budget))[0])
            problems = random.integers(0, plan.params.shape, (config.scipy, 3))
            seconds, solved = timed(lambda problems=problems: one_by_one(problems))
            theirs.append(seconds)
            chosen.extend(problems)
            found.extend(solved)
    warm, cpu = np.median(ours, axis=0)
    scipy_rate, scipy_cpu_rate = config.scipy / np.median(theirs, axis=0)
    where = tuple(np.array(chosen).T)
    good = np.array([one.success for one in found])
    both = good & plan.ok[where]
    difference = np.abs(np.array([one.x[0] for one in found]) - np.log(plan.params[where]))[both]
    excess = (np.array([one.fun for one in found]) / plan.value[where] - 1)[both]
    return Result(
        problems=plan.params.size,
        status=plan.status,
        succeeded=float(np.mean(plan.ok)),
        largest_kkt=float(np.max(plan.kkt)),
        cold_seconds=cold,
        warm_seconds=float(warm),
        rate=float(plan.params.size / warm),
        scipy_rate=float(scipy_rate),
        ratio=float(plan.params.size / warm / scipy_rate),
        cpu_ratio=float(plan.params.size / cpu / scipy_cpu_rate),
        scipy_succeeded=float(good.mean()),
        median_difference=float(np.median(difference)),
        largest_difference=float(np.max(difference)),
        scipy_worse=float(np.max(excess)),
        ours_worse=float(np.max(-excess)),
    )


def random_laws(count: int, random: np.random.Generator) -> t2.laws.T2Loss:
    """Laws spread about published ones: Chinchilla's exponents and coefficients, G and γ as for tasks."""

    def spread(low: float, high: float) -> np.ndarray:
        return np.exp(random.uniform(np.log(low), np.log(high), count))

    return t2.laws.T2Loss(
        E=spread(0.5, 2.0),
        A=spread(100.0, 2000.0),
        B=spread(100.0, 5000.0),
        alpha=spread(0.25, 0.5),
        beta=spread(0.25, 0.5),
        G=spread(0.2, 5.0),
        gamma=spread(0.05, 0.8),
    )


def slsqp(law: dict[str, float], train: float, inference: float) -> Any:
    """One problem in (log N, log D, log k), from the middle of what the budgets allow."""
    coefficients = np.log([law["A"], law["B"], law["G"]])
    exponents = np.array([law["alpha"], law["beta"], law["gamma"]])
    pairs, served = np.log(train / 6), np.log(inference / 2)

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        terms = np.exp(coefficients - exponents * x)
        return law["E"] + terms.sum(), -exponents * terms

    rows = np.array([[-1.0, -1.0, 0.0], [-1.0, 0.0, -1.0]])
    limits = np.array([pairs, served])
    kept = {"type": "ineq", "fun": lambda x: limits + rows @ x, "jac": lambda x: rows}
    size = 0.5 * min(pairs, served)
    start = np.array([size, 0.9 * (pairs - size), 0.9 * (served - size)])
    options = {"ftol": 1e-14, "maxiter": 200}
    return minimize(loss, start, jac=True, method="SLSQP", bounds=[(0, None)] * 3, constraints=[kept], options=options)


def words(result: Result) -> list[str]:
    return [
        f"{result.problems} allocations in one call: {result.status}; largest KKT residual {result.largest_kkt:.1e}.",
        f"Cold {result.cold_seconds:.2f} s, warm {result.warm_seconds:.2f} s: {result.rate:.0f} allocations a second.",
        f"SciPy's SLSQP loop: {result.scipy_rate:.0f} a second ({result.scipy_succeeded:.0%} succeeded). "
        f"Ours is {result.ratio:.0f} times as fast; {result.cpu_ratio:.0f} times by CPU seconds.",
        f"log N differs by {result.median_difference:.1e} in the median, {result.largest_difference:.1e} at most; "
        f"SciPy's loss is at most {result.scipy_worse:.1e} above ours, and ours {result.ours_worse:.1e} above SciPy's.",
    ]


def main() -> None:
    command(Config, run, words)


if __name__ == "__main__":
    main()
