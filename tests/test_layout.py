"""How the package is built: who may import whom, how long files are, and that importing it changes nothing."""

import ast
import importlib
import os
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import ModuleType

import pytest

import t2jax

ROOT = Path(t2jax.__file__).parent
TESTS = Path(__file__).parent
ORDER = (
    "on_demand",
    "typing",
    "pytrees",
    "files",
    "working_precision",
    "printing",
    "numerics",
    "tables",
    "datasets",
    "results",
    "laws",
    "noise",
    "fitting",
    "forecasts",
    "posterior",
    "extrapolation",
    "planning",
    "evaluation",
    "plot",
    "testbed",
    "",
    "cli",
    "__main__",
)
"""Folders and root files of t2jax; each may import those above it only ("" is the package itself)."""
FILES = sorted(path for path in ROOT.rglob("*.py"))
LAW_FOLDERS = (ROOT / "laws" / "loss", ROOT / "laws" / "pass_at_k")
every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def place_of(module: str) -> int:
    """Where in ORDER a module of t2jax (named without "t2jax.") belongs: by its folder."""
    top = module.partition(".")[0]
    assert top in ORDER, f"t2jax.{module} has no place in ORDER"
    return ORDER.index(top)


def names_imported_by(path: Path, package: str) -> set[str]:
    """Modules of a package that a file imports, at its top or inside a function."""

    def is_module(name: str) -> bool:
        place = ROOT.parent / name.replace(".", "/")
        return place.is_dir() or place.with_suffix(".py").exists()

    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}, line {node.lineno}: a relative import"
            whole = [(node.module, f"{node.module}.{alias.name}") for alias in node.names]
            names += [inner if is_module(inner) else module for module, inner in whole]
    return {name for name in names if name.split(".")[0] == package}


def imported_by(path: Path) -> set[str]:
    """Modules of t2jax that a file imports, named without "t2jax."."""
    return {name.removeprefix("t2jax").removeprefix(".") for name in names_imported_by(path, "t2jax")}


@every_file
def test_folders_import_only_folders_before_them(path):
    place = place_of(module_of(path))
    for other in imported_by(path):
        assert place_of(other) <= place, f"{path.name} imports t2jax.{other}, which is not before it"


def test_files_import_each_other_in_no_circle():
    """A topological order of all files exists; a package's own file counts as the last of its folder."""
    graph = {module_of(path): imported_by(path) for path in FILES}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' -> '.join(error.args[1])}")


