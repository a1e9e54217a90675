"""Traced programs in files, so that the next process does not trace them again.

JAX's own cache holds compiled programs, but a process must trace a function to find its program there.
For the solver of a plan or a fit, to trace takes two seconds and to load the trace a third of one.
Programs are stored by `jax.export`, as StableHLO, and only after `store_programs`, which the command line calls.
A program is found again by the function, by the shapes and types of its arguments, and by what is no array in them.
Another source of t2jax or version of JAX has other programs. Arguments with types of other packages, such as a law of
the user's, are traced as by `jax.jit`.
"""

import dataclasses
import hashlib
import inspect
import json
import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar, cast

import jax
import numpy as np
from jax.tree_util import PyTreeDef, default_registry

from t2jax.files import whole
from t2jax.working_precision import is_traced

P = ParamSpec("P")
R = TypeVar("R")
PACKAGE = Path(__file__).parents[2]
_folder: Path | None = None


def store_programs(folder: Path | None) -> None:
    """Stores the programs of this process in a folder, or stores none."""
    global _folder
    _folder = folder


class StoredProgram(Generic[P, R]):
    """A function as by `jax.jit`, whose traced programs are stored in files.

    Every leaf of its arguments is an array or a number. The function reads nothing else.

    Args:
        function: The function. Its result has arrays as leaves, in tuples, lists, dictionaries and classes of t2jax.
        settings: Names of arguments that are static: numbers, texts or None, given by keyword.
    """

    def __init__(self, function: Callable[P, R], settings: tuple[str, ...] = ()):
        self.function, self.jitted = function, jax.jit(function, static_argnames=settings)
        self.name = f"{function.__module__}.{function.__qualname__}"
        self.programs: dict[str, Callable[..., R]] = {}

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        leaves, tree = jax.tree.flatten(args)
        if _folder is None or is_traced(args) or jax.device_count() > 1:
            return self.jitted(*args, **kwargs)
        try:
            constants = _text(kwargs), _text_of_tree(tree)
        except ForeignError:
            return self.jitted(*args, **kwargs)
        leaves = jax.device_put(leaves)  # jnp.asarray would compile for every shape
        shapes = [(leaf.shape, str(leaf.dtype)) for leaf in leaves]
        text = repr((self.name, constants, shapes, _surroundings(), jax.config.read("jax_enable_x64")))
        key = hashlib.sha256(text.encode()).hexdigest()[:32]
        if key not in self.programs:
            path = _folder / f"{key}.bin"
            self.programs[key] = _load(path) or self._trace(path, tree, leaves, kwargs)
        return self.programs[key](*leaves)

    def _trace(self, path: Path, tree: Any, leaves: list[jax.Array], settings: Any) -> Callable[..., R]:
        """Traces the program of the arguments and stores it, if the disk allows."""
        result: list[Any] = []

        def flat(*leaves: jax.Array) -> list[Any]:
            structured = self.function(*jax.tree.unflatten(tree, leaves), **settings)  # pyright: ignore[reportCallIssue]
            answers, out_tree = jax.tree.flatten(structured)
            result.append(out_tree)
            return answers

        from jax import export  # slow to load, and only needed by a program that is new

        exported = export.export(jax.jit(flat))(*(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves))
        try:
            outline = json.dumps(_outline(result[0])).encode()
            with whole(path) as unfinished:
                unfinished.write_bytes(outline + b"\n" + exported.serialize())
        except OSError:  # a full disk: this process has its program
            pass
        return _callable(exported, result[0])


def _load(path: Path) -> Callable[..., Any] | None:
    """Loads a program, or returns None without a usable file."""
    from jax import export

    try:
        outline, _, program = path.read_bytes().partition(b"\n")
        return _callable(export.deserialize(bytearray(program)), _structure(json.loads(outline)))
    except Exception:  # no file yet, or one that was cut off, for which flatbuffers has errors of its own
        return None


