"""Predictions of a posterior with a smooth discrepancy: draws of the law, of the scales and of the precisions."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from numpy.linalg import cholesky, solve

from t2jax.extrapolation.discrepancy import DiscrepancyFit
from t2jax.extrapolation.gaussian_mixture import GaussianMixture
from t2jax.extrapolation.tails import percent_of, tail_factor
from t2jax.fitting.measured_range import MeasuredRange
from t2jax.laws.base import Law
from t2jax.noise.discrepancy import Discrepancy
from t2jax.noise.protocol import DEVIATION, Rows
from t2jax.noise.smooth.closed_form import LOGIT_UNIT, readable_rows
from t2jax.noise.smooth.kernel import Spectrum
from t2jax.noise.smooth.response_curve import ResponseCurve
from t2jax.posterior.posterior import Posterior
from t2jax.tables.table import Table
from t2jax.typing import Array, Float
from t2jax.working_precision import scope

DRAWS = 400
"""Draws of the posterior that are read, evenly over all."""
SMALLEST_MODE = 1e-7
"""Variance of a mode, relative to the largest, below which rows say nothing about it."""
JITTER = 1e-8


@dataclass(frozen=True)
class SampledDiscrepancy:
    """Draws of a law with a smooth discrepancy, for predictions as those of a `DiscrepancyFit`.

    Attributes:
        law: The law at the highest density.
        table: The rows that were read.
        measured: Ranges of these rows.
        curve: The law as a function of its coordinates.
        noise_model: The noise model.
        u: Coordinates of `law`, shape (free,).
        laws: Coordinates of the draws, shape (draws, free).
        amplitudes: Standard deviation of the discrepancy in each draw, 0 where there is none, shape (draws,).
        errors: Scale of the errors in each draw, shape (draws,).
        precisions: Precision of each row's error relative to that scale, shape (draws, rows).
        spectra: Covariances of the rows.
        kernel: Index of each draw's covariance, shape (draws,).
    """

    law: Law
    table: Table
    measured: MeasuredRange
    curve: ResponseCurve
    noise_model: Discrepancy
    u: np.ndarray
    laws: np.ndarray
    amplitudes: np.ndarray
    errors: np.ndarray
    precisions: np.ndarray
    spectra: tuple[Spectrum, ...]
    kernel: np.ndarray

    @classmethod
    def of(cls, post: Posterior) -> "SampledDiscrepancy":
        """Reads the draws of a posterior, and draws the kernel of each.

        Raises:
            ValueError: The posterior has another noise model, did not converge, or was read from a file.
        """
        if post.density is None or post.table is None:
            raise ValueError("a posterior read from a file has no rows to predict from; call `sample` again")
        noise, law = post.density.noise, post.density.law
        if not isinstance(noise, Discrepancy):
            raise ValueError(
                f"a posterior with {type(noise).__name__} has no deviation beyond its rows: sample with"
                " noise.Discrepancy, or predict with a fit"
            )
        if not post.converged:
            raise ValueError(f"there is no posterior to predict with ({post.status})")
        fixed = {name: float(np.asarray(value)) for name, value in post.density.coordinates.fixed.items()}
        curve = ResponseCurve.of(law, post.table, {name: fixed[name] for name in fixed if name in law.declared()})
        drawn = {str(name): np.asarray(values.values, float) for name, values in post.idata["posterior"].items()}
        total = drawn[curve.names[0]].size
        chosen = np.linspace(0, total - 1, min(DRAWS, total)).astype(int)
        drawn = {name: values.reshape(total, *values.shape[2:])[chosen] for name, values in drawn.items()}
        scales = {name: drawn[name] if name in drawn else np.full(len(chosen), fixed[name]) for name in noise.settled}
        latent = {DEVIATION: drawn["deviation"]} if "deviation" in drawn else {}
        rows = readable_rows(curve, post.table)
        with scope() as dtype:
            columns = noise.units(law, post.table).on_device(dtype).columns
            laws = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)[chosen], dtype), post.laws)
            parts = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), (scales, latent))
            log_weight = np.asarray(_log_by_kernel(noise, columns, laws, *parts), float)
            drawn_laws = np.stack(
                [np.asarray(law.declared()[name].unconstrain(drawn[name]), float) for name in curve.names], 1
            )
            precisions = np.ones((len(chosen), len(post.table)))
            if latent:
                precisions = np.asarray(noise.precisions(parts[1][DEVIATION])[0], float)
        gumbel = np.random.default_rng(0).gumbel(size=log_weight.shape)
        kernel = np.argmax(log_weight + gumbel, axis=1) - 1
        unit = LOGIT_UNIT if curve.scale == "logit" else 1.0
        table = post.table if rows.all() else post.table.where(rows)
        spectra = noise.spectra(curve, table)
        usual = np.array([spectrum.kernel.usual_amplitude for spectrum in spectra])[kernel]
        return cls(
            law=post.point,
            table=table,
            measured=MeasuredRange.of(table),
            curve=curve,
            noise_model=noise,
            u=curve.coordinates(post.point),
            laws=drawn_laws,
            amplitudes=unit * np.where(kernel < 0, 0.0, usual * scales["amplitude"]),
            errors=unit * scales["sigma"],
            precisions=precisions[:, rows],
            spectra=spectra,
            kernel=np.maximum(kernel, 0),
        )

    @property
    def amplitude(self) -> float:
        """Standard deviation of the discrepancy, averaged over the draws."""
        return float(self.amplitudes.mean())

    @property
    def status(self) -> str:
        """Share of the draws with a discrepancy, and its size, in a sentence."""
        share = float(np.mean(self.amplitudes > 0))
        errors = self.percent(float(np.exp(np.log(self.errors).mean())))
        return (
            f"the rows deviate from {type(self.law).__name__} in a smooth way in {share:.0%} of the draws, by"
            f" {self.percent(self.amplitude)} beside errors of {errors}"
        )

    def percent(self, size: float) -> str:
        """Formats a size on the scale of the comparison, in per cent."""
        return percent_of(size, self.curve.scale)

    def predict(self, columns: Mapping[str, np.ndarray], *, new_run: bool) -> GaussianMixture:
        """Computes the distribution of the response at rows, as `DiscrepancyFit.predict`."""
        places = self.curve.places(columns)
        means, variances = (
            np.array(self.curve.evaluate_many(self.laws, columns)),
            np.zeros((len(self.laws), len(places))),
        )
        for modes, draws in self._by_kernel:
            features = modes.at(places)
            free = 1 - np.square(features).sum(1)
            for draw in draws:
                centre, lower = self._modes_of(modes, draw)
                amplitude = self.amplitudes[draw]
                means[draw] += amplitude * features @ centre
                spread = np.square(solve(lower, features.T)).sum(0)
                variances[draw] = amplitude**2 * np.maximum(free + spread, 0.0)
        mixture = GaussianMixture(means, variances, np.full(len(means), 1 / len(means)))
        return mixture.with_errors(self.run_variances(0.9)) if new_run else mixture

    def run_variances(self, level: float) -> Float[np.ndarray, " draws"]:
        """Computes the variance of one new run about the mean over runs in each draw, as `DiscrepancyFit` does."""
        run_share = np.array([spectrum.kernel.run_share for spectrum in self.spectra])[self.kernel]
        tail = tail_factor(self.noise_model.df, level)
        return self.amplitudes**2 * run_share + (tail * self.errors) ** 2

    def draw_curves(
        self, columns: Mapping[str, np.ndarray], draws: int, rng: np.random.Generator
    ) -> Float[np.ndarray, "draws rows"]:
        """Draws the mean response at rows, law and discrepancy together, on the scale of the comparison."""
        places = self.curve.places(columns)
        chosen = rng.integers(len(self.laws), size=draws)
        curves = np.array(self.curve.evaluate_many(self.laws[chosen], columns))
        for modes, of_kernel in self._by_kernel:
            features = modes.at(places)
            remainder = modes.spectrum.kernel.between(places, places) - features @ features.T
            values, vectors = np.linalg.eigh(remainder + JITTER * np.eye(len(remainder)))
            root = vectors * np.sqrt(np.maximum(values, 0.0))
            for place in np.flatnonzero(np.isin(chosen, of_kernel)):
                centre, lower = self._modes_of(modes, int(chosen[place]))
                score = centre + solve(lower.T, rng.standard_normal(len(centre)))
                smooth = features @ score + root @ rng.standard_normal(len(root))
                curves[place] += self.amplitudes[chosen[place]] * smooth
        return curves

    @cached_property
    def _left(self) -> Float[np.ndarray, "draws rows"]:
        """Residuals of each draw's law, times the root of the rows' weights."""
        fitted = self.curve.read(self.table)
        residual = self.curve.measured(self.table) - self.curve.evaluate_many(self.laws, fitted)
        return np.sqrt(self.table.weights() * self.curve.precision(self.table)) * residual

    @cached_property
    def _by_kernel(self) -> list[tuple["_Modes", np.ndarray]]:
        """Modes of each covariance with the draws that have it and a discrepancy."""
        groups = [np.flatnonzero((self.kernel == i) & (self.amplitudes > 0)) for i in range(len(self.spectra))]
        return [(_Modes.of(spectrum), at) for spectrum, at in zip(self.spectra, groups, strict=True) if at.size]

    def _modes_of(self, modes: "_Modes", draw: int) -> tuple[np.ndarray, np.ndarray]:
        """Computes mean and precision's Cholesky factor of a draw's modes, in units of their standard deviation."""
        weighted = self.amplitudes[draw] / self.errors[draw] * modes.vectors
        precision = self.precisions[draw][:, None] * weighted
        lower = cholesky(np.eye(weighted.shape[1]) + weighted.T @ precision)
        force = precision.T @ self._left[draw] / self.errors[draw]
        return solve(lower.T, solve(lower, force)), lower


@dataclass(frozen=True)
class _Modes:
    """Modes of a covariance, each in units of its standard deviation.

    Attributes:
        spectrum: The covariance.
        vectors: Rows in terms of the modes, shape (rows, modes).
        cross: Matrix that turns covariances with the knots into covariances with the modes, shape (knots, modes).
    """

    spectrum: Spectrum
    vectors: np.ndarray
    cross: np.ndarray

    @classmethod
    def of(cls, spectrum: Spectrum) -> "_Modes":
        chosen = spectrum.values > SMALLEST_MODE * spectrum.values.max()
        deviation = np.sqrt(spectrum.values[chosen])
        return cls(spectrum, spectrum.vectors[:, chosen] * deviation, spectrum.cross[:, chosen] / deviation)

    def at(self, places: np.ndarray) -> np.ndarray:
        """Computes the covariances of places with the modes, shape (places, modes)."""
        return self.spectrum.kernel.between(places, self.spectrum.knots) @ self.cross


@jax.jit(static_argnames="noise")
def _log_by_kernel(noise: Discrepancy, columns: Rows, laws: Law, scales: Rows, latent: Rows) -> Array:
    def of_draw(draw: tuple[Law, Rows, Rows]) -> Array:
        law, values, deviation = draw
        return noise.log_by_kernel(law, {**columns, **deviation}, values)

    return jax.lax.map(of_draw, (laws, scales, latent))


SmoothFit = DiscrepancyFit | SampledDiscrepancy
"""A law with a smooth discrepancy, in closed form or sampled."""
