"""What changes a plan? Samples, queries over a model's life, tasks that gain little, the data wall, and real devices.

The law is T²'s Approach 1 in the style of its paper, which does not print its coefficients: Chinchilla's as Besiroglu
et al. 2024 (2404.10102) fitted them, and a gain of sampling G/k^γ chosen here (`Config`); E + G is their E.

- fig2: the optimum against training compute at C_inf = 1.4e11, as in Fig. 2 of Roberts et al. 2026 (2604.01411).
- fig3: the best value at their twelve budgets and C_inf = 2e9, with samples, and of Chinchilla's choice with as many
  samples as it can be given; the paper finds that only the first always falls.
- lifetime: least training and serving FLOPs for the loss of a compute-optimal model, after Sardana et al. 2023
  (2401.00448), by the tokens to be served; each value is found again by SciPy on one equation.
- gain: from which G on a second sample pays, in one budget over training and queries.
- wall: unique tokens, with repeats worth less as in Muennighoff et al. 2023 (2305.16264), R_D = 15.39.
- roofline: where serving pays for memory traffic, against 2Nk FLOPs at the same price.

    python -m experiments.paper.planning [tiny] [-o FOLDER]
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy.optimize import minimize_scalar

import t2jax as t2
from experiments.shared.record import command, stage
from t2jax.planning.plan import CONSTRAINTS
from t2jax.plot.style import BLACK, BLUE, GREY, VERMILLION, log_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CHINCHILLA = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
PAPER_BUDGETS = 1.25e16 * 2.0 ** np.arange(12)
R_D = 15.39


@dataclass(frozen=True)
class Config:
    """The gain of sampling, and how finely each lever is moved."""

    G: float = 0.9
    """Gain of sampling, nats."""
    gamma: float = 0.3
    """Its exponent."""
    points: int = 25
    """Values of each lever."""
    seed: int = 0
    """Not used: nothing is random."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(points=4)


@dataclass(frozen=True)
class Curve:
    """Optima along a lever, each (points,): the lever, N*, D*, k* and the law's value.

    needed: whether all of the training budget is; else D* is only one of those that are as good.
    """

    lever: np.ndarray
    params: np.ndarray
    tokens: np.ndarray
    samples: np.ndarray
    value: np.ndarray
    needed: np.ndarray


@dataclass(frozen=True)
class Result:
    """fig2, fig3: with samples and for one; chinchilla: what the latter is worth with the samples it can be given.

    lifetime: by tokens served, by_scipy: log N* by SciPy. gain: by G; least: the G from which k* exceeds one.
    wall: by unique tokens. roofline: by batch, cached: the same with a KV cache; flops: for 2Nk at the same price.
    """

    fig2: tuple[Curve, Curve]
    fig3: tuple[Curve, Curve]
    chinchilla: np.ndarray
    lifetime: Curve
    loss: float
    by_scipy: np.ndarray
    gain: Curve
    least: float
    wall: Curve
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
    with stage("data wall"):
        wall = data_wall(config)
    with stage("roofline"):
        roofline, cached, flops = devices(config)
    both = fig3[0], fig3[1]
    return Result(fig2, both, chinchilla, lifetime, loss, by_scipy, gain, least, wall, roofline, cached, flops)


def curve(law: t2.Law, lever: np.ndarray, **budget: Any) -> Curve:
    """Optima at budgets of shape (points,)."""
    plan = t2.frontier(law, t2.Budget(**budget))
    params, tokens, samples, value = (np.broadcast_to(getattr(plan, name), lever.shape) for name in _NAMES)
    spare = False if plan.spare is None else plan.spare[..., CONSTRAINTS.index("train")]
    return Curve(lever, params, tokens, samples, value, ~np.broadcast_to(spare, lever.shape))


def served(config: Config) -> tuple[Curve, float, np.ndarray]:
    """Least cost for the loss of Chinchilla's optimum at 1e24 FLOPs, by tokens served over the model's life."""
    law = t2.laws.Chinchilla(**CHINCHILLA)
    loss = float(t2.allocate(law, t2.Budget(train=1e24)).value)
    tokens = np.geomspace(1e10, 1e15, config.points)
    found = curve(law, tokens, target=loss, queries=tokens)

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
        minimize_scalar(cost, args=(one,), bounds=bounds, method="bounded", options=options) for one in tokens
    ]
    return found, loss, np.array([one.x for one in solved])


