"""How fast are posteriors beside PyMC's? Chinchilla's law on its 240 runs, with Student-t errors of the log loss.

Both sides sample the same model: the priors that the law declares, in its own parameters, and StudentT(4) errors with a
prior of their scale. Ours is `t2.sample` with its defaults. PyMC's is `pm.sample` with its defaults: NUTS with 1000
tuning steps and 1000 draws in each of 4 chains, on as many processes as it likes. The score is the least effective
sample size over parameters, bulk or tail, for each second of CPU. These seconds include all workers and the warm-up.
Cold is the first call, which compiles; warm is the median of later calls. PyMC builds its functions again in each call,
from its cache on disk where it can. So the seconds of its NUTS steps alone, tuning included, are printed too, as it
counts them itself. Without PyMC its side is left out.

    python -m experiments.benchmarks.bench_bayes [tiny] [-o FOLDER]
"""

import importlib.util
import resource
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import jax
import numpy as np

import t2jax as t2
from experiments.shared.record import command, stage
from t2jax.posterior.arviz_groups import arviz
from t2jax.posterior.diagnosis import Diagnosis, diagnose, left_together

CHAINS = 4


@dataclass(frozen=True)
class Config:
    """How much is drawn, and how often it is timed."""

    draws: int = 1000
    """Draws of each of 4 chains, on both sides."""
    repeats: int = 5
    """Warm calls of ours."""
    peer_repeats: int = 2
    """Warm calls of PyMC; 0 leaves PyMC out."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(draws=500, repeats=1, peer_repeats=0)


@dataclass(frozen=True)
class Side:
    """One sampler. cold, warm: CPU seconds of a call. ess: least of all parameters, of a warm call; rate: per second.

    means, deviations: of the posterior, by parameter.
    """

    name: str
    cold: float
    warm: float
    ess: float
    rate: float
    cold_rate: float
    r_hat: float
    divergences: int
    means: dict[str, float]
    deviations: dict[str, float]


@dataclass(frozen=True)
class Result:
    """peer: PyMC's side, None where it is not installed. ratio: of the rates, warm. apart: largest distance of means.

    apart is in standard deviations of PyMC's posterior. steps: CPU seconds of PyMC's NUTS steps alone in a warm call,
    and steps_ratio of the rates by these. status: of our last posterior.
    """

    ours: Side
    status: str
    peer: Side | None = None
    ratio: float | None = None
    cold_ratio: float | None = None
    apart: float | None = None
    steps: float | None = None
    steps_ratio: float | None = None


def run(config: Config) -> Result:
    runs = t2.datasets.load("chinchilla-epoch")
    keys = iter(jax.random.split(jax.random.key(config.seed), 1 + config.repeats))
    posteriors: list[t2.Posterior] = []

    def ours() -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        post = t2.sample(t2.laws.Chinchilla, runs, key=next(keys), draws=config.draws, chains=CHAINS)
        posteriors.append(post)
        return read(post.idata, list(post.diagnosis.r_hat))

    with stage("t2jax"):
        mine = side("t2jax", ours, config.repeats)
    if not config.peer_repeats or importlib.util.find_spec("pymc") is None:
        return Result(mine, posteriors[-1].status)
    stepped: list[float] = []

    def theirs() -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        idata = pymc(runs, config, config.seed + len(stepped))
        groups = (idata["warmup_sample_stats"], idata["sample_stats"])
        stepped.append(sum(float(group["process_time_diff"].sum()) for group in groups))
        return read(idata, list(mine.means))

    with stage("PyMC"):
        peer = side("PyMC", theirs, config.peer_repeats)
    steps = float(np.median(stepped[1:]))
    apart = max(abs(mine.means[name] - peer.means[name]) / peer.deviations[name] for name in mine.means)
    ratios = mine.rate / peer.rate, mine.cold_rate / peer.cold_rate
    return Result(mine, posteriors[-1].status, peer, *ratios, apart, steps, mine.rate * steps / peer.ess)


def side(name: str, call: Callable[[], Any], repeats: int) -> Side:
    """Time a sampler that returns its draws, its divergences and its energies."""
    cold, first = cpu(call)
    warm = [cpu(call) for _ in range(repeats)]
    judged = [judge(*answer) for _, answer in warm]
    last = judged[-1]
    seconds, ess = float(np.median([cost for cost, _ in warm])), float(np.median(list(map(least_ess, judged))))
    draws = [{name: drawn[0][name].ravel() for name in drawn[0]} for drawn in (first, *(answer for _, answer in warm))]
    pooled = {name: np.concatenate([draw[name] for draw in draws]) for name in draws[0]}
    return Side(
        name=name,
        cold=cold,
        warm=seconds,
        ess=ess,
        rate=ess / seconds,
        cold_rate=least_ess(judge(*first)) / cold,
        r_hat=max(last.r_hat.values()),
        divergences=sum(diagnosis.divergences for diagnosis in judged),
        means={name: float(values.mean()) for name, values in pooled.items()},
        deviations={name: float(values.std()) for name, values in pooled.items()},
    )


def cpu(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of CPU that a call took, in this process and in those that it started and that have ended."""

    def used() -> float:
        usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(usage.ru_utime + usage.ru_stime for usage in usages)

    started = used()
    value = call()
    return used() - started, value


