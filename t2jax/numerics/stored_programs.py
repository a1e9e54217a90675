"""Compiled programs in files, so that the next process neither traces nor compiles them.

JAX's own cache holds compiled programs too, but a process must trace a function to find its program there.
For the solver of a plan, to trace takes two seconds and to load a quarter of one.
Programs are stored only after `store_programs`, which the command line calls. A program is found again by the function
and by the shapes and types of its arguments. Another source of t2jax, version of JAX or processor has other programs.
Arguments with types of other packages, such as a law of the user's, are compiled as by `jax.jit`.
"""

import hashlib
import pickle
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar

import jax
from jax.experimental import serialize_executable
from jax.experimental.compilation_cache import compilation_cache

from t2jax.files import whole
from t2jax.working_precision import is_traced

P = ParamSpec("P")
R = TypeVar("R")
PACKAGE = Path(__file__).parents[1]
_folder: Path | None = None


def store_programs(folder: Path | None) -> None:
    """Stores the programs of this process in a folder, or stores none."""
    global _folder
    _folder = folder


class StoredProgram(Generic[P, R]):
    """A function as by `jax.jit`, whose compiled programs are stored in files.

    Every leaf of its arguments is an array or a number. The function reads nothing else.
    """

    def __init__(self, function: Callable[P, R]):
        self.jitted, self.name = jax.jit(function), f"{function.__module__}.{function.__qualname__}"
        self.programs: dict[str, Callable[..., R]] = {}

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        tree = jax.tree.structure(args)
        if _folder is None or kwargs or is_traced(args) or not _is_ours(tree):
            return self.jitted(*args, **kwargs)
        args = jax.tree.map(jax.numpy.asarray, args)  # pyright: ignore[reportAssignmentType]
        shapes = [(leaf.shape, str(leaf.dtype)) for leaf in jax.tree.leaves(args)]
        text = repr((self.name, str(tree), shapes, _surroundings(), jax.config.read("jax_enable_x64")))
        key = hashlib.sha256(text.encode()).hexdigest()[:32]
        if key not in self.programs:
            path = _folder / f"{key}.bin"
            self.programs[key] = _load(path, args) or self._compile(path, args)
        return self.programs[key](*args)

    def _compile(self, path: Path, args: Any) -> Callable[..., R]:
        """Compiles the program of the arguments and stores it, if the disk allows."""
        with _without_cache_of_jax():
            compiled = self.jitted.lower(*args).compile()
        try:
            payload, _, out_tree = serialize_executable.serialize(compiled)
            with whole(path) as unfinished:
                unfinished.write_bytes(pickle.dumps((payload, out_tree)))
        except Exception:  # a full disk, or a device whose programs cannot be stored: this process has its program
            return compiled
        return compiled


@contextmanager
def _without_cache_of_jax() -> Iterator[None]:
    """Compiles anew: XLA cannot store a program that it has loaded from the cache of JAX."""
    before = jax.config.jax_enable_compilation_cache  # pyright: ignore[reportAttributeAccessIssue]
    jax.config.update("jax_enable_compilation_cache", False)
    compilation_cache.reset_cache()  # otherwise JAX remembers that it has a cache
    try:
        yield
    finally:
        jax.config.update("jax_enable_compilation_cache", before)
        compilation_cache.reset_cache()


def _load(path: Path, args: Any) -> Callable[..., Any] | None:
    """Loads a program, or returns None without a usable file."""
    try:
        payload, out_tree = pickle.loads(path.read_bytes())
        _prepare_linear_algebra()
        return serialize_executable.deserialize_and_load(payload, jax.tree.structure((args, {})), out_tree)
    except Exception:  # no file yet, or one that was cut off: the program is compiled again
        return None


@cache
def _prepare_linear_algebra() -> None:
    """Lets JAX find LAPACK, which it does when a program with linear algebra is lowered and not when one is loaded."""
    jax.jit(jax.numpy.linalg.cholesky).lower(jax.ShapeDtypeStruct((1, 1), jax.numpy.float32))


def _is_ours(tree: Any) -> bool:
    """Returns whether all types in a structure are those of t2jax or Python, so that the source digest covers them."""
    node = tree.node_data()
    module = "" if node is None else node[0].__module__
    known = module in ("", "builtins") or module.partition(".")[0] == "t2jax"
    return known and all(_is_ours(child) for child in tree.children())


@cache
def _surroundings() -> tuple[str, ...]:
    """Returns what a program depends on beside its arguments: sources, versions, flags and the processor."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.read_bytes())
    device = jax.devices()[0]
    versions = jax.__version__, version("jaxlib"), device.platform, device.device_kind, str(jax.device_count())
    return (digest.hexdigest(), *versions, _processor())


def _processor() -> str:
    """Returns the instructions that the processor has, or the name of the machine where no file lists them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        return platform.node()