def little_gain(config: Config) -> tuple[Curve, float]:
    """One budget of 2e24 FLOPs over training and 1e13 tokens served, by the gain G; E + G is held."""
    gains = np.geomspace(1e-3, 1.5, config.points)
    laws = [law_of(Config(G=float(one), gamma=config.gamma)) for one in gains]
    plans = [t2.allocate(one, t2.Budget(total=2e24, queries=1e13)) for one in laws]
    columns = [np.array([float(getattr(one, name)) for one in plans]) for name in _NAMES]
    low, high = 0.0, 1.5
    for _ in range(30):
        middle = (low + high) / 2
        plan = t2.allocate(law_of(Config(G=middle, gamma=config.gamma)), t2.Budget(total=2e24, queries=1e13))
        low, high = (low, middle) if plan.samples > 1 + 1e-9 else (middle, high)
    return Curve(gains, columns[0], columns[1], columns[2], columns[3], np.ones(len(gains), bool)), high


def data_wall(config: Config) -> Curve:
    """1e24 FLOPs and C_inf = 1.4e11 by unique tokens."""
    law = t2.laws.T2Loss.on(t2.laws.DataConstrained)(**law_of(config).values(), R_D=R_D)
    unique = np.geomspace(1e10, 1e15, config.points)
    return curve(law, unique, train=1e24, inference=1.4e11, unique_tokens=unique)


def devices(config: Config) -> tuple[Curve, Curve, Curve]:
    """$5,000,000 over training and 1e9 queries of 300 tokens a sample on H100s at $2.50 an hour, by batch.

    Weights are read from memory once for a batch; in the second curve so is every sample's KV cache, with as many heads
    as queries have. The third is 2Nk: the same device with memory so fast that arithmetic is what serving pays for.
    """
    batch = np.geomspace(1, 1024, config.points)
    real = t2.accelerator("H100", price=2.5)
    endless = t2.Accelerator("endless", real.flops, 1e30, 1e30, real.devices, real.utilisation, price=2.5)
    found = []
    for on, shape in ((real, None), (real, t2.Shape()), (endless, None)):
        budget: Any = {"total": 5e6, "queries": 1e9, "training": t2.Training(on=on)}
        budget["serving"] = t2.Serving(generated=300.0, batch=batch, on=on, shape=shape)
        found.append(curve(law_of(config), batch, **budget))
    return found[0], found[1], found[2]


_NAMES = ("params", "tokens", "samples", "value")


def words(result: Result) -> list[str]:
    with_samples, once = result.fig2
    ratio = with_samples.tokens / with_samples.params
    last = f"{once.tokens[-1] / once.params[-1]:.3g} without"
    falls, rises = np.diff(result.fig3[0].value), np.diff(result.chinchilla)
    life, wall, roof = result.lifetime, result.wall, result.roofline
    apart = np.max(np.abs(np.log(life.params) - result.by_scipy))
    shift, cached = (np.log(one.params / result.flops.params) for one in (roof, result.cached))
    walled, open_ = wall.lever[~wall.needed], wall.lever[wall.needed]
    passes = wall.tokens[wall.needed] / open_
    return [
        f"fig2: D*/N* from {ratio[0]:.3g} at {with_samples.lever[0]:.0e} to {ratio[-1]:.3g} at "
        f"{with_samples.lever[-1]:.0e} FLOPs with samples, {last}",
        f"fig3: with samples the value falls at {np.sum(falls < 0)} of {len(falls)} steps of the budget; Chinchilla's "
        f"choice with the samples it can be given rises at {np.sum(rises > 0)} of {len(rises)}",
        f"lifetime: loss {result.loss:.4f}; N* from {life.params[0]:.3g} at {life.lever[0]:.0e} tokens served to "
        f"{life.params[-1]:.3g} at {life.lever[-1]:.0e}, D* from {life.tokens[0]:.3g} to {life.tokens[-1]:.3g}; "
        f"log N* at most {apart:.1g} from SciPy's",
        f"gain: a second sample pays from G = {result.least:.3g} nats on; at {result.gain.lever[-1]:.2g} nats k* = "
        f"{result.gain.samples[-1]:.3g}",
        f"wall: with {wall.lever[0]:.0e} unique tokens N* = {wall.params[0]:.3g}, value {wall.value[0]:.4f}; with "
        f"{wall.lever[-1]:.0e} N* = {wall.params[-1]:.3g}, value {wall.value[-1]:.4f}; more training changes "
        f"nothing at up to {max(walled, default=0):.2g}, and something from {open_[0]:.2g} on, {passes[0]:.3g} passes",
        f"roofline: N* is {np.expm1(shift[0]):+.0%} of that by 2Nk at a batch of 1, {np.expm1(shift[-1]):+.0%} at "
        f"{roof.lever[-1]:.0f}; k* {roof.samples[0]:.3g} and {roof.samples[-1]:.3g} against "
        f"{result.flops.samples[0]:.3g}; with a KV cache N* is up to {np.expm1(cached.max()):+.0%}, "
        f"at {result.cached.lever[cached.argmax()]:.0f}",
    ]


