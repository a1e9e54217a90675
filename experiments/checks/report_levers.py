"""Do the levers of a report agree with the planner? Four laws in Chromium against `t2.frontier`, position by position.

Each law is fitted to rows that it made itself, with errors of half a per cent. `t2jax report` turns the folder into a
page, as a command of its own. Chromium opens the page without a window, and numbers are typed into its boxes: budgets,
price, tokens a query, k and the limit on tokens, at random.

    python -m experiments.checks.report_levers [tiny] [-o FOLDER]
"""

import inspect
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import jax
import numpy as np

import t2jax as t2
from experiments.shared.law_of_a_user import Joint
from experiments.shared.page_levers import complaints, move, opened, problem
from experiments.shared.pictures import COLUMN
from experiments.shared.record import command, stage
from t2jax.planning.levers.charges import scale_tokens

if TYPE_CHECKING:
    from matplotlib.figure import Figure

QUANTITIES = {"Parameters N": "params", "Training tokens D": "tokens", "Samples k": "samples"}
ENDLESS = 1e39
CHIP = t2.accelerator("H100", price=2.5)
DOLLARS = ("--accelerator", "H100", "--price", "2.5", "--prompt", "600", "--generated", "200", "--batch", "64")


@dataclass(frozen=True)
class Case:
    """A law with the budget of its report, and the options that give the command the same budget."""

    law: t2.Law
    budget: t2.Budget
    options: tuple[str, ...]
    planned: bool = False


