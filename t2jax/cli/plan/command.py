"""`t2jax plan`: a recommended size, tokens and samples, with costs and sensitivities."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from t2jax.cli.fitting import LEVEL
from t2jax.cli.frontier.allocations import solve_with_draws
from t2jax.cli.frontier.smooth_draws import SmoothDraws, draw_smooth_optima
from t2jax.cli.frontier.smooth_elasticities import draw_elasticities, elasticity_bands
from t2jax.cli.law_source import LawSource, find_law
from t2jax.cli.options import at_stage
from t2jax.cli.output import Output
from t2jax.cli.plan.config import PlanConfig
from t2jax.cli.plan.explain import explain
from t2jax.cli.plan.partial import keep_plan, keep_report
from t2jax.cli.plan.prices import OF_DEVICES, PRICE_NAMES, PriceOptions
from t2jax.cli.plan.ranges import LEVER_POINTS, POINTS, SMOOTH_POINTS, plans_over_ranges, smooth_over_ranges
from t2jax.cli.plan.report import PlanReport, by_option, moving_options
from t2jax.cli.plan.tasks.command import plan_tasks
from t2jax.cli.plan.words import plan_answer, plan_summary, plan_text, save_plan
from t2jax.cli.report.add import add_plan_page
from t2jax.cli.selection.kinds import selection_of
from t2jax.cli.tables.pairs import pairs
from t2jax.planning.advice.best_samples import best_samples
from t2jax.planning.budget import LIMITS, Budget
from t2jax.planning.frontier import check_problem, frontier
from t2jax.planning.plan import Plan
from t2jax.planning.rivals import Choice, models, rivals
from t2jax.planning.sensitivity import Elasticities, delta_band, elasticities, worth_of


def run(config: PlanConfig) -> int:
    """Plans, prints and saves; returns 0 if there is an optimum, else 1. It raises ValueError for bad input."""
    if config.explain_model:
        _refuse_others(config, "--explain-model", "report", "tasks", "hold", *LIMITS)
        return explain(config, config.prices.costs())
    budget = config.budget()
    config.selecting.chosen()  # before anything is fitted
    if config.tasks:
        _refuse_others(config, "--tasks", "hold")
        return plan_tasks(config, budget)
    fitting, held_inputs = at_stage(config.fitting, config.held_inputs)
    config = replace(config, fitting=fitting, held_inputs=held_inputs)
    if config.law_file is None:
        config.held_inputs.check(config.fitting.law, budget)
    levers = {text: change_budget(config, text) for text in config.what_if}
    from t2jax.cli.plan.figures import picture_plan  # imports Matplotlib, which a page need not

    with Output("plan", config.output, config) as out:
        out.answer_comes_first()
        source = find_law(config.table, config.law_file, config.fitting, config.held_inputs, budget.serves, out)
        if source.law is None:
            return out.finish(1, {"converged": False, **source.answer})
        check_problem(type(source.law), budget)
        fitted, source = source, config.selecting.put_on(source)
        law = source.law
        assert law is not None
        with out.progress("planning", total=3 + len(levers)) as bar:
            plan, draws = solve(config, source, budget)
            bar.update()
            report = None
            try:
                if plan.ok:
                    smooth = draw_smooth(config, source, budget)
                    report = report_plan(source, budget, plan, draws, smooth, config)
                    bar.update(2)
                    for text, changed in levers.items():
                        report.what_if[text] = frontier(law, changed)
                        bar.update()
            except KeyboardInterrupt:
                later = [text for text in levers if report is None or text not in report.what_if]
                if report is not None:
                    keep_report(report, later, source, out)
                elif plan.ok:
                    keep_plan(plan, later, source, budget, out)
                raise
        if report is None:
            one_sample = budget.target is not None and "k" in type(law).inputs() and not budget.serves
            hint = "; one sample is drawn, since samples have no price: give --queries too" if one_sample else ""
            print(f"t2jax: there is no plan: {plan.status}{hint}", file=sys.stderr)
            return out.finish(1, {**source.answer, "status": plan.status})
        out.say_answer(plan_text(report) if out.verbose else plan_summary(report))
        with out.file("plan.csv") as path:
            save_plan(report, path)
        with out.progress("figures") as bar:
            picture_plan(report, out)
            bar.update()
        if config.report:
            add_plan_page(out, config.law_file, fitted, report)
        failed = [text for text, variant in report.what_if.items() if not variant.ok]
        for text in failed:
            print(f"t2jax: --what-if {text}: {report.what_if[text].status}", file=sys.stderr)
        return out.finish(1 if failed else 0, {**source.answer, **plan_answer(report)})


def _refuse_others(config: PlanConfig, option: str, *more: str) -> None:
    """Raises ValueError for options that another option has no use for, rather than drop them without a word."""
    values = {"selection": config.selecting.selection, "correlation": config.selecting.correlation}
    values |= {"what_if": config.what_if, **config.prices.ranges()}
    values |= {name: config.held_inputs.hold if name == "hold" else getattr(config, name) for name in more}
    if given := [name for name, value in values.items() if value not in (None, (), False)]:
        raise ValueError(f"{option} has no use for --{given[0].replace('_', '-')}: leave it out")


def solve(config: PlanConfig, source: LawSource, budget: Budget) -> tuple[Plan, Plan | None]:
    """Returns the plan, and the plans of the law's draws. Draws cover all ranges of prices."""
    law = source.law
    assert law is not None
    if not config.prices.ranges():
        return solve_with_draws(law, source.draws, budget)
    return frontier(law, budget), plans_over_ranges(law, source.draws, over_ranges(config, POINTS))


