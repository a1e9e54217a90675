"""Noise models: the likelihood or penalty of measurements around a law."""

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