@dataclass(frozen=True)
class Config:
    """How many positions of the levers, and which laws."""

    positions: int = 200
    """Random positions of the levers of each law."""
    laws: tuple[str, ...] = ("Chinchilla", "Kaplan", "T2PassK", "a user's own")
    """Laws."""
    calls: int = 2
    """Calls of the command. The first compiles, and the last is timed."""
    draws: int = 100
    """Bootstrap draws, which give the page its bands."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(positions=12, laws=("Kaplan",), draws=25, calls=1)


@dataclass(frozen=True)
class Row:
    """One law. Differences are relative. Seconds are those of the last call of the whole command, by the wall clock of
    a machine with other work and by the CPU.

    largest: by quantity. beyond: positions at which the page reports that the best plan lies outside what it computed.
    infeasible: at which neither page nor planner has a plan. contradicted: at which only one of them has.
    milliseconds: of a move with its bands, at the median and at 95 %. complaints: words of the console, and requests.
    """

    law: str
    levers: tuple[str, ...]
    compared: int
    beyond: int
    infeasible: int
    contradicted: int
    largest: dict[str, float]
    differences: list[float]
    milliseconds: tuple[float, float]
    megabytes: float
    seconds: float
    cpu_seconds: float
    complaints: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """One row for each law."""

    rows: tuple[Row, ...]


def run(config: Config) -> Result:
    rows = []
    for name in config.laws:
        with stage(name), tempfile.TemporaryDirectory() as folder:
            rows.append(_row(name, case_of(name), Path(folder), config))
    return Result(tuple(rows))


def case_of(name: str) -> Case:
    """Returns a law near published fits, with a budget that each kind of lever is in."""
    if name == "Chinchilla":
        law = t2.laws.Chinchilla(E=1.82, A=478.0, B=2143.0, alpha=0.347, beta=0.367)
        serving = t2.Serving(prompt=600.0, generated=200.0, batch=64.0, on=CHIP)
        budget = t2.Budget(total=2e6, queries=1e9, training=t2.Training(on=CHIP), serving=serving)
        return Case(law, budget, ("--total", "2e6", "--queries", "1e9", *DOLLARS), planned=True)
    plain = t2.Budget(train=1e21, inference=1e11)
    options = ("--train", "1e21", "--inference", "1e11")
    if name == "Kaplan":
        law = t2.laws.Kaplan(E=1.8, A=480.0, B=2100.0, alpha=0.45, beta=0.5, kappa=0.7)
        return Case(law, replace(plain, inference=3e9), ("--train", "1e21", "--inference", "3e9"))
    if name == "T2PassK":
        loss = {"E": 0.0, "A": 300.0, "B": 800.0, "alpha": 0.3, "beta": 0.3}
        thetas = {f"theta{i}": value for i, value in enumerate((1.0, 1.0, 0.8, 0.0, 0.0))}
        return Case(t2.laws.T2PassK(**loss, **thetas), plain, options)
    law = Joint(E=0.2, A=300.0, B=900.0, alpha=0.32, beta=0.34, gamma=0.2)
    of_class = ("--law-class", f"{inspect.getfile(Joint)}:Joint")
    return Case(law, plain, (*options, *of_class))


def _row(name: str, case: Case, folder: Path, config: Config) -> Row:
    law = _fit(case, folder / "out", config)
    page, seconds = folder / "out" / "report.html", (0.0, 0.0)
    if case.planned:
        _command("plan", "--law-file", str(folder / "out" / "law.json"), *case.options, "-o", str(folder / "plan"))
        page = folder / "plan" / "report.html"
    for _ in range(config.calls):
        started, before = time.perf_counter(), _cpu()
        _command("report", str(page.parent), *(() if case.planned else case.options))
        seconds = (time.perf_counter() - started, _cpu() - before)
    rng = np.random.default_rng(config.seed)
    with opened(page) as driver:
        positions = _positions(problem(driver), config.positions, rng)
        plans = _plans(law, case.budget, positions)
        moves = [move(driver, position) for position in positions]
        of_browser = tuple(complaints(driver))
    return _compare(name, positions, plans, moves, seconds, page.stat().st_size, of_browser)


def _fit(case: Case, folder: Path, config: Config) -> t2.Law:
    """Fits the law to rows that it made, and writes the folder as `t2jax fit` does."""
    rng = np.random.default_rng(config.seed)
    samples = (1.0, 16.0, 256.0) if "k" in type(case.law).inputs() else (1.0,)
    grid = np.meshgrid(np.geomspace(3e7, 3e9, 5), np.geomspace(1e9, 1e11, 5), samples)
    params, tokens, k = (column.ravel() for column in grid)
    exact = t2.evaluate(case.law, params=params, tokens=tokens, samples=k)
    error = np.exp(0.005 * rng.standard_normal(len(exact)))
    response = type(case.law).response[0]
    measured = exact**error if response == "pass_at_k" else exact * error
    table = t2.Table.from_columns(params=params, tokens=tokens, samples=k, **{response: measured})  # pyright: ignore[reportArgumentType]
    key, draw_key = jax.random.split(jax.random.key(config.seed))
    fit = t2.fit(type(case.law), table, key=key)
    folder.mkdir()
    table.to_csv(folder / "rows.csv")
    t2.save_law(folder / "law.json", fit, table, folder / "rows.csv")
    boot = t2.bootstrap(fit, table, draws=config.draws, key=draw_key)
    kind = f"bootstrap: {boot.status}"
    t2.save_draws(folder / "draws.nc", boot.laws, fit.law, kind, asked=config.draws, tried=config.draws)
    return t2.load_law(folder / "law.json", type(case.law))


def _cpu() -> float:
    """Returns the CPU seconds of all commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _command(*args: str) -> None:
    done = subprocess.run([sys.executable, "-m", "t2jax", *args], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"t2jax {' '.join(args)}: {done.stderr}")


def _positions(problem: dict[str, Any], count: int, rng: np.random.Generator) -> list[dict[str, float]]:
    """Draws values of every lever, evenly in logs over the middle 80 % of its range. Half of them have a limit on
    the tokens, and a third a fixed k where there is that lever."""
    positions = []
    for _ in range(count):
        position = {}
        for name, ends in problem["ranges"].items():
            low, high = np.log(ends)
            share = 0.1 + 0.8 * rng.uniform()
            value = float(np.exp(low + share * (high - low)))
            if name == "samples":
                value = float(np.exp(rng.uniform(np.log(2), np.log(500))))
            if name not in ("cap", "samples") or rng.uniform() < {"cap": 0.5, "samples": 1 / 3}[name]:
                position[name] = value
        positions.append(position)
    return positions


def _plans(law: t2.Law, budget: t2.Budget, positions: list[dict[str, float]]) -> list[dict[str, float] | None]:
    """Solves every position by `t2.frontier`, apart for a free and for a fixed k."""
    results: list[dict[str, float] | None] = [None] * len(positions)
    for fixed in (False, True):
        at = [i for i, position in enumerate(positions) if ("samples" in position) == fixed]
        if not at:
            continue
        plan = t2.frontier(law, _moved(budget, [positions[i] for i in at]))
        for j, i in enumerate(at):
            if np.asarray(plan.ok)[j]:
                names = (*QUANTITIES.values(), "value")
                results[i] = {name: float(np.asarray(getattr(plan, name))[j]) for name in names}
    return results


