"""pass@k of one model from its counts, without a law of N and D."""

from typing import TYPE_CHECKING

from t2jax.on_demand import names_on_demand

if TYPE_CHECKING:
    from t2jax.forecasts.beta import forecast_beta
    from t2jax.forecasts.estimates import pass_from_counts, pass_from_p
    from t2jax.forecasts.power_law import forecast_power_law

__all__ = [
    "forecast_beta",
    "forecast_power_law",
    "pass_from_counts",
    "pass_from_p",
]

_PLACES = {
    "t2jax.forecasts.beta": ("forecast_beta",),
    "t2jax.forecasts.estimates": ("pass_from_counts", "pass_from_p"),
    "t2jax.forecasts.power_law": ("forecast_power_law",),
}

if not TYPE_CHECKING:  # a type checker would take every name for a public one
    __getattr__, __dir__ = names_on_demand(__name__, _PLACES)
