"""Noise models: the likelihood or penalty of measurements around a law."""

from typing import TYPE_CHECKING

from t2jax.on_demand import names_on_demand

if TYPE_CHECKING:
    from t2jax.noise.counts import BetaBinomial, Binomial
    from t2jax.noise.crossed_effects import CrossedEffects
    from t2jax.noise.default import default_noise
    from t2jax.noise.discrepancy import Discrepancy
    from t2jax.noise.joint import Joint
    from t2jax.noise.losses import Gaussian, Huber, ResidualNoise, StudentT
    from t2jax.noise.protocol import Noise
    from t2jax.noise.run_scatter import RunScatter, deviated

__all__ = [
    "BetaBinomial",
    "Binomial",
    "CrossedEffects",
    "Discrepancy",
    "Gaussian",
    "Huber",
    "Joint",
    "Noise",
    "ResidualNoise",
    "RunScatter",
    "StudentT",
    "default_noise",
    "deviated",
]

_PLACES = {
    "t2jax.noise.counts": ("BetaBinomial", "Binomial"),
    "t2jax.noise.crossed_effects": ("CrossedEffects",),
    "t2jax.noise.default": ("default_noise",),
    "t2jax.noise.discrepancy": ("Discrepancy",),
    "t2jax.noise.joint": ("Joint",),
    "t2jax.noise.losses": ("Gaussian", "Huber", "ResidualNoise", "StudentT"),
    "t2jax.noise.protocol": ("Noise",),
    "t2jax.noise.run_scatter": ("RunScatter", "deviated"),
}
"""Public names by module, imported on first use: some models take long to load."""

if not TYPE_CHECKING:
    __getattr__, __dir__ = names_on_demand(__name__, _PLACES)
