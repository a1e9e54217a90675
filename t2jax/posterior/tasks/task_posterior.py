"""Posterior of several tasks: laws of each task, of a typical task and of a new one."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from t2jax.laws.base import Law
from t2jax.posterior.arviz_groups import sample_stats
from t2jax.posterior.chains import Drawn
from t2jax.posterior.diagnosis import Diagnosed, Diagnosis
from t2jax.posterior.posterior import LEVEL, summarise
from t2jax.posterior.tasks.pooled_density import Pooled
from t2jax.printing import format_quantiles, report
from t2jax.typing import Array, Float
from t2jax.working_precision import scope


@dataclass(frozen=True, repr=False)
class Population:
    """What the tasks have in common, by draw.

    Attributes:
        law: Law of a typical task, leaves of shape (draws,).
        location: Median over tasks of each pooled parameter, in its own unit, shape (draws,).
        spread: Standard deviation between tasks of each pooled parameter's unconstrained coordinate, shape (draws,).
            For a positive parameter it is that of the logarithm.

    Examples:
        >>> settings = {"fixed": {"A": 480.0, "B": 2100.0, "beta": 0.37, "sigma": 0.01}, "chains": 2, "draws": 10}
        >>> tables = {"web": runs, "code": runs}
        >>> post = t2.sample_tasks(t2.laws.Chinchilla, tables, key=jax.random.key(0), warmup=20, **settings)
        >>> post.population.location["alpha"].shape
        (20,)
    """

    law: Law
    location: dict[str, Float[np.ndarray, " draws"]]
    spread: dict[str, Float[np.ndarray, " draws"]]

    def __repr__(self) -> str:
        """Prints the median and the central 90 % of each location and spread."""
        values = self.location | {f"{name}_spread": draws for name, draws in self.spread.items()}
        rows = {name: format_quantiles(draws) for name, draws in values.items()}
        return report(f"Population of tasks under {type(self.law).__name__}", rows)


@dataclass(frozen=True, repr=False)
class TaskPosterior(Diagnosed):
    """Result of `sample_tasks`: draws of the laws of several tasks, with a diagnosis of their chains.

    Attributes:
        laws: Laws with leaves of shape (tasks, draws), in the order of `tasks`, chain after chain.
        tasks: Names of the tasks.
        pooled: Names of the pooled parameters.
        idata: The draws for ArviZ as in `Posterior`, with a coordinate `task`. It also has NAME_population and
            NAME_spread, and log_likelihood by task and run.
        point: Laws at the highest density, leaves of shape (tasks,).
        diagnosis: Convergence of the chains, see `status`.
        draws_requested: Draws of each chain that were asked for.
        draws_made: Draws of each chain that exist.
        target: The density that was sampled, or None for a posterior read from a file.

    Examples:
        >>> settings = {"fixed": {"A": 480.0, "B": 2100.0, "beta": 0.37, "sigma": 0.01}, "chains": 2, "draws": 10}
        >>> tables = {"web": runs, "code": runs}
        >>> post = t2.sample_tasks(t2.laws.Chinchilla, tables, key=jax.random.key(0), warmup=20, **settings)
        >>> post.pooled, post.laws.alpha.shape, post.task("code").alpha.shape
        (('alpha',), (2, 20), (20,))
    """

    laws: Law
    tasks: tuple[str, ...]
    pooled: tuple[str, ...]
    idata: Any
    point: Law
    diagnosis: Diagnosis
    draws_requested: int
    draws_made: int
    target: Pooled | None = None

    def __repr__(self) -> str:
        """Prints the status, then the median and the central 90 % of the population's location and spread."""
        draws = by_name(self.idata, self.tasks)
        names = [f"{name}_{what}" for name in self.pooled for what in ("population", "spread")]
        population = {name: draws[name] for name in names if name in draws}
        rows = {"tasks": ", ".join(self.tasks)} | self._describe_draws(population)
        return report(f"TaskPosterior of {type(self.point).__name__}: {self.status}", rows)

    def task(self, name: str) -> Law:
        """Returns the laws of one task, for frontiers, figures and predictions.

        Args:
            name: Name of the task.

        Returns:
            The laws, leaves of shape (draws,).

        Raises:
            ValueError: When there is no such task.
        """
        if name not in self.tasks:
            raise ValueError(f"there is no task {name!r}; the tasks are {', '.join(self.tasks)}")
        index = self.tasks.index(name)
        return jax.tree.map(lambda leaf: leaf[index], self.laws)

    @property
    def population(self) -> Population:
        """The population of the tasks: location and spread of the pooled parameters, and the law of a typical task.

        The typical law has the other parameters at the mean of the tasks' centred coordinates. For a coefficient it is
        the geometric mean of the size of its term at the middle of the data.
        """
        drawn = {str(name): np.asarray(values.values, float) for name, values in self.idata["posterior"].items()}
        law = type(self.laws)
        typical = {name: drawn[f"{name}_population"].ravel() for name in law.declared()}
        location = {name: drawn[f"{name}_population"].ravel() for name in self.pooled}
        return Population(law(**typical), location, {name: drawn[f"{name}_spread"].ravel() for name in self.pooled})

    def new_task(self, key: Array) -> Law:
        """Draws laws of a task without measurements, with pooled parameters from the population of each draw.

        The other parameters come from their priors, so predictions in nats are as wide as these. The population informs
        only how the curves of a new task bend.

        Args:
            key: Random key.

        Returns:
            The laws, leaves of shape (draws,).

        Raises:
            ValueError: When the posterior comes from a file, which has no priors.
        """
        if self.target is None:
            raise ValueError("a posterior read from a file has no priors; call `sample_tasks` again")
        with scope() as dtype:
            population = self.population
            location = jax.jit(Pooled.locations)(self.target, population.location)
            spread = jnp.stack([jnp.asarray(population.spread[name], dtype) for name in self.pooled], axis=1)
            drawn = jax.tree.map(np.asarray, jax.jit(Pooled.new_tasks)(self.target, location, spread, key))
        law = type(self.laws)
        return law(**{name: drawn[name] for name in law.declared()})

    def summary(self, level: float = LEVEL) -> pd.DataFrame:
        """Summarises the draws as `Posterior.summary` does.

        Args:
            level: Probability of the central interval.

        Returns:
            One row for each NAME[TASK], NAME_population and NAME_spread.
        """
        return summarise(self.diagnosis, by_name(self.idata, self.tasks), self.status, level)


