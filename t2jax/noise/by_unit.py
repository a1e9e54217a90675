"""Noise whose likelihood is of whole runs or questions, each integrated over what its rows have in common."""

from t2jax.laws.base import Law
from t2jax.noise.counts import BetaBinomial
from t2jax.noise.protocol import LeftOutUnit, Noise, Rows
from t2jax.tables.table import Table
from t2jax.typing import Array


class UnitNoise(Noise):
    """Counts that are read by unit. For `t2.sample` alone: there is no point fit, and losses are not read.

    unit: of what there is a likelihood, and so what `t2.loo` leaves out. Subclasses give `units` and `log_density`.
    """

    def columns(self, law: type[Law], table: Table) -> tuple[str, ...]:
        """As of beta-binomial counts, and `question` where that is the unit. Raises TableError where it is missing."""
        if self.unit == "question":
            table.require("question", needed_by=type(self).__name__)
        return BetaBinomial().columns(law, table)

    def penalty(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        """Raises TypeError: there is no point fit."""
        raise TypeError(f"{type(self).__name__} is for sampling (t2.sample); fit points with noise.BetaBinomial")

    def simulate(self, law: Law, rows: Rows, nuisance: Rows, key: Array) -> dict[str, Array]:
        """Raises TypeError, as `penalty`: only point fits are simulated again."""
        raise TypeError(f"{type(self).__name__} is for sampling (t2.sample); simulate with noise.BetaBinomial")

    def likelihood_unit(self, unit: LeftOutUnit | None) -> LeftOutUnit:
        """Its own. Raises ValueError for another one."""
        own = self.unit or "run"
        if unit not in (None, own):
            raise ValueError(f"sample: unit={unit!r}, but {type(self).__name__} has a likelihood of each {own} only")
        return own

    def require_rows(self, needed_by: str) -> None:
        """Raises TypeError."""
        raise TypeError(f"{needed_by} reads rows, which {type(self).__name__} does not; take noise.BetaBinomial()")
