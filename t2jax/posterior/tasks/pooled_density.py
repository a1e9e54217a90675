"""Density of several tasks: one law for each, with some parameters from one population.

In unconstrained, centred coordinates a pooled parameter p of a task is Normal(m, s) over tasks. Other parameters have
their own priors. The sampler moves m, s and standard scores z.
M and b are precision and slope of the task's own rows in its pooled coordinates, to second order near a point.
All other coordinates are integrated out. With S = diag(s) and C·Cᵀ = I + S·M·S,

    p = m + S·(C·Cᵀ)⁻¹·S·(b - M·m) + S·C⁻ᵀ·z

This is the mean of p given m and s, and z is the deviation from it. Without rows p = m + s·z, the non-centred form of
Papaspiliopoulos, Roberts & Sköld 2007 (Statistical Science 22:59).
With many rows p = M⁻¹·b + M^(-½)·z, without m and s. In between it is the partially non-centred form that suits the
number of rows, for each task and direction.
If the expansion is exact, z is standard normal for all m and s, so there is no funnel. If it is not, the map is still
an exact change of variables.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_solve, solve_triangular

from t2jax.laws.parameter import bijector_of
from t2jax.noise.protocol import Rows
from t2jax.numerics.solvers.damped_newton import minimise, second_order
from t2jax.posterior.chains import LEAST_CURVATURE, RIVAL, spread_starts
from t2jax.posterior.density import Density
from t2jax.pytrees import register
from t2jax.tables.measurements import Measurements
from t2jax.typing import Array, ArrayLike, Float

if TYPE_CHECKING:
    from numpyro.distributions import Distribution

LEAST_SPREAD = 0.05  # between tasks, where a search for the mode starts


class LocalExpansion(NamedTuple):
    """Second-order expansion of each task's rows, and of the priors of its free parameters, in the task's coordinates.

    The free coordinates are place - tilt·p + root·z.

    Attributes:
        precision: M of the pooled coordinates, with free ones integrated out, shape (tasks, pooled, pooled).
        slope: b of the pooled coordinates, shape (tasks, pooled).
        place: Shape (tasks, free).
        tilt: Shape (tasks, free, pooled).
        root: Shape (tasks, free, free).
    """

    precision: Array
    slope: Array
    place: Array
    tilt: Array
    root: Array


@dataclass(frozen=True)
class Pooled:
    """Density of several tasks under one law, a pytree over locations m, spreads s and scores z of every task.

    Attributes:
        density: Density of a single task. Its priors are those of free parameters and of the pooled locations.
        pooled: Names of the pooled parameters.
        spreads: Prior of each spread that is sampled.
        fixed_spreads: Values of the other spreads.
        expansion: Local expansion of each task.
        ends: Starts of the search for modes in each task's own coordinates, shape (searches, tasks, free).
    """

    density: Density
    pooled: tuple[str, ...]
    spreads: dict[str, "Distribution"]
    fixed_spreads: dict[str, ArrayLike]
    expansion: LocalExpansion
    ends: Float[Array, "searches tasks free"]

    @property
    def latent(self) -> int:
        """Number of coordinates that are zero in the search for modes."""
        return 0

    def split(self, x: Float[Array, " all"]) -> tuple[Array, Array, Array, Array]:
        """Returns locations and spreads (pooled,), coordinates of each task (tasks, free), and a log density.

        The log density is that of the pooled coordinates given location and spread, as a density of z.
        """
        location, spread, z = self._parts(x)
        deviations, free, log_stretch = jax.vmap(partial(_task_coordinates, location, spread))(self.expansion, z)
        pooled = location[None, :] + spread[None, :] * deviations
        u = jnp.zeros((len(z), len(self.density.names)), x.dtype)
        u = u.at[:, self._indices(True)].set(pooled).at[:, self._indices(False)].set(free)
        return location, spread, u, jnp.sum(log_stretch) - 0.5 * jnp.sum(deviations**2)

    def rows(self, data: Measurements) -> Rows:
        """Returns the columns that the potential reads, shape (tasks, different)."""
        return jax.vmap(self.density.rows)(data)

    def potential(self, x: Float[Array, " all"], rows: Rows) -> Array:
        """Computes minus the log posterior density of x, up to a constant."""
        location, _, u, between = self.split(x)
        free = jnp.sum(jax.vmap(partial(free_log_prior, self.density, self.pooled))(u))
        located = self.density.log_priors(self._with_location(location))
        total = between + sum((located[name] for name in self.pooled), free + self.log_likelihood(u, rows))
        for i, prior in enumerate(self.spreads.values()):
            bijector, coordinate = bijector_of(prior), x[len(self.pooled) + i]
            spread = bijector(coordinate)
            total = total + prior.log_prob(spread) + bijector.log_abs_det_jacobian(coordinate, spread)
        return -total

    def log_likelihood(self, u: Float[Array, "tasks free"], rows: Rows) -> Array:
        """Computes the log-likelihood of all rows of all tasks, each as often as its weight."""
        by_row = jax.vmap(self.density.log_likelihood)(u, rows)
        return jnp.sum(rows["weight"] * by_row)

    def row_log_likelihood(self, x: Float[Array, " all"], data: Measurements) -> Float[Array, " rows"]:
        """Computes the log-likelihood of each row, times its weight, one task after the other."""
        return jax.vmap(self.density.row_log_likelihood)(self.split(x)[2], data).ravel()

    def values(self, x: Float[Array, " all"]) -> dict[str, Array]:
        """Returns parameters by name: NAME of every task (tasks,), NAME_population of a typical one, and NAME_spread.

        The typical value of a pooled parameter is its location. For others it is the mean of the tasks' coordinates.
        """
        location, spread, u, _ = self.split(x)
        pooled_indices = self._indices(True)
        typical = self.density.values(jnp.mean(u, axis=0).at[pooled_indices].set(location))
        by_task = jax.vmap(self.density.values)(u)
        common = dict.fromkeys((*self.density.law.declared(), *self.pooled))
        by_task |= {f"{name}_population": typical[name] for name in common}
        return by_task | {f"{name}_spread": spread[i] for i, name in enumerate(self.pooled)}

    def starts(self, rows: Rows, count: int, key: Array) -> Float[Array, "count all"]:
        """Returns x with each task at its ends, and the population at their mean and deviation."""
        del rows, key
        return jax.vmap(self._join)(self.ends[jnp.arange(count) % len(self.ends)])

    def new_tasks(self, location: Array, spread: Array, key: Array) -> dict[str, Array]:
        """Draws parameters (draws,) of a task from each population, given by location and spread (draws, pooled)."""
        pooled_key, free_key = jax.random.split(key)
        drawn = location + spread * jax.random.normal(pooled_key, location.shape, location.dtype)
        values = jax.vmap(lambda location_draw: self.density.values(self._with_location(location_draw)))(drawn)
        free = self.density.prior_draws(len(location), free_key)
        return values | {name: value for name, value in free.items() if name not in self.pooled}

    def population_prior(self, count: int, key: Array) -> tuple[Array, Array]:
        """Draws `count` locations and spreads from their priors, shape (count, pooled), in coordinates."""
        location_key, *keys = jax.random.split(key, 1 + len(self.spreads))
        values = self.density.prior_draws(count, location_key)
        location = self.locations({name: values[name] for name in self.pooled})
        key_of = dict(zip(self.spreads, keys, strict=True))
        drawn = {name: prior.sample(key_of[name], (count,)) for name, prior in self.spreads.items()}
        spread = [drawn[n] if n in drawn else jnp.full(count, self.fixed_spreads[n]) for n in self.pooled]
        return location, jnp.stack(spread, axis=1).astype(location.dtype)

    def locations(self, values: dict[str, Any]) -> Float[Array, "draws pooled"]:
        """Returns the coordinates of locations that are given in the parameters' own units, (draws,) each."""
        coordinates, defaults = self.density.coordinates, self.density.values(jnp.zeros(len(self.density.names)))

        def coordinates_of(given: dict[str, Array]) -> Array:
            return coordinates.unconstrain(defaults | given)[self._indices(True)]

        return jax.vmap(coordinates_of)({name: jnp.asarray(value) for name, value in values.items()})

    def _indices(self, pooled: bool) -> np.ndarray:
        return np.array([i for i, name in enumerate(self.density.names) if (name in self.pooled) == pooled], int)

    def _with_location(self, location: Array) -> Array:
        """Returns coordinates of a task with the given pooled ones. The others are zero and do not matter."""
        return jnp.zeros(len(self.density.names), location.dtype).at[self._indices(True)].set(location)

    def _parts(self, x: Array) -> tuple[Array, Array, Array]:
        count, tasks = len(self.pooled), len(self.expansion.slope)
        drawn = {name: bijector_of(prior)(x[count + i]) for i, (name, prior) in enumerate(self.spreads.items())}
        values = {**self.fixed_spreads, **drawn}
        spread = jnp.stack([jnp.asarray(values[name], x.dtype) for name in self.pooled])
        return x[:count], spread, x[count + len(drawn) :].reshape(tasks, -1)

    def _join(self, u: Float[Array, "tasks free"]) -> Float[Array, " all"]:
        """Returns x at which the tasks have coordinates u."""
        pooled, free = u[:, self._indices(True)], u[:, self._indices(False)]
        location = jnp.mean(pooled, axis=0)
        between = jnp.maximum(jnp.std(pooled, axis=0), LEAST_SPREAD)
        spread, spread_coordinates = [], []
        for i, name in enumerate(self.pooled):
            if name not in self.spreads:
                spread.append(jnp.asarray(self.fixed_spreads[name], u.dtype))
                continue
            bijector = bijector_of(self.spreads[name])
            spread_coordinates.append(bijector.inv(between[i]))
            spread.append(between[i])
        scores = jax.vmap(partial(_scores, location, jnp.stack(spread)))(self.expansion, pooled, free)
        return jnp.concatenate([location, *(value[None] for value in spread_coordinates), scores.ravel()])


