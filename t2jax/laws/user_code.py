"""Classes that a user wrote, named by file and class: `my_laws.py:MoE`, or `package.module:MoE`.

A file is run when it is named, once in a process, with its folder on the path of imports. Files of results name the
file and its SHA-256, so that they can tell when it changes.
"""

import difflib
import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any


class UserCodeError(ValueError):
    """A file of a user's class is missing, fails, has changed, or lacks the class."""


@dataclass(frozen=True)
class Origin:
    """Where a class was read from.

    Attributes:
        file: Absolute path of the file.
        name: Name of the class.
        sha256: Hash of the file as it was run.
    """

    file: str
    name: str
    sha256: str


_ORIGINS: dict[type, Origin] = {}


def is_reference(text: str) -> bool:
    """Checks whether a text names a class by its file or module."""
    return ":" in text or text.endswith(".py")


def origin_of(cls: type) -> Origin | None:
    """Returns the origin of a class that was read by its file, or of the law inside it; None for any other."""
    inner = [getattr(field, "default", None) for field in getattr(cls, "fields", {}).values()]
    classes = (*cls.__mro__, *(base for law in inner if isinstance(law, type) for base in law.__mro__))
    return next((_ORIGINS[base] for base in classes if base in _ORIGINS), None)


def load_class(reference: str, base: type) -> type[Any]:
    """Imports a class by a text such as "my_laws.py:MoE".

    Args:
        reference: File and class, or module and class, with a colon between them.
        base: Class that it must be a subclass of.

    Returns:
        The class. The same file and class give the same class again.

    Raises:
        UserCodeError: The file is missing or fails, or has no such class. The message names the file and the line.
    """
    place, _, name = reference.rpartition(":") if ":" in reference else (reference, "", "")
    file = Path(place) if place.endswith(".py") else None
    module = _run(file) if file else _import(place, reference)
    classes = _classes(module, base)
    kind = base.__name__.lower()
    listed = f"its classes of {kind}s are {', '.join(classes)}" if classes else f"it has no class of {kind}s"
    if not name:
        raise UserCodeError(f"{place}: expected a class after a colon, as {place}:{next(iter(classes), 'MyClass')}")
    passed_on = getattr(module, name, None)
    if isinstance(passed_on, type) and issubclass(passed_on, base):  # also a class of another module
        classes[name] = passed_on
    if name not in classes:
        wrong = (
            f"{name} is not a subclass of t2jax's {base.__name__}" if hasattr(module, name) else f"no class {name!r}"
        )
        similar = difflib.get_close_matches(name, classes, n=1)
        hint = f"; did you mean {similar[0]!r}?" if similar else ""
        raise UserCodeError(f"{place}: {wrong}; {listed}{hint}")
    cls: type[Any] = classes[name]
    if not cls.__module__.startswith("t2jax."):  # its own classes are known by name
        home = sys.modules[cls.__module__]
        source = Path(str(home.__file__))
        _ORIGINS.setdefault(cls, Origin(str(source.resolve()), name, _hash_of(home, source)))
    return cls


def load_origin(origin: Origin, beside: Path, base: type) -> type[Any]:
    """Imports a class that a file of results names.

    Args:
        origin: Where the class was, as the file says.
        beside: The file of results. The user's file may have moved to the same folder.
        base: Class that it must be a subclass of.

    Raises:
        UserCodeError: The user's file is missing, has changed, or fails.
    """
    places = Path(origin.file), beside.with_name(Path(origin.file).name)
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        raise UserCodeError(f"{beside}: {origin.file} is missing, which defines {origin.name}; put it there again")
    if hashlib.sha256(file.read_bytes()).hexdigest() != origin.sha256:
        raise UserCodeError(f"{beside}: {file} has changed since {origin.name} was fitted; fit it again")
    return load_class(f"{file}:{origin.name}", base)


def _classes(module: ModuleType, base: type) -> dict[str, type]:
    """Lists the classes of a kind that a module itself defines."""
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, base) and value.__module__ == module.__name__
    }


def _hash_of(module: ModuleType, source: Path) -> str:
    return getattr(module, "SHA256_OF_FILE", "") or hashlib.sha256(source.read_bytes()).hexdigest()


def _run(file: Path) -> ModuleType:
    """Runs a file as a module. The same content at the same place is run once."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UserCodeError(
            f"{file}: cannot be read ({error.strerror}), expected a file that defines a class"
        ) from None
    sha256 = hashlib.sha256(data).hexdigest()
    name = f"user_code_{hashlib.sha256(str(file.resolve()).encode() + data).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        with _importing_from(file.resolve().parent):
            exec(compile(data, str(file), "exec"), vars(module))
    except BaseException as error:
        del sys.modules[name]
        if not isinstance(error, Exception):
            raise
        raise UserCodeError(_describe(error, str(file))) from error
    vars(module)["SHA256_OF_FILE"] = sha256
    return module


def _import(place: str, reference: str) -> ModuleType:
    """Imports a module by its name, also from the current folder."""
    try:
        with _importing_from(Path.cwd()):
            return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name and place.startswith(error.name):
            raise UserCodeError(f"{reference}: there is no module {place!r}, expected FILE.py:CLASS") from None
        raise UserCodeError(_describe(error, place)) from error
    except Exception as error:
        raise UserCodeError(_describe(error, place)) from error


@contextmanager
def _importing_from(folder: Path) -> Iterator[None]:
    """Puts a folder first on the path of imports."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _describe(error: Exception, place: str) -> str:
    """Writes an exception of a user's code with the last of its lines that is in the file."""
    if isinstance(error, SyntaxError):
        return f"{error.filename or place}, line {error.lineno}: {error.msg}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == place]
    where = f", line {lines[-1]}" if lines else ""
    return f"{place}{where}: {type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else 'no text'}"
