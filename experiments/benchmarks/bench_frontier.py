"""How fast, and how exact, are 100,000 allocations beside a loop over SciPy's SLSQP?

Random T²-loss laws by budgets, all in one call of `t2.frontier`: the paper's two budgets, one end to end in FLOPs, and
one in dollars with a roofline serving cost. SciPy solves some of the same problems one by one: the same three logs,
with exact gradients in plain NumPy. Both are timed in turn, so that noise of the machine meets them alike, by the wall
clock and by the CPU over all threads.

    python -m experiments.benchmarks.bench_frontier [tiny] [-o FOLDER]
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize

import t2jax as t2
from experiments.shared.record import command, stage, timed
from t2jax.planning.problem import pose

KINDS = ("separate", "total", "roofline")


@dataclass(frozen=True)
class Config:
    """How many problems, and how many of them SciPy gets."""

    laws: int = 1000
    """Random laws."""
    train: int = 10
    """Training budgets, from 1e18 to 1e25 FLOPs; or totals, from 1e19 to 1e25 FLOPs or 1e4 to 1e9 dollars."""
    inference: int = 10
    """Inference budgets, from 1e9 to 1e13 FLOPs per token served; or queries, 1e8 to 1e13 tokens or 1e5 to 1e10
    queries of 1000 tokens that are answered by 500."""
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
class Row:
    """One kind of budget. Seconds are for all problems of ours; rates are allocations per second. `succeeded`: share of
    ours with status optimal. difference: of log N, ours and SciPy's, where both succeeded.

    scipy_succeeded: share of its problems that SciPy reports solved. worse: largest excess of SciPy's loss over ours,
    and of ours over SciPy's, relative.
    """

    kind: str
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


@dataclass(frozen=True)
class Result:
    """One row for each kind of budget."""

    rows: list[Row]


def run(config: Config) -> Result:
    return Result([bench(kind, config) for kind in KINDS])


def budgets(kind: str, config: Config) -> t2.Budget:
    """Limits of one kind, one axis for each."""
    if kind == "separate":
        train, inference = np.geomspace(1e18, 1e25, config.train), np.geomspace(1e9, 1e13, config.inference)
        return t2.Budget(train=train[:, None], inference=inference)
    if kind == "total":
        total, queries = np.geomspace(1e19, 1e25, config.train), np.geomspace(1e8, 1e13, config.inference)
        return t2.Budget(total=total[:, None], queries=queries)
    total, queries = np.geomspace(1e4, 1e9, config.train), np.geomspace(1e5, 1e10, config.inference)
    h100, shape = t2.accelerator("H100", price=2.5), t2.Shape(kv_share=1 / 8)
    serving = t2.Serving(prompt=1000.0, generated=500.0, shape=shape, batch=32.0, on=h100)
    return t2.Budget(total=total[:, None], queries=queries, training=t2.Training(shape, 4096.0, h100), serving=serving)


def bench(kind: str, config: Config) -> Row:
    """Time one kind of budget, ours and SciPy in turn."""
    random = np.random.default_rng(config.seed)
    laws = random_laws(config.laws, random)
    budget = budgets(kind, config)
    values = laws.values()
    rows = {(i, j): limits_of(budget, i, j) for i in range(config.train) for j in range(config.inference)}

    def one_by_one(problems: np.ndarray) -> list[Any]:
        laws = [{name: leaf[i] for name, leaf in values.items()} for i in problems[:, 0]]
        return [slsqp(law, *rows[i, j]) for law, (i, j) in zip(laws, problems[:, 1:].tolist(), strict=True)]

    with stage(f"{kind}: the first call"):
        (cold, _), plan = timed(lambda: t2.frontier(laws, budget))
    ours, theirs, chosen, solutions = [], [], [], []
    with stage(f"{config.repeats} calls, and {config.scipy} problems by SciPy after each"):
        for _ in range(config.repeats):
            ours.append(timed(lambda: t2.frontier(laws, budget))[0])
            problems = random.integers(0, plan.params.shape, (config.scipy, 3))
            seconds, solved = timed(lambda problems=problems: one_by_one(problems))
            theirs.append(seconds)
            chosen.extend(problems)
            solutions.extend(solved)
    warm, cpu = np.median(ours, axis=0)
    scipy_rate, scipy_cpu_rate = config.scipy / np.median(theirs, axis=0)
    where = tuple(np.array(chosen).T)
    good = np.array([solution.success for solution in solutions])
    both = good & plan.ok[where]
    difference = np.abs(np.array([solution.x[0] for solution in solutions]) - np.log(plan.params[where]))[both]
    excess = (np.array([solution.fun for solution in solutions]) / plan.value[where] - 1)[both]
    return Row(
        kind=kind,
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


Limits = Callable[[np.ndarray], np.ndarray]


def limits_of(budget: t2.Budget, i: int, j: int) -> tuple[Limits, Limits, np.ndarray]:
    """Of budget (i, j): what is left of each limit in logs, its slope, and a place in the middle of what it allows."""
    sized = (i, 0), (j,)
    at: Any = {name: float(limit[place]) for (name, limit), place in zip(budget.given().items(), sized, strict=True)}  # pyright: ignore
    single = t2.Budget(**at, training=budget.training, serving=budget.serving)
    with jax.enable_x64(True):
        problem = pose(random_laws(1, np.random.default_rng(0)), single, (0, 1, 2), jnp.zeros(4))
        powers, offsets = np.asarray(problem.powers)[..., :3], np.asarray(problem.offsets)
    # bounds that nobody set are left to SciPy's own
    finite = [i for i, name in enumerate(problem.names) if name in ("train", "inference", "total", "memory")]
    powers, offsets = powers[finite], offsets[finite]
    start = np.array([min(20.0, 0.5 * np.log(min(at.values()) / 2)) if budget.linear else 12.0, 0.0, 0.0])
    for axis in (1, 2):  # as far as the limits go, then half of it back, in turn of D and k
        reach = np.max([offsets + powers @ (start + step * np.eye(3)[axis]) for step in STEPS], axis=(1, 2))
        start[axis] = 0.9 * STEPS[np.searchsorted(reach, -0.7) - 1]

    def left(x: np.ndarray) -> np.ndarray:
        logs = offsets + powers @ x
        high = logs.max(axis=1)
        return -high - np.log(np.exp(logs - high[:, None]).sum(axis=1))

    def slope(x: np.ndarray) -> np.ndarray:
        parts = np.exp(offsets + powers @ x)
        return -(parts[:, None] @ powers)[:, 0] / parts.sum(axis=1)[:, None]

    if offsets.shape[1] == 1:  # sums of one term are linear in the logs
        return (lambda x: -offsets[:, 0] - powers[:, 0] @ x), (lambda x: -powers[:, 0]), start
    return left, slope, start


STEPS = np.linspace(0.0, 80.0, 321)


def slsqp(law: dict[str, float], left: Limits, slope: Limits, start: np.ndarray) -> Any:
    """One problem in (log N, log D, log k)."""
    coefficients = np.log([law["A"], law["B"], law["G"]])
    exponents = np.array([law["alpha"], law["beta"], law["gamma"]])

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        terms = np.exp(coefficients - exponents * x)
        return law["E"] + terms.sum(), -exponents * terms

    constraint = {"type": "ineq", "fun": left, "jac": slope}
    options = {"ftol": 1e-14, "maxiter": 200}
    return minimize(
        loss, start, jac=True, method="SLSQP", bounds=[(0, None)] * 3, constraints=[constraint], options=options
    )


def words(result: Result) -> list[str]:
    return [sentence for row in result.rows for sentence in _sentences(row)]


def _sentences(result: Row) -> list[str]:
    return [
        f"{result.kind}: {result.problems} allocations in one call: {result.status}; "
        f"largest KKT residual {result.largest_kkt:.1e}.",
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
