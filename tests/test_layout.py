"""How the package is built: who may import whom, how long files are, and that importing it changes nothing."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import t2jax

ROOT = Path(t2jax.__file__).parent
ORDER = (
    "typing",
    "trees",
    "precision",
    "dense",
    "params",
    "special",
    "frames",
    "laws.base",
    "laws.chinchilla",
    "laws.kaplan",
    "laws.beta_tail",
    "laws.broken_power",
    "laws.compute_pass_k",
    "laws.data_constrained",
    "laws.excess_params",
    "laws.interaction",
    "laws.overtraining",
    "laws.downstream_error",
    "laws.params_tokens_pass_k",
    "laws.power_law_k",
    "laws.shared_exponent",
    "laws.t2_loss",
    "laws.t2_pass_k",
    "laws.t2_pass_k_naive",
    "laws",
    "checks",
    "table",
    "measurements",
    "passes",
    "downloads",
    "datasets",
    "noise",
    "unit_noise",
    "question_rows",
    "question_effects",
    "run_scatter",
    "evaluate",
    "solver",
    "starts",
    "identify",
    "turning",
    "lawcheck",
    "fit",
    "save",
    "bootstrap",
    "estimates",
    "forecast",
    "density",
    "crossed",
    "chains",
    "diagnose",
    "bayes",
    "pooled",
    "task_posterior",
    "task_tables",
    "shared_scatter",
    "hierarchy",
    "posterior_files",
    "loo",
    "heldout",
    "criteria",
    "measured",
    "compare",
    "cells",
    "predictive",
    "audit",
    "hardware",
    "costs",
    "budgets",
    "plan",
    "interior",
    "implicit",
    "feasible",
    "path",
    "problem",
    "beginnings",
    "separate",
    "general",
    "frontier",
    "sensitivity",
    "influence",
    "averaged",
    "posterior_check",
    "priors",
    "information",
    "design",
    "plot",
    "plot_frontier",
    "plot_audit",
    "plot_posterior",
    "testbed",
    "",
    "cli",
)
"""Modules of t2jax; each may import those above it only ("" is the package itself, a name stands for its subfolder)."""
FILES = sorted(path for path in ROOT.rglob("*.py"))
each = pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def place_of(module: str) -> int:
    """Where in ORDER a module of t2jax (named without "t2jax.") belongs."""
    while module not in ORDER and "." in module:
        module = module.rpartition(".")[0]
    assert module in ORDER, f"t2jax.{module} has no place in ORDER"
    return ORDER.index(module)


def imported_by(path: Path) -> set[str]:
    """Modules of t2jax that a file imports, at its top or inside a function."""

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
    return {name.removeprefix("t2jax").removeprefix(".") for name in names if name.split(".")[0] == "t2jax"}


@each
def test_modules_import_only_what_is_above_them(path):
    own = place_of(module_of(path))
    for other in imported_by(path):
        inside = ORDER[own] == ORDER[place_of(other)] in ("testbed", "cli")
        assert inside or place_of(other) < own, f"{path.name} imports t2jax.{other}, which is not above it"


@each
def test_files_are_short(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    law = path.parent.name == "laws" and path.stem not in ("base", "__init__")
    assert lines < (90 if law else 400)


def test_every_law_has_a_file_an_export_and_a_source():
    stems = {path.stem for path in (ROOT / "laws").glob("*.py")} - {"base", "__init__"}
    assert {law.__module__.rpartition(".")[2] for law in t2jax.laws.ALL} == stems
    for law in t2jax.laws.ALL:
        assert law.__name__ in t2jax.laws.__all__
        assert re.search(r"\d{4}\.\d{5}", law.__doc__ or ""), f"{law.__name__} cites no paper"


def test_public_names_exist_and_are_documented():
    assert sorted(t2jax.__all__) == list(t2jax.__all__)
    for name in t2jax.__all__:
        assert (getattr(t2jax, name).__doc__ or "").strip(), name


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
