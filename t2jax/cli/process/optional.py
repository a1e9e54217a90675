"""Options that may be left out, as --help shows them: by their type, without the word None."""

import dataclasses
from types import NoneType
from typing import Any, get_args

from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo


def registry() -> ConstructorRegistry:
    """What tells tyro that an option of type X or None takes an X, and is None where it is left out."""
    made = ConstructorRegistry()
    made.primitive_rule(_optional)
    return made


def _optional(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    kinds = [one for one in get_args(info.type) if one is not NoneType]
    if len(kinds) != 1 or len(get_args(info.type)) != 2:
        return None
    given = ConstructorRegistry.get_primitive_spec(PrimitiveTypeInfo.make(kinds[0], info.markers))
    if not isinstance(given, PrimitiveConstructorSpec):
        return None
    return dataclasses.replace(
        given,
        is_instance=lambda value: value is None or given.is_instance(value),
        str_from_instance=lambda value: ["None"] if value is None else given.str_from_instance(value),
    )
