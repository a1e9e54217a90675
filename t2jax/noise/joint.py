"""Noise of rows with two measurements: a loss and a result of samples."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.laws.base import Law
from t2jax.noise.losses import Gaussian
from t2jax.noise.protocol import Noise, Rows, Transform
from t2jax.noise.residuals import ROW_ERROR
from t2jax.tables.measurements import Measurements, measurements
from t2jax.tables.table import Table
from t2jax.typing import Array, ArrayLike

LOSS_SHARE = "loss_share"
"""Column that `with_loss_share` adds."""


@dataclass(frozen=True)
class Joint(Noise):
    """Noise of rows with two measurements: a loss, and what the samples show.

    The loss part of the law explains the loss. A point fit uses the given scale of the loss errors, 1 % by default, so
    that the two penalties add up as log-likelihoods. A posterior estimates the scale as `sigma_loss`. A column
    `loss_se` adds to it in squares.

    Rows of one run with the same loss, such as its questions, share one measurement. `fit` divides its weight equally
    among them (`with_loss_share`).

    Attributes:
        samples: Noise model of the response, such as `BetaBinomial()`.
        loss: Noise model of the loss, by default normal errors of its log with scale 0.01.

    Examples:
        >>> t2.noise.Joint(t2.noise.BetaBinomial())
        Joint(samples=BetaBinomial(), loss=Gaussian(transform='log', scale=0.01))
    """

    samples: Noise
    loss: Gaussian = field(default_factory=lambda: Gaussian(transform="log", scale=0.01))

    def __post_init__(self):  # these follow from the fields and are no fields themselves
        sentence = "Joint weighs two measurements by given scales, so it has no likelihood to compare laws by"
        nuisance = {**self.samples.nuisance, "sigma_loss": self.loss.nuisance["sigma"]}
        object.__setattr__(self, "nuisance", nuisance)
        object.__setattr__(self, "estimated", self.samples.estimated)
        object.__setattr__(self, "no_likelihood", sentence if self.samples.nuisance else self.samples.no_likelihood)

    @property
    def compares(self) -> Transform:
        """Scale on which `samples`, the noise of the response, compares rows with the law."""
        return self.samples.compares

    @property
    def error_scale(self) -> Transform:
        """No single scale exists, because a row has errors of two kinds.

        Raises:
            ValueError: Always.
        """
        raise ValueError("Joint has no single scale of errors: choose runs from a fit with Huber, Gaussian or StudentT")

    def columns(self, law: type[Law], table: Table) -> tuple[str, ...]:
        losses = ("loss", ROW_ERROR) if ROW_ERROR in table else ("loss",)
        return tuple(dict.fromkeys((*self.samples.columns(law, table), *losses)))

    def penalty(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        loss_rows = _loss_rows(law.loss, rows)
        losses = self.loss.penalty(law.loss, loss_rows, nuisance)
        return self.samples.penalty(law, rows, nuisance) + rows.get(LOSS_SHARE, 1.0) * losses

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        loss_rows = _loss_rows(law.loss, rows)
        scale = {"sigma": nuisance.get("sigma_loss", jnp.asarray(self.loss.scale))}
        losses = self.loss.log_density(law.loss, loss_rows, scale)
        return self.samples.log_density(law, rows, nuisance) + rows.get(LOSS_SHARE, 1.0) * losses

    def simulate(self, law: Law, rows: Rows, nuisance: Rows, key: Array) -> dict[str, Array]:
        loss_key, samples_key = jax.random.split(key)
        loss_rows = _loss_rows(law.loss, rows)
        redrawn = self.loss.simulate(law.loss, loss_rows, nuisance, loss_key)
        return redrawn | self.samples.simulate(law, rows, nuisance, samples_key)

    def profile(self, law: Law, rows: Rows) -> dict[str, Array]:
        """Returns the profiled values of `samples`; the scale of the loss errors is given."""
        return self.samples.profile(law, rows)

    def deviation(self, measured: Array, predicted: Array) -> Array:
        return self.samples.deviation(measured, predicted)

    def measure_again(self, law: Law, predicted: Array, rows: Rows, nuisance: Rows, key: Array) -> Array:
        """Draws the response again as `samples` measures it."""
        return self.samples.measure_again(law, predicted, rows, nuisance, key)

    def measurements(self, law: type[Law], table: Table, fixed: Mapping[str, ArrayLike]) -> Measurements:
        """Returns the rows with the column `LOSS_SHARE`."""
        return measurements(with_loss_share(table), (*self.columns(law, table), LOSS_SHARE))

    def response_name(self, law: type[Law], table: Table) -> str:
        return f"{self.samples.response_name(law, table)}_and_loss"

    def require_rows(self, needed_by: str) -> None:
        self.samples.require_rows(needed_by)


def with_loss_share(table: Table) -> Table:
    """Adds the column `LOSS_SHARE`: one over the number of rows of the same run with the same loss.

    Args:
        table: A table with losses.

    Returns:
        The table with the column, shape (rows,).
    """
    pair = np.stack([table.runs().astype(float), table["loss"]], axis=1)
    _, which, count = np.unique(pair, axis=0, return_inverse=True, return_counts=True)
    return table.with_columns(**{LOSS_SHARE: 1.0 / count[which.ravel()]})


def _loss_rows(loss: Law, rows: Rows) -> dict[str, Array]:
    names = (*type(loss).columns().values(), "loss", ROW_ERROR)
    return {name: rows[name] for name in names if name in rows}
