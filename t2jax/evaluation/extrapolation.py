"""Extrapolation audits: a law fitted below a cut and compared with the rows above it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import jax
import numpy as np

from t2jax.evaluation.convex_hull import decades_outside, in_ranges
from t2jax.evaluation.cross_validation import counted
from t2jax.evaluation.errors import Errors, measured_response
from t2jax.evaluation.held_out import NoFit, fit_without, left_out
from t2jax.evaluation.information_criteria import log_scores
from t2jax.evaluation.pass_at_k_cells import simulated_band
from t2jax.evaluation.predictive_band import predictive_band
from t2jax.extrapolation.averaged_counts import cells
from t2jax.extrapolation.predictions import predict_band
from t2jax.fitting.bootstrap import ResampledUnit, bootstrap
from t2jax.fitting.fit import Fit
from t2jax.laws import name_of
from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law
from t2jax.laws.predict import predict
from t2jax.noise.default import default_noise
from t2jax.noise.protocol import Noise
from t2jax.numerics.bands import Band
from t2jax.printing import format_percent, summary
from t2jax.tables.table import Table
from t2jax.typing import Array

Quantity = Literal["compute", "params", "tokens", "tokens_per_param", "samples"]
UNITS = {
    "compute": "FLOPs",
    "params": "parameters",
    "tokens": "tokens",
    "tokens_per_param": "tokens per parameter",
    "samples": "samples",
}


@dataclass(frozen=True)
class Cut:
    """A threshold: rows up to it are fitted, rows above it are predicted.

    Attributes:
        quantity: "compute" (6ND), "params" (N), "tokens" (D), "tokens_per_param" (D/N) or "samples" (k).
        value: The threshold, in FLOPs for compute.

    Raises:
        ValueError: The quantity is unknown, or the value is not positive and finite.

    Examples:
        >>> cut = t2.evaluation.Cut("compute", 1e19)
        >>> str(cut), int(cut.above(runs).sum())
        ('1e+19 FLOPs', 10)
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
        """Makes the cut in the middle of the range on a log scale.

        Args:
            table: The table.
            quantity: "compute", "params", "tokens", "tokens_per_param" or "samples".

        Returns:
            The cut at the geometric mean of the least and the largest value.
        """
        values = cls(quantity, 1.0).of(table)
        return cls(quantity, float(np.sqrt(values.min()) * np.sqrt(values.max())))

    def of(self, table: Table) -> np.ndarray:
        """Computes the quantity of each row.

        Args:
            table: The table.

        Returns:
            Values, shape (rows,).

        Raises:
            TableError: The cut is in samples and the table has none.
        """
        if self.quantity == "compute":
            return table.compute()
        if self.quantity == "samples":
            table.require("samples", needed_by="a cut in samples")
            return table["samples"]
        if self.quantity == "tokens_per_param":
            return table["tokens"] / table["params"]
        return table[self.quantity]

    def above(self, table: Table) -> np.ndarray:
        """Finds the rows above the cut.

        Args:
            table: The table.

        Returns:
            Booleans, shape (rows,).

        Raises:
            ValueError: All rows are on one side.
        """
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
    """The predicted rows within a range of the cut's quantity, and their errors.

    Attributes:
        low: Lower end of the range, as a multiple of the largest fitted value.
        high: Upper end of the range.
        errors: Relative errors of the rows.
        coverage: Share of their measurements inside the bands.
    """

    low: float
    high: float
    errors: Errors
    coverage: float


