"""Where a page comes from: the command with its arguments, versions, and hashes of the files."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from t2jax import __version__
from t2jax.cli.output import RUN_FILE
from t2jax.cli.report.page_parts import Section, TablePart, table
from t2jax.fitting.law_files import DRAWS_FILE, LAW_FILE, ROWS_FILE
from t2jax.posterior.files import POSTERIOR_FILE

INPUTS = (LAW_FILE, ROWS_FILE, DRAWS_FILE, POSTERIOR_FILE)


def read_run(folder: Path) -> dict[str, Any]:
    """Reads `run.json` of a folder, or returns nothing for a folder without one.

    It raises ValueError for a file that t2jax did not write.
    """
    path = folder / RUN_FILE
    if not path.exists():
        return {}
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        _ = run["command"] + "", dict(run["arguments"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not a record that t2jax wrote ({type(error).__name__})") from None
    return run


def provenance_section(run: dict[str, Any], law_path: Path | None, content: dict[str, Any]) -> Section:
    """Returns the section with the command, its arguments, versions, times and hashes.

    `content` is that of the law's file, or empty without one.
    """
    rows = [("command", f"t2jax {run['command']}")] if run else []
    rows += [(name, str(run[name])) for name in ("started", "ended", "seed") if run.get(name) is not None]
    arguments = [(name, value) for name, value in _flat(run.get("arguments", {})) if value not in ("", "None", "[]")]
    versions = [(name, str(value)) for name, value in run.get("versions", {}).items()]
    versions = versions or [("t2jax", __version__)]
    source = content.get("table", {})
    described = [(name, value) for name, value in _flat(source) if value not in ("", "None", "[]", "{}")]
    tables = (
        *table("The run.", ("", "value"), rows),
        *table("Arguments.", ("argument", "value"), arguments),
        *table("Versions.", ("package", "version"), versions),
        *table("The table that was fitted.", ("", "value"), described),
        *_hashes([] if law_path is None else [law_path], folders=False),
    )
    return Section("provenance", "Where this comes from", (), tables)


def hashes_section(section: Section, paths: list[Path]) -> Section:
    """Returns the section with hashes of several laws' files and of what lies beside them."""
    return replace(section, tables=(*section.tables, *_hashes(paths, folders=True)))


def _hashes(law_paths: list[Path], folders: bool) -> tuple[TablePart, ...]:
    """Returns the table of hashes of laws' files and of what lies beside them, perhaps named with their folders."""
    files = [path for law in law_paths for path in map(law.with_name, INPUTS) if path.exists()]
    rows = [
        (f"{path.parent.name}/{path.name}" if folders else path.name, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in files
    ]
    return table("SHA-256 of the files that this page was made from.", ("file", "SHA-256"), rows)


def _flat(values: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Lists nested values by dotted names; lists stay in one cell."""
    if isinstance(values, dict):
        return [row for name, value in values.items() for row in _flat(value, f"{prefix}{name}.")]
    text = "; ".join(map(str, values)) if isinstance(values, list) else str(values)
    # without a scheme, so that nothing in the page is an address to follow
    return [(prefix.rstrip("."), text.replace("https://", "").replace("http://", ""))]
