"""Where does T²'s advice hold: train smaller and longer, and draw many samples? A map of what takes it away.

The law is T²'s Approach 2. Its loss is Chinchilla's as Besiroglu et al. 2024 (2404.10102) fitted it, in nats per token.
Its link is assumed: the steepness θ1 is the number of tokens of an answer, on which -log success depends where it is
rare; questions differ as Beta with a + b = 2; and 30 % of questions are solved at one sample by Chinchilla's model.
Every plan has Chinchilla's training compute, and serves for the price of `samples` samples of Chinchilla's model.

- grid: by the error of a verifier (wrong answers accepted) and the length of an answer.
- serving: by the samples that Chinchilla's model could draw, for several selections.
- cache: by the share of the KV cache in what decoding reads, on an H100.
- wall: by unique tokens, of which repetitions are worth less (Muennighoff et al. 2023, 2305.16264).
- bits: by the bits in which weights are served, rounded after training or trained so (Kumar et al. 2024, 2411.04330).
  An H100 decodes few sequences together, so a sample costs in proportion to the bits that are read.
- brute: random problems beside a grid over N, D and k.

    python -m experiments.paper.where_overtraining_pays [tiny] [-o FOLDER]
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import jax
import numpy as np

import t2jax as t2
from experiments.shared.record import command, stage
from experiments.shared.where_pays_figure import draw_levers, draw_map
from t2jax.laws import DataConstrained, EffectiveParams, Oracle, Quantised, Selection, T2PassK, Verifier

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHINCHILLA = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
SELECTIONS: dict[str, Selection] = {
    "oracle": Oracle(),
    "verifier .95/.001": Verifier(true_positive=0.95, false_positive=0.001),
    "verifier .95/.02": Verifier(true_positive=0.95, false_positive=0.02),
}
ROUNDED = {"C": 2.0, "gamma_D": 0.5, "gamma_N": 0.35, "gamma": 0.6}
"""What rounding costs, assumed: .01 nats for 1e9 parameters on 2e10 tokens in 4 bits, e times that in .6 bits less."""
TRAINED = {"gamma_weight": 2.6745, "gamma_activation": 2.2102, "gamma_cache": 0.9578}
"""What training in few bits costs, as Kumar et al. 2024 fitted it."""
BITS = (3.0, 4.0, 5.0, 6.0, 8.0, 12.0, 16.0)
CLOSE = 0.01
"""Chinchilla's choice is right again where another plan gains less than this share of questions."""


@dataclass(frozen=True)
class Config:
    """The assumed deployment, and how finely each lever is moved."""

    train: float = 1e23
    """Training FLOPs of every plan."""
    samples: float = 64.0
    """Samples of Chinchilla's model that a query pays for."""
    success: float = 0.3
    """Success of Chinchilla's model at one sample, assumed."""
    points: int = 11
    """Values of each lever."""
    problems: int = 200
    """Random problems that a grid checks."""
    lines: tuple[str, ...] = tuple(SELECTIONS)
    """Selections along the serving budget."""
    levers: tuple[str, ...] = ("oracle", "verifier .95/.02")
    """Selections along the KV cache, the data wall and the bits."""
    seed: int = 0
    """Seed of the random problems."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(points=2, problems=0, lines=("oracle",), levers=())


@dataclass(frozen=True)
class Plans:
    """Plans along levers: N*/N and D*/N* of Chinchilla's choice, k*, success, and what they gain over that choice.

    The gain is a share of questions; Chinchilla's choice has as many samples as it can pay for.
    """

    lever: np.ndarray
    size: np.ndarray
    ratio: np.ndarray
    samples: np.ndarray
    success: np.ndarray
    gain: np.ndarray


@dataclass(frozen=True)
class Result:
    """chinchilla: N and D of the optimum at one sample. grid: shape (answers, errors). rate: at a tenth of that size.

    bits: plans by selection and by how the bits come about. lost: nats by bits of Chinchilla's choice and of the plan
    for 16 bits with an oracle. unaware: success in few bits of each selection's plan for 16 bits.
    beaten: random problems in which a grid point is better by 1e-9. best: by how much at most, relative to the plan.
    """

    chinchilla: tuple[float, float]
    answers: np.ndarray
    errors: np.ndarray
    grid: Plans
    rate: np.ndarray
    serving: dict[str, Plans]
    cache: dict[str, Plans]
    wall: dict[str, Plans]
    bits: dict[str, Plans]
    lost: dict[str, np.ndarray]
    unaware: dict[str, np.ndarray]
    problems: int
    solved: int
    beaten: int
    best: float


def link(answer: Any, loss: float, success: float) -> dict[str, Any]:
    """The assumed link: `success` at Chinchilla's `loss`, with a slope of `answer` tokens."""
    top = 0.95
    level = np.log(success / (top - success))
    return {"theta0": loss + level / answer, "theta1": answer, "theta2": top, "theta3": np.log(2.0), "theta4": 0.0}


