"""What changes a plan? Samples, queries over a model's life, tasks that gain little, and real devices.

The law is T²'s Approach 1 in the style of its paper, which does not print its coefficients: Chinchilla's as Besiroglu
et al. 2024 (2404.10102) fitted them, and a gain of sampling G/k^γ that is assumed here (`Config`); E + G is their E.
Prices, queries and lengths of answers are assumed too.

- fig2: the optimum against training compute at C_inf = 1.4e11, as in Fig. 2 of Roberts et al. 2026 (2604.01411).
- fig3: the best value with samples at their twelve budgets and C_inf = 2e9. Beside it stands the value of Chinchilla's
  choice with as many samples as it can be given. In the paper only the first always falls.
- lifetime: least training and serving FLOPs for the loss of a compute-optimal model, after Sardana et al. 2023
  (2401.00448), by the tokens to be served; each value is found again by SciPy on one equation.
- gain: from which G on a second sample pays, in one budget over training and queries.
- roofline: where serving pays for memory traffic, against 2Nk FLOPs at the same price.

    python -m experiments.paper.planning [tiny] [-o FOLDER]
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy.optimize import minimize_scalar

import t2jax as t2
from experiments.shared.pictures import common_legend, power, stacked
from experiments.shared.record import command, stage
from t2jax.plot.style import AXIS_LABELS, BLACK, BLUE, GREY, VERMILLION, log_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHINCHILLA = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
PAPER_BUDGETS = 1.25e16 * 2.0 ** np.arange(12)


@dataclass(frozen=True)
class Config:
    """The assumed gain of sampling, and how finely each lever is moved."""

    G: float = 0.9
    """Assumed gain of sampling, nats."""
    gamma: float = 0.3
    """Its exponent, assumed."""
    points: int = 25
    """Values of each lever."""
    seed: int = 0
    """Not used: nothing is random."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(points=len(PAPER_BUDGETS))  # of one shape, which compiles once


@dataclass(frozen=True)
class Curve:
    """Optima along a lever, each (points,): the lever, N*, D*, k* and the law's value."""

    lever: np.ndarray
    params: np.ndarray
    tokens: np.ndarray
    samples: np.ndarray
    value: np.ndarray


@dataclass(frozen=True)
class Result:
    """fig2, fig3: with samples and for one; chinchilla: what the latter is worth with the samples it can be given.

    lifetime: by tokens served, by_scipy: log N* by SciPy. gain: by G; least: the G from which k* exceeds one.
    roofline: by batch, cached: the same with a KV cache; flops: for 2Nk at the same price.
    """

    fig2: tuple[Curve, Curve]
    fig3: tuple[Curve, Curve]
    chinchilla: np.ndarray
    lifetime: Curve
    loss: float
    by_scipy: np.ndarray
    gain: Curve
    least: float
    roofline: Curve
    cached: Curve
    flops: Curve


def law_of(config: Config) -> t2.laws.T2Loss:
    return t2.laws.T2Loss(**(CHINCHILLA | {"E": CHINCHILLA["E"] - config.G}), G=config.G, gamma=config.gamma)


def run(config: Config) -> Result:
    law = law_of(config)
    with stage("figures 2 and 3"):
        train = np.geomspace(1e18, 1e25, config.points)
        fig2 = curve(law, train, train=train, inference=1.4e11), curve(law, train, train=train)
        fig3 = tuple(curve(law, PAPER_BUDGETS, train=PAPER_BUDGETS, **more) for more in ({"inference": 2e9}, {}))
        once = fig3[1]
        given = np.maximum(2e9 / (2 * once.params), 1.0)
        chinchilla = t2.evaluate(law, params=once.params, tokens=once.tokens, samples=given)
    with stage("lifetime"):
        lifetime, loss, by_scipy = served(config)
    with stage("gain of sampling"):
        gain, least = little_gain(config)
    with stage("roofline"):
        roofline, cached, flops = devices(config)
    both = fig3[0], fig3[1]
    return Result(fig2, both, chinchilla, lifetime, loss, by_scipy, gain, least, roofline, cached, flops)


