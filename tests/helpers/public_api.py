"""The public API as objects with their docstrings, and what each docstring lacks."""

import ast
import doctest
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import t2jax as t2

PACKAGE = Path(inspect.getfile(t2)).parent
NAME_SPACES = (
    "datasets",
    "evaluation",
    "extrapolation",
    "forecasts",
    "laws",
    "noise",
    "planning",
    "plot",
    "posterior",
    "special",
)
LONGEST_SENTENCE = 25  # words
SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises", "Examples", "Source", "Formula", "Note")


class Documented(NamedTuple):
    """A public function, class or method, under the name by which people call it."""

    name: str
    value: Any

    @property
    def docstring(self) -> str:
        """The docstring without its indentation, empty where there is none of its own."""
        text = self.value.fget.__doc__ if isinstance(self.value, property) else self.value.__doc__
        return inspect.cleandoc(text or "")


def public_names() -> Iterator[Documented]:
    """Every function and class that a person finds at the top of `t2jax` or in one of its name spaces."""
    seen = set()
    places = {"t2": t2} | {f"t2.{space}": getattr(t2, space) for space in NAME_SPACES}
    for place, module in places.items():
        for name in module.__all__:
            value = getattr(module, name)
            if not inspect.ismodule(value) and callable(value) and id(value) not in seen:
                seen.add(id(value))
                yield Documented(f"{place}.{name}", value)


def public_methods() -> Iterator[Documented]:
    """Every method and property that a public class adds to those of its bases."""
    for owner in public_names():
        if not inspect.isclass(owner.value):
            continue
        for name, value in vars(owner.value).items():
            function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
            method = isinstance(function, property) or inspect.isfunction(inspect.unwrap(function))
            if method and not name.startswith("_") and _of_package(function) and not _overrides(owner.value, name):
                yield Documented(f"{owner.name}.{name}", function)


def _overrides(owner: type, name: str) -> bool:
    return any(name in vars(base) for base in owner.__mro__[1:-1])


def _of_package(value: Any) -> bool:
    function = value.fget if isinstance(value, property) else inspect.unwrap(value)
    return function is not None and function.__module__.startswith("t2jax") and not _generated(function)


def _generated(function: Any) -> bool:
    return not inspect.getsourcefile(function) or "<" in function.__code__.co_filename


def lacks(documented: Documented) -> list[str]:
    """What the docstring lacks, in words; empty for a complete one."""
    text, value = documented.docstring, documented.value
    if not text:
        return ["a docstring"]
    sections = sections_of(text)
    listed = sections.get("Args", "") + sections.get("Attributes", "")
    missing = [f"{name} in Args" for name in _arguments(value) if not re.search(rf"^\s*\*?\*?{name}: ", listed, re.M)]
    if not inspect.isclass(value) and not isinstance(value, property):
        if _returns(value) and "Returns" not in sections and "Yields" not in sections:
            missing.append("Returns")
        missing += [f"{error} in Raises" for error in _raised(value) if error not in sections.get("Raises", "")]
    return missing


def has_example(documented: Documented) -> bool:
    """Whether the docstring holds an example that can be run."""
    return bool(doctest.DocTestParser().get_examples(documented.docstring))


def sections_of(text: str) -> dict[str, str]:
    """The indented text below each heading of Google style."""
    result = re.split(rf"^({'|'.join(SECTIONS)}):\s*$", text, flags=re.M)
    return dict(zip(result[1::2], result[2::2], strict=True))


def _arguments(value: Any) -> list[str]:
    if isinstance(value, property):
        return []
    try:
        parameters = inspect.signature(value).parameters.values()
    except ValueError:
        return []
    if inspect.isclass(value) and (value.__init__ is object.__init__ or issubclass(value, BaseException)):
        return []
    return [
        parameter.name for parameter in parameters if parameter.name not in ("self", "cls", "args", "kwargs", "values")
    ]


def _returns(value: Any) -> bool:
    return inspect.signature(value).return_annotation not in (None, "None")


def _raised(value: Any) -> set[str]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(value))))
    raised = (node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call))
    return {call.func.id for call in raised if isinstance(call.func, ast.Name) and call.func.id.endswith("Error")}


def docstrings_of_files() -> Iterator[tuple[str, str]]:
    """Every docstring of the package, public and private: where it stands, and its text."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(node)
                if text:
                    name = getattr(node, "name", "module")
                    yield f"{path.relative_to(PACKAGE)}::{name}", text


def long_sentences(text: str) -> list[str]:
    """Sentences of more than 25 words; formulas in backticks and examples do not count."""
    prose = re.sub(r"^\s*(>>>|\.\.\.).*\n(?:(?!\s*>>>)\s*\S.*\n?)*", "\n", text + "\n", flags=re.M)
    prose = re.sub(r"^[ ]{4,}.*(?:=|≤|∑).*$", "", prose, flags=re.M)
    prose = re.sub(r"`[^`]*`", "x", prose)
    parts = re.split(r"\n\s*\n|\n\s*(?=\*?\*?\w+: )|\n\s*(?=[-*|] )", prose)
    sentences = (sentence for part in parts for sentence in re.split(r"(?<=[.:;?!])\s+", " ".join(part.split())))
    return [sentence for sentence in sentences if len(sentence.split()) > LONGEST_SENTENCE]
