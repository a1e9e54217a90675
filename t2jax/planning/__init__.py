"""Prices and models that exist, what explains a plan, its sensitivities, and the choice of the next runs."""

from typing import TYPE_CHECKING

from t2jax.on_demand import names_on_demand

if TYPE_CHECKING:
    from t2jax.planning.advice.best_samples import BestSamples, best_samples
    from t2jax.planning.advice.marginal_rate import marginal_rate
    from t2jax.planning.inverse import ModelExplanation, explain_model
    from t2jax.planning.next_runs.next_runs import NextRuns
    from t2jax.planning.next_runs.pool import PoolChoice, choose_from_pool
    from t2jax.planning.next_runs.region import Region
    from t2jax.planning.next_runs.with_deviations import next_runs_with_deviations
    from t2jax.planning.portfolio.plan import PortfolioPlan, plan_portfolio
    from t2jax.planning.prices.accelerator_file import read_accelerator
    from t2jax.planning.prices.model_config import ModelConfig, read_model_config
    from t2jax.planning.sensitivity import delta_band, elasticities, shadow_prices

__all__ = [
    "BestSamples",
    "ModelConfig",
    "ModelExplanation",
    "NextRuns",
    "PoolChoice",
    "PortfolioPlan",
    "Region",
    "best_samples",
    "choose_from_pool",
    "delta_band",
    "elasticities",
    "explain_model",
    "marginal_rate",
    "next_runs_with_deviations",
    "plan_portfolio",
    "read_accelerator",
    "read_model_config",
    "shadow_prices",
]

_PLACES = {
    "t2jax.planning.inverse": ("ModelExplanation", "explain_model"),
    "t2jax.planning.advice.best_samples": ("BestSamples", "best_samples"),
    "t2jax.planning.advice.marginal_rate": ("marginal_rate",),
    "t2jax.planning.next_runs.next_runs": ("NextRuns",),
    "t2jax.planning.next_runs.with_deviations": ("next_runs_with_deviations",),
    "t2jax.planning.next_runs.pool": ("PoolChoice", "choose_from_pool"),
    "t2jax.planning.next_runs.region": ("Region",),
    "t2jax.planning.portfolio.plan": ("PortfolioPlan", "plan_portfolio"),
    "t2jax.planning.prices.accelerator_file": ("read_accelerator",),
    "t2jax.planning.prices.model_config": ("ModelConfig", "read_model_config"),
    "t2jax.planning.sensitivity": ("delta_band", "elasticities", "shadow_prices"),
}

if not TYPE_CHECKING:  # a type checker would take every name for a public one
    __getattr__, __dir__ = names_on_demand(__name__, _PLACES)
