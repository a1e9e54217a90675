"""Posteriors of several tasks (or corpora) together: exponents and links from one population, the rest free."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from numpyro.distributions import Distribution, HalfNormal

from t2jax.bayes import (
    LEVEL,
    PRIOR_DRAWS,
    STARTS,
    check_numbers,
    inference_data,
    sample_stats,
    summarise,
)
from t2jax.chains import Drawn, begin, draw_all
from t2jax.density import Density, Priors, density
from t2jax.diagnose import Diagnosis, diagnose
from t2jax.laws.base import Law
from t2jax.measurements import Measurements
from t2jax.noise import Noise, default_density, response
from t2jax.params import Param
from t2jax.pooled import Pooled, expand, search
from t2jax.precision import scope, to_host
from t2jax.table import Table, TableError
from t2jax.typing import Array, ArrayLike, Float

POOLED_UNITS = ("1", "1/nats")
"""Parameters of these units are pooled unless others are named: exponents, and how steep a link is."""


@dataclass(frozen=True)
class Population:
    """What the tasks have in common, by draw. law: of a typical task, leaves (draws,).

    location: of each pooled parameter, in its own unit, (draws,): its median over tasks of the population. spread: the
    standard deviation between tasks of its unconstrained coordinate; for a positive parameter, of its logarithm.
    """

    law: Law
    location: dict[str, Float[np.ndarray, " draws"]]
    spread: dict[str, Float[np.ndarray, " draws"]]


@dataclass(frozen=True)
class TaskPosterior:
    """The result of `sample_tasks`. laws: leaves (tasks, draws), tasks in the order of `tasks`, chain after chain.

    idata: for ArviZ, as in `Posterior`, with a coordinate `task`; NAME_population and NAME_spread beside the tasks'
    parameters, and log_likelihood by task and run. point: laws at the highest density, leaves (tasks,). pooled: names
    of the pooled parameters. target: what was sampled; None for a posterior read from a file.
    """

    laws: Law
    tasks: tuple[str, ...]
    pooled: tuple[str, ...]
    idata: Any = field(repr=False)
    point: Law = field(repr=False)
    diagnosis: Diagnosis = field(repr=False)
    asked: int
    made: int
    target: Pooled | None = field(default=None, repr=False)

    @property
    def converged(self) -> bool:
        """Whether the draws may be used: the limits of `Diagnosis`, for every parameter of every task."""
        return self.diagnosis.converged

    @property
    def status(self) -> str:
        """What the diagnostics say, in English, which parameter of which task fails and what to do."""
        cut = f"; interrupted: {self.made} of {self.asked} draws of each chain" if self.made < self.asked else ""
        return self.diagnosis.sentence + cut

    def task(self, name: str) -> Law:
        """The laws of one task, leaves (draws,): for frontier, plots and predictions. ValueError for another name."""
        if name not in self.tasks:
            raise ValueError(f"there is no task {name!r}; the tasks are {', '.join(self.tasks)}")
        at = self.tasks.index(name)
        return jax.tree.map(lambda leaf: leaf[at], self.laws)

    @property
    def population(self) -> Population:
        """Location and spread of the pooled parameters, and the law of a typical task.

        Its other parameters are at the mean of the tasks' centred coordinates: of coefficients, the geometric mean of
        the size of the term at the middle of the data.
        """
        drawn = {str(name): np.asarray(one.values, float) for name, one in self.idata["posterior"].items()}
        law = type(self.laws)
        typical = {name: drawn[f"{name}_population"].ravel() for name in law.declared()}
        location = {
            name: drawn[f"{name}_population"].ravel() if name not in typical else typical[name] for name in self.pooled
        }
        return Population(law(**typical), location, {name: drawn[f"{name}_spread"].ravel() for name in self.pooled})

    def new_task(self, key: Array) -> Law:
        """Laws of a task that was not measured, leaves (draws,): pooled parameters from the population of each draw.

        The others are drawn from their priors, so that a prediction in nats is as wide as these; what is known of a new
        task is how its curves bend. ValueError for a posterior read from a file, which does not know its priors.
        """
        if self.target is None:
            raise ValueError("a posterior read from a file does not know its priors; sample it again")
        with scope() as dtype:
            found = self.population
            location = self.target.locations(found.location)
            spread = jnp.stack([jnp.asarray(found.spread[name], dtype) for name in self.pooled], axis=1)
            drawn = jax.tree.map(np.asarray, self.target.new_tasks(location, spread, key))
        law = type(self.laws)
        return law(**{name: drawn[name] for name in law.declared()})

    def summary(self, level: float = LEVEL) -> pd.DataFrame:
        """As `Posterior.summary`: a row for NAME[TASK], each NAME_population and each NAME_spread."""
        return summarise(self.diagnosis, _by_name(self.idata, self.tasks), self.status, level)


def sample_tasks(
    law: type[Law],
    tables: Table | Mapping[str, Table],
    noise: Noise | None = None,
    *,
    key: Array,
    by: str = "task",
    pooled: tuple[str, ...] | None = None,
    priors: Priors | None = None,
    spreads: Mapping[str, Distribution | float] | None = None,
    fixed: Mapping[str, ArrayLike] | None = None,
    draws: int = 1000,
    warmup: int = 500,
    chains: int = 4,
    accept: float = 0.9,
    progress: Callable[[int], object] | None = None,
) -> TaskPosterior:
    """Draw from the posterior of one law on several tasks together, so that they inform each other (NUTS).

    tables: a table whose column `by` says the task (or corpus) of each row, or a table for each task by its name; two
    tasks or more, of any numbers of rows. pooled: parameters of which the tasks have values of their own around a
    common one. By default those of the law whose unit is "1" or "1/nats" and which are not held: exponents, and slopes
    and ceilings of links. All others are free: each task has its own, from the prior that is declared, as are the
    scales of its noise (name them in `pooled` to have them pooled too).

    A pooled parameter, unconstrained (the log of a positive one), is Normal(m, s) over tasks. m has the declared prior,
    or that of `priors`. s is HalfNormal with the standard deviation of that prior as its scale, so that the tasks may
    be as different as the prior thinks any two laws, or all the same (Gelman 2006, Bayesian Analysis 1:515);
    `spreads` replaces that prior by another distribution above zero, or holds s at a number: 0 is one value for all
    tasks. Where a coefficient is pooled it is the size of its term at the middle of all tasks' data, and its
    exponents must be pooled or held.

    The rest as in `sample`: noise, fixed (for all tasks alike), draws, warmup, chains, accept, progress, the limits of
    `status`, and what an interrupt keeps. Sampled in coordinates in which tasks with many rows stand on their own and
    those with few hang on the population (see `t2jax.pooled`).

    Raises ValueError for fewer than two tasks, pooled names that are no free parameter or of no use, and as `sample`;
    TableError, naming the task, for a table that the law cannot read or that has other columns than the first.
    Example: `post = t2.sample_tasks(t2.laws.T2Loss, rows, key=key); post.task("arc-easy"), post.population`.
    """
    check_numbers(chains, draws, warmup, accept)
    each = tasks_of(tables, by)
    one, columns = _common(law, each, noise, dict(fixed or {}), dict(priors or {}))
    names = _pooled(one, pooled)
    known, held = _spreads(one, names, dict(spreads or {}))
    runs = [table.runs() for table in each.values()]
    with scope() as dtype:
        data, run = _stacked(columns, runs)
        data = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype if leaf.dtype.kind == "f" else None), data)
        search_key, begin_key, again_key, prior_key = jax.random.split(key, 4)
        ends, best = search(one, data, STARTS, chains, search_key)
        for name, value in zip(each, np.asarray(best), strict=True):
            if not np.isfinite(value):
                raise ValueError(f"{law.__name__} on {name}: no start has a finite density; check its priors")
        target = Pooled(one, names, known, held, expand(one, names, data, ends[0]), ends)
        mode, _ = begin(target, data, chains, chains, warmup, accept, begin_key)
        # again about where the tasks stand together, which is elsewhere for those of few rows
        stands = target.split(mode.u)[2]
        ends = jnp.concatenate([stands[None], ends[1:]])
        target = replace(target, near=expand(one, names, data, stands), ends=ends)
        mode, states = begin(target, data, chains, chains, warmup, accept, again_key)
        prior = _prior(target, prior_key)
        drawn = draw_all(target, data, mode, run, states, warmup, draws, accept, progress)
        point = to_host(target.values(mode.u))
    tasks = tuple(each)
    first = next(iter(each.values()))
    idata = inference_data(_groups(target, tasks, drawn, prior, response(law, first), runs))
    laws = law(**{name: drawn.named[name].reshape(-1, len(tasks)).T for name in law.declared()})
    found = diagnose(
        _by_name(idata, tasks), _prior_by_name(prior, idata, tasks), np.asarray(drawn.diverging), np.asarray(drawn.energy)
    )
    stood = law(**{name: np.asarray(point[name]) for name in law.declared()})
    return TaskPosterior(laws, tasks, names, idata, stood, found, draws, drawn.lp.shape[1], target)


def tasks_of(tables: Table | Mapping[str, Table], by: str) -> dict[str, Table]:
    """The table of each task by name, of one table in the order of first appearance. Raises as `sample_tasks`."""
    if isinstance(tables, Table):
        tables.require(by, needed_by="sample_tasks")
        names = list(dict.fromkeys(tables[by].tolist()))
        if absent := [name for name in names if name is None or name != name]:
            raise TableError(f"{tables.source.name}: column {by!r} has {absent[0]!r} in a row, expected a name in each")
        found = {f"{name:g}" if isinstance(name, float) else str(name): tables.where(**{by: name}) for name in names}
    else:
        found = dict(tables)
    for name, table in found.items():
        if not isinstance(table, Table) or not len(table):
            given = "a table without rows" if isinstance(table, Table) else repr(type(table).__name__)
            raise ValueError(f"task {name!r}: found {given}, expected a Table with rows")
    if len(found) < 2:
        raise ValueError(f"found {len(found)} task ({', '.join(found)}), expected at least 2; sample takes one alone")
    return found


def _common(
    law: type[Law],
    each: Mapping[str, Table],
    noise: Noise | None,
    fixed: dict[str, ArrayLike],
    priors: dict[str, Distribution],
) -> tuple[Density, list[Measurements]]:
    """The density of one task, centred at the middle of all, and the columns of each."""
    first, *_ = each
    noise = noise or default_density(law, each[first])
    made = {name: density(law, table, noise, fixed, priors) for name, table in each.items()}
    one = made[first][0]
    for name, (other, data) in made.items():
        if set(data.columns) != set(made[first][1].columns) or set(other.names) != set(one.names):
            had, expected = (", ".join(sorted(made[of][1].columns)) for of in (name, first))
            raise TableError(f"task {name!r} has columns {had} to fit, expected those of {first!r}: {expected}")
    centres = [other.coordinates.log_centre for other, _ in made.values()]
    middle = {of: float(np.mean([np.asarray(centre[of]) for centre in centres])) for of in centres[0]}
    return replace(one, coordinates=replace(one.coordinates, log_centre=middle)), [data for _, data in made.values()]


def _pooled(one: Density, wanted: tuple[str, ...] | None) -> tuple[str, ...]:
    declared = dict(one.coordinates.declared)
    if wanted is None:
        wanted = tuple(n for n in one.law.declared() if n in one.names and declared[n].unit in POOLED_UNITS)
        if not wanted:
            raise ValueError(
                f"{one.law.__name__} has no free parameter of unit {' or '.join(POOLED_UNITS)} to pool; name some in "
                f"pooled, out of {', '.join(one.names)}"
            )
    for name in wanted:
        if name not in one.names:
            why = "is held" if name in declared else "is no parameter"
            raise ValueError(f"pooled: {name!r} {why}; those that can be pooled are {', '.join(one.names)}")
        for _, exponent in declared[name].power:
            if exponent in one.names and exponent not in wanted:
                raise ValueError(f"pooled: {name!r} is pooled at the middle of the data, so pool {exponent!r} as well")
    if not wanted:
        raise ValueError("pooled is empty: then the tasks say nothing of each other; use sample for each")
    return tuple(name for name in one.names if name in wanted)


def _spreads(
    one: Density, pooled: tuple[str, ...], given: dict[str, Distribution | float]
) -> tuple[dict[str, Distribution], dict[str, ArrayLike]]:
    """Priors of the spreads that are sampled, and the values of those held."""
    declared = dict(one.coordinates.declared)
    known: dict[str, Distribution] = {}
    held: dict[str, ArrayLike] = {}
    for name in given:
        if name not in pooled:
            raise ValueError(f"spreads: {name!r} is not pooled; pooled are {', '.join(pooled)}")
    for name in pooled:
        prior = given.get(name, None)
        if prior is None:
            known[name] = HalfNormal(_deviation(one.priors[name], declared[name]))
        elif isinstance(prior, Distribution):
            if prior.shape() != () or not Param(prior, "1", "").domain[0] >= 0:
                raise ValueError(f"spreads: {name} has {prior!r}, expected a distribution of one number above zero")
            known[name] = prior
        else:
            if not 0 <= float(prior) < np.inf:
                raise ValueError(f"spreads: {name} cannot be held at {prior:g}, expected a number of at least 0")
            held[name] = float(prior)
    return known, held


def _deviation(prior: Distribution, declared: Param) -> float:
    """Standard deviation of a prior in the unconstrained coordinate of its parameter."""
    drawn = declared.unconstrain(prior.sample(jax.random.key(0), (4001,)))
    return float(np.std(np.asarray(drawn)))


def _stacked(columns: list[Measurements], runs: list[np.ndarray]) -> tuple[Any, np.ndarray]:
    """All tasks' columns with a leading axis of tasks, filled up by rows of no weight; the run of each, flat."""

    def filled(arrays: list[np.ndarray], mode: Any) -> np.ndarray:
        longest = max(len(one) for one in arrays)
        return np.stack([np.pad(one, (0, longest - len(one)), mode) for one in arrays])

    names = list(columns[0].columns)
    stacked: Any = Measurements(
        {name: filled([np.asarray(one.columns[name]) for one in columns], "edge") for name in names},  # pyright: ignore
        filled([np.asarray(one.weight) for one in columns], "constant"),  # pyright: ignore
        filled([np.asarray(one.place) for one in columns], "constant"),  # pyright: ignore
    )
    first = np.cumsum([0, *(int(one.max()) + 1 for one in runs[:-1])])
    return stacked, filled([one + start for one, start in zip(runs, first, strict=True)], "edge").ravel()


