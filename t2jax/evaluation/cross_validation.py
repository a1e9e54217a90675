"""Cross-validation of laws over runs, sizes or budgets."""

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import numpy as np

from t2jax.evaluation.convex_hull import decades_outside
from t2jax.evaluation.errors import Errors, positive_response
from t2jax.evaluation.held_out import WITHIN, By, NoFit, fit_without, groups, left_out
from t2jax.evaluation.information_criteria import log_scores
from t2jax.laws import name_of
from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law
from t2jax.laws.predict import predict
from t2jax.noise.default import default_noise
from t2jax.noise.protocol import Noise
from t2jax.printing import summary
from t2jax.tables.table import Table
from t2jax.typing import Array


@dataclass(frozen=True, repr=False)
class CrossValidation:
    """Result of `cross_validate`.

    Attributes:
        law: The law class.
        by: Unit that was left out as a whole: "run", "size" or "budget".
        groups: Number of these units.
        folds: Number of fits.
        failed: Number of fits that reached no optimum. Their rows are left out of `errors` and `log_score`.
        predicted: Prediction of each row by the fit without it, shape (rows,). NaN in failed folds, None for counts.
        errors: Relative errors of the predictions. None for counts.
        log_score: Mean log density of a row in nats. None where the noise has no density.
        outside: Distance of each row from the convex hull of the rows behind its prediction, in decades, shape (rows,).
            Zero inside.
    """

    law: type[Law]
    by: By
    groups: int
    folds: int
    failed: int
    predicted: np.ndarray | None
    errors: Errors | None
    log_score: float | None
    outside: np.ndarray

    @property
    def status(self) -> str:
        """How many fits converged, and how many rows are extrapolated."""
        good = f"{self.folds - self.failed} of {self.folds} fits converged, each without a part of the {self.groups} "
        good += f"{self.by}s" + ("; rows of the other fits are left out" if self.failed else "")
        extrapolated = f"{int((self.outside > 0).sum())} of {len(self.outside)} rows"
        return f"{good}; {extrapolated} lie outside the convex hull of the rows behind their prediction"

    def __repr__(self) -> str:
        """Writes the status, then the errors and the log score."""
        answers = {"law": name_of(self.law)}
        if self.errors is not None:
            answers["error"] = str(self.errors)
        if self.log_score is not None:
            answers["log score"] = f"{self.log_score:.4g} nats a row"
        return summary("CrossValidation", self.status, answers)


@check_arguments
def cross_validate(
    law: type[Law],
    table: Table,
    *,
    key: Array,
    by: By = "run",
    folds: int = 10,
    noise: Noise | None = None,
    fixed: Mapping[str, float] | None = None,
    starts: int = 8,
    within: float = WITHIN,
) -> CrossValidation:
    """Predicts every row from a fit without its run, size or budget.

    The groups are dealt at random to the folds. With no more groups than folds, each fit leaves out one group. Rows
    that share an error must be left out together, or the error looks too small (Roberts et al. 2017, Ecography 40:913).
    Leave out runs at least, and sizes or budgets to see how a law carries over to others. Source: Stone 1974.

    Args:
        law: The law class.
        table: The table.
        key: JAX random key of the folds and the fits.
        by: Unit to leave out as a whole: "run", "size" (params) or "budget" (6ND).
        folds: Largest number of fits.
        noise: Noise model. The default suits the law and the table (`t2.noise.default_noise`).
        fixed: Values of fixed parameters by name.
        starts: Number of starts of each fit.
        within: Relative difference up to which sizes or budgets count as equal.

    Returns:
        A `CrossValidation`.

    Raises:
        ValueError: The table has only one group, or `folds` is below 2.
        TableError: A fold leaves too few rows for a fit.
        NoFit: Every fold failed.

    Examples:
        >>> checked = t2.evaluation.cross_validate(t2.laws.Chinchilla, runs, key=jax.random.key(0), by="size", folds=2)
        >>> checked.folds, checked.failed, checked.errors.largest < 1e-6
        (2, 0, True)
    """
    noise = noise or default_noise(law, table)
    group = groups(table, by, within)
    count = int(group.max()) + 1
    if count < 2 or folds < 2:
        few = f"the table has one {by} only" if count < 2 else f"found {folds} folds"
        raise ValueError(f"{table.source.name}: {few}, but cross-validation needs at least two")
    deal = np.asarray(jax.random.permutation(key, count)) % min(folds, count)
    fold = deal[group]
    measured = None if counted(law, table, noise) else positive_response(law, table)
    rows, scores, failed = np.full(len(table), np.nan), np.full(len(table), np.nan), 0
    outside = np.zeros(len(table))
    for i in range(min(folds, count)):
        out = fold == i
        outside[out] = decades_outside(law, table, ~out)[out]
        fitted = fit_without(law, table, out, key=key, noise=noise, fixed=fixed, starts=starts)
        failed += not fitted.converged
        if not fitted.converged:
            continue
        if measured is not None:
            rows[out] = predict(fitted.law, table)[out]
        if not noise.no_likelihood:
            scores[out] = log_scores(fitted, left_out(table, out))[out]
    if failed == min(folds, count):
        raise NoFit(f"{name_of(law)}: none of the {failed} fits of the cross-validation by {by} reached an optimum")
    good = ~np.isnan(rows)
    return CrossValidation(
        law=law,
        by=by,
        groups=count,
        folds=min(folds, count),
        failed=failed,
        predicted=None if measured is None else rows,
        errors=None if measured is None else Errors.of(rows[good], measured[good]),
        log_score=float(np.nanmean(scores)) if not noise.no_likelihood else None,
        outside=outside,
    )


def counted(law: type[Law], table: Table, noise: Noise) -> bool:
    """Checks whether a noise model reads trials and correct samples, where one row has no relative error."""
    return "correct" in noise.columns(law, table)
