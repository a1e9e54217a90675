"""How fast are fits and bootstraps beside SciPy's and others'? Chinchilla's law on its 240 runs.

Ours is the whole global fit: 128 random draws, 8 starts, curvature, and what the rows determine. SciPy's is one solve
of the same robust objective by `least_squares(loss="huber")`, with its default tolerances, from one good start: the
coefficients of the published refit, which are the answer but for half a per cent of the objective. lmfit's is the same
solve through its parameters. simple-scaling-laws minimises squares, from starts of its own, and gives intervals.
Each side has processes of its own, which take turns on the same cores. Times are CPU seconds over all threads.

    python -m experiments.benchmarks.bench_fit [tiny] [-o FOLDER]
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import jax
import numpy as np
from scipy.optimize import least_squares

import t2jax as t2
from experiments.shared.processes import Comparison, Side, Timing, Work, alternate, over_ours
from experiments.shared.record import command

REFIT = np.array([np.log(1.8172), np.log(482.01), np.log(2085.43), 0.3478, 0.3658])
"""log E, log A, log B, α and β of Besiroglu et al. 2024 (2404.10102)."""
OPTIMUM = np.array([np.log(1.81722), np.log(477.826), np.log(2143.42), 0.34731, 0.367172])
"""The same at the optimum, from which SciPy fits resamples, as ours does."""
DELTA = 1e-3
HERE = "experiments.benchmarks.bench_fit"


@dataclass(frozen=True)
class Config:
    """How often everything is timed."""

    rounds: int = 5
    """Processes of each side."""
    fits: int = 15
    """Fits of a process after the first."""
    draws: int = 4000
    """Resamples of our bootstrap; times of other sides are scaled to this number."""
    scipy_draws: int = 100
    """Resamples that a loop over SciPy fits."""
    peers: bool = True
    """Whether finite differences, and other packages where they are installed, are timed too."""
    cores: int = 1
    """Cores, and threads of each library, of every process."""
    fresh: bool = True
    """Whether every process compiles, and leaves JAX's cache of compiled programs alone."""
    seed: int = 0
    """Unused: every round has its own seed."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(rounds=1, fits=1, draws=100, scipy_draws=5, peers=False, fresh=False)


@dataclass(frozen=True)
class Task(Comparison):
    """One task by all sides, and whether their answers agree.

    Attributes:
        excess: Relative height of the objective above the least, by side, None where the side has another objective.
    """

    excess: dict[str, float | None]


@dataclass(frozen=True)
class Result:
    """Tasks: the global fit, and the bootstrap."""

    tasks: list[Task]


def run(config: Config) -> Result:
    fits = [
        Side("t2jax, whole global fit", f"{HERE}:our_fit", {}, config.fits),
        Side("SciPy, one start, exact Jacobian", f"{HERE}:scipy_fit", {"exact": True}, config.fits),
    ]
    loop = {"draws": config.scipy_draws}
    bootstraps = [
        Side("t2jax", f"{HERE}:our_bootstrap", {"draws": config.draws}, 2),
        Side("SciPy loop, exact Jacobian", f"{HERE}:scipy_bootstrap", {"exact": True, **loop}, 1),
    ]
    if config.peers:
        squares, rough = f"{HERE}:squares_fit", {"exact": False}
        fits.append(Side("SciPy, one start, finite differences", f"{HERE}:scipy_fit", rough, config.fits))
        bootstraps.append(Side("SciPy loop, finite differences", f"{HERE}:scipy_bootstrap", {**rough, **loop}, 1))
        fits.append(Side("lmfit, one start", f"{HERE}:lmfit_fit", {}, config.fits, ("lmfit",)))
        for sides, work in ((fits, {"draws": 1}), (bootstraps, {"draws": max(1, config.draws // 4)})):
            sides.append(Side("simple-scaling-laws, squares", squares, work, 1, ("simple_scaling_laws",)))
    scales = {side.name: config.draws / side.arguments["draws"] for side in bootstraps}
    turns = config.rounds, config.cores, config.fresh
    return Result(
        [
            task("global fit", alternate(fits, *turns), {side.name: 1.0 for side in fits}),
            task(f"{config.draws:,} resamples", alternate(bootstraps, *turns), scales),
        ]
    )


def task(name: str, sides: list[Timing], scales: dict[str, float]) -> Task:
    """Compares sides with the first. `scales` has the whole work over that of a side."""
    whole = [scale_times(side, scales[side.name]) for side in sides]
    objectives = {side.name: side.answers[0] for side in sides}
    least = min((value for value in objectives.values() if value is not None), default=1.0)
    return Task(
        name,
        whole,
        *over_ours(whole),
        {name: None if value is None else value / least - 1 for name, value in objectives.items()},
    )


def scale_times(side: Timing, scale: float) -> Timing:
    """Returns the times of more work."""
    first, later, wall = ([scale * seconds for seconds in times] for times in (side.first, side.later, side.wall))
    return Timing(side.name, first, later, wall, side.answers)


def our_fit(seed: int) -> Work:
    runs = t2.datasets.load("chinchilla-epoch")
    fit = partial(t2.fit, t2.laws.Chinchilla, runs, noise=t2.noise.Huber(DELTA))
    return Work(lambda i: fit(key=jax.random.key(1000 * seed + i)), lambda fit: fit.objective)


def our_bootstrap(draws: int, seed: int) -> Work:
    runs, key = t2.datasets.load("chinchilla-epoch"), jax.random.key(seed)
    fit = t2.fit(t2.laws.Chinchilla, runs, noise=t2.noise.Huber(DELTA), key=key)
    return Work(lambda i: t2.bootstrap(fit, runs, draws=draws, key=jax.random.fold_in(key, i)), lambda _: None)


def logs_of_runs() -> np.ndarray:
    """Returns log N, log D and log loss, shape (3, rows)."""
    runs = t2.datasets.load("chinchilla-epoch")
    return np.log(np.stack([runs["params"], runs["tokens"], runs["loss"]]))


def scipy_fit(exact: bool, seed: int) -> Work:
    del seed
    logs = logs_of_runs()
    return Work(lambda _: solve(logs, REFIT, exact), lambda solution: solution.cost)


def scipy_bootstrap(exact: bool, draws: int, seed: int) -> Work:
    logs, random = logs_of_runs(), np.random.default_rng(seed)

    def loop(_: int) -> list[Any]:
        chosen = random.integers(0, logs.shape[1], (draws, logs.shape[1]))
        return [solve(logs[:, rows], OPTIMUM, exact) for rows in chosen]

    return Work(loop, lambda _: None)


def lmfit_fit(seed: int) -> Work:
    import lmfit  # pyright: ignore[reportMissingImports]

    del seed
    logs = logs_of_runs()
    start = lmfit.create_params(**dict(zip("EABab", REFIT, strict=True)))

    def differences(params: Any) -> np.ndarray:
        return residuals(np.array([params[name].value for name in "EABab"]), logs)

    options: dict[str, Any] = {"loss": "huber", "f_scale": DELTA, "x_scale": "jac"}

    def objective(answer: Any) -> float:
        size = np.abs(differences(answer.params))
        inside = np.minimum(size, DELTA)
        return float(np.sum(inside * (size - 0.5 * inside)))

    return Work(lambda _: lmfit.minimize(differences, start, method="least_squares", **options), objective)


def squares_fit(draws: int, seed: int) -> Work:
    import simple_scaling_laws as peer  # pyright: ignore[reportMissingImports]
    from polars import DataFrame  # pyright: ignore[reportMissingImports]

    logs = logs_of_runs()
    columns = {"model_size__n": np.exp(logs[0]), "dataset_size__d": np.exp(logs[1]), "test_loss__nats": np.exp(logs[2])}
    table = DataFrame({**columns, "training_run_id": [f"run{i}" for i in range(logs.shape[1])]})
    return Work(lambda i: peer.fit(table, n_draws=draws, seed=1000 * seed + i), lambda _: None)


def terms(x: np.ndarray, logs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns E, A/N^α and B/D^β at rows with log N, log D and log loss."""
    return np.exp(x[0]), np.exp(x[1] - x[3] * logs[0]), np.exp(x[2] - x[4] * logs[1])


