"""How fast are fits and bootstraps beside SciPy's? Chinchilla's law on its 240 runs, one process, one objective.

Ours is the whole global fit: 128 random draws, 8 starts, curvature, and what the rows determine. SciPy's is one solve
by `least_squares(loss="huber")`, from one of two good starts: Hoffmann et al.'s published coefficients, and those of
the published refit, which are the answer but for half a per cent of the objective. It runs with its default tolerances
and with tight ones, at which it reaches the optimum to rounding, with its own finite differences and with the exact
Jacobian. Calls alternate, so that noise of the machine meets all alike; times are medians, of the wall
clock and of the CPU over all threads, which others' work on the machine disturbs less.

    python -m experiments.benchmarks.bench_fit [tiny] [-o FOLDER]
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import jax
import numpy as np
from scipy.optimize import least_squares

import t2jax as t2
from experiments.shared.record import command, stage, timed

STARTS = {
    "Hoffmann et al.": np.array([np.log(1.69), np.log(406.4), np.log(410.7), 0.34, 0.28]),
    "the published refit": np.array([np.log(1.8172), np.log(482.01), np.log(2085.43), 0.3478, 0.3658]),
}
"""log E, log A, log B, α and β of Hoffmann et al. 2022 (2203.15556) and Besiroglu et al. 2024 (2404.10102)."""
DELTA = 1e-3
TIGHT = {"ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15}


@dataclass(frozen=True)
class Config:
    """How often everything is timed."""

    repeats: int = 21
    """Fits of each kind."""
    draws: int = 4000
    """Resamples of our bootstrap."""
    bootstraps: int = 5
    """Times that our bootstrap is run, after one that compiles."""
    scipy_draws: int = 200
    """Resamples that SciPy fits; its time is scaled to `draws`."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(repeats=3, draws=100, bootstraps=1, scipy_draws=5)


@dataclass(frozen=True)
class Timing:
    """seconds: of one call, by the wall clock and of CPU. ratio: over ours. excess: of the objective, relative."""

    name: str
    seconds: float
    cpu_seconds: float
    ratio: float
    cpu_ratio: float
    excess: float


@dataclass(frozen=True)
class Result:
    """fits and bootstraps: ours first. Seconds of a bootstrap are for all `draws`, SciPy's scaled; it has no excess."""

    cold_fit: float
    cold_bootstrap: float
    draws: int
    scipy_draws: int
    fits: tuple[Timing, ...]
    bootstraps: tuple[Timing, ...]


def run(config: Config) -> Result:
    runs = t2.datasets.load("chinchilla-epoch")
    key = jax.random.key(config.seed)
    ours = partial(t2.fit, t2.laws.Chinchilla, runs, noise=t2.noise.Huber(DELTA), key=key)
    (cold_fit, _), fit = timed(ours)
    logs = np.log(np.stack([runs["params"], runs["tokens"], runs["loss"]]))
    everything: dict[str, Callable[[], Any]] = {"t2jax, whole global fit": ours}
    for start, x in STARTS.items():
        for slopes, exact in SLOPES:
            for tolerance, options in TOLERANCES:
                name = f"SciPy from {start}, {slopes}, {tolerance} tolerances"
                everything[name] = partial(solve, logs, x, **exact, **options)
    with stage(f"{config.repeats} fits of each kind"):
        rounds = [[timed(call) for call in everything.values()] for _ in range(config.repeats)]
    seconds = np.median([[one[0] for one in each] for each in rounds], axis=0)
    objectives = [fit.objective, *(found.cost for _, found in rounds[0][1:])]
    fits = timings(everything, seconds, np.array(objectives) / min(objectives) - 1)

    bootstrap = partial(t2.bootstrap, fit, runs, draws=config.draws, key=key)
    (cold_bootstrap, _), _ = timed(bootstrap)
    with stage("bootstraps"):
        warm = np.median([timed(bootstrap)[0] for _ in range(config.bootstraps)], axis=0)
        loops = {
            f"SciPy loop, {slopes}, {tolerance} tolerances": scipy_bootstrap(logs, config, fit.law, **exact, **options)
            for slopes, exact in SLOPES
            for tolerance, options in TOLERANCES
        }
    unknown = np.full(1 + len(loops), np.nan)
    bootstraps = timings(("t2jax", *loops), np.array([warm, *loops.values()]), unknown)
    return Result(cold_fit, cold_bootstrap, config.draws, config.scipy_draws, fits, bootstraps)


