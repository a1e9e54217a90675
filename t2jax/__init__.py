"""t2jax: fit scaling laws and find the compute-optimal parameters, tokens and samples, with uncertainty."""

from t2jax import datasets, laws, noise, special
from t2jax.audit import Cut, extrapolate
from t2jax.averaged import AveragedFrontier, averaged_frontier
from t2jax.bayes import Posterior, sample
from t2jax.bootstrap import Band, Bootstrap, band, bootstrap, parametric_bootstrap
from t2jax.budgets import Budget
from t2jax.compare import cross_validate
from t2jax.costs import Serving, Shape, Training
from t2jax.criteria import criteria, log_scores
from t2jax.crossed import CrossedEffects
from t2jax.design import NextRuns, Region, next_runs
from t2jax.estimates import pass_from_counts, pass_from_p
from t2jax.evaluate import evaluate, predict
from t2jax.fit import Fit, fit
from t2jax.forecast import forecast_beta, forecast_power_law
from t2jax.frontier import allocate, frontier
from t2jax.hardware import Accelerator, accelerator
from t2jax.heldout import left_out
from t2jax.hierarchy import sample_tasks
from t2jax.influence import influence
from t2jax.laws.base import Law, law, part
from t2jax.loo import Loo, Stack, loo, stack
from t2jax.params import coefficient, param
from t2jax.posterior_check import PosteriorPredictive, posterior_predictive
from t2jax.posterior_files import load_posterior, load_task_posterior, save_posterior
from t2jax.precision import precision
from t2jax.priors import prior_predictive, prior_sensitivity
from t2jax.question_effects import QuestionEffects
from t2jax.run_scatter import RunScatter, deviated, run_deviations
from t2jax.save import load_draws, load_law
from t2jax.sensitivity import delta_band, elasticities, shadow_prices
from t2jax.shared_scatter import SharedScatter, shared_offsets
from t2jax.table import Table, TableError, read_table
from t2jax.task_posterior import Population, TaskPosterior

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
    "QuestionEffects",
    "Region",
    "RunScatter",
    "Serving",
    "Shape",
    "SharedScatter",
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
    "prior_sensitivity",
    "read_table",
    "run_deviations",
    "sample",
    "sample_tasks",
    "save_posterior",
    "shadow_prices",
    "shared_offsets",
    "special",
    "stack",
]
