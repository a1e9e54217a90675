"""Traced programs in files, so that the next process does not trace them again.

JAX's own cache holds compiled programs, but a process must trace a function to find its program there.
For the solver of a plan, to trace takes two seconds and to load the trace a third of one.
Programs are stored by `jax.export`, as StableHLO, and only after `store_programs`, which the command line calls.
A program is found again by the function and by the shapes and types of its arguments. Another source of t2jax or
version of JAX has other programs. Arguments with types of other packages, such as a law of the user's, are traced as by
`jax.jit`.
"""

import hashlib
import json
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar, cast

import jax
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
    """

    def __init__(self, function: Callable[P, R]):
        self.function, self.jitted = function, jax.jit(function)
        self.name = f"{function.__module__}.{function.__qualname__}"
        self.programs: dict[str, Callable[..., R]] = {}

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        leaves, tree = jax.tree.flatten(args)
        if _folder is None or kwargs or is_traced(args) or jax.device_count() > 1 or not _is_ours(tree):
            return self.jitted(*args, **kwargs)
        leaves = [jax.numpy.asarray(leaf) for leaf in leaves]
        shapes = [(leaf.shape, str(leaf.dtype)) for leaf in leaves]
        text = repr((self.name, str(tree), shapes, _surroundings(), jax.config.read("jax_enable_x64")))
        key = hashlib.sha256(text.encode()).hexdigest()[:32]
        if key not in self.programs:
            path = _folder / f"{key}.bin"
            self.programs[key] = _load(path) or self._trace(path, tree, leaves)
        return self.programs[key](*leaves)

    def _trace(self, path: Path, tree: Any, leaves: list[jax.Array]) -> Callable[..., R]:
        """Traces the program of the arguments and stores it, if the disk allows."""
        result: list[Any] = []

        def flat(*leaves: jax.Array) -> list[Any]:
            answers, out_tree = jax.tree.flatten(self.function(*jax.tree.unflatten(tree, leaves)))  # pyright: ignore[reportCallIssue]
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
    return [place, list(setting or ()), [_outline(child) for child in tree.children()]]


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
        empty, of_kind = getattr(import_module(module), name), tuple(setting)
    trees = [_structure(child) for child in children]
    return cast(Any, PyTreeDef).from_node_data_and_children(default_registry, (empty, of_kind), trees)


def _is_ours(tree: Any) -> bool:
    """Returns whether all types in a structure are those of t2jax or Python, so that the source digest covers them."""
    node = tree.node_data()
    module = "" if node is None else node[0].__module__
    known = module in ("", "builtins") or module.partition(".")[0] == "t2jax"
    # a class of laws with inputs held at values has the name of the class without them
    known = known and not (node is not None and getattr(node[0], "held", ()))
    return known and all(_is_ours(child) for child in tree.children())


@cache
def _surroundings() -> tuple[str, ...]:
    """Returns what a program depends on beside its arguments: sources, versions and the platform."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest(), jax.__version__, version("jaxlib"), jax.default_backend()