def timings(names: Any, seconds: np.ndarray, excess: np.ndarray) -> tuple[Timing, ...]:
    """seconds: (names, 2), of the wall clock and of CPU; the first name is ours."""
    return tuple(
        Timing(name, *map(float, (*one, *(one / seconds[0]), more)))
        for name, one, more in zip(names, seconds, excess, strict=True)
    )


def terms(x: np.ndarray, logs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """E, A/N^α and B/D^β at the rows of `logs`: log N, log D and log loss."""
    return np.exp(x[0]), np.exp(x[1] - x[3] * logs[0]), np.exp(x[2] - x[4] * logs[1])


def residuals(x: np.ndarray, logs: np.ndarray) -> np.ndarray:
    irreducible, size, data = terms(x, logs)
    return np.log(irreducible + size + data) - logs[2]


def jacobian(x: np.ndarray, logs: np.ndarray) -> np.ndarray:
    irreducible, size, data = terms(x, logs)
    columns = (np.full_like(size, irreducible), size, data, -logs[0] * size, -logs[1] * data)
    return np.stack(columns, axis=1) / (irreducible + size + data)[:, None]


SLOPES: tuple[tuple[str, dict[str, Any]], ...] = (("finite differences", {}), ("exact Jacobian", {"jac": jacobian}))
TOLERANCES: tuple[tuple[str, dict[str, Any]], ...] = (("default", {}), ("tight", TIGHT))


def solve(logs: np.ndarray, start: np.ndarray, **options: Any) -> Any:
    """One robust solve. Its `cost` is the sum of our Huber penalty."""
    return least_squares(residuals, start, args=(logs,), loss="huber", f_scale=DELTA, x_scale="jac", **options)


def scipy_bootstrap(logs: np.ndarray, config: Config, law: t2.Law, **options: Any) -> np.ndarray:
    """Seconds, of wall clock and CPU, that SciPy would take for all draws, each started at the optimum of all rows."""
    random = np.random.default_rng(config.seed)
    optimum = np.array([np.log(law.E), np.log(law.A), np.log(law.B), law.alpha, law.beta])
    rows = logs.shape[1]
    chosen = random.integers(0, rows, (config.scipy_draws, rows))
    seconds, _ = timed(lambda: [solve(logs[:, one], optimum, **options) for one in chosen])
    return np.array(seconds) * config.draws / config.scipy_draws


def words(result: Result) -> list[str]:
    lines = [f"Cold, with compilation: one fit {result.cold_fit:.2f} s, one bootstrap {result.cold_bootstrap:.2f} s."]
    lines.append("One fit, warm:")
    for one in result.fits:
        lines.append(
            f"  {one.name:69s} {1000 * one.seconds:6.1f} ms, {one.ratio:5.2f} times ours "
            f"(CPU {1000 * one.cpu_seconds:.1f} ms, {one.cpu_ratio:.2f}); objective {one.excess:.1e} above the least"
        )
    lines.append(
        f"{result.draws} resamples of the rows, warm; SciPy from the optimum of all rows, {result.scipy_draws} of them "
        "timed and scaled:"
    )
    for one in result.bootstraps:
        lines.append(
            f"  {one.name:52s} {one.seconds:6.2f} s, {one.ratio:4.1f} times ours "
            f"(CPU {one.cpu_seconds:.2f} s, {one.cpu_ratio:.1f})"
        )
    return lines


def main() -> None:
    command(Config, run, words)


if __name__ == "__main__":
    main()
