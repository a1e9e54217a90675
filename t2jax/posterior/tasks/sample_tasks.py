"""Posteriors of several tasks (or corpora) together: exponents and links from one population, the rest free."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.distributions import Distribution, HalfNormal

from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law
from t2jax.laws.parameter import Param
from t2jax.noise.default import default_noise
from t2jax.noise.protocol import Noise
from t2jax.noise.residuals import response
from t2jax.posterior.arviz_groups import PRIOR_DRAWS, inference_data
from t2jax.posterior.chains import begin, draw_all
from t2jax.posterior.density import Density, Priors, density
from t2jax.posterior.diagnosis import diagnose, left_alone
from t2jax.posterior.sample import STARTS, check_numbers
from t2jax.posterior.tasks.pooled_density import Pooled, expand, prior_draws, search, stand
from t2jax.posterior.tasks.task_posterior import TaskPosterior, by_name, groups
from t2jax.tables.measurements import Measurements
from t2jax.tables.place import TableError
from t2jax.tables.table import Table
from t2jax.tables.tasks import tasks_of
from t2jax.typing import Array, ArrayLike
from t2jax.working_precision import scope, to_host

POOLED_UNITS = ("1", "1/nats")
"""Parameters of these units are pooled unless others are named: exponents, and how steep a link is."""


@check_arguments
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
    those with few hang on the population (see `pooled_density`), but not in sums of terms, as in `sample`: of tables of
    one D each chains mix badly, and the status says so.

    Raises ValueError for fewer than two tasks, pooled names that are no free parameter or of no use, and as `sample`;
    TableError, naming the task, for a table that the law cannot read or that has other columns than the first;
    TypeError for noise that does not read rows.
    Example: `post = t2.sample_tasks(t2.laws.T2Loss, rows, key=key); post.task("arc-easy"), post.population`.
    """
    check_numbers(chains, draws, warmup, accept)
    if noise is not None:
        noise.require_rows("sample_tasks")
    each = tasks_of(tables, by)
    one, columns = _common(law, each, noise, dict(fixed or {}), dict(priors or {}))
    names = _pooled(one, pooled)
    known, held = _spreads(one, names, dict(spreads or {}))
    runs = [table.runs() for table in each.values()]
    with scope() as dtype:
        data, run = _stacked(columns, runs)
        data = data.on_device(dtype)
        search_key, begin_key, again_key, prior_key = jax.random.split(key, 4)
        ends, alone = search(one, data, STARTS, chains, search_key)
        for name, value in zip(each, np.asarray(alone), strict=True):
            if not np.isfinite(value):
                raise ValueError(f"{law.__name__} on {name}: no start has a finite density; check its priors")
        target = Pooled(one, names, known, held, expand(one, names, data, ends[0]), ends)
        mode, _ = begin(target, data, chains, chains, warmup, accept, begin_key)
        # again about where the tasks stand together, which is elsewhere for those of few rows
        stands, near = stand(target, data, mode.u)
        target = replace(target, near=near, ends=jnp.concatenate([stands[None], ends[1:]]))
        mode, states = begin(target, data, chains, chains, warmup, accept, again_key)
        prior = jax.tree.map(np.asarray, prior_draws(target, PRIOR_DRAWS, prior_key))
        drawn = draw_all(target, data, mode, run, states, warmup, draws, accept, progress)
        point = to_host(jax.jit(Pooled.values)(target, mode.u))
    tasks = tuple(each)
    idata = inference_data(groups(target, tasks, drawn, prior, response(law, next(iter(each.values()))), runs))
    laws = law(**{name: drawn.named[name].reshape(-1, len(tasks)).T for name in law.declared()})
    values = by_name(idata, tasks)
    known_before = {name: prior[name.partition("[")[0]] for name in values}
    found = diagnose(values, known_before, drawn.diverging, drawn.energy, left_alone)
    stood = law(**{name: point[name] for name in law.declared()})
    return TaskPosterior(laws, tasks, names, idata, stood, found, draws, drawn.lp.shape[1], target)


def _common(
    law: type[Law],
    each: Mapping[str, Table],
    noise: Noise | None,
    fixed: dict[str, ArrayLike],
    priors: dict[str, Distribution],
) -> tuple[Density, list[Measurements]]:
    """The density of one task, centred at the middle of all, and the columns of each."""
    first, *_ = each
    noise = noise or default_noise(law, each[first]).with_density()
    made = {name: density(law, table, noise, fixed, priors) for name, table in each.items()}
    one = made[first][0]
    for name, (other, data) in made.items():
        if set(data.columns) != set(made[first][1].columns) or set(other.names) != set(one.names):
            had, expected = (", ".join(sorted(made[of][1].columns)) for of in (name, first))
            raise TableError(f"task {name!r} has columns {had} to fit, expected those of {first!r}: {expected}")
    centres = [other.coordinates.log_centre for other, _ in made.values()]
    middle = {of: float(np.mean([np.asarray(centre[of]) for centre in centres])) for of in centres[0]}
    return replace(one, coordinates=replace(one.coordinates, log_centre=middle, frame=None)), [
        data for _, data in made.values()
    ]


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
        prior = given.get(name)
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