def _moved(budget: t2.Budget, positions: list[dict[str, float]]) -> t2.Budget:
    """Returns a budget with all positions side by side."""

    def column(name: str, otherwise: float) -> np.ndarray:
        return np.array([position.get(name, otherwise) for position in positions])

    limits = {name: column(name, np.nan) for name in ("train", "inference", "total", "queries") if name in positions[0]}
    limits["tokens_max"] = column("cap", ENDLESS)
    if "samples" in positions[0]:
        limits |= {"samples_min": column("samples", np.nan), "samples_max": column("samples", np.nan)}
    serving = budget.serving or t2.Serving()
    factor = column("tokens", 1.0) / (1.0 if serving.prompt is None else 800.0)
    prices = {"training": budget.training, "serving": scale_tokens(serving, factor)}
    if "price" in positions[0]:
        chip = t2.accelerator("H100", price=column("price", np.nan))
        prices = {"training": t2.Training(on=chip), "serving": replace(prices["serving"], on=chip)}
    return replace(budget, **limits, **prices)


def _compare(
    name: str,
    positions: Any,
    plans: Any,
    moves: Any,
    seconds: tuple[float, float],
    size: int,
    messages: tuple[str, ...],
) -> Row:
    largest: dict[str, float] = {}
    differences, beyond, infeasible, contradicted = [], 0, 0, 0
    for plan, (_, answers) in zip(plans, moves, strict=True):
        if plan is None or not answers:
            infeasible += plan is None and not answers
            beyond += plan is not None and not answers
            contradicted += plan is None and bool(answers)
            continue
        values = {QUANTITIES[text]: value for text, value in answers.items() if text in QUANTITIES}
        values["value"] = list(answers.values())[4 if "Samples k" in answers else 3]
        relative = {quantity: abs(value / plan[quantity] - 1) for quantity, value in values.items()}
        largest = {quantity: max(largest.get(quantity, 0.0), difference) for quantity, difference in relative.items()}
        differences.append(max(relative.values()))
    times = np.array([moved for moved, _ in moves])
    return Row(
        law=name,
        levers=tuple(dict.fromkeys(lever for position in positions for lever in position)),
        compared=len(differences),
        beyond=int(beyond),
        infeasible=int(infeasible),
        contradicted=int(contradicted),
        largest=largest,
        differences=sorted(differences),
        milliseconds=(float(np.median(times)), float(np.quantile(times, 0.95))),
        megabytes=size / 1e6,
        seconds=seconds[0],
        cpu_seconds=seconds[1],
        complaints=messages,
    )


def words(result: Result) -> list[str]:
    lines = ["law             compared  beyond  infeasible  largest difference  ms a move  MB        s    CPU s"]
    for row in result.rows:
        lines.append(
            f"{row.law:15} {row.compared:8} {row.beyond:7} {row.infeasible:11} {100 * max(row.largest.values()):17.4f}%"
            f" {row.milliseconds[0]:10.1f} {row.megabytes:4.1f} {row.seconds:7.1f} {row.cpu_seconds:7.1f}"
        )
    return lines


def figures(result: Result) -> dict[str, "Figure"]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(COLUMN, 2.4), layout="constrained")
    ax = figure.subplots()
    for row in result.rows:
        ranks = (np.arange(len(row.differences)) + 1) / max(len(row.differences), 1)
        ax.step(np.maximum(row.differences, 1e-10), 100 * ranks, where="post", label=row.law)
    ax.axvline(5e-3, color="0.5", lw=0.8)
    ax.annotate("0.5 %", (5e-3, 3), xytext=(-3, 0), textcoords="offset points", ha="right", color="0.4")
    ax.set(xscale="log", xlabel="largest relative difference to t2.frontier", ylabel="positions, %", ylim=(0, 103))
    ax.legend(frameon=False, loc="lower right", bbox_to_anchor=(0.94, 0.1))
    return {"report_levers": figure}


if __name__ == "__main__":
    command(Config, run, words, figures)
