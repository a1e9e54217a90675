"""A law as a curve of its unconstrained parameters, on the scale on which discrepancies are added."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.laws.base import Law
from t2jax.laws.held_inputs import held_values
from t2jax.laws.parameter import INPUT_COLUMNS, Param
from t2jax.noise.residuals import response
from t2jax.tables.place import TableError
from t2jax.tables.table import Table
from t2jax.typing import Array, Float
from t2jax.working_precision import scope, to_host

Scale = Literal["log", "logit"]
DRAWS = 256
SMALLEST_LENGTH = 64
REACH = 5.0
"""Standard deviations of the prior within which a start lies."""
COLUMNS = frozenset(INPUT_COLUMNS.values())


def padded_length(count: int) -> int:
    """Rounds a number of rows up to a power of two, so that the parts of a forward chain share compiled programs."""
    return max(SMALLEST_LENGTH, 1 << (count - 1).bit_length())


@dataclass(frozen=True)
class DeviceRows:
    """Columns that were moved to the device once, for a search that reads them many times.

    Attributes:
        columns: The columns, padded so that tables of similar length share a compiled program.
        count: Number of rows.
    """

    columns: dict[str, Array]
    count: int

    @classmethod
    def of(cls, columns: "Mapping[str, np.ndarray] | DeviceRows") -> "DeviceRows":
        """Moves columns to the device, unless they are there."""
        if isinstance(columns, DeviceRows):
            return columns
        count = len(next(iter(columns.values())))
        extra = (0, padded_length(count) - count)
        with scope() as dtype:
            padded = {name: jnp.asarray(np.pad(column, extra, mode="edge"), dtype) for name, column in columns.items()}
        return cls(padded, count)


@dataclass(frozen=True)
class ResponseCurve:
    """A law's response on the log or logit scale, as a function of its free parameters.

    Losses are compared by their logs, since errors of a law are relative. pass@k is compared by its logit, because an
    error of the log would predict more than 1 where most questions are solved.

    Attributes:
        law: The law class.
        response: Column that the law predicts.
        fixed: Values of the fixed parameters by name.
    """

    law: type[Law]
    response: str
    fixed: Mapping[str, float]

    @classmethod
    def of(cls, law: type[Law], table: Table, fixed: Mapping[str, float]) -> "ResponseCurve":
        """Reads which column of a table the law predicts, and fixes its gauge where no loss fixes the scale.

        Raises:
            TableError: The table has counts, or lacks a column.
        """
        name = response(law, table)
        if name not in table:
            counts = "; average counts of samples to pass_at_k first" if "correct" in table else ""
            raise TableError(f"{table.source.name}: {law.__name__} needs a column {name!r} here{counts}")
        gauge = law.gauge if name != "loss" else {}  # a loss beside another response is not read here
        return cls(law, name, {**gauge, **fixed})

    @property
    def scale(self) -> Scale:
        """Scale on which responses are compared."""
        return "logit" if self.response == "pass_at_k" else "log"

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the free parameters, in the order of the coordinates."""
        return tuple(name for name in self.law.declared() if name not in self.fixed)

    @cached_property
    def prior(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of each coordinate under the priors of the law, shape (free,) each.

        They are exact for normal and lognormal priors; of others the central 68 % are matched.
        """
        moments = np.array([_moments(self.law.declared()[name]) for name in self.names])
        return moments[:, 0], moments[:, 1]

    def draws(self, key: Array) -> Float[np.ndarray, "draws free"]:
        """Draws coordinates from the priors, among which a fit finds its starts."""
        mean, spread = self.prior
        seed = np.asarray(jax.random.key_data(key))
        return mean + spread * np.random.default_rng(seed).standard_normal((DRAWS, len(mean)))

    def coordinates(self, law: Law) -> Float[np.ndarray, " free"]:
        """Computes the coordinates of a law; a parameter at the end of its domain moves to the tail of its prior."""
        declared, values, (mean, spread) = self.law.declared(), law.values(), self.prior
        with scope():
            u = np.array([float(declared[name].unconstrain(values[name])) for name in self.names])
        return np.clip(np.where(np.isnan(u), mean, u), mean - REACH * spread, mean + REACH * spread)

    def read(self, table: Table) -> dict[str, np.ndarray]:
        """Reads the columns that the law reads; a missing `samples` column means one sample."""
        optional = {"samples", *held_values(self.law)}
        names = [name for name in self.law.columns().values() if name in table or name not in optional]
        table.require_numbers(*names, needed_by=self.law.__name__)
        columns = {name: np.asarray(table[name], float) for name in names}
        return columns if "samples" in columns else {**columns, "samples": np.ones(len(table))}

    def places(self, columns: Mapping[str, np.ndarray]) -> Float[np.ndarray, "rows inputs"]:
        """Computes the places of rows in the logs of the law's sizes: params, tokens, samples and unique tokens.

        A law that reads none of these, such as one of compute alone, has the logs of all its inputs.
        """
        read = tuple(self.law.columns().values())
        sizes = [name for name in read if name in COLUMNS] or read
        return np.log(np.stack([columns[name] for name in sizes], axis=1))

    def measured(self, table: Table) -> Float[np.ndarray, " rows"]:
        """Reads the measurements on the scale of the comparison; it is infinite for a pass@k of 0 or 1."""
        with np.errstate(divide="ignore"):
            value = np.asarray(table[self.response], float)
            return np.log(value) - (np.log1p(-value) if self.scale == "logit" else 0.0)

    def precision(self, table: Table) -> Float[np.ndarray, " rows"]:
        """Computes the precision of each row relative to the others, on the scale of the comparison.

        It is 1 for losses. A share p of right samples has an error of its logit with a variance inverse to p(1-p).
        """
        value = np.asarray(table[self.response], float)
        return 4 * value * (1 - value) if self.scale == "logit" else np.ones(len(value))

    def to_response(self, value: np.ndarray) -> np.ndarray:
        """Turns values on the scale of the comparison into responses."""
        return np.exp(value) if self.scale == "log" else 1 / (1 + np.exp(-value))

    def evaluate(
        self, u: Float[np.ndarray, " free"], columns: Mapping[str, np.ndarray] | DeviceRows
    ) -> tuple[np.ndarray, np.ndarray]:
        """Computes the response of each row, and its derivatives by the coordinates.

        Returns:
            Values of shape (rows,) and derivatives of shape (rows, free), on the scale of the comparison.
        """
        rows = DeviceRows.of(columns)
        with scope() as dtype:
            values, slopes = _curve(self.law, self.scale, self.names, np.asarray(u, dtype), self._fixed, rows.columns)
            return np.asarray(values, float)[: rows.count], np.asarray(slopes, float)[: rows.count]

    def evaluate_many(
        self, u: Float[np.ndarray, "starts free"], columns: Mapping[str, np.ndarray] | DeviceRows
    ) -> Float[np.ndarray, "starts rows"]:
        """Computes the response of each row for many coordinates."""
        rows = DeviceRows.of(columns)
        padded = np.pad(u, ((0, padded_length(len(u)) - len(u)), (0, 0)), mode="edge")  # few shapes are compiled
        with scope() as dtype:
            values = _curves(self.law, self.scale, self.names, np.asarray(padded, dtype), self._fixed, rows.columns)
            return np.asarray(values, float)[: len(u), : rows.count]

    @cached_property
    def _fixed(self) -> dict[str, np.ndarray]:
        return {name: np.asarray(value, float) for name, value in self.fixed.items()}

    def law_at(self, u: Float[np.ndarray, "... free"]) -> Law:
        """Returns the law at coordinates, or a batch of laws for coordinates of shape (draws, free)."""
        with scope():
            at, declared = jnp.asarray(u, float), self.law.declared()
            free = {name: declared[name].constrain(at[..., i]) for i, name in enumerate(self.names)}
            fixed = {name: jnp.full(at.shape[:-1], float(value)) for name, value in self.fixed.items()}
            return to_host(self.law(**{name: {**fixed, **free}[name] for name in declared}))


def _moments(parameter: Param) -> tuple[float, float]:
    with scope():
        ends = np.asarray(parameter.unconstrain(parameter.quantiles(np.array([0.1587, 0.5, 0.8413]))), float)
    return float(ends[1]), float(ends[2] - ends[0]) / 2


def _values(
    law: type[Law], scale: Scale, names: tuple[str, ...], u: Array, fixed: dict[str, Array], rows: dict[str, Array]
) -> Array:
    declared = law.declared()
    free = {name: declared[name].constrain(u[i]) for i, name in enumerate(names)}
    return compared_response(law(**{name: {**fixed, **free}[name] for name in declared}), scale, rows)


def compared_response(law: Law, scale: Scale, rows: Mapping[str, Array]) -> Array:
    """Computes a law's response at rows on the scale of the comparison."""
    if scale == "log":
        return jnp.log(law.predict(rows))
    log_pass = -law.cost(**law.arguments(rows))
    return log_pass - jnp.log(-jnp.expm1(log_pass))


@partial(jax.jit, static_argnums=(0, 1, 2))
def _curve(
    law: type[Law], scale: Scale, names: tuple[str, ...], u: Array, fixed: dict[str, Array], rows: dict[str, Array]
) -> tuple[Array, Array]:
    def values(u: Array) -> Array:
        return _values(law, scale, names, u, fixed, rows)

    return values(u), jax.jacfwd(values)(u)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _curves(
    law: type[Law], scale: Scale, names: tuple[str, ...], u: Array, fixed: dict[str, Array], rows: dict[str, Array]
) -> Array:
    return jax.vmap(lambda point: _values(law, scale, names, point, fixed, rows))(u)