@every_file
def test_no_private_name_crosses_folders(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("t2jax."):
            private = [alias.name for alias in node.names if re.match(r"_[^_]", alias.name)]
            same = ROOT.parent / node.module.replace(".", "/")
            assert not private or path.parent in (same.parent, same), f"{path.name} imports {private} of {node.module}"


def test_folders_are_small():
    for folder in {path.parent for path in FILES}:
        files = [path for path in folder.glob("*.py") if not path.name.startswith("__")]
        assert len(files) <= (6 if folder == ROOT else 12), folder


@every_file
def test_files_are_short(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines < (90 if any(folder in path.parents for folder in LAW_FOLDERS) else 400)


def test_every_law_has_a_file_an_export_and_a_source():
    stems = {path.stem for folder in LAW_FOLDERS for path in folder.rglob("*.py")} - {"__init__"}
    assert {law.__module__.rpartition(".")[2] for law in t2jax.laws.ALL} == stems
    for law in t2jax.laws.ALL:
        assert law.__name__ in t2jax.laws.__all__
        assert re.search(r"\d{4}\.\d{5}", law.__doc__ or ""), f"{law.__name__} cites no paper"


def test_modules_named_in_text_exist():
    """Code in strings, which no type checker reads, and commands in docstrings name modules that are there."""
    named = re.compile(r"(?:from|import|-m) ((?:t2jax|experiments|tests)(?:\.[a-z_]\w*)+)")
    for folder in ("experiments", "notebooks", "t2jax", "tests"):
        for path in (ROOT.parent / folder).rglob("*"):
            if path.suffix in (".py", ".ipynb", ".md"):
                for name in set(named.findall(path.read_text(encoding="utf-8"))):
                    place = ROOT.parent / name.replace(".", "/")
                    assert place.is_dir() or place.with_suffix(".py").exists(), f"{path.name} names {name}"


@every_file
def test_every_module_path_gives_a_module(path):
    """No function hides a module of its own name: `import t2jax.fitting.fit as m` gives the module."""
    module = t2jax
    for part in path.relative_to(ROOT).with_suffix("").parts:
        if part == "__init__":
            continue
        importlib.import_module(f"{module.__name__}.{part}")
        module = getattr(module, part)
        assert isinstance(module, ModuleType), f"{module!r} stands where the module {part} should"


SPACES = [
    t2jax,
    *(importlib.import_module(f"t2jax.{name}") for name in ("evaluation", "extrapolation", "forecasts", "planning")),
]
SPACES += [importlib.import_module(f"t2jax.{name}") for name in ("laws", "noise", "posterior")]


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.__name__)
def test_public_names_exist_and_are_documented(space):
    assert sorted(space.__all__) == list(space.__all__)
    assert {name for name in dir(space) if not name.startswith("_")} >= set(space.__all__)
    for name in space.__all__:
        assert (getattr(space, name).__doc__ or "").strip(), name


def test_the_top_is_small_and_shows_public_names_only():
    importlib.import_module("t2jax.cli")  # which leaves modules in the package
    assert [name for name in dir(t2jax) if not name.startswith("_")] == t2jax.__all__
    assert len(t2jax.__all__) <= 48


def names_for_type_checkers(package: Path) -> set[str]:
    """What a package imports under `if TYPE_CHECKING:`, which editors and type checkers see."""
    blocks = [node for node in ast.parse(package.read_text(encoding="utf-8")).body if isinstance(node, ast.If)]
    first = next(node for node in blocks if ast.unparse(node.test) == "TYPE_CHECKING")
    return {alias.name for node in first.body if isinstance(node, ast.ImportFrom) for alias in node.names}


@pytest.mark.parametrize("space", ["", "evaluation", "extrapolation", "forecasts", "planning", "posterior"])
def test_type_checkers_see_the_names_that_come_on_demand(space):
    package = ROOT / space / "__init__.py"
    assert names_for_type_checkers(package) == set(importlib.import_module(f"t2jax.{space}".strip(".")).__all__)


MOVED = {
    "evaluation": "AveragedFrontier Cut averaged_frontier criteria cross_validate extrapolate influence left_out "
    "log_scores",
    "forecasts": "forecast_beta forecast_power_law pass_from_counts pass_from_p",
    "noise": "CrossedEffects RunScatter deviated",
    "planning": "NextRuns Region delta_band elasticities shadow_prices",
    "posterior": "Loo Population PosteriorPredictive Stack TaskPosterior load_posterior load_task_posterior "
    "posterior_predictive prior_predictive run_deviations save_posterior stack",
}


@pytest.mark.parametrize(("space", "name"), [(space, name) for space in MOVED for name in MOVED[space].split()])
def test_a_name_that_moved_still_works_and_says_where_it_is_now(space, name):
    with pytest.warns(DeprecationWarning, match=rf"^t2jax\.{name} has moved to t2jax\.{space}\.{name};") as warnings:
        value = getattr(t2jax, name)
    assert warnings[0].filename == __file__
    assert value is getattr(getattr(t2jax, space), name)
    assert name in getattr(t2jax, space).__all__


def test_tests_mirror_the_folders():
    """A folder of tests for every folder of t2jax; what tests share comes from `tests.helpers`, never from a test."""
    folders = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    tests = {path.name for path in TESTS.iterdir() if (path / "__init__.py").exists()}
    assert tests == folders | {"contract", "experiments", "helpers"}
    for path in TESTS.rglob("*.py"):
        for name in names_imported_by(path, "tests"):
            assert name.startswith("tests.helpers."), f"{path.name} imports {name}"


IMPORT = """
import sys
import jax
before = dict(jax.config.values)
import t2jax
from jax._src import xla_bridge
after = dict(jax.config.values)
changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
costly = ("matplotlib", "matplotlib.pyplot", "arviz", "scipy.optimize", "scipy.stats", "flax", "numpyro.infer")
heavy = sorted(name for name in costly if name in sys.modules and name not in BY_DEPENDENCIES)
print(repr((changed, list(xla_bridge._backends), heavy)))
"""


def test_importing_does_nothing(tmp_path):
    """No setting of JAX, no folder, no device, no drawing library: only names."""
    (tmp_path / "home").mkdir()
    home = {
        "HOME": str(tmp_path / "home"),
        "XDG_CACHE_HOME": str(tmp_path / "home" / "cache"),
        "PYTHONPATH": str(ROOT.parent),
    }
    # what NumPyro brings along on its own is not ours to answer for
    probe = "import sys, numpyro.distributions; BY_DEPENDENCIES = set(sys.modules)\n"
    environment = {**os.environ, **home, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", probe + IMPORT],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    changed, backends, heavy = ast.literal_eval(done.stdout)
    assert (changed, backends, heavy) == ([], [], [])
    assert [path.name for path in tmp_path.rglob("*")] == ["home"]
