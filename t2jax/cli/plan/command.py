"""`t2jax plan`: one recommendation: how big, on how many tokens, with how many samples, and what would change it."""

import sys
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any

import tyro

from t2jax.cli.fitting import LEVEL
from t2jax.cli.frontier.allocations import solve_with_draws
from t2jax.cli.law_source import known_law
from t2jax.cli.options import FittingOptions, pairs
from t2jax.cli.output import FigureOptions, Output
from t2jax.cli.plan.figures import picture_plan
from t2jax.cli.plan.planned import Planned, in_own_words
from t2jax.cli.plan.words import plan_answer, plan_text, save_plan
from t2jax.fitting.fit import Fit
from t2jax.laws.base import Law
from t2jax.planning.budget import LIMITS, Budget
from t2jax.planning.costs import Serving, Shape, Training
from t2jax.planning.frontier import frontier
from t2jax.planning.hardware import accelerator
from t2jax.planning.plan import Plan
from t2jax.planning.rivals import Choice, models, rivals
from t2jax.planning.sensitivity import delta_band, elasticities, worth_of

OF_A_DEVICE = ("batch", "devices", "utilisation", "bandwidth_utilisation", "weight_bytes")
DEFAULTS = {
    "batch": 1.0,
    "devices": 8.0,
    "utilisation": 0.4,
    "bandwidth_utilisation": 0.8,
    "weight_bytes": 2.0,
    "kv_share": 1.0,
}


@dataclass(frozen=True)
class PriceOptions:
    """What training and serving cost. Without any: 6ND FLOPs, and 2Nk FLOPs for each token served."""

    prompt: float | None = None
    """Tokens of a query's prompt, paid once for all its samples."""
    generated: float = 1.0
    """Tokens of each sample."""
    context: float | None = None
    """Tokens of a training sequence: attention is counted in training and serving, and the KV cache in serving."""
    accelerator: str | None = None
    """H100, H200, A100 or TPU v5e: costs are device-seconds, decoding pays for memory traffic where that is slower."""
    price: float | None = None
    """Dollars per device-hour: costs are dollars."""
    batch: float | None = None
    """Sequences that are decoded together on an accelerator, one by default."""
    devices: float | None = None
    """Devices that serve one copy of the model together, 8 by default."""
    utilisation: float | None = None
    """Share of the peak arithmetic that training and serving reach where it limits them, 0.4 by default."""
    bandwidth_utilisation: float | None = None
    """Share of the peak bandwidth that decoding reaches where it limits it, 0.8 by default."""
    kv_share: float | None = None
    """Heads of keys and values over heads of queries, with --context: 0.125 in many grouped-query models; else 1."""
    weight_bytes: float | None = None
    """Bytes of a parameter when serving, 2 by default."""

    def made(self) -> tuple[Training | None, Serving | None]:
        """The costs, None for those of the paper. Raises ValueError for an unknown accelerator or a wrong number."""
        if self.accelerator is None and self.price is not None:
            raise ValueError("--price is per device-hour: name the device too, such as --accelerator H100")
        for name in OF_A_DEVICE:
            if self.accelerator is None and getattr(self, name) is not None:
                option = name.replace("_", "-")
                raise ValueError(f"--{option} is of a device: name it too, such as --accelerator H100")
        if self.context is None and self.kv_share is not None:
            raise ValueError("--kv-share is of the KV cache, which --context counts: give that too")
        on = None
        if self.accelerator is not None:
            shares = {
                "utilisation": self._of("utilisation"),
                "bandwidth_utilisation": self._of("bandwidth_utilisation"),
            }
            on = accelerator(self.accelerator, price=self.price, devices=self._of("devices"), **shares)
        shape = None if self.context is None else Shape(kv_share=self._of("kv_share"))
        training = None if on is None and shape is None else Training(shape=shape, context=self.context, on=on)
        plain = on is None and shape is None and self.prompt is None and self.generated == 1.0
        if plain:
            return training, None
        serving = Serving(
            prompt=self.prompt,
            generated=self.generated,
            shape=shape,
            batch=self._of("batch"),
            weight_bytes=self._of("weight_bytes"),
            on=on,
        )
        return training, serving

    def _of(self, name: str) -> float:
        """An option, or what it is by default."""
        given = getattr(self, name)
        return DEFAULTS[name] if given is None else given