def laws_of(values: dict[str, Any], selection: Selection, loss: type[t2.Law] = t2.laws.Chinchilla) -> t2.Law:
    """A batch of laws with the selection, from numbers and arrays of one shape."""
    leaves = values | selection.values()
    shape = np.broadcast_shapes(*(np.shape(value) for value in leaves.values()))
    flat = {name: np.broadcast_to(np.asarray(value, float), shape).ravel() for name, value in leaves.items()}
    inner = type(selection)(**{name: flat.pop(name) for name in selection.values()})
    return T2PassK.on(loss).on(type(selection))(**flat, selection=inner)


def run(config: Config) -> Result:
    once = t2.allocate(t2.laws.Chinchilla(**CHINCHILLA), t2.Budget(train=config.train))
    n, d, loss = (float(getattr(once, name)) for name in ("params", "tokens", "value"))
    answers, errors = np.geomspace(1.0, 40.0, config.points), np.geomspace(1e-5, 0.3, config.points)
    query = 2 * n * config.samples
    with stage("map"):
        values = CHINCHILLA | link(answers[:, None], loss, config.success)
        laws = laws_of(values, Verifier(true_positive=0.95, false_positive=errors[None, :]))
        grid = plans(
            laws, t2.Budget(train=config.train, inference=query, params_min=1e6), errors, (n, d, config.samples)
        )
        grid = replace(grid, **{name: getattr(grid, name).reshape(len(answers), -1) for name in NAMES})
        rate = t2.planning.marginal_rate(t2.laws.Chinchilla(**CHINCHILLA), n / 10, 10 * d, answers)
    usual = CHINCHILLA | link(8.0, loss, config.success)
    drawn = np.geomspace(1.0, 4096.0, config.points)
    serving, cache, wall, bits, unaware = {}, {}, {}, {}, {}
    for name in config.lines:
        with stage(f"serving, {name}"):
            budget = t2.Budget(train=config.train, inference=2 * n * drawn, params_min=1e6)
            serving[name] = plans(laws_of(usual, SELECTIONS[name]), budget, drawn, (n, d, drawn))
        jax.clear_caches()
    for name in config.levers:
        with stage(f"cache, wall and bits, {name}"):
            cache[name] = by_cache(config, laws_of(usual, SELECTIONS[name]), n, d)
            wall[name] = by_wall(config, usual, SELECTIONS[name], n, d)
            bits[f"rounded, {name}"], unaware[name] = by_bits(config, usual, SELECTIONS[name], n, d)
            bits[f"trained, {name}"], _ = by_bits(config, usual, SELECTIONS[name], n, d, trained=True)
        jax.clear_caches()
    lost = {"Chinchilla": lost_at(n, d)}
    if "oracle" in config.levers:
        plan = bits["rounded, oracle"]
        lost["oracle"] = lost_at(n * plan.size[-1], d * plan.ratio[-1] * plan.size[-1])
    with stage("brute force"):
        result = brute(config) if config.problems else (0, 0, -1.0)
    return Result(
        (n, d), answers, errors, grid, rate, serving, cache, wall, bits, lost, unaware, config.problems, *result
    )


NAMES = ("size", "ratio", "samples", "success", "gain")


