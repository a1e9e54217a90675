"""The density of several tasks together: a law for each, some of whose parameters come from one population.

In unconstrained, centred coordinates a pooled parameter p of a task is Normal(m, s) over tasks, the others have their
own priors. Sampled are m, s and standard scores z. With M and b the precision and the slope of what a task's own rows
say of its pooled coordinates (to second order near a point, all else integrated out), S = diag(s) and
C·Cᵀ = I + S·M·S, they are

    p = m + S·(C·Cᵀ)⁻¹·S·(b - M·m) + S·C⁻ᵀ·z

which is the mean of p given m and s, and z its deviation from it: without rows p = m + s·z, the non-centred form of
Papaspiliopoulos, Roberts & Sköld 2007 (Statistical Science 22:59); with many rows p = M⁻¹·b + M^(-½)·z, in which m and
s do not appear; and in between the partially non-centred form that is right for so many rows, for each task and
direction. Where the expansion is exact z is standard normal whatever m and s are, so there is no funnel; where it is
not, this is still an exact change of variables.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_solve, solve_triangular
from numpyro.distributions import Distribution, biject_to

from t2jax.noise.protocol import Rows
from t2jax.numerics.damped_newton import minimise, second_order
from t2jax.posterior.chains import LEAST_CURVATURE, RIVAL, apart
from t2jax.posterior.density import Density
from t2jax.pytrees import register
from t2jax.tables.measurements import Measurements
from t2jax.typing import Array, ArrayLike, Float

LEAST_SPREAD = 0.05  # between tasks, where a search for the mode starts


class Near(NamedTuple):
    """What each task's rows, and the priors of its free parameters, say of its coordinates, to second order.

    precision (tasks, pooled, pooled) and slope (tasks, pooled): M and b of the pooled ones, free ones integrated out.
    place (tasks, free), tilt (tasks, free, pooled), root (tasks, free, free): free ones are place - tilt·p + root·z.
    """

    precision: Array
    slope: Array
    place: Array
    tilt: Array
    root: Array


@dataclass(frozen=True)
class Pooled:
    """Several tasks under one law. A pytree; coordinates x are locations m, spreads s and scores z of every task.

    one: the density of a single task: its priors are those of free parameters, and of the locations of pooled ones.
    pooled: their names. spreads: prior of the spread of each pooled parameter; held: the spreads that are known.
    near: see above. ends (searches, tasks, free): where the search for modes starts, in each task's own coordinates.
    """

    one: Density
    pooled: tuple[str, ...]
    spreads: dict[str, Distribution]
    held: dict[str, ArrayLike]
    near: Near
    ends: Float[Array, "searches tasks free"]

    @property
    def latent(self) -> int:
        """How many coordinates are left at zero while modes are sought."""
        return 0

    def split(self, x: Float[Array, " all"]) -> tuple[Array, Array, Array, Array]:
        """Locations and spreads (pooled,), coordinates of each task (tasks, free), and a log density.

        The last is that of the pooled coordinates given location and spread, as a density of z.
        """
        location, spread, z = self._parts(x)
        deviations, free, log_stretch = jax.vmap(partial(_place, location, spread))(self.near, z)
        pooled = location[None, :] + spread[None, :] * deviations
        u = jnp.zeros((len(z), len(self.one.names)), x.dtype)
        u = u.at[:, self._at(True)].set(pooled).at[:, self._at(False)].set(free)
        return location, spread, u, jnp.sum(log_stretch) - 0.5 * jnp.sum(deviations**2)

    def rows(self, data: Measurements) -> Rows:
        """The columns that the potential reads, (tasks, different)."""
        return jax.vmap(self.one.rows)(data)

    def potential(self, x: Float[Array, " all"], rows: Rows) -> Array:
        """Minus the log of the posterior density of x, up to a constant."""
        location, _, u, between = self.split(x)
        free = jnp.sum(jax.vmap(partial(free_log_prior, self.one, self.pooled))(u))
        located = self.one.log_priors(self._located(location))
        total = between + sum((located[name] for name in self.pooled), free + self.log_likelihood(u, rows))
        for i, prior in enumerate(self.spreads.values()):
            bijector, one = biject_to(prior.support), x[len(self.pooled) + i]
            spread = bijector(one)
            total = total + prior.log_prob(spread) + bijector.log_abs_det_jacobian(one, spread)
        return -total

    def log_likelihood(self, u: Float[Array, "tasks free"], rows: Rows) -> Array:
        """Of all rows of all tasks, each as often as its weight."""
        each = jax.vmap(self.one.log_likelihood)(u, rows)
        return jnp.sum(rows["weight"] * each)

    def row_log_likelihood(self, x: Float[Array, " all"], data: Measurements) -> Float[Array, " rows"]:
        """The log-likelihood of each row of each task, times its weight, one task after the other."""
        return jax.vmap(self.one.row_log_likelihood)(self.split(x)[2], data).ravel()

    def values(self, x: Float[Array, " all"]) -> dict[str, Array]:
        """Parameters by name: NAME of every task (tasks,), NAME_population of a typical one, NAME_spread.

        Typical is the location of pooled parameters, and of others the mean of the tasks' coordinates.
        """
        location, spread, u, _ = self.split(x)
        at = self._at(True)
        typical = self.one.values(jnp.mean(u, axis=0).at[at].set(location))
        found = jax.vmap(self.one.values)(u)
        common = dict.fromkeys((*self.one.law.declared(), *self.pooled))
        found |= {f"{name}_population": typical[name] for name in common}
        return found | {f"{name}_spread": spread[i] for i, name in enumerate(self.pooled)}

    def starts(self, rows: Rows, count: int, key: Array) -> Float[Array, "count all"]:
        """x with each task at its ends, and the population as they lie."""
        del rows, key
        return jax.vmap(self._join)(self.ends[jnp.arange(count) % len(self.ends)])

    def new_tasks(self, location: Array, spread: Array, key: Array) -> dict[str, Array]:
        """Parameters of a task from each population, (draws,): location and spread (draws, pooled) in coordinates."""
        pooled_key, free_key = jax.random.split(key)
        drawn = location + spread * jax.random.normal(pooled_key, location.shape, location.dtype)
        values = jax.vmap(lambda one: self.one.values(self._located(one)))(drawn)
        free = self.one.prior_draws(len(location), free_key)
        return values | {name: value for name, value in free.items() if name not in self.pooled}

    def population_prior(self, count: int, key: Array) -> tuple[Array, Array]:
        """`count` draws of locations and spreads, (count, pooled), in coordinates, from their priors."""
        location_key, *keys = jax.random.split(key, 1 + len(self.spreads))
        values = self.one.prior_draws(count, location_key)
        location = self.locations({name: values[name] for name in self.pooled})
        drawn = {name: self.spreads[name].sample(one, (count,)) for name, one in zip(self.spreads, keys, strict=True)}
        spread = [drawn[n] if n in drawn else jnp.full(count, self.held[n]) for n in self.pooled]
        return location, jnp.stack(spread, axis=1).astype(location.dtype)

    def locations(self, values: dict[str, Any]) -> Float[Array, "draws pooled"]:
        """Coordinates of locations given in the parameters' own units, (draws,) each."""
        whole, known = self.one.coordinates, self.one.values(jnp.zeros(len(self.one.names)))

        def one(given: dict[str, Array]) -> Array:
            return whole.unconstrain(known | given)[self._at(True)]

        return jax.vmap(one)({name: jnp.asarray(value) for name, value in values.items()})

    def _at(self, pooled: bool) -> np.ndarray:
        return np.array([i for i, name in enumerate(self.one.names) if (name in self.pooled) == pooled], int)

    def _located(self, location: Array) -> Array:
        """Coordinates of a task with the pooled ones given; the others are of no consequence."""
        return jnp.zeros(len(self.one.names), location.dtype).at[self._at(True)].set(location)

    def _parts(self, x: Array) -> tuple[Array, Array, Array]:
        count, tasks = len(self.pooled), len(self.near.slope)
        drawn = {name: biject_to(prior.support)(x[count + i]) for i, (name, prior) in enumerate(self.spreads.items())}
        spread = jnp.stack([jnp.asarray(drawn[n] if n in drawn else self.held[n], x.dtype) for n in self.pooled])
        return x[:count], spread, x[count + len(drawn) :].reshape(tasks, -1)

    def _join(self, u: Float[Array, "tasks free"]) -> Float[Array, " all"]:
        """x at which the tasks stand at u."""
        pooled, free = u[:, self._at(True)], u[:, self._at(False)]
        location = jnp.mean(pooled, axis=0)
        between = jnp.maximum(jnp.std(pooled, axis=0), LEAST_SPREAD)
        spread, sought = [], []
        for i, name in enumerate(self.pooled):
            if name not in self.spreads:
                spread.append(jnp.asarray(self.held[name], u.dtype))
                continue
            bijector = biject_to(self.spreads[name].support)
            sought.append(bijector.inv(between[i]))
            spread.append(between[i])
        scores = jax.vmap(partial(_scores, location, jnp.stack(spread)))(self.near, pooled, free)
        return jnp.concatenate([location, *(one[None] for one in sought), scores.ravel()])


