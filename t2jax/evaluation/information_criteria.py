"""How likely a fit makes the rows: information criteria, and the log score of each row."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.evaluation.held_out import fitted_rows
from t2jax.fitting.fit import Fit
from t2jax.laws import name_of
from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law
from t2jax.noise.protocol import Noise, Rows
from t2jax.tables.table import Table
from t2jax.typing import Array
from t2jax.working_precision import scope


@dataclass(frozen=True)
class Criteria:
    """AIC, AICc and BIC of a fit: lower is better, and only differences between laws with one noise model count.

    log_likelihood: at the fit, nats, each row times its weight. parameters: those that were free, and the scales of
    the noise. runs: what counts as the number of observations. aicc is infinite where parameters + 1 >= runs.
    """

    log_likelihood: float
    parameters: int
    runs: int

    @property
    def aic(self) -> float:
        """2p - 2 log L. Source: Akaike 1974."""
        return 2 * self.parameters - 2 * self.log_likelihood

    @property
    def aicc(self) -> float:
        """AIC corrected for few observations n: + 2p(p+1)/(n-p-1). Source: Hurvich & Tsai 1989."""
        p, left = self.parameters, self.runs - self.parameters - 1
        return self.aic + 2 * p * (p + 1) / left if left > 0 else np.inf

    @property
    def bic(self) -> float:
        """p log n - 2 log L, n being runs: rows of one run (many k, questions) are not that many observations.

        NaN for one run, of which log n would be no price at all. Source: Schwarz 1978; n by the clusters, as Kass &
        Raftery 1995 ask for.
        """
        if self.runs < 2:
            return np.nan
        return self.parameters * float(np.log(self.runs)) - 2 * self.log_likelihood


@check_arguments
def criteria(fit: Fit, table: Table) -> Criteria:
    """The information criteria of a fit on the rows it was fitted to; those that were `left_out` do not enter.

    A Gaussian's sigma is profiled: its best value is the root of the mean squared residual. Student-t has estimated
    it. All free parameters count, also those the rows do not determine, which is against the law that has them.

    Raises ValueError where the noise model has no likelihood, as Huber's penalty, or the fit did not converge.
    """
    density, profile = _scores(fit, table)
    fitted = fitted_rows(table)
    weight = table.weights()
    return Criteria(
        log_likelihood=float(np.sum((weight * density)[fitted])),
        parameters=len(fit.problem.names) + len(profile),
        runs=len(np.unique(table.runs()[fitted])),
    )


@check_arguments
def log_scores(fit: Fit, table: Table) -> np.ndarray:
    """Log density of each row's measurement under the fit, nats (rows,): the log score, larger is better.

    For rows that were left out of the fit (`held_out.left_out`) it is the score of a forecast, also for counts, which
    have no relative error. Of residuals of the log, where the noise is on the log. The scale of the noise is that of
    the rows with weight, so give the table that was fitted. Source: Good 1952; Gneiting & Raftery 2007.

    Raises ValueError as `criteria`.
    """
    return _scores(fit, table)[0]


def _scores(fit: Fit, table: Table) -> tuple[np.ndarray, tuple[str, ...]]:
    """The log density of each row, (rows,), and the names of the scales that are profiled."""
    noise, law = fit.problem.noise, fit.problem.law
    if not fit.converged:
        raise ValueError(f"{name_of(law)}: there is no fit to score ({fit.status})")
    if noise.no_likelihood:
        raise ValueError(noise.no_likelihood)
    _, data = fit.problem.read(table)
    with scope() as dtype:
        data = data.on_device(dtype)
        rows = data.every_row()
        scales = {name: jnp.asarray(value, dtype) for name, value in fit.noise_values.items()}
        law = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), fit.law)
        density, profile = _density(noise, law, rows, scales)
        density = np.asarray(density)
    if not np.all(np.isfinite(density[fitted_rows(table)])):
        raise ValueError(f"{name_of(type(law))}: the likelihood of the fitted rows is not finite, as without any error")
    return density, tuple(profile)


@partial(jax.jit, static_argnames="noise")
def _density(noise: Noise, law: Law, rows: Rows, scales: Rows) -> tuple[Array, Rows]:
    """The log density of each row, and the scales that a fit leaves out, at their best values."""
    profile = noise.profile(law, rows)
    return noise.log_density(law, rows, {**scales, **profile}), profile
