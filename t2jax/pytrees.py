"""Dataclasses as pytrees whose checks run on creation by a person, but not on reconstruction by JAX."""

from typing import Any, TypeVar

import jax

T = TypeVar("T", bound=type)


def register(cls: T, leaves: tuple[str, ...], static: tuple[str, ...] = ()) -> T:
    """Registers a frozen dataclass as a pytree with the given leaf and static fields, and returns it.

    Reconstruction bypasses `__init__`, because JAX puts tracers, shapes and placeholders in place of numbers.
    """

    def flatten(instance: Any) -> tuple[list[tuple[Any, Any]], tuple[Any, ...]]:
        keyed = [(jax.tree_util.GetAttrKey(name), getattr(instance, name)) for name in leaves]
        return keyed, tuple(getattr(instance, name) for name in static)

    def unflatten(constants: tuple[Any, ...], values: Any) -> Any:
        rebuilt = object.__new__(cls)
        for name, value in (*zip(leaves, values, strict=True), *zip(static, constants, strict=True)):
            object.__setattr__(rebuilt, name, value)
        return rebuilt

    jax.tree_util.register_pytree_with_keys(cls, flatten, unflatten)
    return cls
