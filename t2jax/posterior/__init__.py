"""Files, checks and comparisons of posteriors."""

from typing import TYPE_CHECKING

from t2jax.on_demand import names_on_demand

if TYPE_CHECKING:
    from t2jax.posterior.deviations_of_runs import run_deviations
    from t2jax.posterior.files import load_posterior, save_posterior
    from t2jax.posterior.leave_one_out import Loo, Stack, stack
    from t2jax.posterior.posterior_check import PosteriorPredictive, posterior_predictive
    from t2jax.posterior.prior_check import prior_predictive
    from t2jax.posterior.tasks.files import load_task_posterior
    from t2jax.posterior.tasks.task_posterior import Population, TaskPosterior

__all__ = [
    "Loo",
    "Population",
    "PosteriorPredictive",
    "Stack",
    "TaskPosterior",
    "load_posterior",
    "load_task_posterior",
    "posterior_predictive",
    "prior_predictive",
    "run_deviations",
    "save_posterior",
    "stack",
]

_PLACES = {
    "t2jax.posterior.deviations_of_runs": ("run_deviations",),
    "t2jax.posterior.files": ("load_posterior", "save_posterior"),
    "t2jax.posterior.leave_one_out": ("Loo", "Stack", "stack"),
    "t2jax.posterior.posterior_check": ("PosteriorPredictive", "posterior_predictive"),
    "t2jax.posterior.prior_check": ("prior_predictive",),
    "t2jax.posterior.tasks.files": ("load_task_posterior",),
    "t2jax.posterior.tasks.task_posterior": ("Population", "TaskPosterior"),
}

if not TYPE_CHECKING:  # a type checker would take every name for a public one
    __getattr__, __dir__ = names_on_demand(__name__, _PLACES)
