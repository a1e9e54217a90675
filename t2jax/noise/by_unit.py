"""Noise models whose likelihood belongs to a whole run or question instead of a row."""

from t2jax.laws.base import Law
from t2jax.noise.counts import BetaBinomial
from t2jax.noise.protocol import LeftOutUnit, Noise, Rows
from t2jax.tables.table import Table
from t2jax.typing import Array


class UnitNoise(Noise):
    """Base of noise models for counts whose likelihood belongs to a unit of several rows.

    These models are for `t2.sample` alone. They have no point fit and do not read losses.
    Subclasses define `unit`, `units` and `log_density`. The unit is also what `t2.loo` leaves out.
    """

    def columns(self, law: type[Law], table: Table) -> tuple[str, ...]:
        """Lists the columns of beta-binomial counts, and checks for `question` where that is the unit.

        Args:
            law: The law class.
            table: The table of counts.

        Returns:
            Names of the columns.

        Raises:
            TableError: The unit is a question and the column is missing.
        """
        if self.unit == "question":
            table.require("question", needed_by=type(self).__name__)
        return BetaBinomial().columns(law, table)

    def penalty(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        """Refuses a point fit.

        Raises:
            TypeError: Always, because only `t2.sample` takes this model.
        """
        raise TypeError(f"{type(self).__name__} is for sampling (t2.sample); fit points with noise.BetaBinomial")

    def simulate(self, law: Law, rows: Rows, nuisance: Rows, key: Array) -> dict[str, Array]:
        """Refuses to simulate, because only point fits simulate tables.

        Raises:
            TypeError: Always.
        """
        raise TypeError(f"{type(self).__name__} is for sampling (t2.sample); simulate with noise.BetaBinomial")

    def likelihood_unit(self, unit: LeftOutUnit | None) -> LeftOutUnit:
        """Returns the model's unit.

        Raises:
            ValueError: Another unit was asked for.
        """
        default = self.unit or "run"
        if unit not in (None, default):
            raise ValueError(
                f"sample: unit={unit!r}, but {type(self).__name__} has a likelihood of each {default} only"
            )
        return default

    def require_rows(self, needed_by: str) -> None:
        """Refuses callers that need one likelihood for each row.

        Raises:
            TypeError: Always.
        """
        raise TypeError(f"{needed_by} reads rows, which {type(self).__name__} does not; take noise.BetaBinomial()")
