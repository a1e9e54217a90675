"""How near is the batch solver to its floor? Resamples of the 240 runs under Chinchilla's law, on one core.

A step of the solver evaluates the objective with its gradient and Hessian once, and its value at four trial points. By
hand a row takes two exponentials and a logarithm for each of these five points, and 15 operations for a value. The
derivatives take 80 more: 5 first ones, 7 second ones of the law, and 15 products of first ones. The floor is the longer
of two times: these operations at the rates of small kernels on the same core, or the reading of four columns. Beside it
stand the operations and bytes that XLA counts in the compiled step. Times are CPU seconds of one thread.

    python -m experiments.benchmarks.bench_solver [tiny] [-o FOLDER]
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

import t2jax as t2
from experiments.shared.processes import Side, Work, alternate
from experiments.shared.record import command, timed
from t2jax.fitting.bootstrap import LANES
from t2jax.fitting.edges import limits_of
from t2jax.numerics.solvers.damped_newton import TRIALS, minimise_each, second_order
from t2jax.working_precision import scope

HERE = "experiments.benchmarks.bench_solver"
POINTS = 1 + len(TRIALS)
VALUE, DERIVATIVES, COLUMNS = 15, 80, 4
"""Operations of a row for its value and for the derivatives, and columns that it reads."""
CHAIN = 64


@dataclass(frozen=True)
class Config:
    """How much is solved."""

    draws: int = 1024
    """Resamples."""
    rounds: int = 5
    """Processes. Each measures the floor and the solver."""
    fresh: bool = True
    """Whether every process compiles, and leaves JAX's cache of compiled programs alone."""
    seed: int = 0
    """Unused: every round has its own seed."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(draws=64, rounds=1, fresh=False)


@dataclass(frozen=True)
class Round:
    """Measurements of one process.

    Attributes:
        rows: Rows of a table, with its padding.
        steps: Mean number of steps of a resample.
        exponential: Nanoseconds of an exponential.
        logarithm: Nanoseconds of a logarithm.
        gigaflops: Billions of additions and multiplications in a second.
        gigabytes: Billions of bytes that are read and written in a second.
        floor: Microseconds of a step at the floor.
        measured: Microseconds of a step of the solver.
        derivatives: Microseconds of the objective with gradient and Hessian, within the solver's batch.
        counted_operations: Operations of a row that XLA counts for these derivatives, without transcendental ones.
        counted_bytes: Bytes of a row that it counts for them.
    """

    rows: int
    steps: float
    exponential: float
    logarithm: float
    gigaflops: float
    gigabytes: float
    floor: float
    measured: float
    derivatives: float
    counted_operations: float
    counted_bytes: float


@dataclass(frozen=True)
class Result:
    """rounds: measurements. times: `measured` over `floor` of each round: smallest, median and largest."""

    rounds: list[Round]
    times: tuple[float, float, float]


def run(config: Config) -> Result:
    side = Side("t2jax", f"{HERE}:measurements", {"draws": config.draws}, 0)
    (timing,) = alternate([side], config.rounds, 1, config.fresh)
    rounds = [Round(**answer) for answer in timing.answers]
    times = np.quantile([step.measured / step.floor for step in rounds], [0.0, 0.5, 1.0])
    return Result(rounds, (float(times[0]), float(times[1]), float(times[2])))


def measurements(draws: int, seed: int) -> Work:
    runs = t2.datasets.load("chinchilla-epoch")
    fit = t2.fit(t2.laws.Chinchilla, runs, noise=t2.noise.Huber(1e-3), key=jax.random.key(seed))

    def call(_: int) -> Round:
        with scope() as dtype:
            return measure(fit, runs, draws, seed, dtype)

    return Work(call, lambda numbers: numbers)


def measure(fit: t2.Fit, runs: t2.Table, draws: int, seed: int, dtype: Any) -> Round:
    """Measures the floor and the solver in this process."""
    problem, data = fit.problem.read(runs)
    rows = data.padded().on_device(dtype).weighted(jnp.ones(len(data.padded().weight), dtype))
    count = len(rows["weight"])
    start = problem.unconstrain(fit.law.values() | fit.noise_values)
    runs_count = len(runs)
    weights = np.random.default_rng(seed).multinomial(runs_count, np.full(runs_count, 1 / runs_count), draws)
    weights = jnp.asarray(np.pad(weights, ((0, 0), (0, count - runs_count))), dtype)

    def objective(u: Any, weight: Any) -> Any:
        return problem.objective(u, {**rows, "weight": weight})

    limits = limits_of(problem)
    solve = jax.jit(lambda weights: minimise_each(objective, start, weights, LANES, limits))
    seconds, ends = best(lambda: solve(weights), 3)
    steps = float(np.mean(ends.steps))
    derive = jax.jit(
        jax.vmap(lambda u, weight: second_order(lambda u: objective(u, weight), u)),
    )
    lanes = jnp.broadcast_to(start, (LANES, len(start))), weights[:LANES]
    counted: Any = derive.lower(*lanes).compile().cost_analysis()
    derivatives, _ = best(lambda: [derive(*lanes) for _ in range(50)], 3)
    exponential, logarithm, flops, traffic = kernels()
    transcendental = POINTS * (2 * exponential + logarithm)
    arithmetic = (POINTS * VALUE + DERIVATIVES) / flops
    memory = POINTS * COLUMNS * 8 / traffic
    return Round(
        rows=count,
        steps=steps,
        exponential=1e9 * exponential,
        logarithm=1e9 * logarithm,
        gigaflops=1e-9 * flops,
        gigabytes=1e-9 * traffic,
        floor=1e6 * len(runs) * max(transcendental + arithmetic, memory),
        measured=1e6 * seconds / draws / steps,
        derivatives=1e6 * derivatives / 50 / LANES,
        counted_operations=counted["flops"] / LANES / count,
        counted_bytes=counted["bytes accessed"] / LANES / count,
    )


def kernels() -> tuple[float, float, float, float]:
    """Measures seconds of an exponential and of a logarithm, operations per second, and bytes per second.

    The numbers fit the first cache, but for the last kernel, whose arrays do not fit the caches.
    """
    small, large, times = jnp.linspace(0.5, 1.5, 2048), jnp.linspace(0.5, 1.5, 2**24), 400

    def repeated(function: Callable[[Any], Any]) -> float:
        program = jax.jit(lambda x: jax.lax.fori_loop(0, times, lambda _, x: function(x), x))
        return best(lambda: program(small), 5)[0] / times / small.size

    def chain(x: Any) -> Any:
        y = x
        for _ in range(CHAIN):
            y = 0.5 * y + x
        return 0.5 * y

    plain = repeated(lambda x: 0.5 * x + 0.25)
    exponential = repeated(lambda x: jnp.exp(0.5 * x - 0.75)) - plain
    logarithm = repeated(lambda x: jnp.log(0.5 * x + 1.25)) - plain
    copy = jax.jit(lambda x: x + 1.0)
    return exponential, logarithm, 2 * CHAIN / repeated(chain), 16 * large.size / best(lambda: copy(large), 5)[0]


def best(call: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Returns the fewest CPU seconds of some calls after one that compiles, and the last value."""
    value = jax.block_until_ready(call())
    seconds = []
    for _ in range(repeats):
        (_, cpu), value = timed(lambda: jax.block_until_ready(call()))
        seconds.append(cpu)
    return min(seconds), value


def words(result: Result) -> list[str]:
    low, mid, high = result.times
    step = result.rounds[-1]
    return [
        f"A step of a resample takes {mid:.1f} times its floor ({low:.1f} to {high:.1f}, {len(result.rounds)} rounds).",
        f"Floor {step.floor:.0f} µs, measured {step.measured:.0f} µs, of which derivatives {step.derivatives:.0f} µs;"
        f" {step.steps:.1f} steps a resample.",
        f"Kernels: {step.exponential:.1f} ns an exponential, {step.logarithm:.1f} ns a logarithm, {step.gigaflops:.1f}"
        f" GFLOP/s, {step.gigabytes:.1f} GB/s.",
        f"XLA counts {step.counted_operations:.0f} operations and {step.counted_bytes:.0f} bytes of a row for the"
        " derivatives.",
    ]


def main() -> None:
    command(Config, run, words)


if __name__ == "__main__":
    main()
