"""The rows beside a fitted law, from which a command can fit again."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from t2jax.fitting.law_files import class_of, read_law_file
from t2jax.laws.base import Law
from t2jax.tables.read import read_table
from t2jax.tables.table import Table

REMEDY = "fit the table again with this version of `t2jax fit`, or give the table itself"


@dataclass(frozen=True)
class FittedRows:
    """What a law was fitted to.

    Attributes:
        law: Class of the law.
        fixed: Values of the fixed parameters by name.
        table: The rows.
    """

    law: type[Law]
    fixed: dict[str, float]
    table: Table


def load_fitted_rows(path: str | os.PathLike[str], law: type[Law] | None = None) -> FittedRows:
    """Reads the rows that the file of a law names, with its class and its fixed parameters.

    Args:
        path: The file that `t2jax fit` wrote.
        law: Class of the law, where it is not one of t2jax.

    Returns:
        The class, the fixed parameters and the rows.

    Raises:
        ValueError: The file is no such file or names no rows, the rows are missing or have changed, or the fit failed.
    """
    path = Path(path)
    content = read_law_file(path)
    parameters = content["parameters"].items()
    try:
        fixed = {name: float(entry["value"]) for name, entry in parameters if entry.get("fixed", False)}
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: not a law that t2jax wrote ({type(error).__name__}: {error})") from None
    law = law or class_of(content["law"], path, content.get("origin"))
    return FittedRows(law, fixed, _read_rows(path, content.get("rows")))


def _read_rows(path: Path, rows: Any) -> Table:
    """Reads the rows beside a law. It raises ValueError if they are not those that were fitted."""
    if not isinstance(rows, dict) or not {"file", "sha256"} <= rows.keys():
        raise ValueError(f"{path}: the file does not name the rows that were fitted, as of a posterior; {REMEDY}")
    beside = path.with_name(Path(str(rows["file"])).name)
    try:
        data = beside.read_bytes()
    except OSError as error:
        reason = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        raise ValueError(
            f"{beside}: {reason}, but {path.name} names it as the rows that were fitted; {REMEDY}"
        ) from None
    if hashlib.sha256(data).hexdigest() != rows["sha256"]:
        raise ValueError(f"{beside}: the rows have changed since {path.name} was fitted to them; {REMEDY}")
    return read_table(beside)
