"""Checks of the arguments of public functions, by their annotations."""

import inspect
import os
import warnings
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar, get_args, get_origin

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from t2jax.laws.base import Law
from t2jax.tables.table import Table

P = ParamSpec("P")
R = TypeVar("R")


def check_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """Wraps a function so that its arguments are checked before each call.

    It checks arguments of t2jax's types and the argument `key`, and turns a DataFrame into a `Table`.

    Args:
        function: A function with annotations: `type[Law]` is a class, `Law` has values, `Table` is a table.

    Returns:
        A function that raises TypeError for an argument of another type, and TableError for an invalid DataFrame.
    """
    signature = inspect.signature(function)

    @wraps(function)
    def checked_function(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{function.__name__}: {error}") from None
        for name, value in bound.arguments.items():
            bound.arguments[name] = _check_argument(
                function.__name__, name, signature.parameters[name].annotation, value
            )
        return function(*bound.args, **bound.kwargs)

    return checked_function


def renamed(**new_names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Lets a function take arguments by the names that they had in the release before, with a DeprecationWarning.

    Args:
        new_names: New name of each argument by its old name.

    Returns:
        A decorator of the function.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def with_new_names(*args: P.args, **kwargs: P.kwargs) -> R:
            for old, new in new_names.items():
                if old in kwargs:
                    message = f"{function.__name__}: {old} is now {new}; the old name is removed in the next release"
                    warnings.warn(message, DeprecationWarning, stacklevel=2)
                    kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return with_new_names

    return decorate


def _check_argument(function: str, name: str, wanted: Any, given: Any) -> Any:
    """Returns the argument in the type that the function takes, or raises TypeError."""
    if name == "key":
        return _key(function, given)
    if get_origin(wanted) is type and get_args(wanted) == (Law,):
        return _law_class(function, name, given)
    if wanted is Law:
        return _law_with_values(function, name, given)
    if wanted is Table or Table in get_args(wanted):
        return _table(function, name, wanted, given)
    if name == "noise" and given is not None:
        return _noise(function, given)
    if isinstance(wanted, type) and wanted.__module__.startswith("t2jax.") and not isinstance(given, wanted):
        raise TypeError(f"{function}: {name} is {_describe(given)}, expected a {wanted.__name__}")
    return given


def _law_class(function: str, name: str, given: Any) -> type[Law]:
    if isinstance(given, type) and issubclass(given, Law):
        return given
    message = f"{function}: {name} is {_describe(given)}, expected a class of laws"
    if isinstance(given, Law):
        raise TypeError(f"{message}: write {type(given).__name__}, without values")
    if isinstance(given, str):
        raise TypeError(f"{message}: write t2.laws.by_name({given!r}), or a class such as t2.laws.Chinchilla")
    raise TypeError(f"{message} such as t2.laws.Chinchilla")


def _law_with_values(function: str, name: str, given: Any) -> Law:
    if isinstance(given, Law):
        return given
    message = f"{function}: {name} is {_describe(given)}, expected a law with values"
    if isinstance(given, type) and issubclass(given, Law):
        raise TypeError(f"{message}, as t2.fit({given.__name__}, table, key=key).law")
    for inner in ("law", "laws"):
        if isinstance(getattr(given, inner, None), Law):
            raise TypeError(f"{message}: write its .{inner}")
    raise TypeError(f"{message}, such as the .law of a fit")


def _table(function: str, name: str, wanted: Any, given: Any) -> Any:
    if isinstance(given, pd.DataFrame):
        return Table(given)
    containers = tuple(filter(None, (get_origin(part) or part for part in get_args(wanted))))
    if isinstance(given, (Table, *containers)):
        return given
    message = f"{function}: {name} is {_describe(given)}, expected a Table"
    if isinstance(given, str | os.PathLike):
        raise TypeError(f"{message}: write t2.read_table({os.fspath(given)!r})")
    if isinstance(given, Mapping):
        raise TypeError(f"{message}: write t2.Table.from_columns(**columns)")
    raise TypeError(f"{message}, such as t2.read_table gives")


def _noise(function: str, given: Any) -> Any:
    """Returns a noise model; it is recognised by its members, since `Noise` is defined after laws."""
    if hasattr(given, "penalty") and not isinstance(given, type):
        return given
    message = f"{function}: noise is {_describe(given)}, expected a noise model"
    if isinstance(given, type):
        raise TypeError(f"{message}: write {given.__name__}()")
    raise TypeError(f"{message} such as t2.noise.Huber()")


def _key(function: str, given: Any) -> Any:
    dtype = getattr(given, "dtype", None)
    if dtype is not None and (jnp.issubdtype(dtype, jax.dtypes.prng_key) or dtype == np.uint32):
        return given
    seed = given if isinstance(given, int) and not isinstance(given, bool) else 0
    raise TypeError(f"{function}: key is {_describe(given)}, expected a random key: write key=jax.random.key({seed})")


def _describe(given: Any) -> str:
    """Describes a value in a few words."""
    if isinstance(given, str | int | float | os.PathLike) or given is None:
        text = repr(os.fspath(given) if isinstance(given, os.PathLike) else given)
        return text if len(text) < 60 else f"{text[:56]}..."
    if isinstance(given, type):
        return f"the class {given.__name__}"
    article = "an" if type(given).__name__[0] in "AEIOUaeiou" else "a"
    return f"{article} {type(given).__name__}"
