"""Does the inverse of a plan find its budget? And which serving would explain published models?

200 random budgets make plans, and `t2.planning.explain_model` sees only N and D of each. Published models are explained
by Chinchilla's law with the coefficients of Besiroglu et al. 2024 (2404.10102).

    python -m experiments.checks.inverse_plans [tiny] [-o FOLDER]
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

import t2jax as t2
from experiments.shared.pictures import stacked
from experiments.shared.record import command, stage
from t2jax.planning.plan import AT_BOUND
from t2jax.plot.style import BLUE, GREY

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHINCHILLA = {"E": 1.8172, "A": 477.83, "B": 2143.4, "alpha": 0.34731, "beta": 0.36717}
MODELS = (  # name, parameters, training tokens, source
    ("GPT-3 175B", 175e9, 0.3e12, "2005.14165"),
    ("Chinchilla 70B", 70e9, 1.4e12, "2203.15556"),
    ("Llama 2 7B", 6.74e9, 2e12, "2307.09288"),
    ("Llama 2 70B", 69.0e9, 2e12, "2307.09288"),
    ("Llama 3 8B", 8.03e9, 15e12, "2407.21783"),
    ("Llama 3 70B", 70.6e9, 15e12, "2407.21783"),
    ("Llama 3 405B", 406e9, 15.6e12, "2407.21783"),
    ("Gemma 2 2B", 2.61e9, 2e12, "2408.00118"),
    ("Gemma 2 9B", 9.24e9, 8e12, "2408.00118"),
    ("Gemma 2 27B", 27.2e9, 13e12, "2408.00118"),
    ("Qwen2.5 0.5B", 0.49e9, 18e12, "2412.15115"),
    ("Qwen2.5 7B", 7.61e9, 18e12, "2412.15115"),
    ("Qwen2.5 72B", 72.7e9, 18e12, "2412.15115"),
)


@dataclass(frozen=True)
class Config:
    """How many plans of each kind."""

    plans: int = 50
    """Random budgets of each of four kinds."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(plans=2)


@dataclass(frozen=True)
class Recovery:
    """Budgets of one kind.

    Attributes:
        kind: What the budget limits.
        law: Name of the law.
        plans: Number of plans.
        skipped: Number of other budgets, whose plans a limit on memory decides.
        budget: Largest relative error of the recovered budgets.
        samples: Largest relative error of the recovered samples.
    """

    kind: str
    law: str
    plans: int
    skipped: int
    budget: float
    samples: float


@dataclass(frozen=True)
class Explained:
    """A published model.

    Attributes:
        name: Name of the model.
        params: Number of parameters.
        tokens: Number of training tokens.
        source: arXiv number.
        wedge: Gain of 1 % more parameters over that of 1 % more tokens.
        served: Served tokens that make it the best choice, None without any.
    """

    name: str
    params: float
    tokens: float
    source: str
    wedge: float
    served: float | None


@dataclass(frozen=True)
class Result:
    """Recovered budgets by kind, and published models."""

    kinds: tuple[Recovery, ...]
    models: tuple[Explained, ...]


def run(config: Config) -> Result:
    rng = np.random.default_rng(config.seed)
    kinds = []
    for kind in ("FLOPs together", "FLOPs, with samples", "two budgets, with samples", "dollars together"):
        with stage(kind):
            kinds.append(recover(kind, config.plans, rng))
    law = t2.laws.Chinchilla(**CHINCHILLA)
    models = []
    for name, params, tokens, source in MODELS:
        result = t2.planning.explain_model(law, params, tokens)
        served = result.served_tokens if result.ok else None
        models.append(Explained(name, params, tokens, source, result.wedge, served))
    return Result(tuple(kinds), tuple(models))


def recover(kind: str, plans: int, rng: np.random.Generator) -> Recovery:
    """Solves random budgets of one kind, and explains each of their plans."""
    prices: dict[str, Any] = {}
    if kind == "dollars together":
        chip = t2.accelerator("H100", price=2.5)
        prices["training"] = t2.Training(on=chip)
        prices["serving"] = t2.Serving(prompt=500.0, generated=300.0, batch=64.0, on=chip)
    errors, sampled = [], "samples" in kind
    skipped = 0
    while len(errors) < plans:
        law = random_law(rng, sampled)
        budget: dict[str, Any]
        if kind == "two budgets, with samples":
            budget = {"train": 10 ** rng.uniform(20, 26), "inference": 10 ** rng.uniform(10, 12.5)}
        elif prices:
            budget = {"total": 10 ** rng.uniform(5, 8), "queries": 10 ** rng.uniform(6, 10)}
        else:
            budget = {"total": 10 ** rng.uniform(20, 26), "queries": 10 ** rng.uniform(11, 14)}
        plan = t2.allocate(law, t2.Budget(**budget, **prices))
        if not plan.ok or plan.code == AT_BOUND:  # the memory of the devices limits the size, and no gain does
            skipped += 1
            continue
        result = t2.planning.explain_model(law, plan.params, plan.tokens, **prices)
        parts = [abs(getattr(result, name) / value - 1) for name, value in budget.items()]
        errors.append((max(parts), abs(result.samples / plan.samples - 1)))
    budgets, samples = np.array(errors).T
    return Recovery(
        kind, "T2Loss" if sampled else "Chinchilla", len(errors), skipped, float(budgets.max()), float(samples.max())
    )


def random_law(rng: np.random.Generator, sampled: bool) -> t2.Law:
    """Draws a law near published fits, with or without a gain from samples."""
    alpha, beta = rng.uniform(0.28, 0.42, 2)
    values = {"E": rng.uniform(0.5, 2.0), "alpha": alpha, "beta": beta}
    values |= {"A": 0.35 * 1e8**alpha * rng.uniform(0.7, 1.4), "B": 0.45 * 2e9**beta * rng.uniform(0.7, 1.4)}
    if not sampled:
        return t2.laws.Chinchilla(**values)
    return t2.laws.T2Loss(**values, G=rng.uniform(0.3, 2.0), gamma=rng.uniform(0.2, 0.8))


def words(result: Result) -> list[str]:
    lines = [
        f"{kind.kind} ({kind.law}): {kind.plans} plans, budgets within {kind.budget:.1g},"
        f" samples within {kind.samples:.1g}"
        for kind in result.kinds
    ]
    for model in result.models:
        served = "none" if model.served is None else f"{model.served:.2g} served tokens"
        lines.append(f"{model.name}: {model.tokens / model.params:.3g} tokens per parameter, {served}")
    return lines


def figures(result: Result) -> dict[str, "Figure"]:
    """Served tokens of each model, over its training tokens."""
    models = [model for model in result.models if model.served is not None]
    models.sort(key=lambda model: model.served / model.tokens if model.served else 0.0)
    figure, (ax,) = stacked(1, 2.8)
    ratios = [model.served / model.tokens for model in models if model.served]
    ax.hlines(np.arange(len(models)), min(ratios), ratios, color=GREY, alpha=0.4, linewidth=1)
    ax.plot(ratios, np.arange(len(models)), "o", color=BLUE)
    ax.axvline(1.0, color=GREY, linestyle=":", linewidth=1)
    ax.set_yticks(np.arange(len(models)), [model.name for model in models])
    ax.set(xscale="log", xlabel="served tokens over training tokens")
    ax.xaxis.set_tick_params(labelbottom=True)
    return {"models": figure}


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
