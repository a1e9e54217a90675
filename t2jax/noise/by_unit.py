"""Noise whose likelihood is of whole runs or questions, each integrated over what its rows have in common."""

from typing import ClassVar, Literal

from t2jax.laws.base import Law
from t2jax.noise.counts import BetaBinomial
from t2jax.noise.protocol import Rows
from t2jax.tables.measurements import Units
from t2jax.tables.table import Table
from t2jax.typing import Array

LeftOutUnit = Literal["run", "question"]


class UnitNoise:
    """Counts that are read by unit. For `t2.sample` alone: there is no point fit, and losses are not read.

    unit: of what there is a likelihood, and so what `t2.loo` leaves out.
    """

    unit: ClassVar[LeftOutUnit]
    estimated: ClassVar[tuple[str, ...]] = ()

    def columns(self, law: type[Law], table: Table) -> tuple[str, ...]:
        """As of beta-binomial counts, and `question` where that is the unit. Raises TableError where it is missing."""
        name = type(self).__name__
        if self.unit == "question":
            table.require("question", needed_by=name)
        return BetaBinomial().columns(law, table)

    def units(self, law: type[Law], table: Table) -> Units:
        """The table as `log_density` reads it."""
        raise NotImplementedError

    def penalty(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        """Raises TypeError: there is no point fit."""
        raise TypeError(f"{type(self).__name__} is for sampling (t2.sample); fit points with noise.BetaBinomial")

    def simulate(self, law: Law, rows: Rows, nuisance: Rows, key: Array) -> dict[str, Array]:
        """Raises TypeError, as `penalty`: only point fits are simulated again."""
        raise TypeError(f"{type(self).__name__} is for sampling (t2.sample); simulate with noise.BetaBinomial")
