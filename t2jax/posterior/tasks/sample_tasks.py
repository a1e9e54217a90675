"""Posterior of several tasks or corpora together: exponents and links from one population, the rest free."""

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
from t2jax.numerics.programs.devices import device_mesh
from t2jax.posterior.arviz_groups import PRIOR_DRAWS, inference_data
from t2jax.posterior.chains import draw_all, initialise_chains
from t2jax.posterior.density import Density, Priors, density
from t2jax.posterior.diagnosis import diagnose, left_alone
from t2jax.posterior.sample import STARTS, check_numbers
from t2jax.posterior.tasks.pooled_density import Pooled, expand, expand_around_mode, prior_draws, search
from t2jax.posterior.tasks.task_posterior import TaskPosterior, by_name, groups
from t2jax.tables.measurements import Measurements
from t2jax.tables.place import TableError
from t2jax.tables.table import Table
from t2jax.tables.tasks import tasks_of
from t2jax.typing import Array, ArrayLike
from t2jax.working_precision import scope, to_host

POOLED_UNITS = ("1", "1/nats")
"""Units of the parameters that are pooled by default: exponents, and slopes of links."""


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
    """Samples the posterior of one law on several tasks together, so that tasks inform each other, by NUTS.

    A pooled parameter, unconstrained (the log of a positive one), is Normal(m, s) over tasks. m has the declared prior,
    or that of `priors`. s is HalfNormal, scaled by the standard deviation of that prior: tasks may differ as much as
    the prior allows, or not at all (Gelman 2006, Bayesian Analysis 1:515). A pooled coefficient is the size of its term
    at the middle of all tasks' data, so its exponents must be pooled or fixed. Every other parameter has a separate
    value and the declared prior in each task, as do the scales of the noise. The coordinates suit tasks with many rows
    and with few (see `pooled_density`). Unlike `sample`, they are not sums of terms, so chains mix badly on tables with
    one D each. The status then says so.

    Args:
        law: A law class.
        tables: A table with a column of tasks, or a table for each task by name. At least two tasks are needed.
        noise: Noise model that reads rows, as in `sample`.
        key: Random key.
        by: Column of the tasks (or corpora) in a single table.
        pooled: Names of the pooled parameters of law or noise. The default is every free parameter of the law with unit
            "1" or "1/nats": exponents, and slopes and ceilings of links.
        priors: Priors in place of the declared ones, by name.
        spreads: For each pooled parameter, a distribution above zero in place of the prior of s, or a fixed s.
            A value of 0 gives all tasks one value.
        fixed: Values of parameters that are not sampled, for all tasks alike.
        draws: Draws of each chain.
        warmup: Warm-up steps of each chain.
        chains: Number of chains, at least two.
        accept: Target acceptance of the step size.
        progress: Function that is called with the number of steps since its last call.

    Returns:
        The posterior of all tasks. An interrupt keeps the draws so far, as in `sample`.

    Raises:
        ValueError: When there are fewer than two tasks, a pooled name is no free parameter or cannot be pooled, or as
            in `sample`.
        TableError: When the law cannot read a table, or its columns differ from the first. The message names the task.
        TypeError: When the noise does not read rows.

    Examples:
        >>> settings = {"fixed": {"A": 480.0, "B": 2100.0, "beta": 0.37, "sigma": 0.01}, "chains": 2, "draws": 10}
        >>> tables = {"web": runs, "code": runs}
        >>> post = t2.sample_tasks(t2.laws.Chinchilla, tables, key=jax.random.key(0), warmup=20, **settings)
        >>> list(post.summary().index)
        ['E[web]', 'E[code]', 'alpha[web]', 'alpha[code]', 'alpha_population', 'alpha_spread']
    """
    check_numbers(chains, draws, warmup, accept)
    if noise is not None:
        noise.require_rows("sample_tasks")
    task_tables = tasks_of(tables, by)
    task_density, columns = _common(law, task_tables, noise, dict(fixed or {}), dict(priors or {}))
    names = _pooled(task_density, pooled)
    spread_priors, fixed_spreads = _spreads(task_density, names, dict(spreads or {}))
    runs = [table.runs() for table in task_tables.values()]
    with scope() as dtype:
        data, run = _stacked(columns, runs)
        data = data.on_device(dtype)
        search_key, start_key, restart_key, prior_key = jax.random.split(key, 4)
        ends, best_values = search(task_density, data, STARTS, chains, search_key)
        for name, value in zip(task_tables, np.asarray(best_values), strict=True):
            if not np.isfinite(value):
                raise ValueError(f"{law.__name__} on {name}: no start has a finite density; check its priors")
        expansion = expand(task_density, names, data, ends[0])
        target = Pooled(task_density, names, spread_priors, fixed_spreads, expansion, ends)
        mode, _ = initialise_chains(target, data, chains, chains, warmup, accept, start_key)
        # expand again at the joint mode, which differs from the separate modes for tasks with few rows
        mode_coordinates, expansion = expand_around_mode(target, data, mode.u)
        target = replace(target, expansion=expansion, ends=jnp.concatenate([mode_coordinates[None], ends[1:]]))
        mode, states = initialise_chains(target, data, chains, chains, warmup, accept, restart_key)
        prior = jax.tree.map(np.asarray, prior_draws(target, PRIOR_DRAWS, prior_key))
        chain_draws = draw_all(target, data, mode, run, states, warmup, draws, accept, device_mesh(chains), progress)
        point_values = to_host(jax.jit(Pooled.values)(target, mode.u))
    tasks = tuple(task_tables)
    measured = response(law, next(iter(task_tables.values())))
    idata = inference_data(groups(target, tasks, chain_draws, prior, measured, runs))
    laws = law(**{name: chain_draws.named[name].reshape(-1, len(tasks)).T for name in law.declared()})
    values = by_name(idata, tasks)
    priors_by_name = {name: prior[name.partition("[")[0]] for name in values}
    diagnosis = diagnose(values, priors_by_name, chain_draws.diverging, chain_draws.energy, left_alone)
    point = law(**{name: point_values[name] for name in law.declared()})
    return TaskPosterior(laws, tasks, names, idata, point, diagnosis, draws, chain_draws.lp.shape[1], target)