register(Pooled, ("one", "spreads", "held", "near", "ends"), ("pooled",))


def own_potential(one: Density, pooled: tuple[str, ...], u: Float[Array, " free"], rows: Rows) -> Array:
    """Minus the log of what a task's rows and the priors of its free parameters say of its coordinates."""
    return -free_log_prior(one, pooled, u) - jnp.sum(rows["weight"] * one.log_likelihood(u, rows))


def free_log_prior(one: Density, pooled: tuple[str, ...], u: Float[Array, " free"]) -> Array:
    """The log of the prior density of a task's free parameters at its coordinates."""
    return sum((prior for name, prior in one.log_priors(u).items() if name not in pooled), jnp.zeros((), u.dtype))


@partial(jax.jit, static_argnames=("searches", "count"))
def search(
    one: Density, data: Measurements, searches: int, count: int, key: Array
) -> tuple[Float[Array, "count tasks free"], Float[Array, " tasks"]]:
    """`count` modes of each task alone, different ones where there are some as good, and the best log density."""

    def of_task(task: tuple[Measurements, Array]) -> tuple[Array, Array]:
        rows = one.rows(task[0])
        ends = jax.lax.map(partial(minimise, partial(one.potential, rows=rows)), one.starts(rows, searches, task[1]))
        reached = jnp.where(jnp.isfinite(ends.value), ends.value, jnp.inf)
        best = jnp.argmin(reached)
        return apart(ends.u, reached <= reached[best] + RIVAL, best, count), -reached[best]

    ends, best = jax.lax.map(of_task, (data, jax.random.split(key, len(data.weight))))
    return jnp.swapaxes(ends, 0, 1), best


