"""Parameters and tokens of each model: from a table by the model's name, from options, or from the file."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from t2jax.results.csv_cells import csv_cells
from t2jax.tables.checks import multiplied, to_numbers, unit_factors
from t2jax.tables.place import Place, TableError
from t2jax.tables.reading.cells import normalised, style_of
from t2jax.tables.reading.files.by_suffix import read_bytes

SIZES = ("params", "tokens")


@dataclass(frozen=True)
class ModelSizes:
    """Known sizes by the name of a model.

    Attributes:
        name: The file that they come from, for messages.
        values: Params and tokens by model, each by its column; a size that is not known is missing.
        units: Factor of each size that was not in raw counts.
    """

    name: str
    values: Mapping[str, Mapping[str, float]]
    units: Mapping[str, float] = field(default_factory=dict)

    def find(self, model: str) -> Mapping[str, float]:
        """Returns the sizes of a model, also where one name has the organisation and the other has not.

        It raises TableError without exactly one row for the model.
        """
        wanted = _plain(model)
        names = [name for name in self.values if _plain(name) == wanted]
        names = names or [name for name in self.values if wanted.endswith(f"/{_plain(name)}")]
        if len(names) != 1:
            listed = " and ".join(map(repr, names or list(self.values)[:8]))
            raise TableError(f"{self.name}: found {listed}, expected one row for the model {model!r} of the results")
        return self.values[names[0]]


def read_model_sizes(path: str | os.PathLike[str], units: Mapping[str, str | float]) -> ModelSizes:
    """Reads a CSV table with the columns model, params and tokens, of which one size may be missing.

    Sizes may have suffixes, as in 70M. `units` has the factor of each size that is not in raw counts.
    """
    name = str(path)
    cells, place = csv_cells(read_bytes(Path(path)), name)
    factors = unit_factors(cells, units, place)
    style = style_of(cells, None, place)
    cells = multiplied(normalised(cells, style, factors, place), factors, place)
    columns = [size for size in SIZES if size in cells]
    if "model" not in cells or not columns:
        raise TableError(f"{name}: found columns {', '.join(cells)}, expected model, params and tokens")
    numbers = {size: _positive(cells, place, size) for size in columns}
    named: Any = cells["model"]
    models = [str(model).strip() for model in named]
    repeated = np.array([_plain(model) in map(_plain, models[:i]) for i, model in enumerate(models)], dtype=bool)
    place.refuse("model", repeated, named, "each model once")
    place.refuse("model", np.array([not model for model in models], dtype=bool), named, "a name")
    values = {model: {size: float(numbers[size][i]) for size in columns} for i, model in enumerate(models)}
    return ModelSizes(name, values, factors)


@dataclass(frozen=True)
class KnownSizes:
    """What is known of sizes beside the files.

    Attributes:
        models: Sizes by model, which win over those of the files.
        params: Parameters, for results of one model.
        tokens: Training tokens, for results of one model.
    """

    models: ModelSizes | None
    params: float | None
    tokens: float | None

    def add_to(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
        """Adds the sizes of each model to rows with a column `model`, where they are known.

        It returns the frame, and a sentence for each size of a file that a given one replaces.
        """
        names = list(dict.fromkeys(frame["model"]))
        given = {size: value for size, value in (("params", self.params), ("tokens", self.tokens)) if value is not None}
        for size, value in given.items():
            if len(names) > 1:
                raise TableError(
                    f"found {len(names)} models, but one number of {size}; give a table of models (--models)"
                )
            if not 0 < value < np.inf:
                raise TableError(f"found {value:g} {size}, expected a number > 0")
        sizes = {name: {**(self.models.find(name) if self.models else {}), **given} for name in names}
        notes = []
        for size in SIZES:
            by_name = {name: values[size] for name, values in sizes.items() if size in values}
            if not by_name:
                continue
            models_of_rows = frame["model"].tolist()
            column = np.array([by_name.get(name, np.nan) for name in models_of_rows])
            if size in frame:
                of_file = frame[size].to_numpy(float, na_value=np.nan)
                replaced = ~np.isnan(of_file) & ~np.isnan(column) & (of_file != column)
                by_model = {models_of_rows[i]: of_file[i] for i in np.flatnonzero(replaced)}
                notes += [
                    f"{size} of {name}: {by_name[name]:g} as given, not {old:g} as in its file"
                    for name, old in by_model.items()
                ]
                column = np.where(np.isnan(column), of_file, column)
            frame = frame.assign(**{size: column})
        return frame, notes


def _positive(frame: pd.DataFrame, place: Place, size: str) -> np.ndarray:
    cells: Any = frame[size]
    values = to_numbers(cells, place, size)
    place.refuse(size, ~(np.isfinite(values) & (values > 0)), cells, f"a number of {size} > 0")
    return values


def _plain(name: str) -> str:
    """Writes a name as people compare names: `acme--tiny` and `acme__tiny` are `acme/tiny`."""
    return str(name).strip().replace("--", "/").replace("__", "/").casefold()
