"""Losses and pass@k that deviate from the law in a smooth way, beside the independent errors of their rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln, logsumexp, polygamma

from t2jax.laws.base import Law
from t2jax.laws.parameter import param
from t2jax.laws.priors import LogNormal
from t2jax.noise.protocol import DEVIATION, LeftOutUnit, Noise, Rows, Transform
from t2jax.noise.smooth.closed_form import LOGIT_UNIT, readable_rows, solve_closed_form
from t2jax.noise.smooth.kernel import DECADE, Kernel, Spectrum
from t2jax.noise.smooth.modes import log_normal, log_normal_weighted, scaled_modes, spread_modes
from t2jax.noise.smooth.response_curve import ResponseCurve, Scale, compared_response
from t2jax.noise.smooth.scales import ScalePrior
from t2jax.tables.measurements import Units
from t2jax.tables.table import Table
from t2jax.typing import Array, ArrayLike, Float

STARTS = 8
PRIOR = ScalePrior()
LEFT_OUT = 1e-4
"""Share of the discrepancy's variance in modes that densities of Student-t errors leave out."""
MEASURED, ROOT, VECTORS, VARIANCES = "{} measured", "root weight", "modes", "variances of modes"
"""Columns beside the inputs: measurements on the scale of the comparison, and the covariance of the discrepancy."""