def judge(drawn: dict[str, np.ndarray], diverging: np.ndarray, energy: np.ndarray) -> Diagnosis:
    return diagnose(drawn, {name: values.ravel() for name, values in drawn.items()}, diverging, energy, left_together)


def least_ess(diagnosis: Diagnosis) -> float:
    """The least effective sample size, bulk or tail, over parameters."""
    return min(*diagnosis.ess_bulk.values(), *diagnosis.ess_tail.values())


def read(idata: Any, names: list[str]) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    drawn = {name: np.asarray(idata["posterior"][name]) for name in names}
    stats = idata["sample_stats"]
    return drawn, np.asarray(stats["diverging"]), np.asarray(stats["energy"])


def pymc(runs: t2.Table, config: Config, seed: int) -> Any:
    """The same model in PyMC, built and sampled as a user would."""
    arviz()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pymc as pm  # pyright: ignore[reportMissingImports]

        with pm.Model():
            E = pm.LogNormal("E", 0.5, 0.5)
            A = pm.LogNormal("A", 6.0, 2.0)
            B = pm.LogNormal("B", 6.0, 2.0)
            alpha = pm.LogNormal("alpha", -1.0, 0.5)
            beta = pm.LogNormal("beta", -1.0, 0.5)
            sigma = pm.LogNormal("sigma", -5.0, 1.5)
            loss = E + A * runs["params"] ** -alpha + B * runs["tokens"] ** -beta
            pm.StudentT("log_loss", nu=4.0, mu=pm.math.log(loss), sigma=sigma, observed=np.log(runs["loss"]))
            # the draws of warm-up stay, for the time that they took
            options: Any = {"discard_tuned_samples": False, "progressbar": False}
            return pm.sample(config.draws, chains=CHAINS, random_seed=seed, **options)


def words(result: Result) -> list[str]:
    ours, peer = result.ours, result.peer
    lines = [f"t2jax: {result.status}", *sentences(ours)]
    if peer is None:
        return [*lines, "PyMC is not installed, or was left out: nothing to compare with (pip install pymc)."]
    return [
        *lines,
        *sentences(peer),
        f"ESS per CPU second: {result.ratio:.0f} times PyMC's warm, {result.cold_ratio:.2g} times cold; "
        f"{result.steps_ratio:.0f} times warm by its NUTS steps alone, which took {result.steps:.1f} s.",
        f"The means are at most {result.apart:.3f} posterior standard deviations apart.",
    ]


def sentences(side: Side) -> list[str]:
    return [
        f"{side.name}: {side.cold:.1f} s of CPU cold, {side.warm:.2f} s warm; least ESS {side.ess:.0f}, "
        f"{side.rate:.0f} a second ({side.cold_rate:.0f} cold); R-hat at most {side.r_hat:.4f}; "
        f"{side.divergences} divergences in all warm calls.",
        "  " + ", ".join(f"{name} {side.means[name]:.5g} ± {side.deviations[name]:.2g}" for name in side.means),
    ]


def main() -> None:
    command(Config, run, words)


if __name__ == "__main__":
    main()
