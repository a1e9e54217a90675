"""Optimisation problem of a fit: a law, a noise model and the coordinates of their parameters."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from t2jax.laws.base import Law
from t2jax.laws.check import check_law
from t2jax.laws.coordinates import Coordinates
from t2jax.laws.parameter import Param
from t2jax.noise.default import default_noise
from t2jax.noise.protocol import Noise, Rows
from t2jax.pytrees import register
from t2jax.tables.measurements import Measurements
from t2jax.tables.place import TableError
from t2jax.tables.table import Table
from t2jax.typing import Array, ArrayLike, Float


@dataclass(frozen=True)
class FitProblem:
    """A law, a noise model and their coordinates, as a pytree whose leaves are those of the coordinates.

    Attributes:
        law: The law class.
        noise: The noise model.
        coordinates: Coordinates of the law's parameters, then of the noise parameters that are estimated beside them.
    """

    law: type[Law]
    noise: Noise
    coordinates: Coordinates

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coordinates: the free parameters of the law, then those of the noise."""
        return self.coordinates.free

    @property
    def law_coordinates(self) -> Coordinates:
        """Coordinates of the law alone, which come first."""
        return self.coordinates.only(self.law.declared())

    @property
    def scales(self) -> tuple[str, ...]:
        """Names of the free noise parameters, which come last."""
        return tuple(name for name in self.names if name not in self.law.declared())

    def split(self, u: Float[Array, " free"]) -> tuple[Law, dict[str, Array]]:
        """Returns the law and the noise parameters at coordinates u."""
        noise = self.coordinates.values(u)
        law = self.law(**{name: noise.pop(name) for name in self.law.declared()})
        return law, noise

    def penalties(self, u: Float[Array, " free"], rows: Rows) -> Float[Array, " rows"]:
        """Returns the penalty of each row at u, without weights."""
        law, noise = self.split(u)
        return self.noise.penalty(law, rows, noise)

    def objective(self, u: Float[Array, " free"], rows: Rows) -> Array:
        """Returns the sum of penalties times the rows' `weight`."""
        return jnp.sum(rows["weight"] * self.penalties(u, rows))

    def read(self, table: Table) -> tuple["FitProblem", Measurements]:
        """Returns the same problem for another table, centred there, and its measurements; raises as `fit` does."""
        return prepare(self.law, table, self.noise, self.coordinates.fixed)

    def unconstrain(self, values: Mapping[str, ArrayLike]) -> Float[Array, " free"]:
        """Returns coordinates of given parameter values of law and noise."""
        return self.coordinates.unconstrain(values)


register(FitProblem, ("coordinates",), ("law", "noise"))


def prepare(
    law: type[Law], table: Table, noise: Noise | None, fixed: Mapping[str, ArrayLike]
) -> tuple[FitProblem, Measurements]:
    """Returns the problem that `fit` solves and its measurements, after checks of the columns against the law.

    It raises as `fit` does.
    """
    check_law(law)
    noise = noise or default_noise(law, table)
    return build_problem(law, table, noise, noise.estimated, fixed)


def build_problem(
    law: type[Law], table: Table, noise: Noise, scales: Iterable[str], fixed: Mapping[str, ArrayLike]
) -> tuple[FitProblem, Measurements]:
    """Returns the problem with a law's parameters and the noise `scales` as unknowns, and its measurements.

    `fixed` has the values of parameters or scales that are not estimated. It raises as `fit` does.
    """
    noise_params = {name: noise.nuisance[name] for name in scales}
    if clash := sorted(set(noise_params) & set(law.declared())):
        raise ValueError(
            f"{law.__name__} and {type(noise).__name__} both have a parameter {clash[0]}; rename the law's"
        )
    columns = noise.columns(law, table)
    table.require_numbers(*columns, needed_by=law.__name__)
    fixed_values = (dict(law.gauge) if "loss" not in table else {}) | dict(fixed)
    _refuse_several_runs(law, table, columns)
    declared = law.declared() | noise_params
    refuse_fixed(law, fixed_values, type(noise).__name__, noise_params)
    inputs = {column_input for parameter in declared.values() for column_input, _ in parameter.power}
    centred = {name: column for name, column in sorted(law.columns().items()) if name in inputs and column in columns}
    centre = {name: float(np.mean(np.log(table[column]))) for name, column in centred.items()}
    frame_rows = {name: table[column] for name, column in law.columns().items() if column in columns}
    problem = FitProblem(law, noise, Coordinates(tuple(declared.items()), fixed_values, centre, law.frame(frame_rows)))
    return problem, noise.measurements(law, table, fixed_values)


def refuse_fixed(
    law: type[Law], fixed: Mapping[str, ArrayLike], noise: str = "", noise_params: Mapping[str, Param] | None = None
) -> None:
    """Raises ValueError for a fixed name that neither the law nor its noise has, or a value outside its domain."""
    scales = noise_params or {}
    declared = law.declared() | dict(scales)
    unknown = [name for name in fixed if name not in declared]
    if unknown:
        raise ValueError(f"{law.__name__} has no parameter {unknown[0]!r} to fix; it has {', '.join(declared)}")
    for name, value in ((name, np.asarray(value)) for name, value in fixed.items()):
        low, high = declared[name].domain
        # an irreducible loss may be fixed at zero, the end of its domain; a scale may not
        in_domain = low < value < high if name in scales else low <= value <= high
        if not (in_domain and np.isfinite(value)):
            owner = noise if name in scales else law.__name__
            raise ValueError(f"{owner}: {name} cannot be fixed at {value:g}, its domain is {low:g} to {high:g}")


def _refuse_several_runs(law: type[Law], table: Table, columns: tuple[str, ...]) -> None:
    """Raises TableError if a law for the rows of one run meets a table of several runs.

    Such a law reads no column but k that differs between runs.
    """
    inputs = {name for name in law.columns().values() if name in columns} - {"samples"}
    run_of_row = table.runs()
    firsts = np.unique(run_of_row, return_index=True)[1]
    if len(firsts) == 1 or {"params", "tokens"} & inputs or any(np.ptp(table[name][firsts]) > 0 for name in inputs):
        return
    key = "model" if "model" in table else "params"
    names = ", ".join(sorted(inputs | {"samples"} & {*columns}))
    reason = (
        f"reads {names}, in which no two runs differ" if names else "reads no column that tells runs from each other"
    )
    raise TableError(
        f"{table.source.name}: {law.__name__} {reason}, so it is for the rows of one run, and the table"
        f" has {len(firsts)}: keep one, by table.where({key}=...), in commands --where {key}=..."
    )
