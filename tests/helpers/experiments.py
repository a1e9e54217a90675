"""What the tests of experiments share: public tables that may be missing, and what an experiment writes."""

import json

import pytest

import t2jax as t2
from experiments.shared import record


def need(name: str) -> None:
    """Skip, saying why, where a public table can be neither read nor downloaded."""
    try:
        t2.datasets.fetch(name)
    except t2.datasets.DatasetError as error:
        pytest.skip(str(error))


def check_output(module, result, folder):
    """The words are sentences, and the folder holds the numbers and every figure."""
    words = module.words(result)
    assert words and all(isinstance(line, str) and "nan" not in line for line in words)
    figures = module.figures(result) if hasattr(module, "figures") else {}
    record.save(folder, module.__name__, module.Config.tiny(), result, 1.0, figures)
    check_numbers(module, folder)
    if figures:
        check_figures(folder)
    assert {path.stem for path in folder.glob("*.png")} == figures.keys()


def check_numbers(module, folder):
    """result.json says what was run, with what, and what came out."""
    config = module.Config.tiny()
    written = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert written["seed"] == config.seed
    assert written["arguments"] == record.plain(config)
    assert {"t2jax", "jax", "numpy", "python"} <= written["versions"].keys()
    assert written["result"]


def check_figures(folder):
    sizes = [path.stat().st_size for path in folder.glob("*.png")]
    assert sizes and min(sizes) > 1000