def plans(laws: t2.Law, budget: t2.Budget, lever: np.ndarray, chinchilla: tuple[float, float, Any]) -> Plans:
    """Plans of a batch of laws, or of one law at budgets, beside Chinchilla's choice with its samples."""
    plan = t2.frontier(laws, budget)
    n, d, k = chinchilla
    more = {} if budget.unique_tokens is None else {"unique_tokens": np.asarray(budget.unique_tokens)}
    more |= {name: np.asarray(value) for name, value in (budget.inputs or {}).items()}
    usual = t2.evaluate(laws, params=n, tokens=d, samples=np.asarray(k, float), **more)
    success = np.asarray(plan.value).ravel()
    ratio = np.ravel(plan.tokens_per_param) / (d / n)
    return Plans(lever, np.ravel(plan.params) / n, ratio, np.ravel(plan.samples), success, success - np.ravel(usual))


def by_cache(config: Config, laws: t2.Law, n: float, d: float) -> Plans:
    """An H100 decodes 64 sequences together; longer answers have a larger KV cache, which each sample reads."""
    length = np.geomspace(16.0, 65536.0, config.points)
    serving = t2.Serving(generated=length, shape=t2.Shape(), batch=64.0, on=t2.accelerator("H100"))
    no_cache = replace(serving, shape=None)
    price = np.array(serving(np.full(config.points, n), np.full(config.points, config.samples)))
    share = 1 - np.array(no_cache(np.full(config.points, n), np.full(config.points, config.samples))) / price
    on = replace(t2.accelerator("H100"), memory=1e30)  # sizes are limited by what they cost alone
    budget = t2.Budget(train=config.train, inference=price, serving=replace(serving, on=on), params_min=1e6)
    return plans(laws, budget, share, (n, d, config.samples))


def by_wall(config: Config, values: dict[str, Any], selection: Selection, n: float, d: float) -> Plans:
    """Unique tokens from a tenth of Chinchilla's tokens to a thousand times them; Chinchilla's model repeats them."""
    unique = d * np.geomspace(0.1, 1000.0, config.points)
    laws = laws_of(values | {"R_D": 15.4}, selection, DataConstrained)
    budget = t2.Budget(train=config.train, inference=2 * n * config.samples, unique_tokens=unique, params_min=1e6)
    return plans(laws, budget, unique / d, (n, d, config.samples))


def by_bits(
    config: Config, values: dict[str, Any], selection: Selection, n: float, d: float, trained: bool = False
) -> tuple[Plans, np.ndarray]:
    """Plans by the bits of the weights, and the success in few bits of the plan for 16 bits.

    Every query has the price of `samples` samples of Chinchilla's model in 16 bits.
    """
    bits = np.array(BITS)
    on = replace(t2.accelerator("H100"), memory=1e30)
    serving = t2.Serving(generated=512.0, batch=8.0, on=on)
    price = float(serving(n, config.samples))
    names: tuple[str, ...] = ("weight_bits", "activation_bits", "cache_bits") if trained else ("served_bits",)
    loss, more = (EffectiveParams, TRAINED) if trained else (Quantised, ROUNDED)
    laws = laws_of(values | more, selection, loss)
    inputs: dict[str, Any] = dict.fromkeys(names, bits)
    serving = replace(serving, weight_bytes=bits / 8)
    budget = t2.Budget(train=config.train, inference=price, serving=serving, params_min=1e6, inputs=inputs)
    result = plans(laws, budget, bits, (n, d, config.samples * 16 / bits))
    size, count = n * result.size[-1], result.samples[-1] * 16 / bits
    tokens = size * result.ratio[-1] * d / n
    return result, np.ravel(t2.evaluate(laws, params=size, tokens=tokens, samples=count, **inputs))


def lost_at(n: float, d: float) -> np.ndarray:
    """Nats per token that rounding to BITS costs."""
    return np.asarray(Quantised(**CHINCHILLA, **ROUNDED).lost(n, d, np.array(BITS)))


