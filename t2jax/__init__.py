"""t2jax fits scaling laws and plans the compute-optimal parameters, tokens and samples, with uncertainty."""

from typing import TYPE_CHECKING

from t2jax.on_demand import names_on_demand

if TYPE_CHECKING:
    from t2jax import datasets, evaluation, extrapolation, forecasts, laws, noise, planning, plot, posterior
    from t2jax.extrapolation.law_choice import choose_law
    from t2jax.extrapolation.predictions import predict_band
    from t2jax.fitting.bootstrap import Bootstrap, bootstrap, parametric_bootstrap
    from t2jax.fitting.fit import Fit, fit
    from t2jax.fitting.law_files import load_draws, load_law, save_draws, save_law
    from t2jax.laws.base import Law, law, part
    from t2jax.laws.parameter import coefficient, param
    from t2jax.laws.predict import evaluate, predict
    from t2jax.numerics import special
    from t2jax.numerics.bands import Band, band
    from t2jax.planning.budget import Budget
    from t2jax.planning.frontier import allocate, frontier
    from t2jax.planning.next_runs.next_runs import next_runs
    from t2jax.planning.prices.costs import Serving, Training
    from t2jax.planning.prices.hardware import Accelerator, accelerator
    from t2jax.planning.prices.shape import Shape
    from t2jax.posterior.leave_one_out import loo
    from t2jax.posterior.posterior import Posterior
    from t2jax.posterior.sample import sample
    from t2jax.posterior.tasks.sample_tasks import sample_tasks
    from t2jax.results.read import read_results
    from t2jax.tables.place import TableError
    from t2jax.tables.read import read_table
    from t2jax.tables.table import Table
    from t2jax.working_precision import precision

__version__ = "0.1.0"

__all__ = [
    "Accelerator",
    "Band",
    "Bootstrap",
    "Budget",
    "Fit",
    "Law",
    "Posterior",
    "Serving",
    "Shape",
    "Table",
    "TableError",
    "Training",
    "accelerator",
    "allocate",
    "band",
    "bootstrap",
    "choose_law",
    "coefficient",
    "datasets",
    "evaluate",
    "evaluation",
    "extrapolation",
    "fit",
    "forecasts",
    "frontier",
    "law",
    "laws",
    "load_draws",
    "load_law",
    "loo",
    "next_runs",
    "noise",
    "param",
    "parametric_bootstrap",
    "part",
    "planning",
    "plot",
    "posterior",
    "precision",
    "predict",
    "predict_band",
    "read_results",
    "read_table",
    "sample",
    "sample_tasks",
    "save_draws",
    "save_law",
    "special",
]

_PLACES = {
    "t2jax.extrapolation.law_choice": ("choose_law",),
    "t2jax.extrapolation.predictions": ("predict_band",),
    "t2jax.fitting.bootstrap": ("Bootstrap", "bootstrap", "parametric_bootstrap"),
    "t2jax.fitting.fit": ("Fit", "fit"),
    "t2jax.fitting.law_files": ("load_draws", "load_law", "save_draws", "save_law"),
    "t2jax.laws.base": ("Law", "law", "part"),
    "t2jax.laws.parameter": ("coefficient", "param"),
    "t2jax.laws.predict": ("evaluate", "predict"),
    "t2jax.numerics.bands": ("Band", "band"),
    "t2jax.planning.budget": ("Budget",),
    "t2jax.planning.prices.costs": ("Serving", "Training"),
    "t2jax.planning.frontier": ("allocate", "frontier"),
    "t2jax.planning.prices.hardware": ("Accelerator", "accelerator"),
    "t2jax.planning.prices.shape": ("Shape",),
    "t2jax.planning.next_runs.next_runs": ("next_runs",),
    "t2jax.posterior.leave_one_out": ("loo",),
    "t2jax.posterior.posterior": ("Posterior",),
    "t2jax.posterior.sample": ("sample",),
    "t2jax.posterior.tasks.sample_tasks": ("sample_tasks",),
    "t2jax.results.read": ("read_results",),
    "t2jax.tables.place": ("TableError",),
    "t2jax.tables.read": ("read_table",),
    "t2jax.tables.table": ("Table",),
    "t2jax.working_precision": ("precision",),
    "t2jax.numerics": ("special",),
    "t2jax": ("datasets", "evaluation", "extrapolation", "forecasts", "laws", "noise", "planning", "plot", "posterior"),
}
"""Public names by module, imported on first use."""
_MOVED = {
    "evaluation": (
        "AveragedFrontier",
        "Cut",
        "averaged_frontier",
        "criteria",
        "cross_validate",
        "extrapolate",
        "influence",
        "left_out",
        "log_scores",
    ),
    "forecasts": ("forecast_beta", "forecast_power_law", "pass_from_counts", "pass_from_p"),
    "noise": ("CrossedEffects", "RunScatter", "deviated"),
    "planning": ("NextRuns", "Region", "delta_band", "elasticities", "shadow_prices"),
    "posterior": (
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
    ),
}
"""Names that moved, by their new name space; the old ones are removed in version 0.2."""

if not TYPE_CHECKING:  # a type checker would take every name for a public one
    __getattr__, __dir__ = names_on_demand(__name__, _PLACES, _MOVED)
