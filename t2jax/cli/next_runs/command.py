"""`t2jax next`: the runs to train next that most reduce the uncertainty of the compute-optimal size."""

import sys
from typing import Any

import jax
import numpy as np
import pandas as pd

from t2jax import laws
from t2jax.cli.figures import figure_of, save_panels
from t2jax.cli.fitting import fit_and_save, fit_answer
from t2jax.cli.law_source import fit_deviations
from t2jax.cli.next_runs.config import NextConfig
from t2jax.cli.next_runs.pool import check_pool_options, choose, costs_in_pool
from t2jax.cli.options import at_stage, law_for
from t2jax.cli.output import Output
from t2jax.cli.tables.options import notes_of
from t2jax.cli.words import columns, count
from t2jax.extrapolation.law_choice import LawChoice
from t2jax.files import whole
from t2jax.fitting.fit import Fit
from t2jax.planning.budget import Budget
from t2jax.planning.frontier import check_reads_sizes
from t2jax.planning.next_runs.next_runs import SHORT, NextRuns, next_runs
from t2jax.planning.next_runs.region import Region
from t2jax.planning.next_runs.with_deviations import next_runs_with_deviations
from t2jax.plot.style import AXIS_LABELS, BLUE, GREY, VERMILLION, legend_outside, log_ticks
from t2jax.tables.table import Table


def run(config: NextConfig) -> int:
    """Fits, chooses, prints and saves; returns 0 if all went well, else 1. It raises ValueError for bad input."""
    if config.deviations and (config.scale is not None or config.fitting.fixed):
        raise ValueError("--deviations estimates errors with every parameter free: leave out --scale and --fixed")
    if config.candidates is not None and config.largest is not None:
        raise ValueError("--largest does not apply to --candidates; remove the expensive runs from that table")
    check_pool_options(config)
    fitting, held_inputs = at_stage(config.fitting, config.held_inputs)
    table = fitting.read(config.table)
    candidates, pool, targets = (
        None if path is None else fitting.reading.read_points(path, ())
        for path in (config.candidates, config.pool, config.targets)
    )
    budget = Budget(train=config.train, inference=config.inference, inputs=held_inputs.given or None)
    held_inputs.check(fitting.law, budget)
    if config.count is not None and config.count < 1:
        raise ValueError(f"--count must be at least one run, not {config.count}")
    places = _region(table, config.largest) if candidates is None else candidates
    unit = "" if pool is not None and "cost" in pool else " FLOPs"
    if pool is not None:
        cheapest = float(costs_in_pool(pool).min())
    else:
        cheapest = places.cost_min if isinstance(places, Region) else float(places.compute().min())
    if config.compute is not None and not config.compute >= cheapest:
        raise ValueError(
            f"--compute {config.compute:.4g} does not pay for the cheapest run to choose from: {cheapest:.4g}{unit}"
        )
    with Output("next", config.output, config) as out:
        fitted = fit_and_save(held_inputs.of(law_for(table, fitting.law)), table, fitting, out)
        result, answer = fitted.fit, {"fit": fit_answer(fitted), "notes": notes_of(table)}
        out.say(f"{laws.name_of(type(result.law))} on {table.source.name}: {result.status}", "")
        if not result.converged:
            print(f"t2jax: the fit failed ({result.status})", file=sys.stderr)
            return out.finish(1, {"converged": False, **answer})
        check_reads_sizes(type(result.law))
        draws = None if fitted.laws is None else _first_draws(fitted.laws)
        with out.progress("choosing") as bar:
            limits: Any = {"candidates": places, "count": config.count or 1, "compute": config.compute, "of": config.of}
            if pool is not None:
                chosen = choose(config, result, budget, pool, targets)
            elif config.deviations:
                chosen = next_runs_with_deviations(_deviating(result, table, config), table, budget, **limits)
            else:
                chosen = next_runs(result, table, budget, **limits, scale=config.scale, laws=draws)
            bar.update()
        frame = runs_frame(chosen)
        answer_name = SHORT[config.of] if pool is None else "predictions"
        out.say(next_text(chosen, answer_name, unit.strip() or "cost"))
        if pool is None and not config.deviations:
            out.say("", "Deviations of runs from the law are left out: --deviations counts them.")
        with out.file("next.csv") as path, whole(path) as unfinished:
            frame.to_csv(unfinished, index=False)
        with out.progress("figures") as bar:
            picture_next(chosen, table, out)
            bar.update()
        runs = frame.to_dict("records")
        return out.finish(
            0, {**answer, "log_error_before": float(np.sqrt(chosen.before)), "runs": runs, "status": chosen.status}
        )


