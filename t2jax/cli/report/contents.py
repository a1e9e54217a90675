"""Contents of the page of a law and its plan: the recommendation, how sure it is, and what would change it."""

from pathlib import Path
from typing import Any

import numpy as np

from t2jax.cli.fitting import LEVEL
from t2jax.cli.law_source import LawSource
from t2jax.cli.plan.report import PlanReport, moving_options
from t2jax.cli.plan.words import plan_answer, plan_parts, plan_text
from t2jax.cli.report.figures import elasticity_figure, measured_figures
from t2jax.cli.report.lever_data import lever_data
from t2jax.cli.report.page_parts import Page, Section, TablePart, show, table
from t2jax.cli.report.provenance import provenance_section
from t2jax.cli.selection.kinds import selection_of
from t2jax.cli.words import count
from t2jax.fitting.law_files import read_law_file
from t2jax.laws import name_of
from t2jax.laws.base import Law
from t2jax.numerics.bands import band
from t2jax.planning.levers.levers import levers_of
from t2jax.planning.problem import predicts_pass
from t2jax.posterior.files import POSTERIOR_FILE, load_posterior
from t2jax.tables.table import Table

RESPONSES = {
    "loss": "loss",
    "pass_at_k": "pass@k",
    "neg_log_pass": "-log pass@k",
    "error": "error",
}
BLIND = {
    "loss": "The law predicts a loss. How much a lower loss is worth in use, the table does not say.",
    "pass_at_k": "pass@k counts a question as solved if any of k samples is right. Whoever serves it must know which.",
}
SHORT = {"params": "N", "tokens": "D", "tokens_per_param": "D/N", "samples": "k", "value": "prediction"}


def page_of_plan(
    run: dict[str, Any],
    law_path: Path,
    source: LawSource,
    report: PlanReport | None,
    rows: Table | None,
    no_plan: str = "",
    cautions: tuple[str, ...] = (),
) -> Page:
    """Returns the page of a law with its plan.

    Without a plan, `no_plan` is the reason. `cautions` are what the fit warned of.
    """
    assert source.law is not None
    law, content = source.law if report is None else report.law, read_law_file(law_path)
    name, response = name_of(type(law)), RESPONSES.get(type(law).response[0], type(law).response[0])
    response = "success" if selection_of(law) is not None else response
    levers, no_levers = None, no_plan
    if report is not None:
        try:
            choice = _choice(report, source)
            solved = levers_of(law, report.budget, report.plan, laws=report.laws, choice=choice, over=report.over)
            levers = lever_data(solved, type(law))
        except ValueError as reason:
            no_levers = str(reason)
    parts = {} if report is None else plan_parts(report)
    lead = [parts[part] for part in ("recommendation", "selection", "costs", "model", "assumptions") if parts.get(part)]
    sections = [] if report is None else [_how_sure(report, source, parts), _what_changes(report)]
    sections += [
        _law_section(law_path, source, content, rows),
        _blind_spots(law, source, report, content, cautions),
        provenance_section(run, law_path, content),
    ]
    unit = "FLOPs" if report is None else report.budget.prices[0].unit
    return Page(
        title=_title(run, name, content),
        lead=tuple(lead) or (f"{name}: {content['status']}.",),
        words={
            "law": name,
            "response": response,
            "unit": unit,
            "level": LEVEL,
            "plain": _is_plain(report),
            "percent": predicts_pass(type(law)),
        },
        levers=levers,
        no_levers=no_levers,
        sections=tuple(sections),
        printed="" if report is None else plan_text(report),
    )


def _title(run: dict[str, Any], name: str, content: dict[str, Any]) -> str:
    kind = "A plan by" if run.get("command") == "plan" else "What to train, by"
    table_name = Path(content.get("table", {}).get("name", "")).name
    return f"{kind} {name} on {table_name}" if table_name else f"{kind} {name}"