register(Pooled, ("density", "spreads", "fixed_spreads", "expansion", "ends"), ("pooled",))


def task_potential(density: Density, pooled: tuple[str, ...], u: Float[Array, " free"], rows: Rows) -> Array:
    """Computes minus the log density of a task's rows and of the priors of its free parameters."""
    return -free_log_prior(density, pooled, u) - jnp.sum(rows["weight"] * density.log_likelihood(u, rows))


def free_log_prior(density: Density, pooled: tuple[str, ...], u: Float[Array, " free"]) -> Array:
    """Computes the log prior density of a task's free parameters at its coordinates."""
    return sum((prior for name, prior in density.log_priors(u).items() if name not in pooled), jnp.zeros((), u.dtype))


@partial(jax.jit, static_argnames=("searches", "count"))
def search(
    density: Density, data: Measurements, searches: int, count: int, key: Array
) -> tuple[Float[Array, "count tasks free"], Float[Array, " tasks"]]:
    """Finds `count` modes of each task alone, different ones if several are as good, and the best log density."""

    def of_task(task: tuple[Measurements, Array]) -> tuple[Array, Array]:
        rows = density.rows(task[0])
        starts = density.starts(rows, searches, task[1])
        ends = jax.lax.map(partial(minimise, partial(density.potential, rows=rows)), starts)
        values = jnp.where(jnp.isfinite(ends.value), ends.value, jnp.inf)
        best = jnp.argmin(values)
        return spread_starts(ends.u, values <= values[best] + RIVAL, best, count), -values[best]

    ends, best = jax.lax.map(of_task, (data, jax.random.split(key, len(data.weight))))
    return jnp.swapaxes(ends, 0, 1), best


