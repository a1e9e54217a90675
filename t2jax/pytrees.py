"""Dataclasses as pytrees whose checks run when a person makes one, not when JAX rebuilds one."""

from typing import Any, TypeVar

import jax

T = TypeVar("T", bound=type)


def register(cls: T, leaves: tuple[str, ...], static: tuple[str, ...] = ()) -> T:
    """Make a frozen dataclass a pytree with the given leaf and static fields, and return it.

    Rebuilding bypasses `__init__`, because JAX puts tracers, shapes and placeholders where numbers were.
    """

    def flatten(one: Any) -> tuple[list[tuple[Any, Any]], tuple[Any, ...]]:
        keyed = [(jax.tree_util.GetAttrKey(name), getattr(one, name)) for name in leaves]
        return keyed, tuple(getattr(one, name) for name in static)

    def unflatten(held: tuple[Any, ...], values: Any) -> Any:
        rebuilt = object.__new__(cls)
        for name, value in (*zip(leaves, values, strict=True), *zip(static, held, strict=True)):
            object.__setattr__(rebuilt, name, value)
        return rebuilt

    jax.tree_util.register_pytree_with_keys(cls, flatten, unflatten)
    return cls
