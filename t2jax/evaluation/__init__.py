"""Checks of a law's predictions: extrapolation, cross-validation, criteria and influence."""

from typing import TYPE_CHECKING

from t2jax.on_demand import names_on_demand

if TYPE_CHECKING:
    from t2jax.evaluation.cross_validation import cross_validate
    from t2jax.evaluation.extrapolation import Cut, extrapolate
    from t2jax.evaluation.held_out import left_out
    from t2jax.evaluation.information_criteria import criteria, log_scores
    from t2jax.evaluation.leave_groups_out import influence
    from t2jax.evaluation.model_average import AveragedFrontier, averaged_frontier

__all__ = [
    "AveragedFrontier",
    "Cut",
    "averaged_frontier",
    "criteria",
    "cross_validate",
    "extrapolate",
    "influence",
    "left_out",
    "log_scores",
]

_PLACES = {
    "t2jax.evaluation.cross_validation": ("cross_validate",),
    "t2jax.evaluation.extrapolation": ("Cut", "extrapolate"),
    "t2jax.evaluation.held_out": ("left_out",),
    "t2jax.evaluation.information_criteria": ("criteria", "log_scores"),
    "t2jax.evaluation.leave_groups_out": ("influence",),
    "t2jax.evaluation.model_average": ("AveragedFrontier", "averaged_frontier"),
}

if not TYPE_CHECKING:  # a type checker would take every name for a public one
    __getattr__, __dir__ = names_on_demand(__name__, _PLACES)