def _common(
    law: type[Law],
    tables: Mapping[str, Table],
    noise: Noise | None,
    fixed: dict[str, ArrayLike],
    priors: dict[str, Distribution],
) -> tuple[Density, list[Measurements]]:
    """Builds the density of one task, centred at the middle of all, and the columns of each task."""
    first, *_ = tables
    noise = noise or default_noise(law, tables[first]).with_density()
    densities = {name: density(law, table, noise, fixed, priors) for name, table in tables.items()}
    first_density = densities[first][0]
    for name, (other, data) in densities.items():
        if set(data.columns) != set(densities[first][1].columns) or set(other.names) != set(first_density.names):
            columns, expected = (", ".join(sorted(densities[task][1].columns)) for task in (name, first))
            raise TableError(f"task {name!r} has columns {columns} to fit, expected those of {first!r}: {expected}")
    centres = [other.coordinates.log_centre for other, _ in densities.values()]
    centre = {task: float(np.mean([np.asarray(task_centre[task]) for task_centre in centres])) for task in centres[0]}
    return replace(first_density, coordinates=replace(first_density.coordinates, log_centre=centre, frame=None)), [
        data for _, data in densities.values()
    ]


def _pooled(density: Density, names: tuple[str, ...] | None) -> tuple[str, ...]:
    declared = dict(density.coordinates.declared)
    if names is None:
        names = tuple(n for n in density.law.declared() if n in density.names and declared[n].unit in POOLED_UNITS)
        if not names:
            raise ValueError(
                f"{density.law.__name__} has no free parameter of unit {' or '.join(POOLED_UNITS)} to pool; "
                f"name some in pooled, out of {', '.join(density.names)}"
            )
    for name in names:
        if name not in density.names:
            reason = "is fixed" if name in declared else "is no parameter"
            raise ValueError(f"pooled: {name!r} {reason}; those that can be pooled are {', '.join(density.names)}")
        for _, exponent in declared[name].power:
            if exponent in density.names and exponent not in names:
                raise ValueError(f"pooled: {name!r} is pooled at the middle of the data, so pool {exponent!r} as well")
    if not names:
        raise ValueError("pooled is empty, so the tasks share nothing; call `sample` for each task")
    return tuple(name for name in density.names if name in names)


def _spreads(
    density: Density, pooled: tuple[str, ...], given: dict[str, Distribution | float]
) -> tuple[dict[str, Distribution], dict[str, ArrayLike]]:
    """Returns the priors of the spreads that are sampled, and the values of the fixed ones."""
    declared = dict(density.coordinates.declared)
    sampled: dict[str, Distribution] = {}
    fixed: dict[str, ArrayLike] = {}
    for name in given:
        if name not in pooled:
            raise ValueError(f"spreads: {name!r} is not pooled; pooled are {', '.join(pooled)}")
    for name in pooled:
        prior = given.get(name)
        if prior is None:
            sampled[name] = HalfNormal(_deviation(density.priors[name], declared[name]))
        elif isinstance(prior, Distribution):
            if prior.shape() != () or not Param(prior, "1", "").domain[0] >= 0:
                raise ValueError(f"spreads: {name} has {prior!r}, expected a distribution of one number above zero")
            sampled[name] = prior
        else:
            if not 0 <= float(prior) < np.inf:
                raise ValueError(f"spreads: {name} cannot be fixed at {prior:g}, expected a number of at least 0")
            fixed[name] = float(prior)
    return sampled, fixed


def _deviation(prior: Distribution, declared: Param) -> float:
    """Computes the standard deviation of a prior in the unconstrained coordinate of its parameter."""
    draws = declared.unconstrain(prior.sample(jax.random.key(0), (4001,)))
    return float(np.std(np.asarray(draws)))


def _stacked(columns: list[Measurements], runs: list[np.ndarray]) -> tuple[Any, np.ndarray]:
    """Stacks all tasks' columns, padded to the longest task, and numbers the runs so that no two tasks share one.

    Padding repeats the last row with weight 0.
    """

    def filled(arrays: list[np.ndarray], mode: Any) -> np.ndarray:
        longest = max(len(array) for array in arrays)
        return np.stack([np.pad(array, (0, longest - len(array)), mode) for array in arrays])

    names = list(columns[0].columns)
    stacked: Any = Measurements(
        {name: filled([np.asarray(task.columns[name]) for task in columns], "edge") for name in names},  # pyright: ignore
        filled([np.asarray(task.weight) for task in columns], "constant"),  # pyright: ignore
        filled([np.asarray(task.place) for task in columns], "constant"),  # pyright: ignore
    )
    offsets = np.cumsum([0, *(int(run.max()) + 1 for run in runs[:-1])])
    return stacked, filled([run + offset for run, offset in zip(runs, offsets, strict=True)], "edge").ravel()
