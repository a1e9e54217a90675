"""Tasks measured on the same runs: a run that is off the law for one task is off for the others too.

Without this eight tasks of one checkpoint count as eight independent words on the law, and what seven of them say of a
checkpoint that the eighth was not measured on is lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
from numpyro.distributions import LogNormal

from t2jax.laws.base import Law
from t2jax.laws.parameter import Param, param
from t2jax.noise.losses import Gaussian
from t2jax.noise.protocol import Rows
from t2jax.tables.table import Table
from t2jax.tables.tasks import RUN
from t2jax.typing import Array, Float

NORMAL = Gaussian(transform="log")


@dataclass(frozen=True)
class SharedScatter:
    """Normal errors of the log of what is measured, of which a part belongs to the run, the same for all its tasks.

    log(measured / law) of a row of task t in run m is λ_t u_m + σ_t ε, with u_m and ε standard normal: u_m is one
    number for all tasks and samples k of the run, `shared` is λ_t, `sigma` σ_t. u is integrated out in closed form:
    over the rows of a run, with residuals r, A = 1 + Σ (λ/σ)² and b = Σ λ r/σ², its likelihood is that of independent
    errors times exp(b²/2A)/√A, and u is Normal(b/A, 1/A). What tasks share has one sign: a run that is better at one is
    better at all. Given u, several k of a run count as measurements of their own, although one curve goes through them,
    so bands are too narrow where the law does not follow that curve. Where runs have nothing in common the tasks are
    better sampled without it. For `t2.sample_tasks` alone. Runs are the same where their `model` is, else their params
    and tokens (also of two corpora, where the tasks are these). What the measured rows say of each run:
    `shared_offsets`.

    Prior of `shared`: 90 % between 0.3 % and 36 % of what is measured. Source: the factor model of one factor, Lawley
    1940 (Proc. Roy. Soc. Edinburgh 60:64).

    Raises TypeError where it is not for several tasks, or inside `Joint`; TableError for rows without the response of
    the law, for a `model` that only some tables have or that is more than one size, and where no run is in two tables.
    Example: `t2.sample_tasks(t2.laws.T2Loss, rows, t2.SharedScatter(), key=jax.random.key(0))`.
    """

    nuisance: ClassVar[Mapping[str, Param]] = {
        "sigma": param(LogNormal(-4.0, 1.5), unit="of the log", doc="standard deviation of a row about its run"),
        "shared": param(LogNormal(-3.5, 1.5), unit="of the log", doc="deviation of runs that their tasks share"),
    }
    estimated: ClassVar[tuple[str, ...]] = ()

    def columns(self, law: type[Law], table: Table) -> tuple[str, ...]:
        if RUN not in table:
            raise TypeError("SharedScatter is for t2.sample_tasks, which knows the runs of all tasks, and not in Joint")
        return (*NORMAL.columns(law, table), RUN)

    def penalty(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        """Raises TypeError: there is no point fit."""
        raise TypeError("SharedScatter is for t2.sample_tasks; fit points with noise.Gaussian(transform='log')")

    def simulate(self, law: Law, rows: Rows, nuisance: Rows, key: Array) -> dict[str, Array]:
        """Raises TypeError, as `penalty`: only point fits are simulated again."""
        raise TypeError("SharedScatter is for t2.sample_tasks; simulate with noise.Gaussian(transform='log')")

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Float[Array, " rows"]:
        """Log-likelihood of each row by itself, its run integrated out: where a search begins, each task alone."""
        return NORMAL.log_density(law, rows, {"sigma": jnp.hypot(nuisance["sigma"], nuisance["shared"])})