def curve(law: t2.Law, lever: np.ndarray, **budget: Any) -> Curve:
    """Optima at budgets of shape (points,)."""
    plan = t2.frontier(law, t2.Budget(**budget))
    params, tokens, samples, value = (np.broadcast_to(getattr(plan, name), lever.shape) for name in _NAMES)
    return Curve(lever, params, tokens, samples, value)


def served(config: Config) -> tuple[Curve, float, np.ndarray]:
    """Least cost for the loss of Chinchilla's optimum at 1e24 FLOPs, by tokens served over the model's life."""
    law = t2.laws.Chinchilla(**CHINCHILLA)
    loss = float(t2.allocate(law, t2.Budget(train=1e24)).value)
    tokens = np.geomspace(1e10, 1e15, config.points)
    result = curve(law, tokens, target=loss, queries=tokens)

    def data(params: float) -> float:
        left = loss - CHINCHILLA["E"] - CHINCHILLA["A"] * params ** -CHINCHILLA["alpha"]
        return (CHINCHILLA["B"] / left) ** (1 / CHINCHILLA["beta"])

    def cost(log_params: float, served: float) -> float:
        params = np.exp(log_params)
        return np.log(6 * params * data(params) + 2 * params * served)

    least = np.log(CHINCHILLA["A"] / (loss - CHINCHILLA["E"])) / CHINCHILLA["alpha"]  # with data without end
    bounds = (least + 1e-6, least + 15)
    options = {"xatol": 1e-10}
    solved: Any = [
        minimize_scalar(cost, args=(token,), bounds=bounds, method="bounded", options=options) for token in tokens
    ]
    return result, loss, np.array([solution.x for solution in solved])


def little_gain(config: Config) -> tuple[Curve, float]:
    """One budget of 2e24 FLOPs over training and 1e13 tokens served, by the gain G; E + G is fixed."""
    gains = np.geomspace(1e-3, 1.5, config.points)
    laws = [law_of(Config(G=float(gain), gamma=config.gamma)) for gain in gains]
    plans = [t2.allocate(law, t2.Budget(total=2e24, queries=1e13)) for law in laws]
    columns = [np.array([float(getattr(plan, name)) for plan in plans]) for name in _NAMES]
    low, high = 0.0, 1.5
    for _ in range(30):
        middle = (low + high) / 2
        plan = t2.allocate(law_of(Config(G=middle, gamma=config.gamma)), t2.Budget(total=2e24, queries=1e13))
        low, high = (low, middle) if plan.samples > 1 + 1e-9 else (middle, high)
    return Curve(gains, columns[0], columns[1], columns[2], columns[3]), high


def devices(config: Config) -> tuple[Curve, Curve, Curve]:
    """$5,000,000 over training and 1e9 queries of 300 tokens a sample on H100s at $2.50 an hour, by batch.

    Weights are read from memory once for a batch; in the second curve so is every sample's KV cache, with as many heads
    as queries have. The third is 2Nk: the same device with memory so fast that arithmetic is what serving pays for.
    """
    batch = np.geomspace(1, 1024, config.points)
    real = t2.accelerator("H100", price=2.5)
    endless = t2.Accelerator("endless", real.flops, 1e30, 1e30, real.devices, real.utilisation, price=2.5)
    results = []
    for on, shape in ((real, None), (real, t2.Shape()), (endless, None)):
        budget: Any = {"total": 5e6, "queries": 1e9, "training": t2.Training(on=on)}
        budget["serving"] = t2.Serving(generated=300.0, batch=batch, on=on, shape=shape)
        results.append(curve(law_of(config), batch, **budget))
    return results[0], results[1], results[2]


_NAMES = ("params", "tokens", "samples", "value")


