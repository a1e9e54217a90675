"""Sensitivities of a plan, what explains it, and the choice of the next training runs."""

from typing import TYPE_CHECKING

from t2jax.on_demand import names_on_demand

if TYPE_CHECKING:
    from t2jax.planning.advice.best_samples import BestSamples, best_samples
    from t2jax.planning.advice.marginal_rate import marginal_rate
    from t2jax.planning.next_runs.next_runs import NextRuns
    from t2jax.planning.next_runs.region import Region
    from t2jax.planning.sensitivity import delta_band, elasticities, shadow_prices

__all__ = [
    "BestSamples",
    "NextRuns",
    "Region",
    "best_samples",
    "delta_band",
    "elasticities",
    "marginal_rate",
    "shadow_prices",
]

_PLACES = {
    "t2jax.planning.advice.best_samples": ("BestSamples", "best_samples"),
    "t2jax.planning.advice.marginal_rate": ("marginal_rate",),
    "t2jax.planning.next_runs.next_runs": ("NextRuns",),
    "t2jax.planning.next_runs.region": ("Region",),
    "t2jax.planning.sensitivity": ("delta_band", "elasticities", "shadow_prices"),
}

if not TYPE_CHECKING:  # a type checker would take every name for a public one
    __getattr__, __dir__ = names_on_demand(__name__, _PLACES)