@dataclass(frozen=True, repr=False)
class Extrapolation:
    """Result of `extrapolate`. Arrays have one entry for each of `rows`, fitted or held out.

    Attributes:
        fit: The fit to the rows up to the cut.
        cut: The cut.
        rows: The table. For counts it has pass@k of each run (`averaged_counts.cells`). Rows where nothing was solved
            have no relative error and enter only the coverage.
        counted: For counts, how many counts of how many runs were fitted. None otherwise.
        held_out: Whether a row is above the cut.
        ratio: The cut's quantity over its largest fitted value.
        observed: Measured response.
        predicted: Response predicted by the law.
        low: Lower end of the band for a measurement (`predictive_band`, `simulated_band`).
        high: Upper end of the band.
        level: Level of the band.
        outside: Distance from the convex hull of the fitted rows in decades (`decades_outside`). Zero inside.
        in_ranges: Whether every input of the law is in its fitted range, perhaps not together with the others.
        log_score: Mean log density of held-out rows in nats. None where the noise has no density.
        draws: Status of the bootstrap behind the band.
    """

    fit: Fit
    cut: Cut
    rows: Table
    counted: str | None
    held_out: np.ndarray
    ratio: np.ndarray
    observed: np.ndarray
    predicted: np.ndarray
    low: np.ndarray
    high: np.ndarray
    level: float
    outside: np.ndarray
    in_ranges: np.ndarray
    log_score: float | None
    draws: str

    def __repr__(self) -> str:
        """Writes the status, then errors below and beyond the cut, and the coverage."""
        places = {"fitted rows": ~self.held_out, "held-out rows": self.held_out}
        answers = {place: str(self.errors(rows)) for place, rows in places.items() if np.any(self.observed[rows] > 0)}
        answers["coverage"] = (
            f"{format_percent(self.coverage)} of held-out rows in their {format_percent(self.level)} band"
        )
        answers["band"] = f"± {format_percent(self.half_width)} of the prediction (median)"
        if self.log_score is not None:
            answers["log score"] = f"{self.log_score:.4g} nats a held-out row"
        return summary("Extrapolation", self.status, answers)

    @cached_property
    def below(self) -> Errors:
        """Errors of the fitted rows."""
        return self.errors(~self.held_out)

    @cached_property
    def beyond(self) -> Errors:
        """Errors of the held-out rows."""
        return self.errors(self.held_out)

    def errors(self, rows: np.ndarray) -> Errors:
        """Computes the errors of some rows, without those where nothing was solved.

        Args:
            rows: Booleans, shape (rows,).

        Returns:
            The errors.

        Raises:
            ValueError: Nothing was solved in these rows.
        """
        rows = rows & (self.observed > 0)
        return Errors.of(self.predicted[rows], self.observed[rows])

    @property
    def covered(self) -> np.ndarray:
        """Whether each measurement lies in its band, shape (rows,)."""
        return (self.low <= self.observed) & (self.observed <= self.high)

    @property
    def coverage(self) -> float:
        """Share of held-out measurements inside their bands, which should be `level`."""
        return float(self.covered[self.held_out].mean())

    @property
    def half_width(self) -> float:
        """Half the width of the band over the prediction, as a median over held-out rows.

        Coverage alone means little, because a wide band covers everything.
        """
        widths = (self.high - self.low) / (2 * np.abs(self.predicted))
        return float(np.median(widths[self.held_out]))

    def curve(self, steps: int = 5) -> tuple[Step, ...]:
        """Computes the errors against the distance from the cut, in equal steps of the log ratio.

        Args:
            steps: Largest number of steps. Steps without a row are left out.

        Returns:
            The steps, from the cut outwards.

        Raises:
            ValueError: `steps` is below 1.
        """
        if steps < 1:
            raise ValueError(f"a curve needs at least one step, not {steps}")
        log_ratio = np.log(self.ratio)
        edges = np.linspace(0.0, log_ratio[self.held_out].max(), steps + 1)
        # budgets that double lie on the edges, where rounding must not separate them
        place = np.clip(np.searchsorted(edges, log_ratio - 1e-9, side="left") - 1, 0, steps - 1)
        curve = []
        for i in range(steps):
            rows = self.held_out & (place == i)
            if np.any(rows & (self.observed > 0)):
                low, high = np.exp(edges[i : i + 2]).tolist()
                curve.append(Step(low, high, self.errors(rows), float(self.covered[rows].mean())))
        return tuple(curve)

    @property
    def status(self) -> str:
        """The fit's status, and how many predictions lie outside the fitted range."""
        outside = int((self.outside[self.held_out] > 0).sum())
        out_of_range = int((~self.in_ranges[self.held_out]).sum())
        fitted = self.counted or f"{np.sum(~self.held_out)} rows"
        unsolved = int(np.sum(self.observed == 0))
        sentences = [
            f"fitted to {fitted} up to {self.cut}: {self.fit.status}",
            f"{outside} of {self.held_out.sum()} predictions lie outside the convex hull of these,"
            f" by {self.outside[self.held_out].max():.2g} decades at most,"
            f" {out_of_range} of them beyond the range of {' or '.join(self.fit.problem.law.inputs())}",
        ]
        if unsolved:
            pairs = f"{unsolved} of {len(self.observed)} pairs of run and k"
            sentences.append(f"nothing was solved at {pairs}, which have no relative error")
        if self.fit.undetermined:
            sentences.append("predictions beyond the cut rest on values that the fitted rows do not determine")
        return "; ".join([*sentences, self.draws])


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
    """Fits a law to the rows up to a cut, predicts the rows above it, and compares the two.

    The result contains errors, bias, coverage of the bands and the distance of each prediction from the fitted rows.
    Counts are fitted by question and compared by pass@k of each run at k = 1, 10, 100, ... Several cuts, and tables of
    one length, share one compilation for each law. The best law beyond a cut is known only afterwards. To choose a law,
    use `cross_validate` below the cut.

    Args:
        law: The law class.
        table: The table.
        cut: The cut.
        key: JAX random key.
        noise: Noise model. The default suits the law and the table (`t2.noise.default_noise`).
        fixed: Values of fixed parameters by name.
        starts: Number of starts of the fit.
        draws: Number of bootstrap draws behind the bands. `Discrepancy` has the bands of `t2.predict_band` instead.
        over: Unit of the bootstrap, "rows" or "runs", as in `t2.bootstrap`.
        level: Level of the bands, in (0, 1).

    Returns:
        An `Extrapolation`.

    Raises:
        ValueError: The cut leaves all rows on one side.
        TableError: Fewer rows than parameters are below the cut, or the counts are of several tasks.
        NoFit: The fit reached no optimum.

    Examples:
        >>> cut = t2.evaluation.Cut.middle(runs)
        >>> audit = t2.evaluation.extrapolate(t2.laws.Chinchilla, runs, cut, key=jax.random.key(0), draws=8)
        >>> audit.beyond.rows, audit.beyond.largest < 1e-6
        (11, True)
    """
    noise = noise or default_noise(law, table)
    from_counts = cells(law, table) if counted(law, table, noise) else None
    rows = table if from_counts is None else from_counts.table
    measured = measured_response(law, table, noise) if from_counts is None else rows["pass_at_k"]
    above, held_out = cut.above(table), cut.above(rows)
    fit_key, draw_key, error_key = jax.random.split(key, 3)
    fit_below = fit_without(law, table, above, key=fit_key, noise=noise, fixed=fixed, starts=starts)
    if not fit_below.converged:
        raise NoFit(f"{name_of(law)}: the fit below the cut at {cut} failed ({fit_below.status})")
    fitted = left_out(table, above)
    predicted = predict(fit_below.law, rows)
    if noise.not_resampled:
        at = predict_band(fit_below, table, level=level)
        band, predicted, status = Band(at.low, at.mean, at.high, level), at.mean, at.status
    else:
        boot = bootstrap(fit_below, fitted, draws=draws, key=draw_key, over=over)
        status = boot.status
        if from_counts is None:
            band = predictive_band(fit_below, boot.laws, fitted, key=error_key, level=level)
        else:
            band = simulated_band(fit_below, boot.laws, table, from_counts, key=error_key, level=level)
    runs = 0 if from_counts is None else len(np.unique(from_counts.run[~above]))
    counted_rows = f"{np.sum(~above)} counts of {runs} runs" if runs else None
    values = cut.of(rows)
    return Extrapolation(
        fit=fit_below,
        cut=cut,
        rows=rows,
        counted=counted_rows,
        held_out=held_out,
        ratio=values / values[~held_out].max(),
        observed=measured,
        predicted=predicted,
        low=band.low,
        high=band.high,
        level=level,
        outside=decades_outside(law, rows, ~held_out),
        in_ranges=in_ranges(law, rows, ~held_out),
        log_score=float(log_scores(fit_below, fitted)[above].mean()) if not noise.no_likelihood else None,
        draws=status,
    )
