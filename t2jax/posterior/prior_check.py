"""Prior predictive checks: what priors predict before any run is seen."""

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law
from t2jax.noise.protocol import Noise
from t2jax.noise.residuals import measured_response, response
from t2jax.numerics.bands import Band, band
from t2jax.posterior.density import Priors, density
from t2jax.posterior.posterior import LEVEL
from t2jax.printing import format_interval, report
from t2jax.tables.table import Table
from t2jax.typing import Array, ArrayLike, Float
from t2jax.working_precision import scope


@dataclass(frozen=True, repr=False)
class PriorPredictive:
    """Result of `prior_predictive`: predictions of the priors at the rows of a table.

    Attributes:
        laws: Laws drawn from the prior, leaves of shape (draws,).
        predicted: Band of the law at each row, shape (rows,).
        observed: The response, shape (rows,). For counts it is the share of correct samples.
    """

    laws: Law
    predicted: Band
    observed: Float[np.ndarray, " rows"]

    def __repr__(self) -> str:
        """Prints the status, then the share of rows inside and the range of predictions."""
        band = self.predicted
        rows = {"rows inside": f"{self.covered:.1%}", "predicted": format_interval(band.low, band.mid, band.high)}
        return report(f"PriorPredictive: {self.status}", rows)

    @property
    def covered(self) -> float:
        """Share of rows whose measurement lies inside the prior's interval."""
        return self.predicted.share(self.observed)

    @property
    def status(self) -> str:
        """The result of the comparison in English."""
        inside, rows = round(self.covered * self.observed.size), self.observed.size
        low, high = float(np.min(self.predicted.low)), float(np.max(self.predicted.high))
        level = 100 * self.predicted.level
        sentence = f"{inside} of {rows} rows lie inside the prior's {level:g} % interval of the law"
        sentence += f", which spans {low:.3g} to {high:.3g} over the rows"
        if self.covered < self.predicted.level / 2:
            return f"{sentence}: the priors contradict the rows; give better ones in `priors`"
        return sentence


@check_arguments
def prior_predictive(
    law: type[Law],
    table: Table,
    noise: Noise | None = None,
    *,
    key: Array,
    priors: Priors | None = None,
    fixed: Mapping[str, ArrayLike] | None = None,
    draws: int = 1000,
) -> PriorPredictive:
    """Draws laws from the priors and predicts the rows, without errors of measurement.

    A prior is defensible if measurements lie well inside its predictions and few predictions are absurd.
    Source: Gelman et al. 2020, Bayesian workflow (2011.01808), section 2.4.

    Args:
        law: A law class.
        table: The rows to predict.
        noise: Noise model, as in `sample`.
        key: Random key.
        priors: Priors in place of the declared ones, by name.
        fixed: Values of parameters that are not drawn, by name.
        draws: Number of laws to draw.

    Returns:
        The laws, and a band of their predictions. Predictions that are NaN or infinite are left out.

    Raises:
        ValueError: When most predictions at a row are not finite, or as in `sample`.

    Examples:
        >>> check = t2.posterior.prior_predictive(t2.laws.Chinchilla, runs, key=jax.random.key(0), draws=200)
        >>> check.covered, check.predicted.level
        (1.0, 0.9)
    """
    with scope() as dtype:
        target, data = density(law, table, noise, dict(fixed or {}), dict(priors or {}))
        rows = {name: jnp.asarray(column, dtype) for name, column in data.every_row().items()}
        values = dict(target.coordinates.fixed) | target.prior_draws(draws, key)
        laws = law(**{name: jnp.broadcast_to(jnp.asarray(values[name], dtype), (draws,)) for name in law.declared()})
        predicted = np.asarray(jax.jit(jax.vmap(lambda law: law.predict(rows)))(laws))
        laws = jax.tree.map(np.asarray, laws)
    observed = measured_response(response(law, table), rows)
    predicted = np.where(np.isfinite(predicted), predicted, np.nan)
    return PriorPredictive(laws, band(np.broadcast_to(predicted, (draws, len(table))), LEVEL), np.asarray(observed))
