"""Does sampling at test time ask for smaller models, trained longer? T² on our own testbed, by law and by measurement.

At every training budget the size is chosen twice: for one sample (Chinchilla's problem) and for k = C_inf/(2N). Their
ratio N*(T²)/N*(k = 1) at equal training compute is the shift, negative in log2 where T² wants a smaller model. It is
computed in two ways. The first is by laws fitted to the mean over seeds: both approaches, on Chinchilla's and on
Kaplan's loss. Its intervals are by a bootstrap over checkpoints, beside a fit to each seed. The second needs no law:
parabolas in log N through the measured cells of a budget, with seeds as replicates. Where a measured optimum is the
smallest or largest size trained, that size is taken, and the output marks it as a bound: the true optimum lies beyond.

    python -m experiments.paper.rq1_overtrain [tiny] [-o FOLDER]
"""

from dataclasses import dataclass, field
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

import t2jax as t2
from experiments.shared.isoflops import LEVEL, Measured, Spread, measure
from experiments.shared.record import UNSAVED, command, stage
from experiments.shared.rq1_figures import figures
from experiments.shared.rq1_words import words
from t2jax.plot.style import number
from t2jax.tables.source import Source
from t2jax.working_precision import scope

SIZES = np.geomspace(24, 1e8, 600)
"""Where laws are searched for optima: a hundredth of the smallest to a hundred times the largest size trained."""
NEARLY_ALL = 0.9
"""The share of the cells that a seed must have to be fitted alone, which is done for Approach 1."""
RESPONSES = ("neg_log_pass", "pass_at_k")
"""What Approach 1 and what Approach 2 measure."""
BASES: tuple[type[t2.Law], ...] = (t2.laws.Chinchilla, t2.laws.Kaplan)
AVERAGE = "average"


@dataclass(frozen=True)
class Config:
    """Which cells and k the laws are fitted to, how often, and what serving may cost."""

    inference: float = 1.28e8
    """Inference budget C_inf, FLOPs per token served: k = C_inf/(2N). As in quickstart: 69 samples of the largest size,
    27,000 of the smallest; more would put few more of the optima inside the measured sizes."""
    candidates: tuple[float, ...] = (2e6, 1.6e7, 1.28e8, 1.024e9)
    """Inference budgets for which is said how many optima lie inside the measured sizes."""
    tokens_min: float = 2.0**18
    """Laws are fitted to cells of at least so many tokens; measured curves have them all."""
    cuts: tuple[float, ...] = (0.0,)
    """Other such limits, for which the shift of the average by Approach 1 is printed too."""
    samples: tuple[float, ...] = (1.0, 16.0, 256.0, 4096.0)
    """The k that laws are fitted to."""
    tasks: tuple[str, ...] = ()
    """Tasks to study, all of them by default, and always their average."""
    draws: int = 200
    """Bootstrap resamples of the checkpoints, Approach 1."""
    pass_draws: int = 40
    """The same for Approach 2, whose fits take longer."""
    starts: int = 8
    """Starts of each fit of Approach 1."""
    pass_starts: int = 2
    """The same for Approach 2."""
    pass_tasks: tuple[str, ...] | None = None
    """Tasks that Approach 2 is fitted to as well, by default all."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(candidates=(1.28e8,), cuts=(), tasks=("verse_end",), draws=20, starts=2, pass_tasks=())


@dataclass(frozen=True)
class Rule:
    """The size that a fitted law trains at every budget, for one sample or k = C_inf/(2N).

    error: rmse of the logarithm of what the law was fitted to. kappa: with its interval, for Kaplan's loss.
    params (budgets,), draws (draws, budgets), seeds (seeds, budgets).
    """

    law: str
    response: str
    status: str
    error: float
    parameters: dict[str, float]
    kappa: tuple[float, float, float] | None
    params: np.ndarray
    seeds: np.ndarray
    draws: np.ndarray = field(repr=False, metadata=UNSAVED)
    fitted: t2.Law = field(repr=False, metadata=UNSAVED)


@dataclass(frozen=True)
class Study:
    """One task. once, rules: fitted for one sample, and by T²; shifts: of each rule against its own base's `once`."""

    task: str
    train: np.ndarray
    wins: str
    once: tuple[Rule, ...]
    rules: tuple[Rule, ...]
    shifts: tuple[Spread, ...]
    measured: tuple[Measured, Measured]
    rows: pd.DataFrame = field(repr=False, metadata=UNSAVED)

    def alone(self) -> list[np.ndarray]:
        """Shifts of each rule by each seed fitted alone, (seeds, budgets), without seeds for Approach 2."""
        pairs = zip(self.rules, (*self.once, *self.once), strict=False)
        return [np.log2(rule.seeds / once.seeds[: len(rule.seeds)]) for rule, once in pairs]

    @property
    def base(self) -> int:
        """Which of BASES the figures show: the one that wins, unless T² on it could not be fitted."""
        return int(self.wins == "Kaplan" and len(self.rules[1].draws) > 0)


