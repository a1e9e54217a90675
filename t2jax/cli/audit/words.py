"""What `t2jax audit` says, writes and draws."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from t2jax import laws
from t2jax.cli.figures import figure_of, save_panels
from t2jax.cli.output import Output
from t2jax.cli.words import columns
from t2jax.evaluation.cross_validation import CrossValidation
from t2jax.evaluation.errors import Errors
from t2jax.evaluation.extrapolation import UNITS, Cut, Extrapolation
from t2jax.evaluation.information_criteria import Criteria
from t2jax.evaluation.leave_groups_out import Influence
from t2jax.files import finite, save_json, whole
from t2jax.laws.base import Law
from t2jax.noise.residuals import response
from t2jax.plot.audit import errors_against_ratio, predicted_observed_marks
from t2jax.plot.style import shared_legend
from t2jax.tables.table import Table

MOST = 8  # groups of the influence that are printed; the file has all


@dataclass(frozen=True)
class Audited:
    """One law's audit; criteria are None without a likelihood.

    cross and influence are sentences where the table has one group only, or the law no optimum.
    """

    law: type[Law]
    beyond: Extrapolation
    cross: CrossValidation | str
    criteria: Criteria | None
    influence: Influence | str

    @property
    def name(self) -> str:
        """The law as the command line has it."""
        return laws.name_of(self.law)


def audit_text(found: Sequence[Audited], table: Table, cut: Cut) -> str:
    """The laws in a table, the error against how far out, inside and outside the fitted range, and the influence."""
    held_out = found[0].beyond.held_out
    level = found[0].beyond.level
    fitted = found[0].beyond.counted or f"{np.sum(~held_out)} rows"
    said = [
        f"{table.source.name}: fitted to {fitted} up to {cut}, predicted {held_out.sum()} above it.",
        "Errors are means of |predicted/observed - 1|; bias is the mean of predicted/observed - 1.",
        "",
        _laws_table(found),
        "",
        f"By how far out, in times the largest fitted {cut.quantity.replace('_', ' ')}:",
        columns(("law", "from", "to", "rows", "error", "bias", f"in {level:.0%} band"), _steps(found)),
        "",
        "By place: in the convex hull of the fitted rows (in the logs of what the law reads), with each input in the",
        "range that was fitted though not together, or with one out of its range:",
        columns(
            ("law", "place", "rows", "decades off the hull", "error", "bias", f"in {level:.0%} band"), _places(found)
        ),
        "",
    ]
    if all(one.criteria is None for one in found):
        said += ["No information criteria: Huber's penalty has no likelihood; --noise student-t has one.", ""]
    elif all(one.criteria is None or one.criteria.runs < 2 for one in found):
        said += ["No BIC: it counts runs, and the table has one.", ""]
    for one in found:
        crossed = f": {one.cross.status}" if isinstance(one.cross, CrossValidation) else f" is not: {one.cross}"
        said += [f"{one.name}: {one.beyond.status}", f"{one.name}, cross-validated{crossed}"]
        if isinstance(one.influence, str):
            said += [f"No influence: {one.influence}", ""]
            continue
        rows = list(zip(one.influence.labels, one.influence.rows, one.influence.change, strict=True))
        moved = [(label, f"{count}", f"{np.expm1(change):+.1%}") for label, count, change in rows[:MOST]]
        more = "" if len(rows) <= MOST else f" ({MOST} of {len(rows)} budgets; influence.csv has all)"
        said += [f"{one.influence.status}{more}:", columns(("without", "rows", "N* changes by"), moved), ""]
    return "\n".join(said).rstrip()


def _laws_table(found: Sequence[Audited]) -> str:
    header = ["law", "fitted rows", "left out", "beyond", "bias", "median", "largest"]
    header += [f"in {found[0].beyond.level:.0%} band", "band"]
    scored = [one for one in found if one.criteria is not None]
    header += ["AIC", "AICc", "BIC", "log score beyond"] if scored else []
    rows = []
    for one in found:
        far = one.beyond.beyond
        row = [
            one.name,
            _share(one.beyond.below.mean_absolute),
            _crossed(one.cross),
        ]
        row += [_share(far.mean_absolute), f"{far.bias:+.2%}", _share(far.median), _share(far.largest)]
        row += [f"{one.beyond.coverage:.0%}", f"±{_share(one.beyond.half_width)}"]
        if scored:
            numbers = (None,) * 3 if one.criteria is None else (one.criteria.aic, one.criteria.aicc, one.criteria.bic)
            row += ["" if number is None or np.isnan(number) else f"{number:.1f}" for number in numbers]
            row += ["" if one.beyond.log_score is None else f"{one.beyond.log_score:.3f}"]
        rows.append(row)
    return columns(header, rows)


def _crossed(cross: CrossValidation | str) -> str:
    """The error of rows left out; of counts, which have none by row, the log score."""
    if isinstance(cross, str):
        return ""
    return f"{cross.log_score:.3f} nats" if cross.errors is None else _share(cross.errors.mean_absolute)


def _steps(found: Sequence[Audited]) -> list[tuple[str, ...]]:
    return [
        (one.name, f"{step.low:.3g}", f"{step.high:.3g}", *_errors(step.errors, step.coverage))
        for one in found
        for step in one.beyond.curve()
    ]


def _places(found: Sequence[Audited]) -> list[tuple[str, ...]]:
    rows = []
    for one in found:
        audit = one.beyond
        inside = audit.outside == 0
        places = {"in the hull": inside, "in the ranges": ~inside & audit.in_ranges, "out of range": ~audit.in_ranges}
        for name, where in places.items():
            there = where & audit.held_out
            if np.any(there & (audit.observed > 0)):
                count, *rest = _errors(audit.errors(there), float(audit.covered[there].mean()))
                far = audit.outside[there]
                rows.append((one.name, name, count, f"{far.min():.2g} to {far.max():.2g}" if far.any() else "", *rest))
    return rows


def _errors(errors: Errors, coverage: float) -> tuple[str, str, str, str]:
    return str(errors.rows), _share(errors.mean_absolute), f"{errors.bias:+.2%}", f"{coverage:.0%}"


def _share(value: float) -> str:
    return f"{value:.2%}" if value >= 1e-4 else f"{value:.1e}"


def audit_answer(found: Sequence[Audited], cut: Cut) -> dict[str, Any]:
    """The audit for --json: each law's errors, coverage, curve, criteria and influence, as shares, nats and logs."""
    return {"cut": {**dataclasses.asdict(cut), "unit": UNITS[cut.quantity]}, "laws": [_answer(one) for one in found]}