def figures(result: Result) -> dict[str, "Figure"]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.5, 6.6), layout="constrained")
    axes = figure.subplots(2, 3).ravel()
    with_samples, once = result.fig2
    for one, colour, name in ((with_samples, BLUE, "with samples"), (once, VERMILLION, "one sample")):
        axes[0].plot(one.lever, one.tokens / one.params, color=colour, label=name)
    axes[0].axhline(20, color=BLACK, linestyle=":", linewidth=1, label="20")
    _dress(axes[0], "training compute 6ND (FLOPs)", "tokens per parameter D*/N*", "fig2: C_inf = 1.4e11")
    axes[1].plot(PAPER_BUDGETS, result.fig3[0].value, color=BLUE, label="optimum with samples")
    axes[1].plot(PAPER_BUDGETS, result.chinchilla, color=VERMILLION, label="Chinchilla's N and D with samples")
    _dress(axes[1], "training compute 6ND (FLOPs)", "mean of -log pass@k (nats)", "fig3: C_inf = 2e9", values=True)
    axes[2].plot(result.lifetime.lever, result.lifetime.params, color=BLUE, label="N*")
    axes[2].plot(result.lifetime.lever, result.lifetime.tokens, color=VERMILLION, label="D*")
    _dress(
        axes[2], "tokens served over the model's life", "parameters N*, tokens D*", f"lifetime: loss {result.loss:.3f}"
    )
    axes[3].plot(result.gain.lever, result.gain.samples, color=BLUE, label="k*")
    axes[3].axvline(result.least, color=GREY, linestyle=":", label=f"a second sample pays from {result.least:.2g}")
    _dress(axes[3], "gain of sampling G (nats)", "samples k*", "gain: one budget for training and queries")
    axes[4].plot(result.wall.lever, result.wall.params, color=BLUE, label="N*")
    needed = np.where(result.wall.needed, result.wall.tokens, np.nan)
    axes[4].plot(result.wall.lever, needed, color=VERMILLION, label="D*, while it changes the loss")
    axes[4].plot(result.wall.lever, result.wall.lever, color=GREY, linestyle=":", label="every token once")
    axes[4].set_ylim(1e9, 1e18)
    _dress(axes[4], "unique tokens", "parameters N*, tokens D*", "wall: 1e24 FLOPs, C_inf = 1.4e11")
    axes[5].plot(result.roofline.lever, result.roofline.params, color=BLUE, label="arithmetic or reading weights")
    axes[5].plot(result.cached.lever, result.cached.params, color=BLUE, linestyle="--", label="and the KV cache")
    axes[5].plot(result.flops.lever, result.flops.params, color=VERMILLION, label="2Nk FLOPs")
    _dress(axes[5], "sequences decoded together", "parameters N*", "roofline: $5,000,000, 1e9 queries, H100")
    return {"planning": figure}


def _dress(ax: "Axes", x: str, y: str, title: str, values: bool = False) -> None:
    ax.set(xscale="log", xlabel=x, ylabel=y)
    if not values:
        ax.set_yscale("log")
    log_ticks(ax)
    ax.set_title(title, fontsize="medium")
    ax.legend(frameon=False, fontsize="small")


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