@dataclass(frozen=True)
class Result:
    """inside: for each candidate C_inf, of how many budgets the average's measured T² optimum lies inside the sizes."""

    checkpoints: int
    seeds: int
    inference: float
    tokens_min: float
    inside: dict[str, tuple[int, int]]
    cuts: dict[str, np.ndarray]
    studies: tuple[Study, ...]


def run(config: Config) -> Result:
    """The study of the table that ships."""
    return study_all(read(config), config)


def read(config: Config) -> pd.DataFrame:
    """The testbed at the k of the fits and at each size's k = C_inf/(2N), with the average over tasks as a task."""
    sizes = np.unique(pd.read_csv(t2.datasets.fetch("testbed")[0])["params"])
    served = {budget / (2 * size) for budget in config.candidates for size in sizes if budget >= 2 * size}
    with stage("pass@k of every checkpoint"):
        samples = sorted({*config.samples, *served})
        frame, mean = (
            t2.datasets.load("testbed", samples=samples, average=averaged).to_frame() for averaged in (False, True)
        )
    wanted: Any = frame[frame["task"].isin(config.tasks)] if config.tasks else frame
    return pd.concat([wanted, mean], ignore_index=True)


def study_all(frame: pd.DataFrame, config: Config) -> Result:
    """The whole study of a table with the columns of the testbed, its rows at the k that `read` asks for."""
    tasks: dict[Any, pd.DataFrame] = dict(iter(frame.groupby("task", sort=False)))
    average = tasks[AVERAGE]
    inside = {}
    for budget in config.candidates:
        result = measure(average, RESPONSES[0], budget)
        measured = np.isfinite(result.served).any(axis=0)
        inside[number(budget)] = int(result.inside().sum()), int(measured.sum())
    studies = []
    for task, rows in tasks.items():
        with stage(f"laws of {task}"):
            studies.append(study(task, rows, config))
    cuts = {}
    for cut in config.cuts:
        with stage(f"cells of at least {cut:.3g} tokens"):
            once = rule(BASES[0], average, None, config, cut, 0)
            served = rule(t2.laws.T2Loss, average, config.inference, config, cut, 0)
            cuts[f"{cut:.3g}"] = shift(served, once).value
    counts = len(np.unique(average["model"])), len(np.unique(average["seed"]))
    return Result(*counts, config.inference, config.tokens_min, inside, cuts, tuple(studies))


def study(task: str, rows: pd.DataFrame, config: Config) -> Study:
    """One task: every law fitted, and what needs none."""
    once = tuple(rule(base, rows, None, config, config.tokens_min, config.draws) for base in BASES)
    laws = [(approach(t2.laws.T2Loss, base), config.draws) for base in BASES]
    if config.pass_tasks is None or task in config.pass_tasks:
        laws += [(approach(t2.laws.T2PassK, base), config.pass_draws) for base in BASES]
    rules = tuple(rule(law, rows, config.inference, config, config.tokens_min, draws) for law, draws in laws)
    kappa = once[1].kappa
    return Study(
        task=task,
        train=np.unique(rows["budget"]),
        wins="Kaplan" if kappa and (kappa[0] > 1 or kappa[2] < 1) else "Chinchilla",
        once=once,
        rules=rules,
        shifts=tuple(shift(served, base) for served, base in zip(rules, (*once, *once), strict=False)),
        measured=(measure(rows, RESPONSES[0], config.inference), measure(rows, RESPONSES[1], config.inference)),
        rows=rows,
    )


def approach(law: type[t2.Law], base: type[t2.Law]) -> type[t2.Law]:
    """An approach's law on top of a loss law."""
    return law if base is t2.laws.Chinchilla else law.on(base)