def _is_plain(report: PlanReport | None) -> bool:
    """Checks whether serving costs 2Nk FLOPs for each token served."""
    return report is not None and report.budget.serving is None


def _choice(report: PlanReport, source: LawSource) -> Any:
    """Returns the laws with deviations where the plan's intervals include them."""
    if selection_of(report.law) is not None:
        return None  # deviations are those of an oracle
    return source.choice if report.laws_alone is not None or source.draws is None else None


def _how_sure(report: PlanReport, source: LawSource, parts: dict[str, str]) -> Section:
    """Returns the intervals of the plan, and what they rest on."""
    answer = plan_answer(report)
    rows = [
        (SHORT.get(name, name), *(_cell(name, row.get(column)) for column in ("value", "median", "low", "high")))
        for name, row in answer["plan"].items()
        if name in ("params", "tokens", "tokens_per_param", "value")
        or name in report.answers
        or row["low"] != row["high"]
    ]
    caption = f"The plan, and the middle and the ends of its {100 * LEVEL:g} % intervals."
    sentences = [parts["intervals"], *([parts["ranges"]] if parts["ranges"] else [])]
    if source.choice is not None and len(source.choice.fits) > 1:
        sentences.append(f"{source.choice.status}.")
    return Section(
        "sure",
        "How sure",
        tuple(sentence for sentence in sentences if sentence),
        table(caption, ("", "plan", "median", "low", "high"), rows),
    )


def _cell(name: str, value: float | None) -> str:
    """Returns a prediction with four digits, and a count in words."""
    return show(value) if value is None or name == "value" else count(value)


def _what_changes(report: PlanReport) -> Section:
    """Returns alternatives, what-ifs and elasticities."""
    answer = plan_answer(report)
    sampled = "samples" in report.answers
    header = ("", "N", "D", "D/N", *(["k"] if sampled else []), "prediction")

    def cells(row: dict[str, Any]) -> tuple[str, ...]:
        params, tokens = row["params"], row["tokens"]
        ratio = None if params is None or tokens is None else tokens / params
        samples = [_cell("samples", row["samples"])] if sampled else []
        return (_cell("params", params), _cell("tokens", tokens), _cell("", ratio), *samples, show(row["value"]))

    choices = [
        (row["name"] + (f" (beyond {', '.join(row['beyond'])})" if row["beyond"] else ""), *cells(row))
        for row in answer["choices"]
    ]
    what_if = [(text, *cells(row)) for text, row in answer["what_if"].items()]
    elasticities = answer["elasticities"] or {}
    columns = [name for name in (*report.answers, "value") if name in elasticities]
    moves = [
        (name.replace("_", " "), *(f"{elasticities[column][name] or 0.0:+.3f} %" for column in columns))
        for name in ([] if report.moves is None else moving_options(report.moves, report.law, columns))
    ]
    sentence = "The levers above show any change at once. These tables say the same for changes that often matter."
    tables = (
        *table("The plan and its rivals under the same budget.", header, choices),
        *table("What if.", header, what_if),
        *table("One per cent more of each moves the plan by.", ("", *(SHORT[name] for name in columns)), moves),
    )
    return Section("changes", "What would change it", (sentence,), tables, elasticity_figure(report))


