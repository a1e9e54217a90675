"""Output of a command: its folder, text and JSON, progress bars, and the record of the run."""

import dataclasses
import json
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Self

import tyro

from t2jax import __version__
from t2jax.cli.process.config_file import COMMAND_FILE, write_command
from t2jax.cli.process.progress import Progress, progress_of
from t2jax.cli.process.wording import in_option_names
from t2jax.files import save_json

RUN_FILE = "run.json"
FIGURE_FORMATS = ("png", "pdf", "svg")


@dataclasses.dataclass(frozen=True)
class OutputOptions:
    """Options of every command that writes files."""

    out: Annotated[Path | None, tyro.conf.arg(aliases=("-o",), metavar="FOLDER")] = None
    """Folder for the results; by default a new one, t2jax-COMMAND-DATE-TIME, in the current directory."""
    json: bool = False
    """Print the result as JSON on stdout, and nothing else there."""
    quiet: Annotated[bool, tyro.conf.arg(aliases=("-q",))] = False
    """Print problems and questions only, no results and no progress."""
    verbose: Annotated[bool, tyro.conf.arg(aliases=("-v",))] = False
    """Print all that there is to say, also what does not fit a screen."""
    config: Annotated[Path | None, tyro.conf.arg(metavar="command.yaml")] = None
    """Options in a YAML file, as every command writes beside its results; options beside it come first."""

    def formats(self) -> tuple[str, ...]:
        """Returns the formats of the figures; none for a command without figures."""
        return ()


@dataclasses.dataclass(frozen=True)
class FigureOptions(OutputOptions):
    """Options of every command that writes files and figures."""

    figures: Annotated[str, tyro.conf.arg(metavar="FORMATS")] = "png"
    """Formats of the figures, such as png or png,pdf; "none" draws none."""

    def formats(self) -> tuple[str, ...]:
        """Returns the formats of the figures, each once. It raises ValueError for an unknown one."""
        if self.figures == "none":
            return ()
        formats = tuple(dict.fromkeys(self.figures.split(",")))
        unknown = [name for name in formats if name not in FIGURE_FORMATS]
        if unknown:
            raise ValueError(
                f"--figures: found {self.figures!r}, expected none, or formats out of {', '.join(FIGURE_FORMATS)}"
                " with commas between them"
            )
        return formats