def draw_smooth(config: PlanConfig, source: LawSource, budget: Budget) -> SmoothDraws | None:
    """Returns the optima of draws with deviations, over all ranges of prices, or None without such draws."""
    if not config.prices.ranges():
        return draw_smooth_optima(source.choice, budget, config.fitting.seed)
    return smooth_over_ranges(source.choice, over_ranges(config, SMOOTH_POINTS), config.fitting.seed)


def over_ranges(config: PlanConfig, points: int) -> list[Budget]:
    """Returns the budgets at a number of points of the ranges of prices."""
    return [replace(config, prices=prices).budget() for prices in config.prices.over_ranges(points)]


def report_plan(
    source: LawSource,
    budget: Budget,
    plan: Plan,
    draws: Plan | None,
    smooth_draws: SmoothDraws | None,
    config: PlanConfig,
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
        "move_bands": _move_bands(source, budget, moves, config),
        "measured": source.measured,
        "delta": delta,
        "no_intervals": source.no_intervals,
        "laws_alone": laws_alone,
        "ranges": config.prices.ranges(),
        "over": tuple(over_ranges(config, LEVER_POINTS)) if config.prices.ranges() else (),
    }
    if selection_of(law) is not None and set(type(law).inputs()) == {"N", "D", "k"}:
        context["best_samples"] = best_samples(law, sizes[0], sizes[1])
    return PlanReport(law, source.draws, budget, plan, smooth_draws or draws, *cost, choices, moves, worth, **context)


def _move_bands(source: LawSource, budget: Budget, moves: Elasticities | None, config: PlanConfig) -> Any:
    """Returns intervals of the elasticities that are shown, with deviations of runs from the law."""
    if moves is None or config.prices.ranges() or source.law is None:
        return {}
    shown = moving_options(moves, source.law, ("params", "tokens", "samples", "value"))
    return elasticity_bands(draw_elasticities(source.choice, budget, shown, config.fitting.seed))


def change_budget(config: PlanConfig, text: str) -> Budget:
    """Returns the budget with one limit or price changed by a text such as "inference=x2" or "accelerator=H200".

    It raises ValueError for any other text, and for a factor of a limit that is not set.
    """
    ((name, value),) = pairs("--what-if", ((text,),)).items()
    name = name.replace("-", "_")
    if name not in (*LIMITS, *PRICE_NAMES):
        raise ValueError(f"--what-if: found {name!r}, expected one of {', '.join((*LIMITS, *PRICE_NAMES))}")
    current = getattr(config, name) if name in LIMITS else _current_price(config.prices, name)
    files = {"accelerator": str, "model_config": Path}
    change: Any = {name: files[name](value) if name in files else _change_value(current, text, name, value)}
    if name in LIMITS:
        return replace(config, **change).budget()
    return replace(config, prices=replace(config.prices, **change)).budget()


def _current_price(prices: PriceOptions, name: str) -> Any:
    """Returns the value of a price as it is used: a file of an accelerator may give it where no option does."""
    value = prices.value(name)
    if getattr(prices, name) is None and name in OF_DEVICES:
        training, _ = prices.costs()
        device = None if training is None else training.on
        return value if device is None else getattr(device, name)
    return value


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
