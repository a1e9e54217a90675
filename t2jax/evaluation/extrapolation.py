"""Extrapolation audits: a law fitted below a cut in compute or tokens per parameter, and judged above it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import jax
import numpy as np

from t2jax.evaluation.convex_hull import decades_outside, in_ranges
from t2jax.evaluation.cross_validation import counted
from t2jax.evaluation.errors import Errors, positive_response
from t2jax.evaluation.held_out import NoFit, fit_without, left_out
from t2jax.evaluation.information_criteria import log_scores
from t2jax.evaluation.pass_at_k_cells import cells, simulated_band
from t2jax.evaluation.predictive_band import predictive_band
from t2jax.fitting.bootstrap import ResampledUnit, bootstrap
from t2jax.fitting.fit import Fit
from t2jax.laws import name_of
from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law
from t2jax.laws.predict import predict
from t2jax.noise.default import default_noise
from t2jax.noise.protocol import Noise
from t2jax.tables.table import Table
from t2jax.typing import Array

Quantity = Literal["compute", "tokens_per_param", "samples"]
UNITS = {"compute": "FLOPs", "tokens_per_param": "tokens per parameter", "samples": "samples"}


@dataclass(frozen=True)
class Cut:
    """Rows up to `value` of a quantity are fitted, rows above it predicted.

    quantity: "compute", 6ND in FLOPs, "tokens_per_param", D/N, or "samples", k. Raises ValueError for another one, or
    a value that is not positive and finite.
    """

    quantity: Quantity
    value: float

    def __post_init__(self):
        if self.quantity not in UNITS:
            raise ValueError(f"a cut is in {', '.join(map(repr, UNITS))}, not {self.quantity!r}")
        if not 0 < self.value < np.inf:
            raise ValueError(f"a cut in {self.quantity} must be positive and finite, not {self.value!r}")

    @classmethod
    def middle(cls, table: Table, quantity: Quantity = "compute") -> "Cut":
        """The cut in the middle of the range on a log scale: the geometric mean of the least and the largest value."""
        values = cls(quantity, 1.0).of(table)
        return cls(quantity, float(np.sqrt(values.min()) * np.sqrt(values.max())))

    def of(self, table: Table) -> np.ndarray:
        """The quantity of each row, (rows,). Raises TableError for a cut in samples of a table without them."""
        if self.quantity == "compute":
            return table.compute()
        if self.quantity == "samples":
            table.require("samples", needed_by="a cut in samples")
            return table["samples"]
        return table["tokens"] / table["params"]

    def above(self, table: Table) -> np.ndarray:
        """Which rows are above the cut, booleans (rows,). Raises ValueError where all rows are on one side."""
        values = self.of(table)
        above = values > self.value
        if above.all() or not above.any():
            side = "above" if above.all() else "at or below"
            raise ValueError(
                f"{table.source.name}: all {len(table)} rows are {side} the cut at {self}, expected one between"
                f" {values.min():.4g} and {values.max():.4g}"
            )
        return above

    def __str__(self) -> str:
        return f"{self.value:.4g} {UNITS[self.quantity]}"


@dataclass(frozen=True)
class Step:
    """The held-out rows from `low` to `high` times the largest fitted value of the cut's quantity, and their errors."""

    low: float
    high: float
    errors: Errors
    coverage: float


