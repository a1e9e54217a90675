"""Noise of losses, and of other positive responses."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from numpyro.distributions import LogNormal

from t2jax.laws.base import Law
from t2jax.laws.parameter import Param, param
from t2jax.noise.protocol import Rows, Transform
from t2jax.noise.residuals import _inputs, _log_stretch, _redraw_residuals, _response_column, residual
from t2jax.tables.table import Table
from t2jax.typing import Array


@dataclass(frozen=True)
class Huber:
    """Huber's function of the residual of the log: r²/2 up to |r| = δ, then δ(|r| - δ/2), summed over rows.

    A robust penalty and no probability model. Source: Hoffmann et al. 2022 (2203.15556), eq. 3, with δ = 1e-3; summed
    over rows as in Besiroglu et al. 2024 (2404.10102). Example: `t2.fit(law, runs, noise=t2.noise.Huber(1e-3))`.
    """

    delta: float = 1e-3
    nuisance: ClassVar[Mapping[str, Param]] = {}
    estimated: ClassVar[tuple[str, ...]] = ()

    def columns(self, law: type[Law], table: Table) -> tuple[str, ...]:
        return (*_inputs(law, table), _response_column(law, table, "log"))

    def penalty(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        del nuisance
        size = jnp.abs(residual(law, rows, "log"))
        inside = jnp.minimum(size, self.delta)
        return inside * (size - 0.5 * inside)

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        """Raises TypeError: Huber's penalty has no likelihood; StudentT is the robust density."""
        raise TypeError("Huber is a penalty for point fits and has no likelihood; sample with noise.StudentT instead")

    def simulate(self, law: Law, rows: Rows, nuisance: Rows, key: Array) -> dict[str, Array]:
        return _redraw_residuals(law, rows, "log", key)


@dataclass(frozen=True)
class Gaussian:
    """Normal errors on the response, or on its log. A point fit minimises ½ Σ (r/scale)²: least squares.

    scale only sets the weight of these rows beside others, as in `Joint`; the density estimates `sigma` instead.
    On `pass_at_k` this is the sum of squared errors of Roberts et al. 2026 (2604.01411).
    """

    transform: Transform = "identity"
    scale: float = 1.0
    nuisance: ClassVar[Mapping[str, Param]] = {
        "sigma": param(LogNormal(-4.0, 1.5), unit="of the response, or its log", doc="standard deviation of a row")
    }
    estimated: ClassVar[tuple[str, ...]] = ()

    def columns(self, law: type[Law], table: Table) -> tuple[str, ...]:
        return (*_inputs(law, table), _response_column(law, table, self.transform))

    def penalty(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        del nuisance
        return 0.5 * jnp.square(residual(law, rows, self.transform) / self.scale)

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        sigma = nuisance["sigma"]
        r = residual(law, rows, self.transform) / sigma
        return -0.5 * r**2 - jnp.log(sigma) - 0.5 * np.log(2 * np.pi) - _log_stretch(law, rows, self.transform)

    def simulate(self, law: Law, rows: Rows, nuisance: Rows, key: Array) -> dict[str, Array]:
        return _redraw_residuals(law, rows, self.transform, key)


@dataclass(frozen=True)
class StudentT:
    """Student-t errors on the log of the response: outliers count less. A point fit estimates `sigma` with the law.

    df: degrees of freedom; 4 by default, heavy tails with a variance.
    """

    df: float = 4.0
    transform: Transform = "log"
    nuisance: ClassVar[Mapping[str, Param]] = {
        "sigma": param(LogNormal(-5.0, 1.5), unit="of the response, or its log", doc="scale of a row")
    }
    estimated: ClassVar[tuple[str, ...]] = ("sigma",)

    def columns(self, law: type[Law], table: Table) -> tuple[str, ...]:
        return (*_inputs(law, table), _response_column(law, table, self.transform))

    def penalty(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        df, sigma = self.df, nuisance["sigma"]
        r = residual(law, rows, self.transform) / sigma
        constant = gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * jnp.log(df * jnp.pi)
        return 0.5 * (df + 1) * jnp.log1p(r**2 / df) + jnp.log(sigma) - constant

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        return -self.penalty(law, rows, nuisance) - _log_stretch(law, rows, self.transform)

    def simulate(self, law: Law, rows: Rows, nuisance: Rows, key: Array) -> dict[str, Array]:
        return _redraw_residuals(law, rows, self.transform, key)
