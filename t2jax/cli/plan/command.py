"""`t2jax plan`: a recommended size, tokens and samples, with costs and sensitivities."""

import sys
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any

import tyro

from t2jax.cli.fitting import LEVEL
from t2jax.cli.frontier.allocations import solve_with_draws
from t2jax.cli.frontier.smooth_draws import SmoothDraws, draw_smooth_optima
from t2jax.cli.law_source import LawSource, find_law
from t2jax.cli.options import FittingOptions, refuse_absurd
from t2jax.cli.output import FigureOptions, Output
from t2jax.cli.plan.figures import picture_plan
from t2jax.cli.plan.report import PlanReport, by_option
from t2jax.cli.plan.selection import SelectionOptions, selection_of
from t2jax.cli.plan.words import plan_answer, plan_text, save_plan
from t2jax.cli.tables.pairs import pairs
from t2jax.planning.advice.best_samples import best_samples
from t2jax.planning.budget import LIMITS, Budget
from t2jax.planning.costs import Serving, Shape, Training
from t2jax.planning.frontier import frontier
from t2jax.planning.hardware import accelerator
from t2jax.planning.plan import Plan
from t2jax.planning.rivals import Choice, models, rivals
from t2jax.planning.sensitivity import delta_band, elasticities, worth_of

DEVICE_OPTIONS = ("batch", "devices", "utilisation", "bandwidth_utilisation", "weight_bytes")
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
    """Prices of training and serving. Without any: 6ND FLOPs, and 2Nk FLOPs for each token served."""

    prompt: float | None = None
    """Tokens of a query's prompt, which all its samples share."""
    generated: float = 1.0
    """Tokens of each sample."""
    context: float | None = None
    """Tokens of a training sequence; adds the costs of attention, and of the KV cache in serving."""
    accelerator: str | None = None
    """H100, H200, A100 or TPU v5e: costs in device-seconds; decoding at the slower of arithmetic and memory traffic."""
    price: float | None = None
    """Dollars per device-hour: costs in dollars."""
    batch: float | None = None
    """Sequences that are decoded together, 1 by default."""
    devices: float | None = None
    """Devices that serve one copy of the model together, 8 by default."""
    utilisation: float | None = None
    """Share of the peak arithmetic that training and serving reach, 0.4 by default."""
    bandwidth_utilisation: float | None = None
    """Share of the peak memory bandwidth that decoding reaches, 0.8 by default."""
    kv_share: float | None = None
    """Key-value heads over query heads, with --context: 0.125 in many grouped-query models; 1 by default."""
    weight_bytes: float | None = None
    """Bytes of a parameter when serving, 2 by default."""

    def costs(self) -> tuple[Training | None, Serving | None]:
        """Returns the prices, None for those of the paper.

        It raises ValueError for an unknown accelerator or a wrong number.
        """
        if self.accelerator is None and self.price is not None:
            raise ValueError("--price is per device-hour, so it needs a device, such as --accelerator H100")
        for name in DEVICE_OPTIONS:
            if self.accelerator is None and getattr(self, name) is not None:
                option = name.replace("_", "-")
                raise ValueError(f"--{option} needs a device, such as --accelerator H100")
        if self.context is None and self.kv_share is not None:
            raise ValueError("--kv-share needs --context, which adds the KV cache")
        device = None
        if self.accelerator is not None:
            shares = {
                "utilisation": self._value("utilisation"),
                "bandwidth_utilisation": self._value("bandwidth_utilisation"),
            }
            device = accelerator(self.accelerator, price=self.price, devices=self._value("devices"), **shares)
        shape = None if self.context is None else Shape(kv_share=self._value("kv_share"))
        training = None if device is None and shape is None else Training(shape=shape, context=self.context, on=device)
        is_default = device is None and shape is None and self.prompt is None and self.generated == 1.0
        if is_default:
            return training, None
        serving = Serving(
            prompt=self.prompt,
            generated=self.generated,
            shape=shape,
            batch=self._value("batch"),
            weight_bytes=self._value("weight_bytes"),
            on=device,
        )
        return training, serving

    def _value(self, name: str) -> float:
        """Returns the value of an option, or its default."""
        value = getattr(self, name)
        return DEFAULTS[name] if value is None else value