@dataclass(frozen=True)
class Extrapolation:
    """What `extrapolate` found. Arrays have an entry for each of `rows`, fitted or held out.

    rows: the table; of counts pass@k of each run (`cells.cells`). counted: of counts, how many of how many runs are
    fitted. Rows where nothing was solved have no relative error and enter coverage only. fit: to the rows up to the
    cut. held_out: which rows are above it. ratio: the cut's quantity over the largest fitted one. observed, predicted:
    the response. low, high: the central `level` of what a measurement should be by the fitted rows (`predictive_band`,
    `cells.simulated_band`). outside: decades beyond the fitted rows' convex hull (`decades_outside`), zero for a
    prediction inside it; in_ranges: whether N, D and what else the law reads were each fitted, if not together.
    log_score: mean log density of held-out rows in nats; None without density.
    """

    fit: Fit = field(repr=False)
    cut: Cut
    rows: Table = field(repr=False)
    counted: str | None
    held_out: np.ndarray = field(repr=False)
    ratio: np.ndarray = field(repr=False)
    observed: np.ndarray = field(repr=False)
    predicted: np.ndarray = field(repr=False)
    low: np.ndarray = field(repr=False)
    high: np.ndarray = field(repr=False)
    level: float
    outside: np.ndarray = field(repr=False)
    in_ranges: np.ndarray = field(repr=False)
    log_score: float | None
    draws: str

    @cached_property
    def below(self) -> Errors:
        """Errors of the fitted rows."""
        return self.errors(~self.held_out)

    @cached_property
    def beyond(self) -> Errors:
        """Errors of the held-out rows."""
        return self.errors(self.held_out)

    def errors(self, rows: np.ndarray) -> Errors:
        """Errors of some rows, booleans (rows,), where anything was solved. Raises ValueError where nothing was."""
        rows = rows & (self.observed > 0)
        return Errors.of(self.predicted[rows], self.observed[rows])

    @property
    def covered(self) -> np.ndarray:
        """Whether each row's measurement lies in its band, booleans (rows,)."""
        return (self.low <= self.observed) & (self.observed <= self.high)

    @property
    def coverage(self) -> float:
        """The share of held-out measurements inside their bands, which should be `level`."""
        return float(self.covered[self.held_out].mean())

    @property
    def half_width(self) -> float:
        """Half the band's width over the prediction, its median over held-out rows: a wide band covers all."""
        widths = (self.high - self.low) / (2 * np.abs(self.predicted))
        return float(np.median(widths[self.held_out]))

    def curve(self, steps: int = 5) -> tuple[Step, ...]:
        """Errors against how far out, in at most `steps` equal steps of log ratio from the cut's edge to the last row.

        Steps without a row are left out. Raises ValueError for steps < 1.
        """
        if steps < 1:
            raise ValueError(f"a curve needs at least one step, not {steps}")
        far = np.log(self.ratio)
        edges = np.linspace(0.0, far[self.held_out].max(), steps + 1)
        # budgets that double lie on the edges, where rounding must not part them
        place = np.clip(np.searchsorted(edges, far - 1e-9, side="left") - 1, 0, steps - 1)
        found = []
        for i in range(steps):
            rows = self.held_out & (place == i)
            if np.any(rows & (self.observed > 0)):
                low, high = np.exp(edges[i : i + 2]).tolist()
                found.append(Step(low, high, self.errors(rows), float(self.covered[rows].mean())))
        return tuple(found)

    @property
    def status(self) -> str:
        """The fit's status, how many rows it predicts and how many of them outside the measured range, in English."""
        out = int((self.outside[self.held_out] > 0).sum())
        beyond = int((~self.in_ranges[self.held_out]).sum())
        what = self.counted or f"{np.sum(~self.held_out)} rows"
        unsolved = int(np.sum(self.observed == 0))
        said = [
            f"fitted to {what} up to {self.cut}: {self.fit.status}",
            f"{out} of {self.held_out.sum()} predictions lie outside the convex hull of these,"
            f" by {self.outside[self.held_out].max():.2g} decades at most,"
            f" {beyond} of them beyond the range of {' or '.join(self.fit.problem.law.inputs())}",
        ]
        if unsolved:
            said.append(f"at {unsolved} of {len(self.observed)} runs and k nothing was solved: no relative error there")
        if self.fit.undetermined:
            said.append("predictions beyond it rest on values that the fitted rows do not determine")
        return "; ".join([*said, self.draws])


@check_arguments
def extrapolate(
    law: type[Law],
    table: Table,
    cut: Cut,
    *,
    key: Array,
    noise: Noise | None = None,
    fixed: Mapping[str, float] | None = None,
    starts: int = 8,
    draws: int = 400,
    over: ResampledUnit | None = None,
    level: float = 0.9,
) -> Extrapolation:
    """Fit a law to the rows up to a cut, predict those above it, and compare: errors, bias, coverage, how far out.

    draws, over: of the bootstrap behind the bands, as `t2.bootstrap`. Several cuts and tables of one length are
    compiled once per law. The law that is best beyond the cut is known only afterwards: to choose one, use
    `cross_validate` below it.

    Counts are fitted question by question, and judged by pass@k of each run at k = 1, 10, 100, ... (`cells.cells`).

    Raises ValueError where a cut leaves all rows on one side, TableError for fewer rows below it than parameters and
    for counts of several tasks, NoFit where the fit reached no optimum.
    Example: `t2.evaluation.extrapolate(t2.laws.Kaplan, runs, t2.evaluation.Cut.middle(runs), key=key).beyond`.
    """
    noise = noise or default_noise(law, table)
    made = cells(law, table) if counted(law, table, noise) else None
    rows = table if made is None else made.table
    measured = positive_response(law, table) if made is None else rows["pass_at_k"]
    above, held_out = cut.above(table), cut.above(rows)
    fit_key, draw_key, error_key = jax.random.split(key, 3)
    found = fit_without(law, table, above, key=fit_key, noise=noise, fixed=fixed, starts=starts)
    if not found.converged:
        raise NoFit(f"{name_of(law)}: the fit below the cut at {cut} gave no law ({found.status})")
    fitted = left_out(table, above)
    boot = bootstrap(found, fitted, draws=draws, key=draw_key, over=over)
    if made is None:
        band = predictive_band(found, boot.laws, fitted, key=error_key, level=level)
    else:
        band = simulated_band(found, boot.laws, table, made, key=error_key, level=level)
    values = cut.of(rows)
    return Extrapolation(
        fit=found,
        cut=cut,
        rows=rows,
        counted=None if made is None else f"{np.sum(~above)} counts of {len(np.unique(made.run[~above]))} runs",
        held_out=held_out,
        ratio=values / values[~held_out].max(),
        observed=measured,
        predicted=predict(found.law, rows),
        low=band.low,
        high=band.high,
        level=level,
        outside=decades_outside(law, rows, ~held_out),
        in_ranges=in_ranges(law, rows, ~held_out),
        log_score=float(log_scores(found, fitted)[above].mean()) if not noise.no_likelihood else None,
        draws=boot.status,
    )
