"""Whether priors can be defended: what they predict before any run is seen."""

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
from t2jax.tables.table import Table
from t2jax.typing import Array, ArrayLike, Float
from t2jax.working_precision import scope


@dataclass(frozen=True)
class PriorPredictive:
    """What the priors say of a table's rows. laws: drawn from the prior, leaves (draws,).

    predicted: band of the law over draws at each row, (rows,). observed (rows,): the response, for counts the share of
    correct ones.
    """

    laws: Law
    predicted: Band
    observed: Float[np.ndarray, " rows"]

    @property
    def covered(self) -> float:
        """The share of rows whose measurement lies inside the prior's interval."""
        return self.predicted.share(self.observed)

    @property
    def status(self) -> str:
        """What the comparison says, in English."""
        inside, rows = round(self.covered * self.observed.size), self.observed.size
        low, high = float(np.min(self.predicted.low)), float(np.max(self.predicted.high))
        said = f"{inside} of {rows} rows lie inside the prior's {100 * self.predicted.level:g} % interval of the law"
        said += f", which reaches from {low:.3g} to {high:.3g} over the rows"
        if self.covered < self.predicted.level / 2:
            return f"{said}: the priors contradict the rows; replace those that do not fit by `priors`"
        return said


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
    """Draw laws from the priors and predict the rows, without errors of the rows; arguments and errors as `sample`.

    A prior can be defended if measurements lie well inside what it predicts, and little of that is absurd. Source:
    Gelman et al. 2020, Bayesian workflow (2011.01808), section 2.4. Predictions that are no number are left out; raises
    ValueError where most are.
    """
    with scope() as dtype:
        target, data = density(law, table, noise, dict(fixed or {}), dict(priors or {}))
        rows = {name: jnp.asarray(column, dtype) for name, column in data.every_row().items()}
        values = dict(target.coordinates.fixed) | target.prior_draws(draws, key)
        laws = law(**{name: jnp.broadcast_to(jnp.asarray(values[name], dtype), (draws,)) for name in law.declared()})
        predicted = np.asarray(jax.jit(jax.vmap(lambda one: one.predict(rows)))(laws))
        laws = jax.tree.map(np.asarray, laws)
    observed = measured_response(response(law, table), rows)
    predicted = np.where(np.isfinite(predicted), predicted, np.nan)
    return PriorPredictive(laws, band(np.broadcast_to(predicted, (draws, len(table))), LEVEL), np.asarray(observed))
