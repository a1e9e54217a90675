"""t2jax: fit scaling laws and find the compute-optimal parameters, tokens and samples, with uncertainty."""

from t2jax import datasets, laws, noise
from t2jax.evaluation.cross_validation import cross_validate
from t2jax.evaluation.extrapolation import Cut, extrapolate
from t2jax.evaluation.held_out import left_out
from t2jax.evaluation.information_criteria import criteria, log_scores
from t2jax.evaluation.leave_groups_out import influence
from t2jax.evaluation.model_average import AveragedFrontier, averaged_frontier
from t2jax.fitting.bootstrap import Bootstrap, bootstrap, parametric_bootstrap
from t2jax.fitting.fit import Fit, fit
from t2jax.fitting.law_files import load_draws, load_law
from t2jax.forecasts.beta import forecast_beta
from t2jax.forecasts.estimates import pass_from_counts, pass_from_p
from t2jax.forecasts.power_law import forecast_power_law
from t2jax.laws.base import Law, law, part
from t2jax.laws.parameter import coefficient, param
from t2jax.laws.predict import evaluate, predict
from t2jax.noise.crossed_effects import CrossedEffects
from t2jax.noise.run_scatter import RunScatter, deviated
from t2jax.numerics import special
from t2jax.numerics.bands import Band, band
from t2jax.planning.budget import Budget
from t2jax.planning.costs import Serving, Shape, Training
from t2jax.planning.frontier import allocate, frontier
from t2jax.planning.hardware import Accelerator, accelerator
from t2jax.planning.next_runs.next_runs import NextRuns, next_runs
from t2jax.planning.next_runs.region import Region
from t2jax.planning.sensitivity import delta_band, elasticities, shadow_prices
from t2jax.posterior.deviations_of_runs import run_deviations
from t2jax.posterior.files import load_posterior, save_posterior
from t2jax.posterior.leave_one_out import Loo, Stack, loo, stack
from t2jax.posterior.posterior import Posterior
from t2jax.posterior.posterior_check import PosteriorPredictive, posterior_predictive
from t2jax.posterior.prior_check import prior_predictive
from t2jax.posterior.sample import sample
from t2jax.posterior.tasks.files import load_task_posterior
from t2jax.posterior.tasks.sample_tasks import sample_tasks
from t2jax.posterior.tasks.task_posterior import Population, TaskPosterior
from t2jax.tables.place import TableError
from t2jax.tables.read import read_table
from t2jax.tables.table import Table
from t2jax.working_precision import precision

__version__ = "0.1.0"

__all__ = [
    "Accelerator",
    "AveragedFrontier",
    "Band",
    "Bootstrap",
    "Budget",
    "CrossedEffects",
    "Cut",
    "Fit",
    "Law",
    "Loo",
    "NextRuns",
    "Population",
    "Posterior",
    "PosteriorPredictive",
    "Region",
    "RunScatter",
    "Serving",
    "Shape",
    "Stack",
    "Table",
    "TableError",
    "TaskPosterior",
    "Training",
    "accelerator",
    "allocate",
    "averaged_frontier",
    "band",
    "bootstrap",
    "coefficient",
    "criteria",
    "cross_validate",
    "datasets",
    "delta_band",
    "deviated",
    "elasticities",
    "evaluate",
    "extrapolate",
    "fit",
    "forecast_beta",
    "forecast_power_law",
    "frontier",
    "influence",
    "law",
    "laws",
    "left_out",
    "load_draws",
    "load_law",
    "load_posterior",
    "load_task_posterior",
    "log_scores",
    "loo",
    "next_runs",
    "noise",
    "param",
    "parametric_bootstrap",
    "part",
    "pass_from_counts",
    "pass_from_p",
    "posterior_predictive",
    "precision",
    "predict",
    "prior_predictive",
    "read_table",
    "run_deviations",
    "sample",
    "sample_tasks",
    "save_posterior",
    "shadow_prices",
    "special",
    "stack",
]