def words(result: Result) -> list[str]:
    with_samples, once = result.fig2
    ratio = with_samples.tokens / with_samples.params
    last = f"{once.tokens[-1] / once.params[-1]:.3g} without"
    falls, rises = np.diff(result.fig3[0].value), np.diff(result.chinchilla)
    life, roof = result.lifetime, result.roofline
    apart = np.max(np.abs(np.log(life.params) - result.by_scipy))
    shift, cached = (np.log(plan.params / result.flops.params) for plan in (roof, result.cached))
    return [
        f"Assumed gain of sampling, more training: D*/N* from {ratio[0]:.3g} at {with_samples.lever[0]:.0e} to "
        f"{ratio[-1]:.3g} at {with_samples.lever[-1]:.0e} FLOPs with samples, {last}",
        f"Assumed gain of sampling, the paper's budgets: with samples the value falls at {np.sum(falls < 0)} of "
        f"{len(falls)} steps of the budget; Chinchilla's choice with the samples it can be given rises at "
        f"{np.sum(rises > 0)} of {len(rises)}",
        f"Tokens served over a model's life: loss {result.loss:.4f}; N* from {life.params[0]:.3g} at "
        f"{life.lever[0]:.0e} tokens served to {life.params[-1]:.3g} at {life.lever[-1]:.0e}, D* from "
        f"{life.tokens[0]:.3g} to {life.tokens[-1]:.3g}; log N* at most {apart:.1g} from SciPy's",
        f"One budget for training and queries: a second sample pays from an assumed gain of {result.least:.3g} nats "
        f"on; at {result.gain.lever[-1]:.2g} nats k* = {result.gain.samples[-1]:.3g}",
        f"Assumed prices, reading weights from memory: N* is {np.expm1(shift[0]):+.0%} of that by 2Nk at a batch of "
        f"1, {np.expm1(shift[-1]):+.0%} at {roof.lever[-1]:.0f}; k* {roof.samples[0]:.3g} and {roof.samples[-1]:.3g} "
        f"against {result.flops.samples[0]:.3g}; with a KV cache N* is up to {np.expm1(cached.max()):+.0%}, "
        f"at {result.cached.lever[cached.argmax()]:.0f}",
    ]


def figures(result: Result) -> dict[str, "Figure"]:
    """A figure for each lever; what is assumed stands in its title."""
    with_samples, once = result.fig2
    life, gain, least = result.lifetime, result.gain, result.least
    return {
        "training": draw(
            f"assumed gain of sampling, serving {power(1.4e11)}\nFLOPs per token",
            (AXIS_LABELS["train"], "optimal tokens per parameter"),
            (with_samples.lever, with_samples.tokens / with_samples.params, BLUE, "-", "with samples"),
            (once.lever, once.tokens / once.params, VERMILLION, "-", "one sample"),
            (once.lever, np.full(len(once.lever), 20.0), BLACK, ":", "20 tokens per parameter"),
        ),
        "lifetime": draw(
            f"least cost for a loss of {result.loss:.2f} nats per token",
            ("tokens served over the model's life", "optimal size and data"),
            (life.lever, life.tokens, VERMILLION, "-", "training tokens D*"),
            (life.lever, life.params, BLUE, "-", "parameters N*"),
        ),
        "gain": draw(
            f"{power(2e24)} FLOPs for training and {power(1e13)} served tokens",
            ("assumed gain of sampling G (nats)", "optimal samples k*"),
            (gain.lever, gain.samples, BLUE, "-", "optimum"),
            (np.full(2, least), gain.samples[[0, -1]], GREY, ":", f"a second sample pays from {least:.2g} nats on"),
        ),
        "serving": draw(
            "assumed: $5,000,000 for training and 10⁹ queries,\nH100 at $2.50 an hour, 300 tokens a sample",
            ("sequences decoded together", "optimal parameters N*"),
            (result.roofline.lever, result.roofline.params, BLUE, "-", "arithmetic or reading weights"),
            (result.cached.lever, result.cached.params, BLUE, "--", "the same with attention's cache"),
            (result.flops.lever, result.flops.params, VERMILLION, "-", "arithmetic only, 2Nk FLOPs"),
        ),
    }


def draw(title: str, labels: tuple[str, str], *lines: tuple[np.ndarray, np.ndarray, str, str, str]) -> "Figure":
    """Lines of x, y, colour, style and name on log axes."""
    figure, (ax,) = stacked(1, 2.2)
    for x, y, colour, style, name in lines:
        ax.plot(x, y, style, color=colour, label=name)
    ax.set(xscale="log", yscale="log", xlabel=labels[0], ylabel=labels[1], title=title)
    log_ticks(ax)
    common_legend(figure, columns=1 if len(lines[-1][-1]) > 22 else 2)
    return figure


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