def residuals(x: np.ndarray, logs: np.ndarray) -> np.ndarray:
    irreducible, size, data = terms(x, logs)
    return np.log(irreducible + size + data) - logs[2]


def jacobian(x: np.ndarray, logs: np.ndarray) -> np.ndarray:
    irreducible, size, data = terms(x, logs)
    columns = (np.full_like(size, irreducible), size, data, -logs[0] * size, -logs[1] * data)
    return np.stack(columns, axis=1) / (irreducible + size + data)[:, None]


def solve(logs: np.ndarray, start: np.ndarray, exact: bool) -> Any:
    """Solves from one start. Its `cost` is the sum of our Huber penalty."""
    slopes: Any = {"jac": jacobian} if exact else {}
    return least_squares(residuals, start, args=(logs,), loss="huber", f_scale=DELTA, x_scale="jac", **slopes)


def words(result: Result) -> list[str]:
    lines = []
    for task in result.tasks:
        lines.append(task.headline)
        for name, warm in task.warm.items():
            cold, excess = task.cold[name], task.excess[name]
            height = "" if excess is None else f"; objective {excess:.1e} above the least"
            lines.append(
                f"  {name}: {warm.mid:.2f} ({warm.low:.2f} to {warm.high:.2f}), {cold.mid:.2g} the first time{height}."
            )
    return lines


def main() -> None:
    command(Config, run, words)


if __name__ == "__main__":
    main()