@partial(jax.jit, static_argnames="pooled")
def expand(
    density: Density, pooled: tuple[str, ...], data: Measurements, u: Float[Array, "tasks free"]
) -> LocalExpansion:
    """Expands the rows of each task in its coordinates near u."""

    def of_task(task: tuple[Measurements, Array]) -> LocalExpansion:
        return _expand(density, pooled, partial(task_potential, density, pooled, rows=density.rows(task[0])), task[1])

    return jax.lax.map(of_task, (data, u))


def _expand(
    density: Density, pooled: tuple[str, ...], potential: Callable[[Array], Array], u: Float[Array, " free"]
) -> LocalExpansion:
    """Expands a task's potential to second order around u, and integrates its own coordinates out.

    What is left is a quadratic in the pooled coordinates (a Schur complement). Eigenvalues of the Hessian are at least
    `LEAST_CURVATURE`.
    """
    is_pooled = np.array([name in pooled for name in density.names])
    pooled_at, own_at = np.flatnonzero(is_pooled), np.flatnonzero(~is_pooled)
    _, gradient, curvature = second_order(potential, u)
    eigenvalues, axes = jnp.linalg.eigh(curvature)
    curvature = (axes * jnp.maximum(eigenvalues, LEAST_CURVATURE)[None, :]) @ axes.T
    pull = curvature @ u - gradient
    cholesky = jnp.linalg.cholesky(curvature[own_at][:, own_at])
    tilt = cho_solve((cholesky, True), curvature[own_at][:, pooled_at])
    place = cho_solve((cholesky, True), pull[own_at])
    return LocalExpansion(
        precision=curvature[pooled_at][:, pooled_at] - curvature[pooled_at][:, own_at] @ tilt,
        slope=pull[pooled_at] - curvature[pooled_at][:, own_at] @ place,
        place=place,
        tilt=tilt,
        root=solve_triangular(cholesky, jnp.eye(len(own_at), dtype=u.dtype), lower=True).T,
    )