def rule(
    law: type[t2.Law], rows: pd.DataFrame, inference: float | None, config: Config, tokens_min: float, draws: int
) -> Rule:
    """Fit a law to the mean over seeds and to each nearly complete seed, and find its optima; k = 1 without C_inf."""
    train = np.unique(rows["budget"])
    rows = rows.loc[rows["samples"].isin(config.samples if inference else [1.0]) & (rows["tokens"] >= tokens_min)]
    mean = table_of(rows)
    key = jax.random.key(config.seed)
    passing = "pass_at_k" in law.response
    starts = config.pass_starts if passing else config.starts
    fit = t2.fit(law, mean, key=key, starts=starts)
    seeds = [
        table_of(seed_rows)
        for _, seed_rows in rows.groupby("seed")
        if len(seed_rows) >= NEARLY_ALL * len(mean) and not passing
    ]
    seed_laws = [t2.fit(law, table, key=key, starts=starts).law for table in seeds] if len(seeds) > 1 else []
    boot = t2.bootstrap(fit, mean, draws=draws, key=key, over="runs") if draws and fit.converged else None
    response = next(name for name in law.response if name in mean)
    with scope():
        predicted = fit.law.predict({name: jnp.asarray(mean[name]) for name in ("params", "tokens", "samples")})
    off = np.log(np.asarray(predicted) / mean[response])
    kappa = None
    if boot and "kappa" in law.declared():
        spread = t2.band(boot.laws.values()["kappa"], LEVEL)
        kappa = float(spread.low), fit.law.values()["kappa"], float(spread.high)
    return Rule(
        law=law.__name__,
        response=response,
        status=fit.status,
        error=float(np.sqrt(np.mean(off**2))),
        parameters=fit.law.values(),
        kappa=kappa,
        params=optimum(fit.law, train, inference)[0],
        seeds=np.concatenate([np.empty((0, len(train))), *(optimum(law, train, inference) for law in seed_laws)]),
        draws=optimum(boot.laws, train, inference) if boot else np.empty((0, len(train))),
        fitted=fit.law,
    )


def table_of(rows: pd.DataFrame) -> t2.Table:
    """The mean over the seeds of every cell and k; without names of models, a table takes each cell for one run."""
    mean: Any = rows.groupby(["params", "tokens", "samples"], as_index=False)[["loss", *RESPONSES]].mean()
    return t2.Table(mean, Source(units={"loss": 1.0}))  # losses are of whole answers, not of a token


def optimum(laws: t2.Law, train: np.ndarray, inference: float | None) -> np.ndarray:
    """N of least cost with both budgets spent, (laws, budgets), by parabolas through the best of SIZES with k >= 1."""
    sizes = SIZES[inference / 2 >= SIZES] if inference else SIZES
    grid = np.broadcast_to(sizes, (1, len(train), len(sizes)))
    inputs = [grid, train[:, None] / (6 * grid)] + ([inference / (2 * grid)] if inference else [])
    with scope():
        batch = jax.tree.map(lambda leaf: jnp.atleast_1d(leaf)[:, None, None], laws)
        cost = np.nan_to_num(np.asarray(batch.cost(*inputs)), nan=1e30, posinf=1e30)
    at = np.clip(cost.argmin(axis=-1), 1, len(sizes) - 2)
    left, mid, right = (np.take_along_axis(cost, (at + i)[..., None], -1)[..., 0] for i in (-1, 0, 1))
    bend = np.maximum(left - 2 * mid + right, 1e-300)
    return sizes[at] * (SIZES[1] / SIZES[0]) ** np.clip(0.5 * (left - right) / bend, -1.0, 1.0)


def shift(served: Rule, once: Rule) -> Spread:
    """log2 of the ratio of the sizes, with its bootstrap interval: equal keys drew equal resamples.

    Where a draw has failed, later ones are of different resamples, which only widens the interval.
    """
    value = np.log2(served.params / once.params)
    count = min(len(served.draws), len(once.draws))
    if not count:
        return Spread(value, np.full_like(value, np.nan), np.full_like(value, np.nan))
    spread = t2.band(np.log2(served.draws[:count] / once.draws[:count]), LEVEL)
    return Spread(value, spread.low, spread.high)


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