class Output:
    """One run of a command, as a context in which files are written; at the end `run.json` records its outcome.

    A folder with files is used only if its `run.json` is from the same command, whose files are then replaced.
    Otherwise the class raises ValueError. The folder is made with the first file, so a rejected input creates none.
    """

    def __init__(self, command: str, options: OutputOptions, config: Any):
        self.started = datetime.now(UTC)
        self.command, self.config, self.as_json = command, config, options.json
        self.quiet, self.verbose = options.quiet, options.verbose
        self.formats = options.formats()
        # the local time, for people; run.json has the UTC date
        default = f"t2jax-{command.replace(' ', '-')}-{datetime.now():%Y%m%d-%H%M%S}"
        self.folder = options.out or Path(default)
        self.named = options.out is not None
        self.files: list[str] = []
        self.partial: dict[str, Any] | None = None
        self.remarks: list[str] | None = None
        if options.quiet and options.verbose:
            raise ValueError("--quiet and --verbose exclude each other")
        _refuse_foreign(self.folder, command)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, traceback: TracebackType | None) -> None:
        if kind is None:
            return
        self._say_remarks()
        if self.partial is not None:  # `guarded` prints it with --json
            error.answer = {**self._head(), "partial": True, **self.partial}
        if not self.files:
            return
        with suppress(OSError):  # a full disk is reported by the error itself
            self._record(130 if issubclass(kind, KeyboardInterrupt) else 1)
        error.add_note(f"finished before that, in {self.folder}/: {', '.join(self.files)}")

    @contextmanager
    def file(self, name: str) -> Iterator[Path]:
        """Yields the path of the file `name`. If the block ends without error, the file belongs to the run."""
        if not self.files:
            self._claim()
            self._record(None)
            if self._repeatable:
                write_command(self.folder / COMMAND_FILE, self.command, self.config)
        yield self.folder / name
        if name not in self.files:
            self.files.append(name)

    def say(self, *lines: str) -> None:
        """Prints text for people: on stdout, or on stderr if stdout is for JSON. Sentences name options."""
        if self.quiet:
            return
        if self.remarks is not None:
            self.remarks += lines
            return
        lines = tuple(line if "\n" in line else in_option_names(line) for line in lines)  # not tables
        print(*lines, sep="\n", file=sys.stderr if self.as_json else sys.stdout)

    def answer_comes_first(self) -> None:
        """Keeps what is said from now on until `say_answer`, or the end of the command."""
        self.remarks = []

    def say_answer(self, text: str) -> None:
        """Prints the answer, then what was said before it."""
        remarks, self.remarks = self.remarks or [], None
        while remarks and not remarks[-1]:
            remarks.pop()
        self.say(text, *(["", *remarks] if remarks else []))

    def progress(self, phase: str, total: int = 1) -> Progress:
        """Returns the progress of one phase on stderr. A phase of one step shows its duration."""
        return progress_of(phase, total, self.quiet)

    def keep(self, answer: dict[str, Any], missing: str) -> None:
        """Says what an interrupt left out, and keeps the answer so far for --json and `run.json`."""
        self.partial = {**answer, "missing": missing}
        self.say("", f"Interrupted: this is without {missing}.")

    def finish(self, status: int, answer: dict[str, Any]) -> int:
        """Writes `run.json`, prints the answer as JSON if --json asks for it, and returns `status`."""
        self._say_remarks()
        if self.files:
            self._record(status)
        if self.as_json:
            print(json.dumps({**self._head(), **answer}, ensure_ascii=False, allow_nan=False))
        elif self.files and not self.quiet:
            intro = "Written to" if status == 0 else "The record of the failed run is in"
            records = [RUN_FILE, *([COMMAND_FILE] if self._repeatable else [])]
            print(f"\n{intro} {self.folder}/: {', '.join([*self.files, *records])}")
        return status

    def _say_remarks(self) -> None:
        """Prints what was kept for after an answer that did not come."""
        remarks, self.remarks = self.remarks, None
        if remarks:
            self.say(*remarks)

    @property
    def _repeatable(self) -> bool:
        """Whether `--config` repeats the command; commands of `data` and `testbed` have no files of options."""
        return " " not in self.command

    def _head(self) -> dict[str, Any]:
        """Returns what every answer for --json begins with."""
        return {"command": self.command, "folder": str(self.folder), "files": self.files}

    def _claim(self) -> None:
        """Makes the folder. A default folder is this run's alone, even if others began in the same second."""
        default, number = self.folder, 1
        while True:
            try:
                self.folder.mkdir(parents=True, exist_ok=self.named)
                return
            except FileExistsError:
                number += 1
                self.folder = default.with_name(f"{default.name}-{number}")

    def _record(self, status: int | None) -> None:
        """Writes `run.json`; a status of None means that the run has not ended."""
        arguments = json.loads(json.dumps(dataclasses.asdict(self.config), default=str))
        content = {
            "command": self.command,
            "arguments": arguments,
            "argv": sys.argv,
            "seed": arguments.get("seed", arguments.get("fitting", {}).get("seed")),
            "versions": {
                "python": platform.python_version(),
                "t2jax": __version__,
                **{name: version(name) for name in ("jax", "jaxlib", "numpy")},
            },
            "started": self.started.isoformat(timespec="seconds"),
            "ended": None if status is None else datetime.now(UTC).isoformat(timespec="seconds"),
            "exit_status": status,  # null: the run was killed, or has not ended
            "partial": self.partial is not None,
            "files": self.files,
        }
        save_json(self.folder / RUN_FILE, content)


def _refuse_foreign(folder: Path, command: str) -> None:
    """Raises ValueError for a folder that is not writable or holds files of another command."""
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise ValueError(f"{nearest}: found a file, expected a folder to write to")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ValueError(f"{nearest}: the folder cannot be written to; name another one with -o")
    if nearest is not folder or not any(folder.iterdir()):
        return
    try:
        earlier = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))["command"]
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError(f"{folder}: the folder holds other files; name a new or an empty one with -o") from None
    if earlier != command:
        raise ValueError(f"{folder}: the folder holds results of `t2jax {earlier}`; name another one with -o")
    print(f"replacing the results of an earlier `t2jax {command}` in {folder}/", file=sys.stderr)
