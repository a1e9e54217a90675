"""The posterior density of a law and its noise: likelihood times priors, in the coordinates in which it is sampled."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from numpyro.distributions import Distribution

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

Priors = Mapping[str, Distribution]
DRAWS_PER_START = 32


@dataclass(frozen=True)
class Density(FitProblem):
    """The problem of a fit with priors, in which all parameters of the noise are estimated.

    A pytree: other priors of one kind need no compilation. priors: of each free parameter, in its own units.
    """

    priors: dict[str, Distribution]

    @property
    def latent(self) -> int:
        """How many coordinates beyond those of `names` there are, standard normal a priori."""
        return 0

    def read(self, table: Table) -> tuple["Density", Measurements]:
        """The same density for another table, centred there, and the columns that it reads. Raises as `sample`."""
        return density(self.law, table, self.noise, self.coordinates.fixed, self.priors)

    def log_likelihood(self, u: Float[Array, " free"], rows: Rows) -> Float[Array, " rows"]:
        """The log-likelihood of each row at u, not weighted."""
        law, noise = self.split(u)
        return self.noise.log_density(law, rows, noise)

    def log_priors(self, u: Float[Array, " free"]) -> dict[str, Array]:
        """The log of the prior density of each coordinate: of the parameter in its own unit, and of how u stretches it.

        That of a coefficient is given its exponents; what a frame adds is in their sum, `log_prior`, only.
        """
        values, slopes = self.coordinates.values(u), self.coordinates.log_slopes(u)
        return {name: slopes[name] + self.priors[name].log_prob(values[name]) for name in self.names}

    def log_prior(self, u: Float[Array, " free"]) -> Array:
        """The log of the prior density of u."""
        return sum(self.log_priors(u).values(), self.coordinates.frame_volume(u))

    def potential(self, u: Float[Array, " free"], rows: Rows) -> Array:
        """Minus the log of the posterior density of u, up to a constant. A row counts as often as its `weight`."""
        return -jnp.sum(rows["weight"] * self.log_likelihood(u, rows)) - self.log_prior(u)

    def prior_draws(self, count: int, key: Array) -> dict[str, Any]:
        """`count` independent draws from the prior of each free parameter, by name."""
        keys = jax.random.split(key, len(self.names))
        return {name: self.priors[name].sample(one, (count,)) for name, one in zip(self.names, keys, strict=True)}

    def rows(self, data: Measurements) -> Rows:
        """The columns that the potential reads, each different row once."""
        return data.weighted(jnp.ones_like(data.weight))

    def row_log_likelihood(self, u: Float[Array, " free"], data: Measurements) -> Float[Array, " rows"]:
        """The log-likelihood of each row of the table at u, times its weight."""
        return data.weight * self.log_likelihood(u, data.columns)[data.place]

    def values(self, u: Float[Array, " free"]) -> dict[str, Array]:
        """Parameters of law and noise by name, those that are held too, in their own units."""
        return self.coordinates.values(u)

    def starts(self, rows: Rows, count: int, key: Array) -> Float[Array, "count free"]:
        """The best of each of `count` groups of random coordinates: as in point fits, with the noise from its prior."""
        keys = jax.random.split(key, 1 + len(self.scales))
        u = draw(self.law, self.coordinates, rows, count * DRAWS_PER_START, keys[0], keys[1:])
        u = u.astype(rows["weight"].dtype)
        return keep_best(jax.lax.map(lambda one: self.potential(one, rows), u, batch_size=64), u, count)


register(Density, ("coordinates", "priors"), ("law", "noise"))


def density(
    law: type[Law], table: Table, noise: Noise | None, fixed: Mapping[str, ArrayLike], priors: Priors
) -> tuple[Density, Measurements]:
    """The density that `sample` draws from, and the columns it reads, of any number of rows. Raises as `sample`."""
    check_law(law)
    noise = noise or default_noise(law, table).with_density()
    problem, data = build_problem(law, table, noise, noise.nuisance, fixed)
    declared = dict(problem.coordinates.declared)
    columns = {"samples": jnp.ones(1)} | data.columns  # a loss without k was measured on one sample
    frame = problem.coordinates.frame or sum_frame(law, law.arguments(columns))
    chosen = {name: declared[name].prior for name in problem.names}
    for name, prior in priors.items():
        if name not in chosen:
            held = "is held" if name in declared else "is no parameter"
            raise ValueError(f"priors: {name!r} {held}; those with a prior are {', '.join(chosen)}")
        if not isinstance(prior, Distribution) or prior.shape() != ():
            raise ValueError(f"priors: {name} has {prior!r}, expected a NumPyro distribution of one number")
        chosen[name], declared[name] = prior, _under(prior, declared[name], name)
    coordinates = replace(problem.coordinates, declared=tuple(declared.items()), frame=frame)
    if not chosen:
        raise ValueError(f"{law.__name__}: every parameter is held, so there is nothing to sample")
    return Density(law, noise, coordinates, chosen), data


def _under(prior: Distribution, one: Param, name: str) -> Param:
    """The parameter with another prior: itself where that has the same support, so that nothing is compiled again."""
    other = replace(one, prior=prior)
    (low, high), (least, most) = other.domain, one.domain
    if low < least or high > most:
        given = f"{low:g} to {high:g}"
        raise ValueError(
            f"priors: the prior of {name} is on {given}, expected one inside its domain, {least:g} to {most:g}"
        )
    if (low, high) == (least, most):
        return one
    # a coefficient is centred by a factor, which takes it out of any other interval than the positive numbers
    return replace(other, power=())
