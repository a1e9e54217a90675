"""Density with latent deviations of runs or rows as coordinates beside those of the law and its noise."""

from dataclasses import dataclass, replace

import jax.numpy as jnp

from t2jax.laws.base import Law
from t2jax.noise.protocol import DEVIATION, Rows
from t2jax.posterior.density import Density
from t2jax.pytrees import register
from t2jax.tables.measurements import Measurements
from t2jax.typing import Array, Float


@dataclass(frozen=True)
class LatentDensity(Density):
    """Density with one more coordinate for each run or row: its deviation, standard normal a priori.

    The coordinates are those of `Density`, then the deviations. Missing deviations are zero.
    """

    deviations: int

    @property
    def latent(self) -> int:
        return self.deviations

    def split(self, u: Float[Array, " all"]) -> tuple[Law, dict[str, Array]]:
        return super().split(u[: len(self.names)])

    def potential(self, u: Float[Array, " all"], rows: Rows) -> Array:
        u, z = self._parts(u)
        return super().potential(u, {**rows, DEVIATION: z}) + 0.5 * jnp.sum(z**2)

    def row_log_likelihood(self, u: Float[Array, " all"], data: Measurements) -> Float[Array, " questions"]:
        u, z = self._parts(u)
        return super().row_log_likelihood(u, replace(data, columns={**data.columns, DEVIATION: z}))

    def values(self, u: Float[Array, " all"]) -> dict[str, Array]:
        """Returns the values of `Density`, and under `DEVIATION` the deviation of each run or row."""
        u, z = self._parts(u)
        return super().values(u) | {DEVIATION: z}

    def _parts(self, u: Array) -> tuple[Array, Array]:
        count = len(self.names)
        return u[:count], u[count:] if len(u) > count else jnp.zeros(self.deviations, u.dtype)


register(LatentDensity, ("coordinates", "priors"), ("law", "noise", "deviations"))
