"""Noise of losses, and of other positive responses."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln
from numpyro.distributions import Distribution, LogNormal, Normal

from t2jax.laws.base import Law
from t2jax.laws.parameter import param
from t2jax.noise.protocol import Noise, Rows, Transform
from t2jax.noise.residuals import _inputs, _log_stretch, _redraw_residuals, _response_column, residual
from t2jax.tables.table import Table
from t2jax.typing import Array


class ResidualNoise(Noise):
    """Independent errors of what is measured, or of its log: subclasses give their distribution.

    transform: "log" where errors are those of the log, log(measured / law), "identity" where they are measured - law.
    """

    transform: Transform = "log"

    def errors(self, nuisance: Rows) -> Distribution:
        """The distribution of one error, a NumPyro one of one number, given `nuisance`."""
        raise NotImplementedError

    def log_error(self, error: Array, nuisance: Rows) -> Array:
        """Log density of errors."""
        return jnp.asarray(self.errors(nuisance).log_prob(error))

    def draw_errors(self, shape: tuple[int, ...], nuisance: Rows, key: Array) -> Array:
        """Random errors."""
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
        """The residuals of the rows drawn again, and put on what the law predicts."""
        return _redraw_residuals(law, rows, self.transform, key)

    def deviation(self, measured: Array, predicted: Array) -> Array:
        return jnp.log(measured / predicted) if self.transform == "log" else measured - predicted

    def measure_again(self, law: Law, predicted: Array, rows: Rows, nuisance: Rows, key: Array) -> Array:
        error = self.draw_errors(predicted.shape, nuisance, key)
        return predicted * jnp.exp(error) if self.transform == "log" else predicted + error


@dataclass(frozen=True)
class Huber(ResidualNoise):
    """Huber's function of the residual of the log: r²/2 up to |r| = δ, then δ(|r| - δ/2), summed over rows.

    A robust penalty and no probability model. Source: Hoffmann et al. 2022 (2203.15556), eq. 3, with δ = 1e-3; summed
    over rows as in Besiroglu et al. 2024 (2404.10102). Example: `t2.fit(law, runs, noise=t2.noise.Huber(1e-3))`.
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
        """Raises TypeError: Huber's penalty has no likelihood; StudentT is the robust density."""
        raise TypeError("Huber is a penalty for point fits and has no likelihood; sample with noise.StudentT instead")

    def with_density(self) -> Noise:
        """Student-t errors of the log, the robust counterpart that has a likelihood."""
        return StudentT()


@dataclass(frozen=True)
class Gaussian(ResidualNoise):
    """Normal errors on the response, or on its log. A point fit minimises ½ Σ (r/scale)²: least squares.

    scale only sets the weight of these rows beside others, as in `Joint`; the density estimates `sigma` instead.
    On `pass_at_k` this is the sum of squared errors of Roberts et al. 2026 (2604.01411).
    """

    transform: Transform = "identity"
    scale: float = 1.0
    nuisance = {
        "sigma": param(LogNormal(-4.0, 1.5), unit="of the response, or its log", doc="standard deviation of a row")
    }

    def errors(self, nuisance: Rows) -> Distribution:
        return Normal(0.0, nuisance["sigma"])

    def penalty(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        del nuisance
        return 0.5 * jnp.square(residual(law, rows, self.transform) / self.scale)

    def profile(self, law: Law, rows: Rows) -> dict[str, Array]:
        """The root of the mean squared residual, each row as often as its weight."""
        squares = jnp.square(residual(law, rows, self.transform))
        return {"sigma": jnp.sqrt(jnp.sum(rows["weight"] * squares) / jnp.sum(rows["weight"]))}


@dataclass(frozen=True)
class StudentT(ResidualNoise):
    """Student-t errors on the log of the response: outliers count less. A point fit estimates `sigma` with the law.

    df: degrees of freedom; 4 by default, heavy tails with a variance.
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
