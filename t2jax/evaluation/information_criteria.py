"""Likelihood of a fit: information criteria, and the log score of each row."""

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
from t2jax.printing import summary
from t2jax.tables.table import Table
from t2jax.typing import Array
from t2jax.working_precision import scope


@dataclass(frozen=True, repr=False)
class Criteria:
    """Result of `criteria`. Lower is better, and only differences between laws with one noise model are meaningful.

    Attributes:
        log_likelihood: Log-likelihood at the fit in nats, each row times its weight.
        parameters: Number of free parameters, including the scales of the noise.
        runs: Number of runs, which count as the observations.
    """

    log_likelihood: float
    parameters: int
    runs: int

    def __repr__(self) -> str:
        """Writes the numbers of parameters and runs, then the criteria."""
        answers = {"AIC": self.aic, "AICc": self.aicc, "BIC": self.bic, "log likelihood": self.log_likelihood}
        rows = {name: f"{value:.2f}" for name, value in answers.items()}
        return summary("Criteria", f"{self.parameters} parameters, {self.runs} runs (lower is better)", rows)

    @property
    def aic(self) -> float:
        """Akaike's criterion 2p - 2 log L. Source: Akaike 1974."""
        return 2 * self.parameters - 2 * self.log_likelihood

    @property
    def aicc(self) -> float:
        """AIC corrected for few observations n: + 2p(p+1)/(n-p-1). It is infinite where n <= p + 1.

        Source: Hurvich & Tsai 1989.
        """
        p, left = self.parameters, self.runs - self.parameters - 1
        return self.aic + 2 * p * (p + 1) / left if left > 0 else np.inf

    @property
    def bic(self) -> float:
        """Bayesian criterion p log n - 2 log L, with n the number of runs.

        Rows of one run (many k, questions) are not independent observations. It is NaN for one run, where log n is
        zero.
        Sources: Schwarz 1978, and Kass & Raftery 1995 for n by clusters.
        """
        if self.runs < 2:
            return np.nan
        return self.parameters * float(np.log(self.runs)) - 2 * self.log_likelihood


@check_arguments
def criteria(fit: Fit, table: Table) -> Criteria:
    """Computes AIC, AICc and BIC of a fit on the rows it was fitted to.

    Rows that were `left_out` are ignored. A Gaussian's sigma is profiled: its best value is the root mean squared
    residual. All free parameters count, also undetermined ones, to the disadvantage of a law with too many.

    Args:
        fit: A converged fit.
        table: The table that was fitted.

    Returns:
        A `Criteria`.

    Raises:
        ValueError: The noise model has no likelihood, as Huber's penalty, or the fit did not converge.

    Examples:
        >>> noisy = runs.with_columns(loss=runs["loss"] * (1 + 0.01 * np.sin(np.arange(24))))
        >>> normal = t2.fit(t2.laws.Chinchilla, noisy, key=jax.random.key(0), noise=t2.noise.Gaussian("log"))
        >>> likelihood = t2.evaluation.criteria(normal, noisy)
        >>> likelihood.parameters, likelihood.runs, round(likelihood.aic, 1)
        (6, 24, -150.9)
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
    """Computes the log score of each row: the log density of its measurement under the fit. Larger is better.

    For rows that were left out of the fit (`left_out`) it is the score of a forecast. It exists for counts too, which
    have no relative error. The scale of the noise comes from the rows with weight, so pass the table that was fitted.
    Sources: Good 1952, Gneiting & Raftery 2007.

    Args:
        fit: A converged fit.
        table: The table that was fitted.

    Returns:
        Log scores in nats, shape (rows,).

    Raises:
        ValueError: The noise model has no likelihood, or the fit did not converge.

    Examples:
        >>> noisy = runs.with_columns(loss=runs["loss"] * (1 + 0.01 * np.sin(np.arange(24))))
        >>> normal = t2.fit(t2.laws.Chinchilla, noisy, key=jax.random.key(0), noise=t2.noise.Gaussian("log"))
        >>> round(float(t2.evaluation.log_scores(normal, noisy).mean()), 2)
        3.39
    """
    return _scores(fit, table)[0]


def _scores(fit: Fit, table: Table) -> tuple[np.ndarray, tuple[str, ...]]:
    """Computes the log density of each row, (rows,), and the names of the profiled scales."""
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
    """Computes the log density of each row, and the best values of scales that a fit does not estimate."""
    profile = noise.profile(law, rows)
    return noise.log_density(law, rows, {**scales, **profile}), profile