def _law_section(law_path: Path, source: LawSource, content: dict[str, Any], rows: Table | None) -> Section:
    """Returns the law with its parameters, and how well it describes the rows."""
    law = source.law
    assert law is not None
    declared, values = type(law).declared(), law.values()
    bands = {}
    if source.draws is not None:
        bands = {name: band(leaf, LEVEL) for name, leaf in source.draws.values().items() if np.ptp(leaf) > 0}
    parameters = []
    for name, parameter in declared.items():
        fixed = content["parameters"].get(name, {}).get("fixed", False)
        ends = (show(float(bands[name].low)), show(float(bands[name].high))) if name in bands else ("", "")
        label = f"{name} (fixed)" if fixed else name
        parameters.append((label, show(float(values[name]), 6), *ends, parameter.unit, parameter.doc))
    noise = content.get("noise", {})
    numbers = [("noise model", str(noise.get("model", "")))] if noise else []
    numbers += [(f"its {name}", show(float(value))) for name, value in noise.get("estimated", {}).items()]
    numbers += [
        (name, show(content[name], 6)) for name in ("starts", "agreement", "objective") if content.get(name) is not None
    ]
    figures = () if rows is None else measured_figures(law, rows)
    tables = (
        *_chains(law, law_path),
        *table(
            f"Parameters with {100 * LEVEL:g} % intervals, where there are draws.",
            ("parameter", "value", "low", "high", "unit", "meaning"),
            parameters,
        ),
        *table("The fit.", ("", "value"), numbers),
    )
    sentences = (str(content.get("doc", "")), f"{str(content['status']).rstrip('.')}.")
    return Section("law", "The law and its diagnostics", tuple(filter(None, sentences)), tables, figures)


def _chains(law: Law, law_path: Path) -> tuple[TablePart, ...]:
    """Returns the diagnostics of the chains, or nothing for a law without a posterior beside it."""
    path = law_path.with_name(POSTERIOR_FILE)
    if not path.exists():
        return ()
    rows = []
    for name, *row in load_posterior(path, type(law)).summary(LEVEL).itertuples():
        mean, _, low, _, high, r_hat, bulk, tail, _ = row
        rows.append((str(name), show(mean), show(low), show(high), f"{r_hat:.3f}", f"{bulk:,.0f}", f"{tail:,.0f}"))
    header = ("parameter", "mean", "low", "high", "R-hat", "effective draws", "in the tails")
    return table("The chains. R-hat is one where they agree.", header, rows)


def _blind_spots(
    law: Law, source: LawSource, report: PlanReport | None, content: dict[str, Any], cautions: tuple[str, ...]
) -> Section:
    """Returns what was measured, and what the table cannot say."""
    sentences = [*cautions]
    measured = source.measured
    tables: tuple[TablePart, ...] = ()
    if measured is not None:
        ranges = [
            (name.replace("_per_param", " per parameter"), *ends) for name, ends in vars(measured).items() if ends
        ]
        tables = table(
            "What was measured. Everything outside is a forecast.",
            ("", "smallest", "largest"),
            [(name, count(low), count(high)) for name, low, high in ranges],
        )
        sentences.append(
            f"The dearest run took {measured.compute[1]:.3g} FLOPs. The further beyond it, the more the answer rests"
            " on the form of the law."
        )
    else:
        sentences.append("The file of the law does not tell what was measured, nor how far beyond it the plan lies.")
    if report is not None and report.beyond:
        factors = {name: factor if factor > 1 else 1 / factor for name, factor in report.beyond.items()}
        far = max(factors, key=lambda name: factors[name])
        quantity = far.replace("_per_param", " per parameter")
        sentences.append(f"The plan lies {count(factors[far])} times beyond the measured {quantity}.")
    if report is not None and report.why_no_intervals:
        sentences.append(f"There are no intervals: {report.why_no_intervals}.")
    elif source.no_intervals:
        sentences.append(f"The law's draws give no intervals: {source.no_intervals}.")
    fixed = [name for name, row in content["parameters"].items() if row.get("fixed")]
    if fixed:
        sentences.append(f"{', '.join(fixed)} did not come from the rows: they were fixed.")
    if selection_of(law) is not None:
        sentences.append("How well the selection picks among samples did not come from the rows: it was assumed.")
    else:
        sentences.append(BLIND.get(type(law).response[0], "What the prediction is worth, the table does not say."))
    sentences.append(
        "The law knows N, D and, if it reads them, k and repeated tokens. Another mix of data, architecture or recipe"
        " may have another law."
    )
    return Section("blind", "What the table cannot say", tuple(sentences), tables, listed=True)
