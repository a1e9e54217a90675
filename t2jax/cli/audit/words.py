"""Text, JSON, files and figures of `t2jax audit`."""

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

MOST = 8  # printed groups of the influence; the file has all


@dataclass(frozen=True)
class Audit:
    """Audit of one law.

    Attributes:
        law: The law class.
        beyond: Extrapolation above the cut.
        cross: Cross-validation, or a sentence with the reason why there is none.
        criteria: Information criteria, None without a likelihood.
        influence: Influence of the training budgets on N*, or a sentence with the reason why there is none.
    """

    law: type[Law]
    beyond: Extrapolation
    cross: CrossValidation | str
    criteria: Criteria | None
    influence: Influence | str

    @property
    def name(self) -> str:
        """Name of the law on the command line."""
        return laws.name_of(self.law)


def audit_text(audits: Sequence[Audit], table: Table, cut: Cut) -> str:
    """Returns tables of the laws, errors by distance, errors inside and outside the fitted range, and influence."""
    held_out = audits[0].beyond.held_out
    level = audits[0].beyond.level
    fitted = audits[0].beyond.counted or f"{np.sum(~held_out)} rows"
    lines = [
        f"{table.source.name}: fitted to {fitted} up to {cut}, predicted {held_out.sum()} above it.",
        "Errors are means of |predicted/observed - 1|; bias is the mean of predicted/observed - 1.",
        "",
        _laws_table(audits),
        "",
        f"By distance beyond the cut, as a multiple of the largest fitted {cut.quantity.replace('_', ' ')}:",
        columns(("law", "from", "to", "rows", "error", "bias", f"in {level:.0%} band"), _steps(audits)),
        "",
        "By place: in the convex hull of the fitted rows (in logs of the inputs), outside it with each input in its",
        "fitted range, or with an input out of its range:",
        columns(
            ("law", "place", "rows", "decades off the hull", "error", "bias", f"in {level:.0%} band"), _places(audits)
        ),
        "",
    ]
    if all(audit.criteria is None for audit in audits):
        lines += ["No information criteria: Huber's penalty has no likelihood; --noise student-t has one.", ""]
    elif all(audit.criteria is None or audit.criteria.runs < 2 for audit in audits):
        lines += ["No BIC: it counts runs, and the table has only one.", ""]
    for audit in audits:
        crossed = f"cross-validated: {audit.cross.status}" if isinstance(audit.cross, CrossValidation) else ""
        crossed = crossed or f"no cross-validation: {audit.cross}"
        lines += [f"{audit.name}: {audit.beyond.status}", f"{audit.name}, {crossed}"]
        if isinstance(audit.influence, str):
            lines += [f"No influence: {audit.influence}", ""]
            continue
        rows = list(zip(audit.influence.labels, audit.influence.rows, audit.influence.change, strict=True))
        changes = [(label, f"{count}", f"{np.expm1(change):+.1%}") for label, count, change in rows[:MOST]]
        remark = "" if len(rows) <= MOST else f" ({MOST} of {len(rows)} budgets; influence.csv has all)"
        lines += [f"{audit.influence.status}{remark}:", columns(("without", "rows", "N* changes by"), changes), ""]
    return "\n".join(lines).rstrip()


def _laws_table(audits: Sequence[Audit]) -> str:
    """Returns the table of the laws with errors, coverage and criteria."""
    header = ["law", "fitted rows", "left out", "beyond", "bias", "median", "largest"]
    header += [f"in {audits[0].beyond.level:.0%} band", "band"]
    scored = [audit for audit in audits if audit.criteria is not None]
    header += ["AIC", "AICc", "BIC", "log score beyond"] if scored else []
    rows = []
    for audit in audits:
        errors_beyond = audit.beyond.beyond
        row = [
            audit.name,
            _share(audit.beyond.below.mean_absolute),
            _crossed(audit.cross),
        ]
        row += [
            _share(errors_beyond.mean_absolute),
            f"{errors_beyond.bias:+.2%}",
            _share(errors_beyond.median),
            _share(errors_beyond.largest),
        ]
        row += [f"{audit.beyond.coverage:.0%}", f"±{_share(audit.beyond.half_width)}"]
        if scored:
            numbers = (
                (None,) * 3 if audit.criteria is None else (audit.criteria.aic, audit.criteria.aicc, audit.criteria.bic)
            )
            row += ["" if number is None or np.isnan(number) else f"{number:.1f}" for number in numbers]
            row += ["" if audit.beyond.log_score is None else f"{audit.beyond.log_score:.3f}"]
        rows.append(row)
    return columns(header, rows)


def _crossed(cross: CrossValidation | str) -> str:
    """Returns the error of left-out rows, or the log score of counts, which have no error by row."""
    if isinstance(cross, str):
        return ""
    return f"{cross.log_score:.3f} nats" if cross.errors is None else _share(cross.errors.mean_absolute)


def _steps(audits: Sequence[Audit]) -> list[tuple[str, ...]]:
    """Returns the rows of the table of errors by distance."""
    return [
        (audit.name, f"{step.low:.3g}", f"{step.high:.3g}", *_errors(step.errors, step.coverage))
        for audit in audits
        for step in audit.beyond.curve()
    ]


def _places(audits: Sequence[Audit]) -> list[tuple[str, ...]]:
    """Returns the rows of the table of errors inside and outside the fitted range."""
    rows = []
    for audit in audits:
        beyond = audit.beyond
        inside = beyond.outside == 0
        places = {"in the hull": inside, "in the ranges": ~inside & beyond.in_ranges, "out of range": ~beyond.in_ranges}
        for name, where in places.items():
            mask = where & beyond.held_out
            if np.any(mask & (beyond.observed > 0)):
                count, *rest = _errors(beyond.errors(mask), float(beyond.covered[mask].mean()))
                distances = beyond.outside[mask]
                rows.append(
                    (
                        audit.name,
                        name,
                        count,
                        f"{distances.min():.2g} to {distances.max():.2g}" if distances.any() else "",
                        *rest,
                    )
                )
    return rows