@dataclass(frozen=True)
class PlanConfig:
    """Recommend a size, training tokens and samples for one budget, with what it costs and what would change it."""

    table: tyro.conf.Positional[str | None] = None
    """Table to fit first, as for `t2jax fit`; or use --law-file."""
    law_file: Annotated[Path | None, tyro.conf.arg(metavar="law.json")] = None
    """Law written by `t2jax fit` or `sample`; rows.csv, draws.nc or posterior.nc beside it gives the intervals."""
    train: float | None = None
    """Largest cost of training, in FLOPs or the unit of the prices."""
    inference: float | None = None
    """Largest cost of a query (without a prompt: of a token served)."""
    total: float | None = None
    """Largest cost of training and all queries together; with --queries, or with --target for the most queries."""
    queries: float | None = None
    """Number of queries over the model's life."""
    target: float | None = None
    """Largest loss or smallest pass@k to reach at the least cost."""
    latency: float | None = None
    """Largest duration of a query in seconds."""
    params_min: float | None = None
    """Smallest number of parameters allowed."""
    params_max: float | None = None
    """Largest number of parameters allowed."""
    tokens_min: float | None = None
    """Smallest number of training tokens."""
    tokens_max: float | None = None
    """Largest number of training tokens."""
    samples_min: float | None = None
    """Smallest number of samples."""
    samples_max: float | None = None
    """Largest number of samples."""
    unique_tokens: float | None = None
    """Number of unique tokens, for laws in which repeated tokens are worth less."""
    sizes: tuple[float, ...] = ()
    """Sizes to choose from."""
    tokens_per_param: float | None = None
    """Fixed ratio of training tokens to parameters, such as 20."""
    whole_samples: bool = False
    """Draw a whole number of samples."""
    what_if: Annotated[
        tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="LEVER=VALUE|LEVER=xFACTOR")
    ] = ()
    """A limit or price at another value, such as inference=x2, price=3 or accelerator=H200; give it again for each."""
    prices: PriceOptions = field(default_factory=PriceOptions)
    selecting: tyro.conf.OmitArgPrefixes[SelectionOptions] = field(default_factory=SelectionOptions)
    fitting: FittingOptions = field(default_factory=FittingOptions)
    output: FigureOptions = field(default_factory=FigureOptions)

    def budget(self) -> Budget:
        """Returns the problem. It raises ValueError for limits that do not define one."""
        training, serving = self.prices.costs()
        limits = {name: getattr(self, name) for name in LIMITS}
        if self.train is not None:
            refuse_absurd(self.train, f"{self.train:g}")
        return Budget(
            **limits,
            sizes=self.sizes or None,
            whole_samples=self.whole_samples,
            training=training,
            serving=serving,
        )


def run(config: PlanConfig) -> int:
    """Plans, prints and saves; returns 0 if there is an optimum, else 1. It raises ValueError for bad input."""
    budget = config.budget()
    config.selecting.chosen()  # before anything is fitted
    levers = {text: change_budget(config, text) for text in config.what_if}
    with Output("plan", config.output, config) as out:
        source = find_law(config.table, config.law_file, config.fitting, budget.serves, out)
        source = config.selecting.put_on(source)
        if source.law is None:
            return out.finish(1, {"converged": False, **source.answer})
        with out.progress("planning", total=3 + len(levers)) as bar:
            smooth = draw_smooth_optima(source.choice, budget, config.fitting.seed)
            plan, draws = solve_with_draws(source.law, source.draws, budget)
            bar.update()
            report = report_plan(source, budget, plan, draws, smooth) if plan.ok else None
            bar.update(2)
            levers_to_solve = levers if plan.ok else {}
            variants = {text: frontier(source.law, budget) for text, budget in levers_to_solve.items()}
            bar.update(len(levers))
        if report is None:
            one_sample = budget.target is not None and "k" in type(source.law).inputs() and not budget.serves
            hint = "; one sample is drawn, since samples have no price: give --queries too" if one_sample else ""
            print(f"t2jax: there is no plan: {plan.status}{hint}", file=sys.stderr)
            return out.finish(1, {**source.answer, "status": plan.status})
        report.what_if.update(variants)
        out.say(plan_text(report))
        with out.file("plan.csv") as path:
            save_plan(report, path)
        with out.progress("figures") as bar:
            picture_plan(report, out)
            bar.update()
        failed = [text for text, variant in report.what_if.items() if not variant.ok]
        for text in failed:
            print(f"t2jax: --what-if {text}: {report.what_if[text].status}", file=sys.stderr)
        return out.finish(1 if failed else 0, {**source.answer, **plan_answer(report)})