def brute(config: Config) -> tuple[int, int, float]:
    """Random laws with a verifier under one budget each: plans, those beaten by a grid, and by how much at most."""
    random = np.random.default_rng(config.seed)
    count = config.problems

    def spread(low: float, high: float) -> np.ndarray:
        return np.exp(random.uniform(np.log(low), np.log(high), count))

    values = {"E": spread(0.5, 2.0), "A": spread(100.0, 2000.0), "B": spread(100.0, 5000.0)}
    values |= {"alpha": spread(0.25, 0.5), "beta": spread(0.25, 0.5), "theta0": random.uniform(1, 3, count)}
    values |= {"theta1": random.uniform(1, 2.5, count), "theta2": random.uniform(0.3, 0.9, count)}
    values |= {"theta3": random.uniform(-1, 1, count), "theta4": random.uniform(-0.6, 0.3, count)}
    verifier = t2.laws.AbstainingVerifier(
        true_positive=spread(0.6, 0.99), false_positive=spread(1e-3, 0.3), abstention=random.uniform(0, 0.8, count)
    )
    laws = laws_of(values, verifier)
    train, inference = 1e22, 2e12
    plan = t2.frontier(laws, t2.Budget(train=train, inference=inference))
    places = np.stack(np.meshgrid(np.geomspace(1e6, 1e12, 60), np.geomspace(0.01, 1, 6), np.linspace(0, 1, 40)))
    n, part, depth = places.reshape(3, -1)
    d, k = part * train / (6 * n), np.maximum(inference / (2 * n), 1.0) ** depth
    allowed = (d >= 1) & (2 * n * k <= inference)
    better = []
    for i in np.flatnonzero(plan.ok):
        law = jax.tree.map(lambda leaf, i=i: float(leaf[i]), laws)
        success = np.asarray(t2.evaluate(law, params=n[allowed], tokens=d[allowed], samples=k[allowed]))
        better.append(np.max(success) / float(np.asarray(plan.value)[i]) - 1)
    return len(better), int(np.sum(np.array(better) > 1e-9)), float(np.max(better))


def words(result: Result) -> list[str]:
    grid, n = result.grid, result.chinchilla[0]
    right = grid.gain < CLOSE
    sentences = [
        f"Chinchilla's model: {n:.3g} parameters on {result.chinchilla[1]:.3g} tokens",
        f"Map: N*/N from {np.nanmin(grid.size):.2g} to {np.nanmax(grid.size):.2g}; Chinchilla's choice is within "
        f"{CLOSE:.0%} of questions at {right.mean():.0%} of the places",
        f"One doubling of N at a tenth of that size gains {result.rate[0]:.2g} to {result.rate[-1]:.2g} nats, by the "
        f"answer's length; twice the samples gain {np.log(2):.2g} where success is rare",
    ]
    levers = {"Serving": result.serving, "KV cache": result.cache, "Data wall": result.wall, "Bits": result.bits}
    for title, lines in levers.items():
        for name, line in lines.items():
            sentences.append(
                f"{title}, {name}: from lever {line.lever[0]:.3g} to {line.lever[-1]:.3g}, N*/N {line.size[0]:.3g} to "
                f"{line.size[-1]:.3g}, k* {line.samples[0]:.3g} to {line.samples[-1]:.3g}, gain {line.gain[0]:.1%} to "
                f"{line.gain[-1]:.1%}"
            )
    bits = ", ".join(f"{value:g}" for value in BITS)
    for name, nats in result.lost.items():
        sentences.append(f"Rounding to {bits} bits costs {name} {np.array2string(nats, precision=3)} nats")
    for name, success in result.unaware.items():
        less = result.bits[f"rounded, {name}"].success - success
        sentences.append(
            f"The plan for 16 bits, {name}: {np.array2string(less, precision=3)} below that for these bits"
        )
    return [
        *sentences,
        f"Brute force: {result.solved} of {result.problems} random problems solved, {result.beaten} beaten by a grid "
        f"(whose best is {result.best:+.1e} relative to the plan at most)",
    ]


def figures(result: Result) -> dict[str, "Figure"]:
    return {"where": draw_map(result), "levers": draw_levers(result)}


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