@dataclass(frozen=True)
class PlanConfig:
    """Recommend a size, training tokens and samples for one budget, with what it costs and what would change it."""

    table: tyro.conf.Positional[str | None] = None
    """A table to fit first, as for `t2jax fit`; or use --law-file."""
    law_file: Annotated[Path | None, tyro.conf.arg(metavar="law.json")] = None
    """A law that `t2jax fit` or `sample` wrote; draws.nc or posterior.nc beside it gives the intervals."""
    train: float | None = None
    """What training may cost: FLOPs, or the unit of the prices."""
    inference: float | None = None
    """What a query (without a prompt: a token served) may cost."""
    total: float | None = None
    """What training and all queries may cost together; with --queries, or with --target for the most queries."""
    queries: float | None = None
    """Queries over the model's life."""
    target: float | None = None
    """What must be reached, a loss at most or a pass@k at least, at the least cost."""
    latency: float | None = None
    """Seconds a query may take."""
    params_min: float | None = None
    """The smallest model allowed."""
    params_max: float | None = None
    """The largest model allowed."""
    tokens_min: float | None = None
    """The fewest training tokens."""
    tokens_max: float | None = None
    """The most training tokens."""
    samples_min: float | None = None
    """The fewest samples."""
    samples_max: float | None = None
    """The most samples."""
    unique_tokens: float | None = None
    """Different tokens there are, for laws in which repeated ones are worth less."""
    sizes: tuple[float, ...] = ()
    """Sizes that can be trained, to choose one of."""
    tokens_per_param: float | None = None
    """Training tokens of each parameter where they are a rule, such as 20."""
    whole_samples: bool = False
    """Draw a whole number of samples."""
    what_if: Annotated[
        tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="LEVER=VALUE|LEVER=xFACTOR")
    ] = ()
    """A limit or price at another value, such as inference=x2, price=3 or accelerator=H200; give it again for each."""
    prices: PriceOptions = field(default_factory=PriceOptions)
    fitting: FittingOptions = field(default_factory=FittingOptions)
    output: FigureOptions = field(default_factory=FigureOptions)

    def budget(self) -> Budget:
        """The problem. Raises ValueError for limits that make none."""
        training, serving = self.prices.made()
        limits = {name: getattr(self, name) for name in LIMITS}
        return Budget(
            **limits,
            sizes=self.sizes or None,
            whole_samples=self.whole_samples,
            training=training,
            serving=serving,
        )


def run(config: PlanConfig) -> int:
    """Plan, print and save; 0 if there is an optimum, else 1. Raises ValueError for bad input."""
    budget = config.budget()
    levers = {text: changed(config, text) for text in config.what_if}
    with Output("plan", config.output, config) as out:
        known = known_law(config.table, config.law_file, config.fitting, budget.serves, out)
        if known.law is None:
            return out.finish(1, {"converged": False, **known.answer})
        with out.progress("planning", total=3 + len(levers)) as bar:
            plan, draws = solve_with_draws(known.law, known.draws, budget)
            bar.update()
            found = planned(known.law, known.draws, known.fit, budget, plan, draws) if plan.ok else None
            bar.update(2)
            tried = levers if plan.ok else {}
            other = {text: frontier(known.law, budget) for text, budget in tried.items()}
            bar.update(len(levers))
        if found is None:
            once = budget.target is not None and "k" in type(known.law).inputs() and not budget.serves
            why = "; one sample is drawn, since samples have no price: give --queries too" if once else ""
            print(f"t2jax: there is no plan: {plan.status}{why}", file=sys.stderr)
            return out.finish(1, {**known.answer, "status": plan.status})
        found.what_if.update(other)
        out.say(plan_text(found))
        with out.file("plan.csv") as path:
            save_plan(found, path)
        with out.progress("figures") as bar:
            picture_plan(found, out)
            bar.update()
        failed = [text for text, other in found.what_if.items() if not other.ok]
        for text in failed:
            print(f"t2jax: --what-if {text}: {found.what_if[text].status}", file=sys.stderr)
        return out.finish(1 if failed else 0, {**known.answer, **plan_answer(found)})


def planned(law: Law, laws: Law | None, fit: Fit | None, budget: Budget, plan: Plan, draws: Plan | None) -> Planned:
    """All that is said of a plan: its rivals at equal cost, how it moves, what its limits are worth, how sure it is."""
    smooth = budget.sizes is None and not budget.whole_samples
    moves = in_own_words(elasticities(law, budget)) if smooth else None
    delta = delta_band(fit, budget, LEVEL) if smooth and fit is not None and not fit.undetermined else None
    worth = worth_of(plan, law, budget)
    own = [float(one) for one in (plan.params, plan.tokens, plan.samples, plan.value)]
    queries, spent = (None if one is None else float(one) for one in (plan.queries, plan.spent))
    mine = Choice("this plan", *own, queries=queries, spent=spent)
    costs = models(law, budget, plan.params, plan.tokens, plan.samples)
    choices = (mine, *rivals(law, budget, plan))
    return Planned(
        law, laws, budget, plan, draws, float(costs.training[0]), float(costs.query[0]), choices, moves, worth, delta
    )


def changed(config: PlanConfig, text: str) -> Budget:
    """The budget with one limit or price changed, from "inference=x2", "tokens_max=1e12" or "accelerator=H200".

    Raises ValueError for anything else, and for a factor of what is not set.
    """
    ((name, value),) = pairs("--what-if", ((text,),)).items()
    name = name.replace("-", "_")
    prices = tuple(one.name for one in fields(PriceOptions))
    if name not in (*LIMITS, *prices):
        raise ValueError(f"--what-if: found {name!r}, expected one of {', '.join((*LIMITS, *prices))}")
    group = config if name in LIMITS else config.prices
    held = getattr(group, name)
    held = DEFAULTS.get(name) if held is None else held
    other: Any = {name: value if name == "accelerator" else _moved(held, text, name, value)}
    if name in LIMITS:
        return replace(config, **other).budget()
    return replace(config, prices=replace(config.prices, **other)).budget()


def _moved(held: float | None, text: str, name: str, value: str) -> float:
    try:
        number = float(value.removeprefix("x"))
    except ValueError:
        raise ValueError(f"--what-if: found {text!r}, expected a number or a factor such as x2") from None
    if not value.startswith("x"):
        return number
    if held is None:
        raise ValueError(f"--what-if {text}: the budget has no {name} to multiply; give a value")
    return number * held