@partial(jax.jit, static_argnames="pooled")
def expand(one: Density, pooled: tuple[str, ...], data: Measurements, u: Float[Array, "tasks free"]) -> Near:
    """What each task's rows say of its coordinates near u, by themselves."""

    def of_task(task: tuple[Measurements, Array]) -> Near:
        return _expand(one, pooled, partial(own_potential, one, pooled, rows=one.rows(task[0])), task[1])

    return jax.lax.map(of_task, (data, u))


def _expand(
    one: Density, pooled: tuple[str, ...], potential: Callable[[Array], Array], u: Float[Array, " free"]
) -> Near:
    """What minus a log density says of the coordinates of a task near u."""
    taken = np.array([name in pooled for name in one.names])
    first, rest = np.flatnonzero(taken), np.flatnonzero(~taken)
    _, slope, bend = second_order(potential, u)
    eigenvalues, axes = jnp.linalg.eigh(bend)
    bend = (axes * jnp.maximum(eigenvalues, LEAST_CURVATURE)[None, :]) @ axes.T
    pull = bend @ u - slope
    low = jnp.linalg.cholesky(bend[rest][:, rest])
    tilt = cho_solve((low, True), bend[rest][:, first])
    place = cho_solve((low, True), pull[rest])
    return Near(
        precision=bend[first][:, first] - bend[first][:, rest] @ tilt,
        slope=pull[first] - bend[first][:, rest] @ place,
        place=place,
        tilt=tilt,
        root=solve_triangular(low, jnp.eye(len(rest), dtype=u.dtype), lower=True).T,
    )


@jax.jit
def stand(target: Pooled, data: Measurements, x: Float[Array, " all"]) -> tuple[Array, Near]:
    """The coordinates of each task at x, (tasks, free), and what its rows say near them."""
    u = target.split(x)[2]
    return u, expand(target.one, target.pooled, data, u)


@partial(jax.jit, static_argnames="count")
def prior_draws(target: Pooled, count: int, key: Array) -> dict[str, Array]:
    """Draws from the prior by name, (count,): of any task's parameters, and of NAME_population and NAME_spread."""
    population_key, task_key = jax.random.split(key)
    location, spread = target.population_prior(count, population_key)
    found = target.new_tasks(location, spread, task_key)
    typical = target.new_tasks(location, jnp.zeros_like(spread), task_key)
    return (
        {name: found[name] for name in target.one.names}
        | {f"{name}_population": typical[name] for name in target.pooled}
        | {f"{name}_spread": spread[:, i] for i, name in enumerate(target.pooled) if name in target.spreads}
    )


def _place(location: Array, spread: Array, near: Near, z: Array) -> tuple[Array, Array, Array]:
    """Deviations of the pooled coordinates of a task in spreads, its free coordinates, log |∂deviations/∂z|."""
    low, mean = _given(location, spread, near)
    deviations = mean + solve_triangular(low, z[: len(mean)], lower=True, trans=1)
    free = near.place - near.tilt @ (location + spread * deviations) + near.root @ z[len(mean) :]
    return deviations, free, -jnp.sum(jnp.log(jnp.diagonal(low)))


def _scores(location: Array, spread: Array, near: Near, pooled: Array, free: Array) -> Array:
    """z of a task whose coordinates are known; where a spread is zero, that of its mean."""
    low, mean = _given(location, spread, near)
    deviations = (pooled - location) / jnp.where(spread > 0, spread, jnp.inf)
    first = low.T @ jnp.where(spread > 0, deviations - mean, 0.0)
    return jnp.concatenate([first, jnp.linalg.solve(near.root, free - near.place + near.tilt @ pooled)])


def _given(location: Array, spread: Array, near: Near) -> tuple[Array, Array]:
    """Cholesky factor of the precision of the deviations given location and spread, and their mean."""
    shrunk = spread[:, None] * near.precision * spread[None, :]
    low = jnp.linalg.cholesky(jnp.eye(len(spread), dtype=spread.dtype) + shrunk)
    return low, cho_solve((low, True), spread * (near.slope - near.precision @ location))
