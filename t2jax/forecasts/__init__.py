"""pass@k of one model from its counts, without a law of N and D."""

from typing import TYPE_CHECKING

from t2jax.on_demand import names_on_demand

if TYPE_CHECKING:
    from t2jax.forecasts.beta import forecast_beta
    from t2jax.forecasts.estimates import pass_from_counts, pass_from_p
    from t2jax.forecasts.majority import majority_at_k
    from t2jax.forecasts.paired import compare_counts
    from t2jax.forecasts.pass_power import all_pass_from_counts, forecast_all_pass
    from t2jax.forecasts.power_law import forecast_power_law
    from t2jax.forecasts.target import samples_for_target

__all__ = [
    "all_pass_from_counts",
    "compare_counts",
    "forecast_all_pass",
    "forecast_beta",
    "forecast_power_law",
    "majority_at_k",
    "pass_from_counts",
    "pass_from_p",
    "samples_for_target",
]

_PLACES = {
    "t2jax.forecasts.beta": ("forecast_beta",),
    "t2jax.forecasts.estimates": ("pass_from_counts", "pass_from_p"),
    "t2jax.forecasts.majority": ("majority_at_k",),
    "t2jax.forecasts.paired": ("compare_counts",),
    "t2jax.forecasts.pass_power": ("all_pass_from_counts", "forecast_all_pass"),
    "t2jax.forecasts.power_law": ("forecast_power_law",),
    "t2jax.forecasts.target": ("samples_for_target",),
}

if not TYPE_CHECKING:  # a type checker would take every name for a public one
    __getattr__, __dir__ = names_on_demand(__name__, _PLACES)