def _deviating(fitted: Fit, table: Table, config: NextConfig) -> LawChoice:
    """Returns the law with smooth deviations of runs. It raises ValueError for rows that have none."""
    choice = fit_deviations(type(fitted.law), table, config.fitting.seed)
    if choice is None:
        raise ValueError("--deviations needs losses or pass@k of one task, of three runs at least")
    return choice


def runs_frame(chosen: NextRuns) -> pd.DataFrame:
    """Returns one row for each run: its place, its cost, and the standard error of the answer's log after it."""
    sizes: dict[str, Any] = {"params": chosen.params, "tokens": chosen.tokens}
    sizes |= {} if chosen.samples is None else {"samples": chosen.samples}
    return pd.DataFrame(sizes | {"cost": chosen.cost, "log_error_after": np.sqrt(chosen.after)})


def next_text(chosen: NextRuns, name: str, unit: str) -> str:
    """Returns a table of the runs, with the error of the named answer that is left after each, and the status."""
    header = ("run", "N", "D", "D/N", "k", unit, f"error of {name} after it")
    samples = ["1"] * len(chosen.params) if chosen.samples is None else [f"{k:.4g}" for k in chosen.samples]
    rows = [
        (f"{i + 1}", count(n), count(d), f"{d / n:.3g}", k, f"{cost:.3g}", f"{np.sqrt(variance):.1%}")
        for i, (n, d, k, cost, variance) in enumerate(
            zip(chosen.params, chosen.tokens, samples, chosen.cost, chosen.after, strict=True)
        )
    ]
    before = f"The standard error of {name} is {np.sqrt(chosen.before):.1%} now."
    return f"{before}\n\n{columns(header, rows)}\n\n{chosen.status}"


def picture_next(chosen: NextRuns, table: Table, out: Output) -> None:
    """Draws the figure `next`: existing and chosen runs on a map of the gain of one run at each place."""
    figure, (ax,) = figure_of(1, legend=2.0)
    gain = np.maximum(chosen.gain, 0.0)
    places = ax.scatter(
        chosen.candidates["params"], chosen.candidates["tokens"], c=100 * -np.expm1(-gain / 2), s=14, cmap="viridis"
    )
    ax.plot(table["params"], table["tokens"], ".", color=GREY, markersize=4, label="existing runs")
    ax.plot(
        chosen.params, chosen.tokens, "o", markerfacecolor="white", color=VERMILLION, markersize=13, label="next runs"
    )
    for (n, d), label in run_labels(chosen).items():
        ax.annotate(label, (n, d), (0, 0), textcoords="offset points", ha="center", va="center", fontsize="x-small")
    ends = np.array([chosen.candidates["params"].min(), chosen.candidates["params"].max()])
    ax.plot(ends, 20 * ends, ":", color=BLUE, linewidth=1, label="20 tokens per parameter")
    ax.set(xscale="log", yscale="log", xlabel=AXIS_LABELS["params"], ylabel=AXIS_LABELS["tokens"])
    log_ticks(ax)
    legend_outside(ax)
    figure.colorbar(places, ax=ax, label="one run here lowers the error by (%)", location="bottom", shrink=0.8)
    save_panels(figure, "next", out)


def run_labels(chosen: NextRuns) -> dict[tuple[float, float], str]:
    """Returns the numbers of the chosen runs by place: one label such as "2, 5" where runs repeat."""
    labels: dict[tuple[float, float], str] = {}
    for i, place in enumerate(zip(map(float, chosen.params), map(float, chosen.tokens), strict=True)):
        labels[place] = f"{labels[place]}, {i + 1}" if place in labels else f"{i + 1}"
    return labels


def _region(table: Table, largest: float | None) -> Region:
    """Returns the range of training FLOPs in which a run may be chosen."""
    cost = table.compute()
    most = float(cost.max()) if largest is None else largest
    if not most > 0:
        raise ValueError(f"--largest must be positive training FLOPs, not {most:g}")
    return Region(min(float(cost.min()), most), most)


def _first_draws(laws: Any, most: int = 64) -> Any:
    """Returns at most `most` of the draws, over which the choice is averaged."""
    return jax.tree.map(lambda leaf: leaf[:most], laws)
