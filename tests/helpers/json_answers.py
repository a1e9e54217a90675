"""The answers of --json as `docs/guides/command-line.md` describes them."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import t2jax

GUIDE = Path(t2jax.__file__).parent.parent / "docs" / "guides" / "command-line.md"
TYPES: dict[str, type | tuple[type, ...]] = {
    "text": str,
    "number": (int, float),
    "boolean": bool,
    "list": list,
    "object": dict,
    "null": type(None),
}
EVERY = "Every command that writes a folder"
WITHOUT_FOLDER = {"import", "report", "laws", "data list"}


@cache
def documented() -> dict[str, dict[str, tuple[str, str]]]:
    """Type and presence of each key, by command."""
    keys: dict[str, dict[str, tuple[str, str]]] = {}
    for part in GUIDE.read_text(encoding="utf-8").split("\n### ")[1:]:
        title = part.splitlines()[0]
        name = title if title == EVERY else title.strip("`").removeprefix("t2jax ")
        rows = re.findall(r"^\| `(\w+)` \| ([\w, ]+) \| ([\w ]+) \|", part, flags=re.MULTILINE)
        keys[name] = {key: (kind, there) for key, kind, there in rows}
    return keys


def refuse(constant: str) -> NoReturn:
    """Refuses NaN and Infinity, which are no JSON."""
    raise AssertionError(f"found {constant} in an answer")


def checked_answer(text: str, status: int = 0) -> dict[str, Any]:
    """Reads an answer and asserts that its keys and their types are those of the guide, and its numbers finite."""
    answer = json.loads(text, parse_constant=refuse)
    command = answer.get("command", "")
    keys = dict(documented()[EVERY])
    if command:
        keys |= documented()[command]
    for key, value in answer.items():
        assert key in keys, f"t2jax {command}: {key} is not documented"
        kinds = tuple(TYPES[kind.strip()] for kind in keys[key][0].split(","))
        good = any(isinstance(value, kind) for kind in kinds)
        assert good, f"t2jax {command}: {key} is {value!r}, and {keys[key][0]} is documented"
    if status == 0:
        always = {key for key, (_, there) in keys.items() if there == "always"}
        always -= {"folder"} if command in WITHOUT_FOLDER else set()
        always -= {"files"} if command in ("report", "laws", "data list") else set()
        assert always <= set(answer), f"t2jax {command}: {always - set(answer)} is documented and not there"
    else:
        assert "error" in answer or "status" in answer or answer.get("converged") is False or "failures" in answer
    return answer
