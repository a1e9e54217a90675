"""Predictions beyond the table: a law with a smooth discrepancy, the choice of laws, and bands with their horizon."""

from typing import TYPE_CHECKING

from t2jax.on_demand import names_on_demand

if TYPE_CHECKING:
    from t2jax.extrapolation.discrepancy import DiscrepancyFit, fit_discrepancy
    from t2jax.extrapolation.law_choice import LawChoice
    from t2jax.extrapolation.optimum import OptimumBand, optimum_band
    from t2jax.extrapolation.predictions import Predictions

__all__ = ["DiscrepancyFit", "LawChoice", "OptimumBand", "Predictions", "fit_discrepancy", "optimum_band"]

_PLACES = {
    "t2jax.extrapolation.law_choice": ("LawChoice",),
    "t2jax.extrapolation.discrepancy": ("DiscrepancyFit", "fit_discrepancy"),
    "t2jax.extrapolation.optimum": ("OptimumBand", "optimum_band"),
    "t2jax.extrapolation.predictions": ("Predictions",),
}

if not TYPE_CHECKING:  # a type checker would take every name for a public one
    __getattr__, __dir__ = names_on_demand(__name__, _PLACES)