def report_plan(
    source: LawSource, budget: Budget, plan: Plan, draws: Plan | None, smooth_draws: SmoothDraws | None
) -> PlanReport:
    """Returns the plan with its alternatives at equal cost, elasticities, shadow prices and intervals."""
    law, fit = source.law, source.fit
    assert law is not None
    smooth = budget.sizes is None and not budget.whole_samples
    moves = by_option(elasticities(law, budget)) if smooth else None
    linear = smooth and fit is not None and not fit.undetermined and not fit.no_errors and not source.no_intervals
    delta = delta_band(fit, budget, LEVEL) if linear and fit is not None else None
    worth = worth_of(plan, law, budget)
    sizes = [float(quantity) for quantity in (plan.params, plan.tokens, plan.samples, plan.value)]
    queries, spent = (None if quantity is None else float(quantity) for quantity in (plan.queries, plan.spent))
    choice = Choice("this plan", *sizes, queries=queries, spent=spent)
    costs = models(law, budget, plan.params, plan.tokens, plan.samples)
    choices = (choice, *rivals(law, budget, plan))
    cost = float(costs.training[0]), float(costs.query[0])
    laws_alone = draws if smooth_draws is not None else None
    context: dict[str, Any] = {
        "measured": source.measured,
        "delta": delta,
        "no_intervals": source.no_intervals,
        "laws_alone": laws_alone,
    }
    if selection_of(law) is not None and "U" not in type(law).inputs():
        context["best_samples"] = best_samples(law, sizes[0], sizes[1])
    return PlanReport(law, source.draws, budget, plan, smooth_draws or draws, *cost, choices, moves, worth, **context)


def change_budget(config: PlanConfig, text: str) -> Budget:
    """Returns the budget with one limit or price changed by a text such as "inference=x2" or "accelerator=H200".

    It raises ValueError for any other text, and for a factor of a limit that is not set.
    """
    ((name, value),) = pairs("--what-if", ((text,),)).items()
    name = name.replace("-", "_")
    prices = tuple(option.name for option in fields(PriceOptions))
    if name not in (*LIMITS, *prices):
        raise ValueError(f"--what-if: found {name!r}, expected one of {', '.join((*LIMITS, *prices))}")
    group = config if name in LIMITS else config.prices
    current = getattr(group, name)
    current = DEFAULTS.get(name) if current is None else current
    change: Any = {name: value if name == "accelerator" else _change_value(current, text, name, value)}
    if name in LIMITS:
        return replace(config, **change).budget()
    return replace(config, prices=replace(config.prices, **change)).budget()


def _change_value(current: float | None, text: str, name: str, value: str) -> float:
    """Returns the new value of a limit or price from a number, or a factor such as "x2"."""
    try:
        number = float(value.removeprefix("x"))
    except ValueError:
        raise ValueError(f"--what-if: found {text!r}, expected a number or a factor such as x2") from None
    if not value.startswith("x"):
        return number
    if current is None:
        raise ValueError(f"--what-if {text}: the budget has no {name} to multiply; give a value")
    return number * current
