"""A law linear in its parameters: its posterior under normal errors and priors has a closed form."""

import jax.numpy as jnp
import numpy as np
from numpyro.distributions import Normal

import t2jax as t2
from t2jax.typing import Scalar

SIGMA = 0.05
X = np.linspace(-1.0, 2.0, 12)
LOSSES = 3.0 - 0.4 * X + SIGMA * np.random.default_rng(1).normal(size=12)


@t2.law
class Line(t2.Law):
    """L(N) = a + b·log(N/10⁸): linear, so that its posterior under normal errors and priors is normal."""

    a: Scalar = t2.param(Normal(2.0, 1.0), unit="nats", doc="loss at 10⁸ parameters")
    b: Scalar = t2.param(Normal(0.0, 1.0), unit="nats", doc="slope")

    def __call__(self, N):
        return self.a + self.b * jnp.log(N / 1e8)


def line_table(x: np.ndarray) -> t2.Table:
    return t2.Table.from_columns(params=1e8 * np.exp(x), tokens=np.geomspace(1e9, 1e10, len(x)), loss=LOSSES)


def closed_form(x: np.ndarray, deviations: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of (a, b) under priors Normal(2, ·) and Normal(0, ·)."""
    design = np.stack([np.ones_like(x), x], axis=1)
    precision = np.diag(np.square(deviations) ** -1.0)
    covariance = np.linalg.inv(design.T @ design / SIGMA**2 + precision)
    return covariance @ (design.T @ LOSSES / SIGMA**2 + precision @ [2.0, 0.0]), covariance