def groups(
    target: Pooled, tasks: tuple[str, ...], drawn: Drawn, prior: dict[str, np.ndarray], measured: str, runs: list[Any]
) -> dict[str, Any]:
    """Builds data sets by group for ArviZ from draws of chains and prior, and from the runs of each task's rows."""
    import xarray  # slow to load

    declared = dict(target.density.coordinates.declared)
    chains, draws = drawn.lp.shape
    axes = ("chain", "draw")
    position = {"chain": np.arange(chains), "draw": np.arange(draws)}
    variables = {}
    for name, values in drawn.named.items():
        if name in declared and name not in target.density.names:
            continue
        param = declared[name.removesuffix("_population").removesuffix("_spread")]
        unit = "of the unconstrained coordinate" if name.endswith("_spread") else param.unit
        variables[name] = ((*axes, "task")[: np.ndim(values)], values, {"units": unit, "doc": param.doc})
    task_of_run = [name for name, values in zip(tasks, runs, strict=True) for _ in range(int(values.max()) + 1)]
    return {
        "posterior": xarray.Dataset(variables, coords={**position, "task": list(tasks)}),
        "sample_stats": sample_stats(drawn),
        "log_likelihood": xarray.Dataset(
            {measured: ((*axes, "run"), drawn.log_likelihood)},
            coords={**position, "run": np.arange(len(task_of_run)), "run_task": ("run", task_of_run)},
        ),
        "prior": xarray.Dataset(
            {name: (axes, values[None]) for name, values in prior.items()},
            coords={"chain": np.arange(1), "draw": np.arange(len(next(iter(prior.values()))))},
        ),
    }


def by_name(idata: Any, tasks: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Returns draws (chains, draws) by name: NAME[TASK], and of pooled ones NAME_population and NAME_spread."""
    draws, prior = {}, set(map(str, idata["prior"].data_vars))
    for name, variable in idata["posterior"].items():
        values = np.asarray(variable.values, float)
        if values.ndim == 3:
            draws |= {f"{name}[{task}]": values[:, :, i] for i, task in enumerate(tasks)}
        elif name in prior:
            draws[str(name)] = values
    return draws
