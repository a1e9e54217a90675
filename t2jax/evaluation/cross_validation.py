"""Comparison of laws by rows that were not fitted: relative errors and cross-validation over runs, sizes or budgets."""

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
from t2jax.tables.table import Table
from t2jax.typing import Array


@dataclass(frozen=True)
class CrossValidation:
    """What `cross_validate` found. by: what was left out together; groups: how many of them; folds: how many fits.

    predicted: each row by the fit without it, (rows,); NaN in the folds that failed, which are left out of errors and
    told in `status`. None for counts, and so is errors. log_score: mean over rows of the log density, nats; None where
    the noise has none. outside: how far each row lies outside those it was predicted from, in decades (rows,), zero
    inside (`measured.decades_outside`). failed: folds whose fit reached no optimum.
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
        """How many fits were made and went well, in English."""
        said = f"{self.folds - self.failed} of {self.folds} fits without some of {self.groups} {self.by}s converged"
        said += "; rows of the others are left out" if self.failed else ""
        out = int((self.outside > 0).sum())
        return f"{said}; {out} of {len(self.outside)} rows lie outside the convex hull of those they are predicted from"


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
    """Predict every row from a fit without its group: runs, sizes, or budgets (6ND within the share `within`).

    Groups are dealt at random, by the key, to at most `folds` folds of nearly equal numbers of groups; with that many
    groups or fewer, one is left out at a time. Rows that share an error must be left out together, or the error looks
    too small (Roberts et al. 2017, Ecography 40:913): by run at least, and by size or budget to see how a law carries
    over to others. Source: Stone 1974.

    Raises ValueError for one group only, TableError where a fold leaves too few rows, NoFit if every fold failed.
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
    for one in range(min(folds, count)):
        out = fold == one
        outside[out] = decades_outside(law, table, ~out)[out]
        found = fit_without(law, table, out, key=key, noise=noise, fixed=fixed, starts=starts)
        failed += not found.converged
        if not found.converged:
            continue
        if measured is not None:
            rows[out] = predict(found.law, table)[out]
        if not noise.no_likelihood:
            scores[out] = log_scores(found, left_out(table, out))[out]
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
    """Whether a noise model reads samples drawn and solved, of which one row has no relative error."""
    return "correct" in noise.columns(law, table)