@jax.jit
def expand_around_mode(target: Pooled, data: Measurements, x: Float[Array, " all"]) -> tuple[Array, LocalExpansion]:
    """Returns the coordinates of each task at x, shape (tasks, free), and the expansion of its rows there."""
    u = target.split(x)[2]
    return u, expand(target.density, target.pooled, data, u)


@partial(jax.jit, static_argnames="count")
def prior_draws(target: Pooled, count: int, key: Array) -> dict[str, Array]:
    """Draws from the prior by name, (count,): any task's parameters, NAME_population and NAME_spread."""
    population_key, task_key = jax.random.split(key)
    location, spread = target.population_prior(count, population_key)
    tasks = target.new_tasks(location, spread, task_key)
    typical = target.new_tasks(location, jnp.zeros_like(spread), task_key)
    return (
        {name: tasks[name] for name in target.density.names}
        | {f"{name}_population": typical[name] for name in target.pooled}
        | {f"{name}_spread": spread[:, i] for i, name in enumerate(target.pooled) if name in target.spreads}
    )


def _task_coordinates(
    location: Array, spread: Array, expansion: LocalExpansion, z: Array
) -> tuple[Array, Array, Array]:
    """Returns a task's pooled deviations in units of spread, its own coordinates, and log |∂deviations/∂z|.

    z begins with the standard scores of the pooled coordinates; the task's own follow.
    """
    cholesky, mean = _conditional(location, spread, expansion)
    deviations = mean + solve_triangular(cholesky, z[: len(mean)], lower=True, trans=1)
    centre = expansion.place - expansion.tilt @ (location + spread * deviations)
    coordinates = centre + expansion.root @ z[len(mean) :]
    return deviations, coordinates, -jnp.sum(jnp.log(jnp.diagonal(cholesky)))


def _scores(location: Array, spread: Array, expansion: LocalExpansion, pooled: Array, free: Array) -> Array:
    """Returns z of a task with known coordinates. For a spread of zero, z is that of its mean."""
    cholesky, mean = _conditional(location, spread, expansion)
    deviations = (pooled - location) / jnp.where(spread > 0, spread, jnp.inf)
    first = cholesky.T @ jnp.where(spread > 0, deviations - mean, 0.0)
    return jnp.concatenate([first, jnp.linalg.solve(expansion.root, free - expansion.place + expansion.tilt @ pooled)])


def _conditional(location: Array, spread: Array, expansion: LocalExpansion) -> tuple[Array, Array]:
    """Returns the Cholesky factor of the precision of deviations given location and spread, and their mean."""
    scaled_precision = spread[:, None] * expansion.precision * spread[None, :]
    cholesky = jnp.linalg.cholesky(jnp.eye(len(spread), dtype=spread.dtype) + scaled_precision)
    return cholesky, cho_solve((cholesky, True), spread * (expansion.slope - expansion.precision @ location))