def _prior(target: Pooled, key: Array) -> dict[str, np.ndarray]:
    """Draws from the prior of a task's parameters, and of location and spread, (PRIOR_DRAWS,) each."""
    population_key, task_key = jax.random.split(key)
    location, spread = target.population_prior(PRIOR_DRAWS, population_key)
    zero = jnp.zeros_like(spread)
    found = {name: one for name, one in target.new_tasks(location, spread, task_key).items() if name in target.one.names}
    located = target.new_tasks(location, zero, task_key)
    found |= {f"{name}_population": located[name] for name in target.pooled}
    found |= {f"{name}_spread": spread[:, i] for i, name in enumerate(target.pooled) if name in target.spreads}
    return jax.tree.map(np.asarray, found)


def _groups(
    target: Pooled, tasks: tuple[str, ...], drawn: Drawn, prior: dict[str, np.ndarray], measured: str, runs: list[Any]
) -> dict[str, Any]:
    import xarray  # slow to load

    declared = dict(target.one.coordinates.declared)
    chains, draws = drawn.lp.shape
    axes = ("chain", "draw")
    position = {"chain": np.arange(chains), "draw": np.arange(draws)}
    held = {}
    for name, one in drawn.named.items():
        if name in declared and name not in target.one.names:
            continue
        about = declared[name.removesuffix("_population").removesuffix("_spread")]
        unit = "of the unconstrained coordinate" if name.endswith("_spread") else about.unit
        held[name] = ((*axes, "task")[: np.ndim(one)], one, {"units": unit, "doc": about.doc})
    task = [name for name, one in zip(tasks, runs, strict=True) for _ in range(int(one.max()) + 1)]
    return {
        "posterior": xarray.Dataset(held, coords={**position, "task": list(tasks)}),
        "sample_stats": sample_stats(drawn),
        "log_likelihood": xarray.Dataset(
            {measured: ((*axes, "run"), drawn.log_likelihood)},
            coords={**position, "run": np.arange(len(task)), "run_task": ("run", task)},
        ),
        "prior": xarray.Dataset(
            {name: (axes, one[None]) for name, one in prior.items()},
            coords={"chain": np.arange(1), "draw": np.arange(PRIOR_DRAWS)},
        ),
    }


def _by_name(idata: Any, tasks: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Draws (chains, draws) of each sampled number: NAME[TASK], NAME_population of pooled ones and NAME_spread."""
    found, prior = {}, set(map(str, idata["prior"].data_vars))
    for name, one in idata["posterior"].items():
        values = np.asarray(one.values, float)
        if values.ndim == 3:
            found |= {f"{name}[{task}]": values[:, :, i] for i, task in enumerate(tasks)}
        elif name in prior:
            found[str(name)] = values
    return found


def _prior_by_name(prior: Mapping[str, np.ndarray], idata: Any, tasks: tuple[str, ...]) -> dict[str, np.ndarray]:
    return {name: prior[name.partition("[")[0]] for name in _by_name(idata, tasks)}
