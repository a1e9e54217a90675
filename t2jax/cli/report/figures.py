"""Figures of a page that do not move: predictions beside measurements, and what moves a plan."""

from typing import Any

import numpy as np

from t2jax.cli.plan.report import PlanReport, moving_options
from t2jax.cli.report.page_parts import FigurePart
from t2jax.cli.words import count
from t2jax.laws.base import Law
from t2jax.laws.predict import evaluate
from t2jax.plot.measured import measured_columns, response_name
from t2jax.plot.style import AXIS_LABELS
from t2jax.tables.table import Table

MOST_POINTS = 4000
"""Rows that a figure shows; of more, evenly spaced ones in the order of the prediction."""
MOST_BARS = 10


def measured_figures(law: Law, rows: Table) -> tuple[FigurePart, ...]:
    """Returns predictions against measurements, and residuals against compute; nothing if the rows lack a response."""
    columns = measured_columns(law, rows)
    observed, predicted = columns["observed"], evaluate(law, **columns)
    usable = np.isfinite(predicted) & (predicted > 0) & (observed > 0)
    if not usable.any():
        return ()
    order = np.flatnonzero(usable)[np.argsort(predicted[usable])]
    order = order[np.unique(np.linspace(0, len(order) - 1, min(len(order), MOST_POINTS)).astype(int))]
    name = response_name(law, rows)
    quantity = AXIS_LABELS.get(name, name)
    observed, predicted = observed[order], predicted[order]
    params, tokens = columns["params"][order], columns["tokens"][order]
    residual = 100 * np.log(observed / predicted)
    points: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "name": "measured runs",
        "marker": {"color": "c1", "size": 6, "opacity": 0.65},
        "text": [f"N {count(n)}, D {count(d)}" for n, d in zip(params, tokens, strict=True)],
    }
    hover = "<br>%{text}<extra></extra>"
    ends = [float(min(observed.min(), predicted.min())), float(max(observed.max(), predicted.max()))]
    equality = {
        "type": "scatter",
        "mode": "lines",
        "name": "predicted = measured",
        "x": ends,
        "y": ends,
        "line": {"color": "ink", "width": 1},
        "hoverinfo": "skip",
    }
    median = float(np.median(np.abs(residual)))
    return (
        FigurePart(
            "predicted",
            "The law beside what was measured",
            f"Predicted against measured {quantity} of {len(order)} rows. Half of them lie within {median:.2g} % of"
            " the line of equality.",
            [
                equality,
                points
                | {
                    "x": observed.tolist(),
                    "y": predicted.tolist(),
                    "hovertemplate": "measured %{x:.4g}, predicted %{y:.4g}" + hover,
                },
            ],
            {
                "xaxis": {"type": "log", "title": {"text": f"measured {quantity}"}},
                "yaxis": {"type": "log", "title": {"text": f"predicted {quantity}"}},
            },
        ),
        FigurePart(
            "residuals",
            "What the law leaves over",
            "Measured over predicted against training compute. Points that drift to one side at the right would"
            " continue to drift beyond the table.",
            [
                points
                | {
                    "x": (6 * params * tokens).tolist(),
                    "y": residual.tolist(),
                    "hovertemplate": "%{y:.3g} % at %{x:.3g} FLOPs" + hover,
                }
            ],
            {
                "xaxis": {"type": "log", "title": {"text": AXIS_LABELS["train"]}},
                "yaxis": {"title": {"text": "measured over predicted (%)"}, "zeroline": True},
            },
        ),
    )


def elasticity_figure(report: PlanReport) -> tuple[FigurePart, ...]:
    """Returns bars of how the plan moves with its limits and prices, or nothing if small changes do not move it."""
    moves = report.moves
    if moves is None:
        return ()
    answers = report.answers
    names = moving_options(moves, report.law, answers)
    if not names:
        return ()
    sizes = {name: max(abs(getattr(moves, answer)[name]) for answer in answers) for name in names}
    names = sorted(names, key=lambda name: -sizes[name])[:MOST_BARS]
    bars = [
        {
            "type": "bar",
            "orientation": "h",
            "name": short,
            "y": [name.replace("_", " ") for name in names],
            "x": [getattr(moves, answer)[name] for name in names],
            "marker": {"color": colour},
            "hovertemplate": f"1 % more %{{y}}: %{{x:.3f}} % more {short}<extra></extra>",
        }
        for (answer, short), colour in zip(answers.items(), ("c1", "c2", "c3"), strict=False)
    ]
    layout = {
        "barmode": "group",
        "xaxis": {"title": {"text": "change for 1 % more (%)"}, "zeroline": True},
        "yaxis": {"autorange": "reversed", "automargin": True, "dtick": 1},
        "height": 150 + 45 * len(names),
    }
    text = "The change of each choice in per cent if a limit or price rises by one per cent, the strongest first."
    return (FigurePart("moves", "What moves the plan", text, bars, layout),)
