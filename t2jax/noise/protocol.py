"""What every noise model offers."""

from collections.abc import Mapping
from typing import ClassVar, Literal, Protocol

from t2jax.laws.base import Law
from t2jax.laws.parameter import Param
from t2jax.tables.table import Table
from t2jax.typing import Array, Float

Rows = Mapping[str, Array]
Transform = Literal["identity", "log"]


class Noise(Protocol):
    """What every noise model offers.

    nuisance: parameters of the density beside the law's, by name. estimated: those of them that a point fit must
    estimate because they do not drop out of its penalty.
    """

    nuisance: ClassVar[Mapping[str, Param]]
    estimated: ClassVar[tuple[str, ...]]

    def columns(self, law: type[Law], table: Table) -> tuple[str, ...]:
        """The columns of `table` that this model reads for `law`. Raises TableError for a zero whose log it needs."""
        ...

    def penalty(self, law: Law, rows: Rows, nuisance: Rows) -> Float[Array, " rows"]:
        """What a point fit sums over rows; smaller is better."""
        ...

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Float[Array, " rows"]:
        """Log-likelihood of each row: the density of what was measured, whatever its errors are taken of."""
        ...

    def simulate(self, law: Law, rows: Rows, nuisance: Rows, key: Array) -> dict[str, Array]:
        """Columns as the law and this model would have them measured again."""
        ...
