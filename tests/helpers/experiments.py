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
    config = module.Config.tiny()
    record.save(folder, module.__name__, config, result, 1.0, figures)
    written = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert written["seed"] == config.seed
    assert written["arguments"] == record.plain(config)
    assert {"t2jax", "jax", "numpy", "python"} <= written["versions"].keys()
    assert written["result"]
    for stem in figures:
        assert (folder / f"{stem}.png").stat().st_size > 1000
