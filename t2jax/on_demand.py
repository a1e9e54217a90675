"""Public names that a package imports on first use, so that importing the package takes no time."""

import importlib
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any


def names_on_demand(
    package: str, places: Mapping[str, tuple[str, ...]], moved: Mapping[str, tuple[str, ...]] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Makes the functions `__getattr__` and `__dir__` of a package (PEP 562).

    Args:
        package: The package's `__name__`.
        places: Public names by the module that defines them, and modules by their package.
        moved: Names that were in this package before, by the name space that has them now.

    Returns:
        `__getattr__`, which imports a name's module and warns of a moved name, and `__dir__`, which lists public names.
    """
    module_of = {name: module for module, names in places.items() for name in names}
    space_of = {name: space for space, names in (moved or {}).items() for name in names}

    def module_getattr(name: str) -> Any:
        if name in space_of:
            new = f"{package}.{space_of[name]}"
            warnings.warn(
                f"{package}.{name} has moved to {new}.{name}; the old name is removed in the next release",
                DeprecationWarning,
                stacklevel=2,
            )
            return getattr(importlib.import_module(new), name)
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = importlib.import_module(module_of[name])
        if name in vars(module):
            return vars(module)[name]
        return importlib.import_module(f"{module_of[name]}.{name}")

    def module_dir() -> list[str]:
        names_of_package = vars(sys.modules[package])
        return sorted([*names_of_package["__all__"], *(name for name in names_of_package if name.startswith("__"))])

    return module_getattr, module_dir