def _answer(one: Audited) -> dict[str, Any]:
    audit, cross, likely, decides = one.beyond, one.cross, one.criteria, one.influence
    influences = (
        {"none": decides}
        if isinstance(decides, str)
        else {
            "train": decides.train,
            "largest": decides.largest,
            "params": decides.params,
            "status": decides.status,
            "failed": list(decides.failed),
            "groups": [
                {"without": label, "rows": int(rows), "log_change": float(change)}
                for label, rows, change in zip(decides.labels, decides.rows, decides.change, strict=True)
            ],
        }
    )
    return {
        "law": one.name,
        "parameters": {name: finite(value) for name, value in audit.fit.law.values().items()},
        "undetermined": list(audit.fit.undetermined),
        "status": audit.status,
        "fitted": dataclasses.asdict(audit.below),
        "beyond": dataclasses.asdict(audit.beyond),
        "level": audit.level,
        "coverage": audit.coverage,
        "half_width": audit.half_width,
        "outside_hull": int((audit.outside[audit.held_out] > 0).sum()),
        "out_of_range": int((~audit.in_ranges[audit.held_out]).sum()),
        "log_score": audit.log_score,
        "curve": [dataclasses.asdict(step) for step in audit.curve()],
        "cross_validation": {"none": cross}
        if isinstance(cross, str)
        else {
            "by": cross.by,
            "groups": cross.groups,
            "folds": cross.folds,
            "errors": None if cross.errors is None else dataclasses.asdict(cross.errors),
            "log_score": cross.log_score,
            "outside_hull": int((cross.outside > 0).sum()),
            "status": cross.status,
        },
        "criteria": None
        if likely is None
        else {
            **dataclasses.asdict(likely),
            "aic": finite(likely.aic),
            "aicc": finite(likely.aicc),
            "bic": finite(likely.bic),
        },
        "influence": influences,
    }


def save_audit(found: Sequence[Audited], out: Output) -> None:
    """Write audit.json, predictions.csv (a row per law and row of the table) and influence.csv."""
    with out.file("audit.json") as path:
        save_json(path, audit_answer(found, found[0].beyond.cut))
    frames, moved = [], []
    for one in found:
        audit = one.beyond
        solved = audit.observed > 0
        columns = {
            "observed": audit.observed,
            "predicted": audit.predicted,
            "low": audit.low,
            "high": audit.high,
            "relative_error": np.where(solved, audit.predicted / np.where(solved, audit.observed, 1.0) - 1, np.nan),
            "held_out": audit.held_out,
            "ratio": audit.ratio,
            "in_hull": audit.outside == 0,
            "decades_outside": audit.outside,
            "in_ranges": audit.in_ranges,
        }
        names = [name for name in ("model", "task", "params", "tokens", "samples") if name in audit.rows]
        frames.append(pd.DataFrame({"law": one.name, **{name: audit.rows[name] for name in names}, **columns}))
        if isinstance(one.influence, Influence):
            parts = {"without": one.influence.labels, "rows": one.influence.rows, "log_change": one.influence.change}
            moved.append(pd.DataFrame({"law": one.name, **parts}))
    _save_csv(pd.concat(frames), "predictions.csv", out)
    if moved:
        _save_csv(pd.concat(moved), "influence.csv", out)


def _save_csv(frame: pd.DataFrame, name: str, out: Output) -> None:
    with out.file(name) as path, whole(path) as unfinished:
        frame.to_csv(unfinished, index=False)


def picture_audit(found: Sequence[Audited], out: Output) -> None:
    """errors: against how far out, with bands. predicted: against observed. One panel a law, rows by where they lie."""
    for name in ("errors", "predicted"):
        figure, axes = figure_of(len(found), legend=1.9)
        for ax, one in zip(axes, found, strict=True):
            audit = one.beyond
            marks: Any = {"held_out": audit.held_out, "in_ranges": audit.in_ranges}
            if name == "errors":
                places = (audit.ratio, audit.predicted, audit.observed, audit.low, audit.high)
                errors_against_ratio(ax, *places, **marks, quantity=audit.cut.quantity, level=audit.level)
            else:
                quantity = response(one.law, audit.rows)
                solved = audit.observed > 0  # others have no place on log axes
                marks = {name: mark[solved] for name, mark in marks.items()}
                predicted_observed_marks(
                    ax, audit.observed[solved], audit.predicted[solved], **marks, quantity=quantity
                )
            ax.set_title(one.name, fontsize="medium")
        ends = np.array([ax.get_ylim() for ax in axes])
        for ax in axes if name == "errors" else ():
            ax.set_ylim(ends[:, 0].min(), ends[:, 1].max())
        shared_legend(axes)
        save_panels(figure, name, out)
