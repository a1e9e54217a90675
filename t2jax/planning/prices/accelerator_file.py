"""Accelerators of one's own, from a TOML file."""

import tomllib
from pathlib import Path
from typing import Any

from t2jax.planning.prices.hardware import Accelerator

NEEDED = ("flops", "bandwidth", "memory")
OPTIONAL = ("devices", "utilisation", "bandwidth_utilisation", "price")
TEXTS = ("name", "source")


def read_accelerator(path: str | Path) -> Accelerator:
    """Reads an accelerator from a TOML file.

    The file has the keys `flops` (FLOP/s), `bandwidth` (bytes/s) and `memory` (bytes), as `Accelerator` has them.
    It may have `devices`, `utilisation`, `bandwidth_utilisation`, `price`, a `name` and a `source`.

    Args:
        path: The file.

    Returns:
        The accelerator, with the name of the file if it gives none.

    Raises:
        ValueError: When there is no such file, or a key is missing, unknown or wrong. The message names file and key.

    Examples:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "mine.toml"
        >>> path.write_text('name = "my chip"\\nflops = 1e15\\nbandwidth = 4e12\\nmemory = 96e9\\nprice = 3.0') > 0
        True
        >>> chip = t2.planning.read_accelerator(path)
        >>> chip.name, chip.charge(7200.0)
        ('my chip', 6.0)
    """
    file = Path(path)
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{file}: there is no such file; expected an accelerator in TOML") from None
    except (OSError, ValueError) as reason:
        raise ValueError(f"{file}: expected an accelerator in TOML ({reason})") from None
    keys = (*NEEDED, *OPTIONAL, *TEXTS)
    if unknown := [key for key in content if key not in keys]:
        raise ValueError(f"{file}: unknown key {unknown[0]!r}; expected {', '.join(keys)}")
    if missing := [key for key in NEEDED if key not in content]:
        raise ValueError(f"{file}: the key {missing[0]!r} is missing; an accelerator has {', '.join(NEEDED)}")
    numbers: dict[str, Any] = {key: content[key] for key in (*NEEDED, *OPTIONAL) if key in content}
    for key, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"{file}: {key} is {value!r}, expected a number")
    floats: dict[str, Any] = {key: float(value) for key, value in numbers.items()}
    try:
        return Accelerator(str(content.get("name", file.stem)), **floats)
    except ValueError as reason:
        raise ValueError(f"{file}: {reason}") from None
