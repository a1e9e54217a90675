"""Answers of the page's script, which Node runs, at positions of its levers."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import t2jax as t2
from t2jax.cli.report import write
from t2jax.cli.report.lever_data import lever_data
from t2jax.planning.levers.levers import levers_of

SCRIPT = Path(write.__file__).parent / "page" / "levers.js"

SOLVE = """
const levers = require(process.argv[1]);
const [problem, positions] = JSON.parse(require("fs").readFileSync(0));
const model = levers.make(problem);
const moved = positions.map((at) => ({ ...problem.start, ...at }));
console.log(JSON.stringify(moved.map((at) => [model.solve(at), model.bands(at)])));
"""


def solved(
    law: Any, budget: t2.Budget, positions: list[dict[str, float]], laws: Any = None, over: Any = ()
) -> list[Any]:
    """Answers of the page's script at positions of the levers, and its bands."""
    if not shutil.which("node"):
        pytest.skip("node is not installed: it runs the page's script")
    problem = lever_data(levers_of(law, budget, t2.allocate(law, budget), laws=laws, over=over), type(law))
    done = subprocess.run(
        ["node", "-e", SOLVE, str(SCRIPT)],
        input=json.dumps([problem, positions]),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
