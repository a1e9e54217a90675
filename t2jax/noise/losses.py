"""Noise of losses and of other positive responses."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln

from t2jax.laws.base import Law
from t2jax.laws.parameter import param
from t2jax.laws.priors import LogNormal
from t2jax.noise.protocol import Noise, Rows, Transform
from t2jax.noise.residuals import (
    ROW_ERROR,
    _inputs,
    _log_stretch,
    _redraw_residuals,
    _response_column,
    residual,
    row_error,
)
from t2jax.tables.table import Table
from t2jax.typing import Array, ArrayLike

if TYPE_CHECKING:
    from numpyro.distributions import Distribution

BISECTIONS = 60  # of a range of 28 in the log of a variance, to rounding


class ResidualNoise(Noise):
    """Base of noise models with independent errors of the response or of its log.

    Subclasses define the distribution of an error.

    Attributes:
        transform: "log" for errors log(measured / law), "identity" for errors measured - law.

    Examples:
        >>> isinstance(t2.noise.StudentT(), t2.noise.ResidualNoise), t2.noise.StudentT().transform
        (True, 'log')
    """

    transform: Transform = "log"

    def errors(self, nuisance: Rows) -> "Distribution":
        """Returns the distribution of one error.

        Args:
            nuisance: Values of the noise parameters by name.

        Returns:
            A NumPyro distribution of one number.

        Raises:
            NotImplementedError: The subclass does not define it.
        """
        raise NotImplementedError

    def log_error(self, error: Array, nuisance: Rows) -> Array:
        """Computes the log density of errors.

        Args:
            error: Errors, any shape.
            nuisance: Values of the noise parameters by name.

        Returns:
            Log densities in nats, the shape of `error`.
        """
        return jnp.asarray(self.errors(nuisance).log_prob(error))

    def draw_errors(self, shape: tuple[int, ...], nuisance: Rows, key: Array) -> Array:
        """Draws random errors.

        Args:
            shape: Shape of the result.
            nuisance: Values of the noise parameters by name.
            key: JAX random key.

        Returns:
            Errors of the given shape.
        """
        return jnp.asarray(self.errors(nuisance).sample(key, shape))

    @property
    def compares(self) -> Transform:
        return self.transform

    def columns(self, law: type[Law], table: Table) -> tuple[str, ...]:
        return (*_inputs(law, table), _response_column(law, table, self.transform))

    def penalty(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        return -self.log_error(-residual(law, rows, self.transform), nuisance)

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        error = -residual(law, rows, self.transform)
        return self.log_error(error, nuisance) - _log_stretch(law, rows, self.transform)

    def simulate(self, law: Law, rows: Rows, nuisance: Rows, key: Array) -> dict[str, Array]:
        """Resamples the residuals of the rows and adds them to the predictions of the law."""
        return _redraw_residuals(law, rows, self.transform, key)

    def deviation(self, measured: Array, predicted: Array) -> Array:
        return jnp.log(measured / predicted) if self.transform == "log" else measured - predicted

    def measure_again(self, law: Law, predicted: Array, rows: Rows, nuisance: Rows, key: Array) -> Array:
        error = self.draw_errors(predicted.shape, nuisance, key)
        return predicted * jnp.exp(error) if self.transform == "log" else predicted + error


@dataclass(frozen=True)
class Huber(ResidualNoise):
    """Huber's penalty on the residual of the log, the default of losses.

    The penalty of a residual r is r²/2 up to |r| = δ and δ(|r| - δ/2) beyond, summed over rows. It is robust against
    outliers but no probability model, so `StudentT` replaces it in posteriors and comparisons. Sources: Hoffmann et al.
    2022 (2203.15556), eq. 3, with δ = 1e-3, and Besiroglu et al. 2024 (2404.10102) for the sum over rows.

    Attributes:
        delta: Residual of the log at which the penalty becomes linear.

    Examples:
        >>> row = {"params": 1e9, "tokens": 2e10, "loss": 1.01 * law(1e9, 2e10)}  # the residual is log 1.01
        >>> round(float(t2.noise.Huber(1e-3).penalty(law, row, {})), 7)
        9.5e-06
    """

    delta: float = 1e-3
    no_likelihood = (
        "Huber is a penalty without a likelihood, so there are no information criteria and no log scores: fit with"
        " noise.StudentT, the robust density (--noise student-t), or noise.Gaussian"
    )

    def penalty(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        del nuisance
        size = jnp.abs(residual(law, rows, "log"))
        inside = jnp.minimum(size, self.delta)
        return inside * (size - 0.5 * inside)

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        """Refuses, because Huber's penalty has no likelihood.

        Raises:
            TypeError: Always. `StudentT` is the robust density.
        """
        raise TypeError("Huber is a penalty for point fits and has no likelihood; sample with noise.StudentT instead")

    def with_density(self) -> Noise:
        """Returns Student-t errors of the log, the robust model with a likelihood."""
        return StudentT()


class ScaledNoise(ResidualNoise):
    """Base of noise models whose errors have one scale `sigma`, to which rows may add a standard error of their own.

    A table's column `loss_se` is the standard error of each row's loss. The scale of row i is then √(sigma² + s_i²),
    where s_i is loss_se, or loss_se / loss for errors of the log. For normal errors this is the scale of the sum of
    two independent errors. For Student-t errors it is that of a sum only where one of them dominates.
    """

    def common_scale(self, nuisance: Rows) -> ArrayLike:
        """Returns the scale that all rows share.

        Args:
            nuisance: Values of the noise parameters by name.

        Returns:
            The scale.
        """
        return nuisance["sigma"]

    def row_scales(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        """Computes the scale of each row's error.

        Args:
            law: The law.
            rows: Columns of the table by name, shape (rows,) each.
            nuisance: Values of the noise parameters by name.

        Returns:
            Scales, shape (rows,), or one for all rows without a column `loss_se`.
        """
        common = jnp.asarray(self.common_scale(nuisance))
        return jnp.hypot(common, row_error(law, rows, self.transform)) if ROW_ERROR in rows else common

    def columns(self, law: type[Law], table: Table) -> tuple[str, ...]:
        names = super().columns(law, table)
        return (*names, ROW_ERROR) if names[-1] == "loss" and ROW_ERROR in table else names

    def penalty(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        return super().penalty(law, rows, {**nuisance, "sigma": self.row_scales(law, rows, nuisance)})

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        return super().log_density(law, rows, {**nuisance, "sigma": self.row_scales(law, rows, nuisance)})

    def simulate(self, law: Law, rows: Rows, nuisance: Rows, key: Array) -> dict[str, Array]:
        """Resamples the residuals of the rows, in units of their scales, and adds them to the predictions."""
        scale = self.row_scales(law, rows, nuisance) if ROW_ERROR in rows else 1.0
        return _redraw_residuals(law, rows, self.transform, key, scale)

    def measure_again(self, law: Law, predicted: Array, rows: Rows, nuisance: Rows, key: Array) -> Array:
        scales = {**nuisance, "sigma": self.row_scales(law, rows, nuisance)}
        return super().measure_again(law, predicted, rows, scales, key)


@dataclass(frozen=True)
class Gaussian(ScaledNoise):
    """Normal errors of the response or of its log.

    A point fit minimises ½ Σ (r/scale)², which is least squares. On `pass_at_k` that is the sum of squared errors of
    Roberts et al. 2026 (2604.01411). A posterior estimates the standard deviation `sigma` instead.

    A column `loss_se` is added in squares to `scale` or `sigma` (`ScaledNoise`). With scale=0 a point fit is weighted
    least squares by these standard errors alone.

    Attributes:
        transform: "identity" for errors of the response, "log" for errors of its log.
        scale: Standard deviation in point fits. It only weighs these rows against others, as in `Joint`, or against
            their own standard errors.

    Examples:
        >>> least_squares = t2.fit(t2.laws.Chinchilla, runs, key=jax.random.key(0), noise=t2.noise.Gaussian("log"))
        >>> round(least_squares.law.alpha, 3)
        0.35
    """

    transform: Transform = "identity"
    scale: float = 1.0
    nuisance = {
        "sigma": param(LogNormal(-4.0, 1.5), unit="of the response, or its log", doc="standard deviation of a row")
    }

    def errors(self, nuisance: Rows) -> "Distribution":
        from numpyro.distributions import Normal  # slow to load

        return Normal(0.0, nuisance["sigma"])

    def common_scale(self, nuisance: Rows) -> ArrayLike:
        return nuisance.get("sigma", jnp.asarray(self.scale))

    def columns(self, law: type[Law], table: Table) -> tuple[str, ...]:
        names = super().columns(law, table)
        if self.scale == 0 and ROW_ERROR not in names:
            table.require(ROW_ERROR, needed_by="Gaussian(scale=0)")
        return names

    def penalty(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        scale = self.row_scales(law, rows, {})
        return 0.5 * jnp.square(residual(law, rows, self.transform) / scale)

    def draw_errors(self, shape: tuple[int, ...], nuisance: Rows, key: Array) -> Array:
        return nuisance["sigma"] * jax.random.normal(key, shape)

    def profile(self, law: Law, rows: Rows) -> dict[str, Array]:
        """Returns the most likely `sigma`, each row counted by its weight.

        Without standard errors of rows it is the root mean squared residual.
        """
        squares = jnp.square(residual(law, rows, self.transform))
        if ROW_ERROR in rows:
            row_variance = jnp.square(row_error(law, rows, self.transform))
            return {"sigma": jnp.sqrt(_common_variance(squares, row_variance, rows["weight"]))}
        return {"sigma": jnp.sqrt(jnp.sum(rows["weight"] * squares) / jnp.sum(rows["weight"]))}


def _common_variance(squares: Array, row_variance: Array, weight: Array) -> Array:
    """Returns the variance v that makes normal errors of variances v + s² most likely, by bisection of its log.

    The derivative of the log-likelihood is Σ w (r² - v - s²) / (v + s²)² / 2. It is negative where v is the largest
    square. Where it is nowhere positive, the end is a share 1e-12 of that.
    """
    largest = jnp.max(squares)

    def halve(_: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = 0.5 * (low + high)
        variance = largest * jnp.exp(middle) + row_variance
        rising = jnp.sum(weight * (squares - variance) / jnp.square(variance)) > 0
        return jnp.where(rising, middle, low), jnp.where(rising, high, middle)

    widest = jnp.zeros_like(largest) + jnp.log(1e-12), jnp.zeros_like(largest)
    low, high = jax.lax.fori_loop(0, BISECTIONS, halve, widest)
    return largest * jnp.exp(0.5 * (low + high))


@dataclass(frozen=True)
class StudentT(ScaledNoise):
    """Student-t errors of the log of the response, which limit the effect of outliers.

    A point fit estimates the scale `sigma` together with the law. A column `loss_se` is added to it in squares
    (`ScaledNoise`), and fixed={"sigma": 1e-9} leaves these standard errors alone.

    Attributes:
        df: Degrees of freedom. The default of 4 gives heavy tails with a variance.
        transform: "log" for errors of the log, "identity" for errors of the response.

    Examples:
        >>> noise = t2.noise.StudentT(df=4.0)  # then t2.fit(t2.laws.Chinchilla, runs, key=key, noise=noise)
        >>> noise.estimated
        ('sigma',)
    """

    df: float = 4.0
    transform: Transform = "log"
    nuisance = {"sigma": param(LogNormal(-5.0, 1.5), unit="of the response, or its log", doc="scale of a row")}
    estimated = ("sigma",)

    def log_error(self, error: Array, nuisance: Rows) -> Array:
        df, sigma = self.df, nuisance["sigma"]
        constant = gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * jnp.log(df * jnp.pi)
        return constant - 0.5 * (df + 1) * jnp.log1p((error / sigma) ** 2 / df) - jnp.log(sigma)

    def draw_errors(self, shape: tuple[int, ...], nuisance: Rows, key: Array) -> Array:
        return nuisance["sigma"] * jax.random.t(key, self.df, shape)
