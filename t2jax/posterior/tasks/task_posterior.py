"""What sampling several tasks together gives: laws of each task, of a typical one and of one not seen."""

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from t2jax.laws.base import Law
from t2jax.posterior.arviz_groups import sample_stats
from t2jax.posterior.chains import Drawn
from t2jax.posterior.diagnosis import Diagnosis
from t2jax.posterior.posterior import LEVEL, summarise
from t2jax.posterior.tasks.pooled_density import Pooled
from t2jax.typing import Array, Float
from t2jax.working_precision import scope


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
        location = {name: drawn[f"{name}_population"].ravel() for name in self.pooled}
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
            location = jax.jit(Pooled.locations)(self.target, found.location)
            spread = jnp.stack([jnp.asarray(found.spread[name], dtype) for name in self.pooled], axis=1)
            drawn = jax.tree.map(np.asarray, jax.jit(Pooled.new_tasks)(self.target, location, spread, key))
        law = type(self.laws)
        return law(**{name: drawn[name] for name in law.declared()})

    def summary(self, level: float = LEVEL) -> pd.DataFrame:
        """As `Posterior.summary`: a row for NAME[TASK], each NAME_population and each NAME_spread."""
        return summarise(self.diagnosis, by_name(self.idata, self.tasks), self.status, level)


def groups(
    target: Pooled, tasks: tuple[str, ...], drawn: Drawn, prior: dict[str, np.ndarray], measured: str, runs: list[Any]
) -> dict[str, Any]:
    """Data sets by group for ArviZ. drawn: of the chains; prior (priors,): of `Pooled`; runs: of each task's rows."""
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
            coords={"chain": np.arange(1), "draw": np.arange(len(next(iter(prior.values()))))},
        ),
    }


def by_name(idata: Any, tasks: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Draws (chains, draws) of each sampled number: NAME[TASK], NAME_population of pooled ones and NAME_spread."""
    found, prior = {}, set(map(str, idata["prior"].data_vars))
    for name, one in idata["posterior"].items():
        values = np.asarray(one.values, float)
        if values.ndim == 3:
            found |= {f"{name}[{task}]": values[:, :, i] for i, task in enumerate(tasks)}
        elif name in prior:
            found[str(name)] = values
    return found
