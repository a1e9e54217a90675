"""The problem that a fit solves: a law, a noise model and the coordinates of their parameters."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from t2jax.laws.base import Law
from t2jax.laws.check import check_law
from t2jax.laws.coordinates import Coordinates
from t2jax.noise.default import default_noise
from t2jax.noise.protocol import Noise, Rows
from t2jax.pytrees import register
from t2jax.tables.measurements import Measurements
from t2jax.tables.place import TableError
from t2jax.tables.table import Table
from t2jax.typing import Array, ArrayLike, Float


@dataclass(frozen=True)
class FitProblem:
    """A law, a noise model and the coordinates in which they are fitted. A pytree whose leaves are the coordinates'.

    coordinates: the law's parameters, then those of the noise that are estimated beside them.
    """

    law: type[Law]
    noise: Noise
    coordinates: Coordinates

    @property
    def names(self) -> tuple[str, ...]:
        """What each coordinate is: the free parameters of the law, then those of the noise."""
        return self.coordinates.free

    @property
    def law_coordinates(self) -> Coordinates:
        """The coordinates of the law alone: the first ones."""
        return self.coordinates.only(self.law.declared())

    @property
    def scales(self) -> tuple[str, ...]:
        """The coordinates that are of the noise: the last ones."""
        return tuple(name for name in self.names if name not in self.law.declared())

    def split(self, u: Float[Array, " free"]) -> tuple[Law, dict[str, Array]]:
        """The law and the noise parameters at coordinates u."""
        noise = self.coordinates.values(u)
        law = self.law(**{name: noise.pop(name) for name in self.law.declared()})
        return law, noise

    def penalties(self, u: Float[Array, " free"], rows: Rows) -> Float[Array, " rows"]:
        """The penalty of each row at u, not yet weighted."""
        law, noise = self.split(u)
        return self.noise.penalty(law, rows, noise)

    def objective(self, u: Float[Array, " free"], rows: Rows) -> Array:
        """The sum of the penalties times the rows' `weight`."""
        return jnp.sum(rows["weight"] * self.penalties(u, rows))

    def read(self, table: Table) -> tuple["FitProblem", Measurements]:
        """The same problem for another table, centred there, and the columns that it reads. Raises as `fit`."""
        return prepare(self.law, table, self.noise, self.coordinates.fixed)

    def unconstrain(self, values: Mapping[str, ArrayLike]) -> Float[Array, " free"]:
        """Coordinates of given parameter values of law and noise."""
        return self.coordinates.unconstrain(values)


register(FitProblem, ("coordinates",), ("law", "noise"))


def prepare(
    law: type[Law], table: Table, noise: Noise | None, fixed: Mapping[str, ArrayLike]
) -> tuple[FitProblem, Measurements]:
    """The problem that `fit` solves and the columns it reads; checks the columns against the law. Raises as `fit`."""
    check_law(law)
    noise = noise or default_noise(law, table)
    return build_problem(law, table, noise, noise.estimated, fixed)


def build_problem(
    law: type[Law], table: Table, noise: Noise, scales: Iterable[str], fixed: Mapping[str, ArrayLike]
) -> tuple[FitProblem, Measurements]:
    """The problem whose unknowns are a law's parameters and the `scales` of the noise, and the columns it reads.

    fixed: values of those of them that are held. Raises as `fit`.
    """
    of_noise = {name: noise.nuisance[name] for name in scales}
    if clash := sorted(set(of_noise) & set(law.declared())):
        raise ValueError(
            f"{law.__name__} and {type(noise).__name__} both have a parameter {clash[0]}; rename the law's"
        )
    columns = noise.columns(law, table)
    table.require_numbers(*columns, needed_by=law.__name__)
    held = (dict(law.gauge) if "loss" not in table else {}) | dict(fixed)
    _refuse_runs_alike(law, table, columns)
    declared = law.declared() | of_noise
    unknown = [name for name in held if name not in declared]
    if unknown:
        raise ValueError(f"{law.__name__} has no parameter {unknown[0]!r} to fix; it has {', '.join(declared)}")
    for name, value in ((name, np.asarray(value)) for name, value in held.items()):
        low, high = declared[name].domain
        # with a law's ends: an irreducible loss may be held at zero, and a scale may not
        inside = low < value < high if name in of_noise else low <= value <= high
        if not (inside and np.isfinite(value)):
            owner = type(noise).__name__ if name in of_noise else law.__name__
            raise ValueError(f"{owner}: {name} cannot be held at {value:g}, its domain is {low:g} to {high:g}")
    inputs = {of for one in declared.values() for of, _ in one.power}
    centred = {name: column for name, column in sorted(law.columns().items()) if name in inputs and column in columns}
    centre = {name: float(np.mean(np.log(table[column]))) for name, column in centred.items()}
    known = {name: table[column] for name, column in law.columns().items() if column in columns}
    problem = FitProblem(law, noise, Coordinates(tuple(declared.items()), held, centre, law.frame(known)))
    return problem, noise.measurements(law, table)


def _refuse_runs_alike(law: type[Law], table: Table, columns: tuple[str, ...]) -> None:
    """Raise TableError where a law reads nothing but k that differs between runs: it is for the rows of one run."""
    read = {name for name in law.columns().values() if name in columns} - {"samples"}
    run = table.runs()
    first = np.unique(run, return_index=True)[1]
    if len(first) == 1 or {"params", "tokens"} & read or any(np.ptp(table[name][first]) > 0 for name in read):
        return
    key = "model" if "model" in table else "params"
    named = ", ".join(sorted(read | {"samples"} & {*columns}))
    said = f"reads {named}, in which no two runs differ" if named else "reads no column that tells runs from each other"
    raise TableError(
        f"{table.source.name}: {law.__name__} {said}, so it is for the rows of one run, and the table has {len(first)}:"
        f" keep one, by table.where({key}=...), in commands --where {key}=..."
    )
