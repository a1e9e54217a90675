"""Contents of the page of an audit: how far each law may be trusted beyond what it was fitted to."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from t2jax.cli.report.page_parts import FigurePart, Page, Section, show, table
from t2jax.cli.report.provenance import provenance_section
from t2jax.cli.words import count

AUDIT_FILE, PREDICTIONS_FILE = "audit.json", "predictions.csv"
COLOURS = ("c1", "c2", "c3", "soft", "ink")


def page_of_audit(run: dict[str, Any], folder: Path) -> Page:
    """Returns the page of an audit from its files. It raises ValueError for files that t2jax did not write."""
    path = folder / AUDIT_FILE
    try:
        answer = json.loads(path.read_text(encoding="utf-8"))
        audits, cut = answer["laws"], answer["cut"]
        rows = pd.read_csv(folder / PREDICTIONS_FILE)
        best = min(audits, key=lambda audit: audit["beyond"]["mean_absolute"])
        lead = (
            f"Fitted below a cut in {_words(cut['quantity'])} and asked about the rows above it, {best['law']} errs by"
            f" {_percent(best['beyond']['mean_absolute'])} on average."
            f" Its {100 * best['level']:g} % band holds {_percent(best['coverage'])} of these rows."
        )
        return Page(
            title=f"How far to trust {' and '.join(audit['law'] for audit in audits)}",
            lead=(lead,),
            words={"level": best["level"]},
            sections=(
                Section(
                    "trust", "Beyond the cut", (), (*_laws(audits), *_steps(audits)), (_figure(audits, cut, rows),)
                ),
                Section("inside", "Inside the table", (), _inside(audits)),
                Section("blind", "What the table cannot say", _blind(audits), listed=True),
                provenance_section(run, None, {}),
            ),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not an audit that t2jax wrote ({type(error).__name__})") from None


def _laws(audits: list[dict[str, Any]]) -> Any:
    header = ("law", "fitted rows", "beyond", "bias", "in the band", "half width of the band")
    rows = [
        (
            audit["law"],
            _percent(audit["fitted"]["mean_absolute"]),
            _percent(audit["beyond"]["mean_absolute"]),
            f"{100 * audit['beyond']['bias']:+.2f} %",
            _percent(audit["coverage"]),
            _percent(audit["half_width"]),
        )
        for audit in audits
    ]
    return table("Mean absolute errors of each law, relative to what was measured.", header, rows)


def _steps(audits: list[dict[str, Any]]) -> Any:
    rows = [
        (
            audit["law"],
            f"{show(step['low'], 3)} to {show(step['high'], 3)} times",
            str(step["errors"]["rows"]),
            _percent(step["errors"]["mean_absolute"]),
        )
        for audit in audits
        for step in audit["curve"]
        if step["errors"] is not None
    ]
    return table("Errors by the distance beyond the cut.", ("law", "distance", "rows", "error"), rows)


def _figure(audits: list[dict[str, Any]], cut: dict[str, Any], rows: pd.DataFrame) -> FigurePart:
    quantity = _words(cut["quantity"])
    traces = []
    for audit, colour in zip(audits, COLOURS, strict=False):
        of_law = rows[(rows["law"] == audit["law"]) & rows["relative_error"].notna()]
        for held_out, symbol in ((False, "circle-open"), (True, "circle")):
            shown = of_law[of_law["held_out"] == held_out]
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": f"{audit['law']}, {'predicted' if held_out else 'fitted'}",
                    "x": shown["ratio"].tolist(),
                    "y": (-100 * shown["relative_error"] / (1 + shown["relative_error"])).tolist(),
                    "text": [
                        f"N {count(n)}, D {count(d)}" for n, d in zip(shown["params"], shown["tokens"], strict=True)
                    ],
                    "hovertemplate": "%{y:.3g} % at %{x:.3g} times the cut<br>%{text}<extra></extra>",
                    "marker": {"color": colour, "symbol": symbol, "size": 7, "opacity": 0.75},
                }
            )
    return FigurePart(
        "errors",
        "Errors against the distance from the cut",
        f"Measured over predicted for every row against its {quantity} over the largest fitted one. Open circles were"
        " fitted, filled ones predicted.",
        traces,
        {
            "xaxis": {"type": "log", "title": {"text": f"{quantity} over its largest fitted value"}},
            "yaxis": {"title": {"text": "measured over predicted, minus 1 (%)"}, "zeroline": True},
        },
    )


def _inside(audits: list[dict[str, Any]]) -> Any:
    rows = []
    for audit in audits:
        crossed = audit["cross_validation"]
        error, how = crossed.get("errors"), crossed.get("status") or crossed.get("none")
        rows.append((audit["law"], "" if error is None else _percent(error["mean_absolute"]), str(how)))
    return table("Errors of rows that were left out of fits below the cut.", ("law", "error", "how"), rows)


def _blind(audits: list[dict[str, Any]]) -> tuple[str, ...]:
    first = audits[0]
    sentences = [
        f"Above the cut, {first['outside_hull']} rows lie outside the convex hull of the fitted rows, and"
        f" {first['out_of_range']} have a size, length or number of samples that was never fitted.",
        "The audit reaches as far beyond the cut as the table does. A plan further out rests on the form of the law.",
    ]
    sentences += [f"{audit['law']}: {audit['status']}." for audit in audits]
    return tuple(sentences)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.3g}\u00a0%"


def _words(quantity: str) -> str:
    return str(quantity).replace("_", " ").replace("per param", "per parameter")