def _callable(exported: Any, out_tree: Any) -> Callable[..., Any]:
    """Returns the program as a function of leaves, which the cache of JAX finds compiled."""
    program = jax.jit(exported.call)
    return lambda *leaves: jax.tree.unflatten(out_tree, program(*leaves))


def _outline(tree: Any) -> Any:
    """Returns a structure of tuples, lists, dictionaries and t2jax's classes without settings, as JSON."""
    node = tree.node_data()
    if node is None:
        return "leaf"
    kind, setting = node
    place = f"{kind.__module__}:{kind.__qualname__}"
    return [place, None if setting is None else list(setting), [_outline(child) for child in tree.children()]]


def _structure(outline: Any) -> Any:
    """Returns the structure of an outline. It raises ValueError for a class that is not of t2jax."""
    if outline == "leaf":
        return jax.tree.structure(0)
    place, setting, children = outline
    module, _, name = place.partition(":")
    if module == "builtins":
        empty: Any = {"tuple": tuple, "list": list, "dict": dict, "NoneType": type(None)}[name]
        of_kind: Any = setting if empty is dict else None
    else:
        if module.partition(".")[0] != "t2jax":
            raise ValueError(f"{place} is no class of t2jax")
        empty, of_kind = getattr(import_module(module), name), None if setting is None else tuple(setting)
    trees = [_structure(child) for child in children]
    return cast(Any, PyTreeDef).from_node_data_and_children(default_registry, (empty, of_kind), trees)


class ForeignError(Exception):
    """Arguments have something of another package, which the digest of t2jax's sources does not cover."""


def _text_of_tree(tree: Any) -> str:
    """Writes the types and constants of a structure. It raises ForeignError for those of other packages."""
    node = tree.node_data()
    if node is None:
        return "leaf"
    kind, constants = node
    # a class of laws with inputs held at values has the name of the class without them
    if not (kind.__module__ == "builtins" or _is_ours(kind)) or getattr(kind, "held", ()):
        raise ForeignError
    children = map(_text_of_tree, tree.children())
    return f"{kind.__module__}.{kind.__qualname__}[{_text(constants)}]({', '.join(children)})"


def _text(constant: Any) -> str:
    """Writes a constant of a program. It raises ForeignError for one that is not of Python, t2jax or NumPyro."""
    kind = type(constant)
    if constant is None or kind in (bool, int, float, str):
        return repr(constant)
    if kind in (tuple, list):
        return f"({', '.join(map(_text, constant))})"
    if isinstance(constant, Mapping):
        return f"{{{', '.join(f'{_text(name)}: {_text(value)}' for name, value in constant.items())}}}"
    if isinstance(constant, type):
        # a class made while t2jax runs, such as a law on another, is not found in its module
        if not _is_ours(constant) or vars(sys.modules[constant.__module__]).get(constant.__qualname__) is not constant:
            raise ForeignError
        return f"{constant.__module__}.{constant.__qualname__}"
    if _is_ours(kind) and dataclasses.is_dataclass(constant):
        values = {field.name: getattr(constant, field.name) for field in dataclasses.fields(constant)}
    elif kind.__module__.startswith("numpyro.distributions.") and _has_numbers_only(kind):
        values = {name: np.asarray(getattr(constant, name)).tolist() for name in kind.arg_constraints}
    else:
        raise ForeignError
    return f"{kind.__module__}.{kind.__qualname__}{_text(values)}"


def _has_numbers_only(distribution: type[Any]) -> bool:
    """Returns whether the parameters of a distribution are all that it is made from, unlike a truncated one."""
    arguments = inspect.signature(distribution).parameters.keys() - {"validate_args"}
    return arguments == distribution.arg_constraints.keys()


def _is_ours(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == "t2jax"


@cache
def _surroundings() -> tuple[str, ...]:
    """Returns what a program depends on beside its arguments: sources, versions and the platform."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.read_bytes())
    versions = map(version, ("jax", "jaxlib", "numpyro"))
    return digest.hexdigest(), *versions, jax.default_backend()
