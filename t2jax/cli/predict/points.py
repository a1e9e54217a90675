"""The points to predict: a file of them, or one from options."""

from collections.abc import Sequence

import numpy as np

from t2jax.cli.options import refuse_absurd
from t2jax.cli.predict.config import PointOptions
from t2jax.cli.tables.options import ReadingOptions
from t2jax.laws.base import Law
from t2jax.laws.held_inputs import held_values
from t2jax.tables.source import Source
from t2jax.tables.table import Table

SIZES = ("params", "tokens", "samples", "unique_tokens", "compute")
PREDICTED = ("mean", "low", "high", "mean_low", "mean_high", "horizon_decades", "inside")
"""Columns that are added to those of the points."""


def points_of(options: PointOptions, reading: ReadingOptions) -> Table:
    """Reads the points. It raises ValueError unless they are given in exactly one way, and for absurd sizes."""
    sizes = {name: getattr(options, name) for name in SIZES if getattr(options, name) is not None}
    if (options.at is None) == (not sizes):
        raise ValueError("predict needs the points to predict: either --at points.csv, or --params and --tokens")
    if options.at is None:
        points = _one_point(sizes)
    else:
        points = reading.read_points(options.at, options.at_units or reading.units)
    compute = points.compute()
    row = int(compute.argmax())
    if points.has_sizes:
        where = "--params and --tokens" if options.at is None else f"{points.place(row)}, columns 'params' and 'tokens'"
        sizes_text = f"{points['params'][row]:g} and {points['tokens'][row]:g}, "
    else:
        where, sizes_text = "--compute" if options.at is None else f"{points.place(row)}, column 'compute'", ""
    refuse_absurd(compute[row], f"{sizes_text}{compute[row]:g} FLOPs", where)
    taken = [name for name in PREDICTED if name in points]
    if taken:
        raise ValueError(f"{points.source.name}: column {taken[0]!r} has the name of a prediction; rename it")
    return points


def _one_point(sizes: dict[str, float]) -> Table:
    """Makes a table of one row from options. It raises ValueError for a missing one or a wrong number."""
    for name in () if set(sizes) <= {"compute", "samples"} else ("params", "tokens"):
        if name not in sizes:
            raise ValueError(f"predict needs both --params and --tokens; --{name} is missing")
    for name, value in sizes.items():
        least = 1 if name == "samples" else 0
        if not (least <= value < np.inf) or value == 0:
            expected = "a number of at least 1" if least else "a finite number > 0"
            raise ValueError(f"--{name.replace('_', '-')}: found {value:g}, expected {expected}")
    raw = dict.fromkeys(sizes, 1.0)  # a number of an option is meant as it is
    return Table.from_columns(source=Source("the options", units=raw), **{name: [size] for name, size in sizes.items()})


def require_inputs(points: Table, laws: Sequence[type[Law]]) -> None:
    """Checks that the points have the columns that laws read, before any work; without `samples` there is one."""
    for law in laws:
        optional = {"samples", *held_values(law)}
        names = [name for name in law.columns().values() if name in points or name not in optional]
        points.require_numbers(*names, needed_by=law.__name__)
