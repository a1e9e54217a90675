"""How options are shown: those with a default of None by their type alone, and without colour where none is wanted."""

import dataclasses
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import NoneType
from typing import Any, get_args

from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo


def registry() -> ConstructorRegistry:
    """Returns a tyro registry in which an option of type X or None takes an X, and is None by default."""
    result = ConstructorRegistry()
    result.primitive_rule(_optional)
    return result


def _optional(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """Returns how tyro parses an option of type X or None, and None for other types."""
    types = [type_ for type_ in get_args(info.type) if type_ is not NoneType]
    if len(types) != 1 or len(get_args(info.type)) != 2:
        return None
    spec = ConstructorRegistry.get_primitive_spec(PrimitiveTypeInfo.make(types[0], info.markers))
    if not isinstance(spec, PrimitiveConstructorSpec):
        return None
    return dataclasses.replace(
        spec,
        is_instance=lambda value: value is None or spec.is_instance(value),
        str_from_instance=lambda value: ["None"] if value is None else spec.str_from_instance(value),
    )


@contextmanager
def without_colour() -> Iterator[None]:
    """Leaves colours out of help and errors if the variable NO_COLOR is set (no-color.org)."""
    terminal = os.environ.get("TERM")
    if not os.environ.get("NO_COLOR"):
        yield
        return
    os.environ["TERM"] = "dumb"
    try:
        yield
    finally:
        if terminal is None:
            del os.environ["TERM"]
        else:
            os.environ["TERM"] = terminal