def _errors(errors: Errors, coverage: float) -> tuple[str, str, str, str]:
    """Returns the cells of errors and coverage."""
    return str(errors.rows), _share(errors.mean_absolute), f"{errors.bias:+.2%}", f"{coverage:.0%}"


def _share(value: float) -> str:
    """Returns a share as a percentage, or in scientific notation if it is tiny."""
    return f"{value:.2%}" if value >= 1e-4 else f"{value:.1e}"


def audit_answer(audits: Sequence[Audit], cut: Cut) -> dict[str, Any]:
    """Returns the audit for --json: errors, coverage, curve, criteria and influence of each law."""
    return {
        "cut": {**dataclasses.asdict(cut), "unit": UNITS[cut.quantity]},
        "laws": [_answer(audit) for audit in audits],
    }


def _answer(audit: Audit) -> dict[str, Any]:
    """Returns the audit of one law for --json."""
    beyond, cross, scores, effect = audit.beyond, audit.cross, audit.criteria, audit.influence
    influences = (
        {"none": effect}
        if isinstance(effect, str)
        else {
            "train": effect.train,
            "largest": effect.largest,
            "params": effect.params,
            "status": effect.status,
            "failed": list(effect.failed),
            "groups": [
                {"without": label, "rows": int(rows), "log_change": float(change)}
                for label, rows, change in zip(effect.labels, effect.rows, effect.change, strict=True)
            ],
        }
    )
    return {
        "law": audit.name,
        "parameters": {name: finite(value) for name, value in beyond.fit.law.values().items()},
        "undetermined": list(beyond.fit.undetermined),
        "status": beyond.status,
        "fitted": dataclasses.asdict(beyond.below),
        "beyond": dataclasses.asdict(beyond.beyond),
        "level": beyond.level,
        "coverage": beyond.coverage,
        "half_width": beyond.half_width,
        "outside_hull": int((beyond.outside[beyond.held_out] > 0).sum()),
        "out_of_range": int((~beyond.in_ranges[beyond.held_out]).sum()),
        "log_score": beyond.log_score,
        "curve": [dataclasses.asdict(step) for step in beyond.curve()],
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
        if scores is None
        else {
            **dataclasses.asdict(scores),
            "aic": finite(scores.aic),
            "aicc": finite(scores.aicc),
            "bic": finite(scores.bic),
        },
        "influence": influences,
    }


def save_audit(audits: Sequence[Audit], out: Output) -> None:
    """Writes audit.json, predictions.csv (a row per law and row of the table) and influence.csv."""
    with out.file("audit.json") as path:
        save_json(path, audit_answer(audits, audits[0].beyond.cut))
    frames, influence_frames = [], []
    for audit in audits:
        beyond = audit.beyond
        solved = beyond.observed > 0
        columns = {
            "observed": beyond.observed,
            "predicted": beyond.predicted,
            "low": beyond.low,
            "high": beyond.high,
            "relative_error": np.where(solved, beyond.predicted / np.where(solved, beyond.observed, 1.0) - 1, np.nan),
            "held_out": beyond.held_out,
            "ratio": beyond.ratio,
            "in_hull": beyond.outside == 0,
            "decades_outside": beyond.outside,
            "in_ranges": beyond.in_ranges,
        }
        names = [name for name in ("model", "task", "params", "tokens", "samples") if name in beyond.rows]
        frames.append(pd.DataFrame({"law": audit.name, **{name: beyond.rows[name] for name in names}, **columns}))
        if isinstance(audit.influence, Influence):
            parts = {
                "without": audit.influence.labels,
                "rows": audit.influence.rows,
                "log_change": audit.influence.change,
            }
            influence_frames.append(pd.DataFrame({"law": audit.name, **parts}))
    _save_csv(pd.concat(frames), "predictions.csv", out)
    if influence_frames:
        _save_csv(pd.concat(influence_frames), "influence.csv", out)


def _save_csv(frame: pd.DataFrame, name: str, out: Output) -> None:
    """Writes a frame as a CSV file."""
    with out.file(name) as path, whole(path) as unfinished:
        frame.to_csv(unfinished, index=False)


def picture_audit(audits: Sequence[Audit], out: Output) -> None:
    """Draws `errors`, by distance with bands, and `predicted`, against observed values; one panel per law."""
    for name in ("errors", "predicted"):
        figure, axes = figure_of(len(audits), legend=1.9)
        for ax, audit in zip(axes, audits, strict=True):
            beyond = audit.beyond
            marks: Any = {"held_out": beyond.held_out, "in_ranges": beyond.in_ranges}
            if name == "errors":
                places = (beyond.ratio, beyond.predicted, beyond.observed, beyond.low, beyond.high)
                errors_against_ratio(ax, *places, **marks, quantity=beyond.cut.quantity, level=beyond.level)
            else:
                quantity = response(audit.law, beyond.rows)
                solved = beyond.observed > 0  # log axes have no place for the others
                marks = {name: mark[solved] for name, mark in marks.items()}
                predicted_observed_marks(
                    ax, beyond.observed[solved], beyond.predicted[solved], **marks, quantity=quantity
                )
            ax.set_title(audit.name, fontsize="medium")
        ends = np.array([ax.get_ylim() for ax in axes])
        for ax in axes if name == "errors" else ():
            ax.set_ylim(ends[:, 0].min(), ends[:, 1].max())
        shared_legend(axes)
        save_panels(figure, name, out)
