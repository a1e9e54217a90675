"""Posterior density of a law and its noise: likelihood times priors, in the coordinates of the sampler."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from t2jax.fitting.problem import FitProblem, build_problem
from t2jax.fitting.starts import draw, keep_best
from t2jax.laws.base import Law
from t2jax.laws.check import check_law
from t2jax.laws.frames import sum_frame
from t2jax.laws.parameter import Param
from t2jax.noise.default import default_noise
from t2jax.noise.protocol import Noise, Rows
from t2jax.pytrees import register
from t2jax.tables.measurements import Measurements
from t2jax.tables.table import Table
from t2jax.typing import Array, ArrayLike, Float

if TYPE_CHECKING:
    from numpyro.distributions import Distribution

Priors = Mapping[str, "Distribution"]
DRAWS_PER_START = 32


@dataclass(frozen=True)
class Density(FitProblem):
    """Problem of a fit with priors, in which all parameters of the noise are estimated.

    It is a pytree, so other priors of the same kind need no compilation. `priors` are those of each free parameter, in
    its own units.
    """

    priors: dict[str, "Distribution"]

    @property
    def latent(self) -> int:
        """Number of coordinates beyond those of `names`, standard normal a priori."""
        return 0

    def read(self, table: Table) -> tuple["Density", Measurements]:
        """Returns the same density centred at another table, with the columns that it reads. Raises as `sample`."""
        return density(self.law, table, self.noise, self.coordinates.fixed, self.priors)

    def log_likelihood(self, u: Float[Array, " free"], rows: Rows) -> Float[Array, " rows"]:
        """Computes the log-likelihood of each row at u, without weights."""
        law, noise = self.split(u)
        return self.noise.log_density(law, rows, noise)

    def log_priors(self, u: Float[Array, " free"]) -> dict[str, Array]:
        """Computes the log prior density of each coordinate, including the Jacobian of the coordinate.

        The prior of a coefficient is conditional on its exponents. The volume of a frame is only in `log_prior`.
        """
        values, slopes = self.coordinates.values(u), self.coordinates.log_slopes(u)
        return {name: slopes[name] + self.priors[name].log_prob(values[name]) for name in self.names}

    def log_prior(self, u: Float[Array, " free"]) -> Array:
        """Computes the log prior density of u."""
        return sum(self.log_priors(u).values(), self.coordinates.frame_volume(u))

    def potential(self, u: Float[Array, " free"], rows: Rows) -> Array:
        """Computes minus the log posterior density of u, up to a constant. A row counts as often as its `weight`."""
        return -jnp.sum(rows["weight"] * self.log_likelihood(u, rows)) - self.log_prior(u)

    def prior_draws(self, count: int, key: Array) -> dict[str, Any]:
        """Draws `count` independent values from the prior of each free parameter, by name."""
        keys = jax.random.split(key, len(self.names))
        return {name: self.priors[name].sample(subkey, (count,)) for name, subkey in zip(self.names, keys, strict=True)}

    def rows(self, data: Measurements) -> Rows:
        """Returns the columns that the potential reads, each different row once."""
        return data.weighted(jnp.ones_like(data.weight))

    def row_log_likelihood(self, u: Float[Array, " free"], data: Measurements) -> Float[Array, " rows"]:
        """Computes the log-likelihood of each row of the table at u, times its weight."""
        return data.weight * self.log_likelihood(u, data.columns)[data.place]

    def values(self, u: Float[Array, " free"]) -> dict[str, Array]:
        """Returns all parameters of law and noise by name, in their own units."""
        return self.coordinates.values(u)

    def starts(self, rows: Rows, count: int, key: Array) -> Float[Array, "count free"]:
        """Returns the best of each of `count` groups of random coordinates, drawn as in point fits.

        The scales of the noise are drawn from their priors.
        """
        keys = jax.random.split(key, 1 + len(self.scales))
        u = draw(self.law, self.coordinates, rows, count * DRAWS_PER_START, keys[0], keys[1:])
        u = u.astype(rows["weight"].dtype)
        return keep_best(jax.lax.map(lambda start: self.potential(start, rows), u, batch_size=64), u, count)


register(Density, ("coordinates", "priors"), ("law", "noise"))


def density(
    law: type[Law], table: Table, noise: Noise | None, fixed: Mapping[str, ArrayLike], priors: Priors
) -> tuple[Density, Measurements]:
    """Builds the density that `sample` draws from, and the columns it reads. Raises as `sample`."""
    from numpyro.distributions import Distribution  # slow to load

    check_law(law)
    noise = noise or default_noise(law, table).with_density()
    problem, data = build_problem(law, table, noise, noise.nuisance, fixed)
    declared = dict(problem.coordinates.declared)
    columns = {"samples": jnp.ones(1)} | data.columns  # a loss without k was measured on one sample
    frame = problem.coordinates.frame or sum_frame(law, law.arguments(columns))
    chosen = {name: declared[name].prior for name in problem.names}
    for name, prior in priors.items():
        if name not in chosen:
            reason = "is fixed" if name in declared else "is no parameter"
            raise ValueError(f"priors: {name!r} {reason}; those with a prior are {', '.join(chosen)}")
        if not isinstance(prior, Distribution) or prior.shape() != ():
            raise ValueError(f"priors: {name} has {prior!r}, expected a NumPyro distribution of one number")
        chosen[name], declared[name] = prior, _with_prior(prior, declared[name], name)
    coordinates = replace(problem.coordinates, declared=tuple(declared.items()), frame=frame)
    if not chosen:
        raise ValueError(f"{law.__name__}: every parameter is fixed, so there is nothing to sample")
    return Density(law, noise, coordinates, chosen), data


def _with_prior(prior: "Distribution", param: Param, name: str) -> Param:
    """Returns the parameter with another prior, or the same object if its support is equal, to avoid recompilation."""
    replaced = replace(param, given=prior)
    (low, high), (least, most) = replaced.domain, param.domain
    if low < least or high > most:
        support = f"{low:g} to {high:g}"
        raise ValueError(
            f"priors: the prior of {name} has support {support}, expected one inside its domain, {least:g} to {most:g}"
        )
    if (low, high) == (least, most):
        return param
    # centring multiplies a coefficient by a factor, which only the positive numbers allow
    return replace(replaced, power=())