@dataclass(frozen=True)
class Discrepancy(Noise):
    """Rows that deviate from the law smoothly over sizes and lengths, beside independent errors.

    The model is log y = log law(N, D) + δ(log N, log D) + e. δ is a Gaussian process with a Matérn 5/2 kernel, and e
    has Student-t errors. Rows of one `model` share a deviation of their run too. pass@k is compared by its logit, with
    errors as of shares: a law of log pass@k could exceed 1. There the two scales are ten times as large.

    A point fit estimates both scales in closed form as it reads the table. The most probable kernel is that of its
    penalty. Rows without error leave an amplitude of 0. `t2.sample` draws the scales beside the law and averages over
    the kernels. With probability 0.1 there is no discrepancy, and `amplitude` is that of the other case. Student-t
    errors are normal errors whose precision is drawn for each row.

    The deviation of rows that were not measured is in `t2.predict_band` and `t2.extrapolation.optimum_band`, of a fit
    and of a posterior. Resampled rows would share their deviation, so `t2.bootstrap` refuses this model. Draws of the
    law come from `t2.parametric_bootstrap`, which draws the deviation again, or from `t2.sample`.

    Cost: the kernel of more than 1,000 rows rests on 300 knots, or 600 for more than two inputs. Time then grows with
    the rows and not with their cube. Student-t errors take longer in `t2.sample` than normal ones (`df=None`), with one
    more coordinate for each row. They leave out modes of the kernel with 1e-4 of its variance.

    Prior: the amplitude lies between 0.44 and 2.3 % at 90 %, and errors between 0.08 and 2 %. It is that of a length
    of two decades, and those of other lengths are in proportion to the length. Deviations of every length are then as
    steep. In a posterior `amplitude` is that of two decades; a point fit averages the amplitudes themselves.

    Source: Kennedy & O'Hagan 2001 (J. R. Stat. Soc. B 63:425).

    Attributes:
        df: Degrees of freedom of the Student-t errors, None for normal ones.
        lengths: Length scales of the kernel, in decades of the inputs. They are averaged over.
        run_shares: Variances that rows of one run share, relative to the smooth part. They are averaged over; (0,)
            means a smooth deviation only.

    Raises:
        TableError: Fewer than three rows have a finite measurement on the scale of the comparison.
        TypeError: The model is used inside `Joint`.
        ValueError: A number is outside its range.

    Examples:
        >>> smooth = t2.fit(t2.laws.Chinchilla, runs, key=jax.random.key(0), noise=t2.noise.Discrepancy())
        >>> round(smooth.law.alpha, 3), round(smooth.noise_values["amplitude"], 6)
        (0.35, 0.0)
    """

    df: float | None = 4.0
    lengths: tuple[float, ...] = (1.0, 2.0, 4.0)
    run_shares: tuple[float, ...] = (0.0, 0.3, 3.0)

    nuisance = {
        "amplitude": param(
            LogNormal(float(np.log(PRIOR.amplitude)), PRIOR.amplitude_spread),
            unit="of the log",
            doc="standard deviation of the smooth deviation",
        ),
        "sigma": param(
            LogNormal(float(np.log(PRIOR.noise)), PRIOR.noise_spread), unit="of the log", doc="scale of a row's error"
        ),
    }
    settled = ("amplitude", "sigma")
    unit = "table"
    no_likelihood = (
        "rows with a smooth discrepancy have one likelihood together and none each: compare laws by t2.choose_law"
    )
    not_resampled = (
        "resampled rows would share their smooth deviation: take t2.parametric_bootstrap or t2.sample for draws of the"
        " law, and t2.predict_band for bands"
    )

    def __post_init__(self):
        if not ((self.df is None or self.df > 0) and self.lengths and self.run_shares):
            raise ValueError(f"{self}: expected df above 0, and at least one length and one run share")
        if min(self.lengths) <= 0 or min(self.run_shares) < 0:
            raise ValueError(f"{self}: expected lengths above 0 and run shares of at least 0")
        deviations: Literal["", "row"] = "" if self.df is None else "row"
        object.__setattr__(self, "deviations", deviations)

    def kernels(self, run: np.ndarray) -> tuple[Kernel, ...]:
        """Lists the kernels to average over. Without rows of one run there is nothing that a run's rows share.

        Args:
            run: Run of each row.

        Returns:
            The kernels.
        """
        shares = self.run_shares if len(np.unique(run)) < len(run) else (0.0,)
        return tuple(Kernel(length * DECADE, share) for length in self.lengths for share in shares)

    def spectra(self, curve: ResponseCurve, table: Table) -> tuple[Spectrum, ...]:
        """Decomposes the covariance of the rows under each kernel.

        Args:
            curve: The law.
            table: The rows, each with a measurement that is finite on the scale of the comparison.

        Returns:
            The spectra.
        """
        places, run = curve.places(curve.read(table)), table.runs()
        weight = table.weights() * curve.precision(table)
        return tuple(kernel.spectrum(places, run, weight) for kernel in self.kernels(run))

    @property
    def compares(self) -> Transform:
        return "log"

    @property
    def error_scale(self) -> Transform:
        """No single scale exists, because errors are smooth and independent.

        Raises:
            ValueError: Always.
        """
        raise ValueError(
            "Discrepancy has no single scale of errors: choose runs from a fit with Huber, Gaussian or StudentT"
        )

    def deviation(self, measured: Array, predicted: Array) -> Array:
        return jnp.log(measured / predicted)

    def columns(self, law: type[Law], table: Table) -> tuple[str, ...]:
        curve = ResponseCurve.of(law, table, {})
        return (*(name for name in curve.read(table) if name in table), curve.response)

    def measurements(self, law: type[Law], table: Table, fixed: Mapping[str, ArrayLike]) -> Units:
        """Reads the rows with the covariance of their deviations, whose scales it estimates in closed form.

        Args:
            law: The law class.
            table: The table.
            fixed: Values of the law's fixed parameters by name.

        Returns:
            The columns, with one row for each of the table.

        Raises:
            TableError: Fewer than three rows can be read.
        """
        values = {name: float(np.asarray(value)) for name, value in fixed.items() if name in law.declared()}
        curve = ResponseCurve.of(law, table, values)
        # starts are the best of these draws, so another key would change nothing but them
        solution = solve_closed_form(curve, table, curve.draws(jax.random.key(0)), STARTS, self.kernels, self.df)
        best = solution.nodes.kernel[0]
        vectors, variances = spread_modes([solution.spectra[best]], solution.rows)
        root = np.zeros(len(table))
        root[solution.rows] = np.sqrt(solution.model.weight)
        unit = LOGIT_UNIT if curve.scale == "logit" else 1.0
        scales = {"amplitude": solution.amplitude / unit, "sigma": solution.noise / unit}
        scales |= {"penalty amplitude": solution.nodes.amplitude[0], "penalty error": solution.nodes.noise[0]}
        columns = _columns(curve, table) | {ROOT: root, VECTORS: vectors[0], VARIANCES: variances[0]}
        columns |= {name: np.array(value) for name, value in scales.items()}
        whole: Any = columns, solution.rows.astype(float), np.arange(len(table))
        return Units(*whole)

    def penalty(self, law: Law, rows: Rows, nuisance: Rows) -> Float[Array, " rows"]:
        """Computes half of the squared residual of each row, after whitening by the covariance of the deviations.

        Args:
            law: The law.
            rows: Columns of `measurements`.
            nuisance: Not read, since `measurements` estimates the scales.

        Returns:
            Penalties, shape (rows,).

        Raises:
            TypeError: The rows do not come from `measurements`, as inside `Joint`.
        """
        del nuisance
        residual, error = _weighted_residual(law, rows), rows["penalty error"]
        ratio = jnp.sqrt(rows["penalty amplitude"] ** 2 * rows[VARIANCES] + error**2) / error
        return 0.5 * jnp.square(scaled_modes(residual, rows[VECTORS], 1 / ratio) / error)

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Float[Array, " table"]:
        """Computes the log-likelihood of all rows together, averaged over the kernels.

        Args:
            law: The law.
            rows: Columns of `units`, and for Student-t errors the deviations of their log precisions, shape (rows,).
            nuisance: Values of `amplitude` and `sigma`.

        Returns:
            The log-likelihood in nats, shape (1,).

        Raises:
            TypeError: The rows do not come from `units`, as inside `Joint`.
        """
        scale, _ = _scale_of(rows)
        root, measured = rows[ROOT], rows[MEASURED.format(scale)]
        log_response = -jax.nn.softplus(-measured) - jax.nn.softplus(measured) if scale == "logit" else measured
        stretch = jnp.sum(jnp.where(root > 0, jnp.log(jnp.where(root > 0, root, 1.0)) - log_response, 0.0))
        log_prior = self.precisions(rows[DEVIATION])[1] if DEVIATION in rows else 0.0
        return (logsumexp(self.log_by_kernel(law, rows, nuisance)) + stretch + log_prior)[None]

    def log_by_kernel(self, law: Law, rows: Rows, nuisance: Rows) -> Float[Array, " kernels"]:
        """Computes the log density of all rows and of each kernel together, on the scale of the comparison.

        Args:
            law: The law.
            rows: As for `log_density`.
            nuisance: Values of `amplitude` and `sigma`.

        Returns:
            Log densities, first without a discrepancy, then with that of each kernel.
        """
        _, unit = _scale_of(rows)
        residual, seen = _weighted_residual(law, rows), rows[ROOT] > 0
        amplitude, sigma = unit * nuisance["amplitude"], unit * nuisance["sigma"]
        if DEVIATION in rows:
            precision = self.precisions(rows[DEVIATION])[0]
            density = partial(log_normal_weighted, residual, precision, seen, amplitude, sigma)
        else:
            precision, density = jnp.ones_like(residual), partial(log_normal, residual, seen, amplitude, sigma)
        errors = jnp.log(sigma) - 0.5 * jnp.log(precision) + 0.5 * np.log(2 * np.pi)
        independent = -jnp.sum(jnp.where(seen, 0.5 * precision * jnp.square(residual / sigma) + errors, 0.0))
        smooth = jax.vmap(density)(rows[VECTORS], rows[VARIANCES])
        share = np.log((1 - PRIOR.none) / len(smooth))
        return jnp.concatenate([independent[None] + np.log(PRIOR.none), smooth + share])

    def precisions(self, deviation: Float[Array, "... rows"]) -> tuple[Array, Array]:
        """Returns the precision of each row relative to `sigma`, and the log of their prior over a standard normal one.

        Precisions have a Gamma(df/2, df/2) prior, so that errors are Student-t. The coordinate is their log in units of
        its standard deviation.

        Args:
            deviation: Deviations of the rows, shape (..., rows).

        Returns:
            Precisions of the same shape, and log priors of shape (...).
        """
        half = (self.df or np.inf) / 2
        spread = jnp.sqrt(polygamma(1, half))
        log_precision = spread * deviation
        precision = jnp.exp(log_precision)
        constant = half * np.log(half) - gammaln(half) + jnp.log(spread) + 0.5 * np.log(2 * np.pi)
        return precision, jnp.sum(half * (log_precision - precision) + constant + 0.5 * deviation**2, axis=-1)

    def simulate(self, law: Law, rows: Rows, nuisance: Rows, key: Array) -> dict[str, Array]:
        """Draws the response again with another smooth deviation and other errors.

        Args:
            law: The law.
            rows: Columns of `measurements`.
            nuisance: Values of `amplitude` and `sigma`, or none for those of the penalty.
            key: JAX random key.

        Returns:
            The new response, also on the scale of the comparison.
        """
        scale, unit = _scale_of(rows)
        amplitude = unit * nuisance["amplitude"] if nuisance else rows["penalty amplitude"]
        error = unit * nuisance["sigma"] if nuisance else rows["penalty error"]
        ratio = jnp.sqrt(amplitude**2 * rows[VARIANCES] + error**2) / error
        root = rows[ROOT]
        drawn = error * scaled_modes(jax.random.normal(key, root.shape, root.dtype), rows[VECTORS], ratio)
        measured = compared_response(law, scale, rows) + jnp.where(
            root > 0, drawn / jnp.where(root > 0, root, 1.0), 0.0
        )
        response = jnp.exp(measured) if scale == "log" else jax.nn.sigmoid(measured)
        name = next(name for name in law.response if name in rows)
        return {name: response, MEASURED.format(scale): measured}

    def profile(self, law: Law, rows: Rows) -> dict[str, Array]:
        """Returns the scales that `measurements` estimated."""
        del law
        return {name: rows[name] for name in self.settled}

    def units(self, law: type[Law], table: Table) -> Units:
        curve = ResponseCurve.of(law, table, {})
        rows = readable_rows(curve, table)
        seen = table if rows.all() else table.where(rows)
        spectra = self.spectra(curve, seen)
        vectors, variances = spread_modes(spectra, rows, 0.0 if self.df is None else LEFT_OUT)
        variances *= np.array([[spectrum.kernel.usual_amplitude**2] for spectrum in spectra])
        root = np.zeros(len(table))
        root[rows] = np.sqrt(seen.weights() * curve.precision(seen))
        columns = _columns(curve, table) | {ROOT: root, VECTORS: vectors, VARIANCES: variances}
        whole: Any = columns, np.ones(1), np.zeros(1, int)
        return Units(*whole)

    def likelihood_unit(self, unit: LeftOutUnit | None) -> LeftOutUnit:
        """Returns "table".

        Raises:
            ValueError: Another unit was asked for.
        """
        if unit not in (None, "table"):
            raise ValueError(f"sample: unit={unit!r}, but {self.no_likelihood}")
        return "table"


def _columns(curve: ResponseCurve, table: Table) -> dict[str, np.ndarray]:
    """Reads inputs and response, and the measurements on the scale of the comparison, zero where these are infinite."""
    measured = curve.measured(table)
    columns = {**curve.read(table), curve.response: np.asarray(table[curve.response], float)}
    return columns | {MEASURED.format(curve.scale): np.where(np.isfinite(measured), measured, 0.0)}


def _scale_of(rows: Rows) -> tuple[Scale, float]:
    """Returns the scale of the comparison, and the unit of the noise parameters on it."""
    if MEASURED.format("log") in rows:
        return "log", 1.0
    if MEASURED.format("logit") in rows:
        return "logit", LOGIT_UNIT
    raise TypeError("Discrepancy reads whole tables: it is a noise of its own, not inside Joint")


def _weighted_residual(law: Law, rows: Rows) -> Float[Array, " rows"]:
    scale, _ = _scale_of(rows)
    residual = rows[MEASURED.format(scale)] - compared_response(law, scale, rows)
    return rows[ROOT] * jnp.where(rows[ROOT] > 0, residual, 0.0)
