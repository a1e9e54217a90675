"""What all experiments share and no experiment itself: the command line, and where results go."""

import dataclasses
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol, Self, TypeVar, Union, cast

import numpy as np
import tyro

from experiments.shared.pictures import DOTS, settings
from t2jax.files import finite, save_figure, save_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Config(Protocol):
    """What every experiment's Config offers: its defaults are the whole experiment."""

    @property
    def seed(self) -> int:
        """Seed of every random draw."""
        ...

    @classmethod
    def tiny(cls) -> Self:
        """The same experiment with smaller numbers, for a check of seconds."""
        ...


PACKAGES = (
    *("t2jax", "jax", "jaxlib", "numpy", "scipy", "pandas", "optax", "numpyro", "arviz"),
    *("pymc", "pytensor", "lmfit", "passk-inference", "simple-scaling-laws"),  # beside which t2jax is timed
)
"""Packages whose versions are saved with a result, as far as they are installed."""
UNSAVED = {"saved": False}
"""Metadata of a field of a Result that the figures need and result.json does without."""
OUT_HELP = "Folder for the results; by default a new one, t2jax-NAME-DATE-TIME, in the current directory."

C = TypeVar("C", bound=Config)
R = TypeVar("R")


def command(
    config: type[C],
    run: Callable[[C], R],
    words: Callable[[R], list[str]],
    figures: Callable[[R], dict[str, "Figure"]] | None = None,
) -> None:
    """Run an experiment from the command line: `[-o FOLDER] [full | tiny] [--seed 1 ...]`.

    words: the result in sentences. figures: pictures of it, by file name without suffix.
    """
    script = Path(sys.argv[0])
    module = run.__module__ if run.__module__ != "__main__" else f"experiments.{script.parent.name}.{script.stem}"
    name = module.rpartition(".")[2]
    whole = config()
    full = tyro.conf.subcommand("full", default=whole, description="The whole experiment: the default.")
    tiny = tyro.conf.subcommand("tiny", default=config.tiny(), description="The same with smaller numbers.")
    choice = Union[Annotated[config, full], Annotated[config, tiny]]  # noqa: UP007

    def main(
        config: choice = whole,  # pyright: ignore[reportInvalidTypeForm]
        out: Annotated[Path | None, tyro.conf.arg(aliases=("-o",), metavar="FOLDER", help=OUT_HELP)] = None,
    ) -> None:
        started = time.perf_counter()
        result = run(config)
        seconds = time.perf_counter() - started
        print(*words(result), sep="\n")
        folder = out or Path(f"t2jax-{name.replace('_', '-')}-{datetime.now():%Y%m%d-%H%M%S}")
        with settings():
            save(folder, name, config, result, seconds, figures(result) if figures else {})
        print(f"\n{seconds:.0f} s; written to {folder}/")

    names = (tyro.conf.CascadeSubcommandArgs, tyro.conf.OmitSubcommandPrefixes, tyro.conf.OmitArgPrefixes)
    description = sys.modules[run.__module__].__doc__
    tyro.cli(main, prog=f"python -m {module}", description=description, config=names)


def save(folder: Path, name: str, config: Any, result: Any, seconds: float, figures: dict[str, "Figure"]) -> None:
    """Write result.json (numbers, arguments, versions, seed) and each figure as PNG."""
    content = {
        "experiment": name,
        "seed": config.seed,
        "arguments": plain(config),
        "versions": {"python": platform.python_version(), **versions()},
        "seconds": round(seconds, 1),
        "result": plain(result),
    }
    save_json(folder / "result.json", content)
    for stem, figure in figures.items():
        save_figure(folder / stem, figure, dpi=DOTS)


def versions() -> dict[str, str]:
    """Versions of the installed ones of PACKAGES."""
    installed = {}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            installed[package] = version(package)
    return installed


def plain(value: Any) -> Any:
    """What JSON can hold: dataclasses as objects, arrays as lists, NaN and infinity as null."""
    if dataclasses.is_dataclass(value):
        saved = (field.name for field in dataclasses.fields(cast(Any, value)) if field.metadata.get("saved", True))
        return {name: plain(getattr(value, name)) for name in saved}
    if isinstance(value, dict):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, bool | np.bool_ | str | None):
        return bool(value) if isinstance(value, np.bool_) else value
    return int(value) if isinstance(value, int | np.integer) else finite(float(value))


def timed(call: Callable[[], Any]) -> tuple[tuple[float, float], Any]:
    """Seconds of the wall clock and of CPU that a call took, and what it returned."""
    started = time.perf_counter(), time.process_time()
    value = call()
    return (time.perf_counter() - started[0], time.process_time() - started[1]), value


@contextmanager
def stage(what: str) -> Iterator[None]:
    """Say on stderr what is being computed, and when it is done how long it took."""
    started = time.perf_counter()
    print(f"{what} ...", end=" ", file=sys.stderr, flush=True)
    yield
    print(f"{time.perf_counter() - started:.1f} s", file=sys.stderr)
