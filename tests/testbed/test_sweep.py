"""Sweeps: grids of equal FLOPs, what is kept and refused, tables, and what the table that ships says."""

import json
import multiprocessing
import os
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import t2jax as t2
from experiments.checks import testbed_kills
from experiments.checks.testbed_kills import grid
from t2jax import cli
from t2jax.datasets.testbed import STEADY
from t2jax.testbed.sweep.grid import Arm
from t2jax.testbed.sweep.layout import PAPER_BUDGETS, PAPER_PARAMS, layout
from t2jax.testbed.sweep.measure import answer_nll
from t2jax.testbed.sweep.presets import PRESETS, Preset
from t2jax.testbed.sweep.sweep import SweepError, sweep_at, sweep_in
from t2jax.testbed.sweep.tables import write_tables
from t2jax.testbed.sweep.train import Recipe
from t2jax.testbed.sweep.tuning import Tuning, fine_tune
from t2jax.testbed.sweep.workers import ONE_CORE, sweep_all
from t2jax.testbed.text.archive import Settings
from t2jax.testbed.text.corpus import Source, text_source, tiny

SMALL = replace(grid(1), longest=(2**16, 2**15), budgets=4)
SETTINGS = Settings(
    questions_per_task=16, exercises_per_task=16, scored=1, held_out=0.1, facts=60, codes=60, rules=32, maps=16
)
TINY = Source("tiny", lambda: tiny(0, SETTINGS))  # one scored token, as true samples of a small model are seldom right
LEAST = replace(SMALL, widths=(4,), longest=(2**16,))


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    sweep = sweep_at(folder, SMALL, Recipe(), TINY)
    counts: list[int] = []
    sweep_all(sweep, 0, counts.append)
    return sweep, counts


def test_cells_lie_on_isoflops():
    """6ND is the budget, to half a step; every budget has several sizes, tokens per parameter span what is promised."""
    preset = PRESETS["debian"]
    cells = [cell for run in preset.grid.runs(preset.recipe, 256) if run.seed == 0 for cell in run.cells]
    tokens = np.array([cell.steps * preset.recipe.tokens_per_step for cell in cells])
    params = np.array([cell.shape.params for cell in cells])
    budgets = np.array([cell.budget for cell in cells])
    np.testing.assert_allclose(6 * params * tokens, budgets, rtol=0.5 * 512 / 2**18)
    assert len(cells) >= 150 and len(set(params.tolist())) == 9 and budgets.max() / budgets.min() >= 2**12
    assert params.min() < 3e3 and params.max() > 9e5
    assert tokens[params < 4e4].max() > 2**24.2 and tokens.min() >= 2**18
    assert (tokens / params).min() < 5 and (tokens / params).max() > 9000


def test_arms_cross_lengths_with_texts_and_rates():
    """A run of 2^j unique tokens has no shorter lengths; half and twice the rate are runs of their own."""
    for name, runs, cells in (("rates", 27, 54), ("data-wall", 12, 62)):
        preset = PRESETS[name]
        arm = list(preset.grid.runs(preset.recipe, 256))
        assert len(arm) == len({run.label for run in arm}) == runs
        assert len({run.name(cell) for run in arm for cell in run.cells}) == sum(len(run.cells) for run in arm) == cells
        for run in arm:
            assert all(run.unique <= cell.steps * 512 <= 2**26 for cell in run.cells)
    wall = {run.label: run for run in PRESETS["data-wall"].grid.runs(Recipe(), 256)}
    assert [cell.steps * 512 // 2**20 for cell in wall["w16-u1048576-seed0"].cells] == [1, 2, 4, 8, 16, 32, 64]


def test_a_sweep_is_kept_and_its_table_read(swept, tmp_path):
    sweep, counts = swept
    cells = sum(len(run.cells) for run in sweep.runs())
    assert counts[-1] == cells and sorted(set(counts)) == counts
    runs, questions = write_tables(sweep, tmp_path)
    table = pd.read_csv(runs)
    losses = table["validation_loss"].to_numpy()
    assert len(losses) == cells and np.all(losses > 1) and np.all(losses < np.log(256))
    assert np.array_equal(table["flops"], 6 * table["params"] * table["tokens"])
    p = pq.read_table(questions).to_pandas()
    forward = [run.shape.forward_flops(64) for run in sweep.runs() for _ in run.cells]
    assert np.array_equal(table["total_flops"], 3 * np.array(forward) * table["tokens"])
    assert np.array_equal(table["unique_tokens"], table["tokens"])  # less than the text
    assert len(p) == cells * len(sweep.corpus.questions) and p["p"].between(0, 1, inclusive="right").all()
    run = sweep.runs()[0]
    nll = np.load(sweep.folder / "cells" / f"{run.name(run.cells[0])}.npz", allow_pickle=False)["nll"]
    np.testing.assert_allclose(-np.log(p["p"][: len(nll)]), nll, rtol=1e-6, atol=2**-9)
    again = sweep_in(sweep.folder)
    assert again.grid == sweep.grid and again.recipe == sweep.recipe and again.corpus.digest == sweep.corpus.digest


def test_tables_of_a_sweep_that_goes_on_have_the_same_checkpoints(swept, tmp_path, monkeypatch):
    """A checkpoint that is finished while the tables are written is in both or in none."""
    cells = list(swept[0].measured())
    reads = iter([cells[:-1]])
    monkeypatch.setattr(type(swept[0]), "measured", lambda _: iter(next(reads, cells)))
    runs, questions = write_tables(swept[0], tmp_path)
    models = pq.read_table(questions)["model"].unique().to_pylist()
    assert pd.read_csv(runs)["model"].tolist() == models and len(models) == len(cells) - 1


def test_what_follows_a_sweep_is_measured_once(swept, tmp_path, monkeypatch):
    """Wrong answers and post-training at the last checkpoint; a second call computes nothing anew."""
    source = replace(TINY, make=lambda: swept[0].corpus)
    tuning = Tuning(every=4, epochs=1, factors=(0.1,), answered=1)
    sweep = sweep_at(tmp_path, replace(LEAST, longest=(2**18,)), Recipe(), source, tuning)
    sweep_all(sweep, 0)
    (run,), (first, questions, answers) = sweep.runs(), write_tables(sweep, tmp_path)
    p, runs = pq.read_table(questions).to_pandas(), pd.read_csv(first)
    after = p[p["stage"] != "base"]
    assert set(after["model"]) == {run.name(run.cells[-1])} and len(after) == 6 * 16
    assert runs["ft_rate"].notna().tolist() == runs["sft_rate"].notna().tolist() == [False, False, True]
    assert runs["sft_rate"].iloc[-1] == pytest.approx(0.1 * 0.22 / 4)
    rivals = pq.read_table(answers).to_pandas()
    assert len(rivals) == 9 * 15 and (rivals.groupby("task")["p"].sum() < 1).all()
    tuned = {(tuned.stage, tuned.task): tuned.nll for tuned in sweep.tuned(run, run.cells[-1])}
    model, corpus = sweep.params(run, run.cells[-1]), sweep.corpus
    by_hand = fine_tune(run.shape, model, corpus.exercises.of("facts"), "sft", 0.1, Recipe(), tuning)
    nll = answer_nll(run.shape, by_hand, corpus.questions.of("facts"))
    np.testing.assert_allclose(tuned["sft", "facts"], nll, rtol=1e-5)
    monkeypatch.setattr("t2jax.testbed.sweep.sweep.fine_tune", lambda *_: pytest.fail("it was measured already"))
    assert sweep.complete(run) and sweep_in(tmp_path).tuning == tuning
    sweep_all(sweep, 0)
    load = t2.datasets.info("testbed").load
    second = tmp_path / "seed1.csv", tmp_path / "seed1.parquet"
    runs.assign(model=runs["model"] + "1", seed=1).to_csv(second[0], index=False)
    p.assign(model=p["model"].astype(str) + "1").to_parquet(second[1])
    shards = load(first, questions, *second, samples=(1.0,), average=True)
    assert shards.groupby("seed").size().tolist() == [len(runs)] * 2 and {"unique_tokens", "total_flops"} <= set(shards)
    losses = shards.sort_values(["seed", "tokens"])["loss"].to_numpy().reshape(2, -1)
    np.testing.assert_array_equal(losses[0], losses[1])
    tuned_rows = load(first, questions, samples=(1.0,), stage="sft")
    assert set(tuned_rows["task"]) == {"hypernym", "facts", "chains"} and len(tuned_rows) == 3
    with pytest.raises(t2.datasets.DatasetError, match="found no question at stage 'rl', expected 'base'"):
        load(first, questions, stage="rl")


def test_runs_of_little_text_read_it_again(swept, tmp_path):
    """2^14 unique tokens are read twice on the way to 2^15, at half the rate; the table tells both."""
    source = replace(TINY, make=lambda: swept[0].corpus)
    arm = Arm((4,), (2**15,), (2**14, 2**15), (0,), unique=(2**14,), factors=(0.5,), layers=1)
    sweep = sweep_at(tmp_path, arm, Recipe(warmup=1), source)
    sweep_all(sweep, 0)
    runs = pd.read_csv(write_tables(sweep, tmp_path)[0])
    assert runs["model"].tolist() == ["w4-u16384-x0.5-s32-seed0", "w4-u16384-x0.5-s64-seed0"]
    assert runs["tokens"].tolist() == [2**14, 2**15] and set(runs["unique_tokens"]) == {2**14}
    np.testing.assert_allclose(runs["rate"], 0.11 / 4, rtol=1e-3)
    assert sweep_in(tmp_path).grid == arm


def test_other_settings_are_refused(swept):
    sweep, _ = swept
    with pytest.raises(SweepError, match=r"settings.json: recipe.rate is 0.22 there and 0.1 now"):
        sweep_at(sweep.folder, SMALL, Recipe(rate=0.1), TINY)
    with pytest.raises(SweepError, match=r"grid.widths is \(4, 8\) there and \(4, 12\) now"):
        sweep_at(sweep.folder, replace(SMALL, widths=(4, 12)), Recipe(), TINY)
    with pytest.raises(SweepError, match="expected the settings of a sweep"):
        sweep_in(sweep.folder / "cells")


def test_another_text_is_refused(swept, tmp_path):
    corpus, texts = swept[0].corpus, tmp_path / "texts"
    (texts / "below").mkdir(parents=True)
    (texts / "below" / "a.txt").write_text("one")
    names = {text_source(texts, Settings(), 0).name}
    (texts / "b.txt").write_text("two")
    names.add(text_source(texts, Settings(), 0).name)
    (texts / "b.txt").rename(texts / "c.txt")
    source = replace(text_source(texts, Settings(), 0), make=lambda: corpus)
    assert len({*names, source.name, TINY.name}) == 4
    (texts / "not read").write_text("three")
    assert text_source(texts, Settings(), 0).name == source.name

    folder = tmp_path / "sweep"
    sweep_at(folder, SMALL, Recipe(), source)
    sweep_at(folder, SMALL, Recipe(), replace(source, make=lambda: pytest.fail("it was made already")))
    with pytest.raises(SweepError, match=r"settings.json: source is text \w+ there and tiny now"):
        sweep_at(folder, SMALL, Recipe(), TINY)


def test_a_folder_that_names_no_text_is_known_by_its_corpus(swept, tmp_path):
    corpus = swept[0].corpus
    sweep_at(tmp_path, SMALL, Recipe(), Source("first", lambda: corpus))
    settings = json.loads((tmp_path / "settings.json").read_text())
    del settings["source"]
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    assert sweep_in(tmp_path).corpus.digest == corpus.digest
    with pytest.raises(SweepError, match=r"settings.json: corpus is \w+ there and \w+ now"):
        sweep_at(tmp_path, SMALL, Recipe(), Source("second", lambda: replace(corpus, seed=1)))
    assert sweep_in(tmp_path).corpus.digest == corpus.digest
    sweep_at(tmp_path, SMALL, Recipe(), Source("third", lambda: corpus))
    assert json.loads((tmp_path / "settings.json").read_text()) == {**settings, "source": "third"}


@pytest.mark.tiny
def test_killed_and_resumed(tmp_path):
    """SIGKILL in the middle: what is resumed equals what was never disturbed."""
    result = testbed_kills.run(testbed_kills.Config.tiny())
    assert result.kills == 1 and 2 <= result.finished[0] < result.cells  # in the middle it was
    assert result.equal


TWO_SWEEPS = """
import sys
from pathlib import Path
from t2jax.testbed.sweep.sweep import sweep_in
from t2jax.testbed.sweep.workers import sweep_all
for folder, workers in zip(sys.argv[1:], (0, 2)):
    sweep_all(sweep_in(Path(folder)), workers)
"""


def stop(finished):
    raise KeyboardInterrupt


@pytest.mark.long
def test_workers_end_with_their_parent_and_train_the_same(swept, tmp_path, monkeypatch):
    """Killed or interrupted, the parent leaves no worker behind; the sweep goes on to the table of one process."""
    source = replace(TINY, make=lambda: swept[0].corpus)
    two_runs = replace(SMALL, widths=(4,), longest=(2**18,), seeds=(0, 1))
    whole, sweep = (sweep_at(tmp_path / name, two_runs, Recipe(), source) for name in ("whole", "killed"))
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "compiled"))  # one process compiles for all
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    train = [sys.executable, "-c", TWO_SWEEPS, str(whole.folder), str(sweep.folder)]
    one_core = {**os.environ, "XLA_FLAGS": ONE_CORE}
    # workers share the parent's standard output, which therefore ends with the last of them
    with subprocess.Popen(train, stdout=subprocess.PIPE, env=one_core) as parent:
        while parent.poll() is None and sweep.count() == 0:
            time.sleep(0.02)
        parent.kill()
        parent.communicate(timeout=20)
    assert parent.returncode == -9 and whole.count() == 6 and sweep.count() < 6
    with pytest.raises(KeyboardInterrupt):
        sweep_all(sweep, 2, stop)
    assert not multiprocessing.active_children() and sweep.count() < 6
    sweep_all(sweep, 2)
    tables = [write_tables(trained, trained.folder) for trained in (whole, sweep)]
    expected, runs = (pd.read_csv(paths[0]).drop(columns="seconds") for paths in tables)
    pd.testing.assert_frame_equal(runs, expected, check_exact=True)
    assert pq.read_table(tables[0][1]).equals(pq.read_table(tables[1][1]))


MESH = """
import sys
import numpy as np
from t2jax.testbed.text.corpus import tiny
from t2jax.testbed.sweep.model import Shape
from t2jax.testbed.sweep.train import Recipe, Windows, begin, trunk
import jax
data = Windows.cut(tiny(seed=0).train, 64, 0)
state = trunk(begin(Shape(8, layers=1, heads=2), Recipe(), 0), 20, Shape(8, layers=1, heads=2), Recipe(), data)
np.savez(sys.argv[1], *map(np.asarray, jax.tree.leaves(state.params)), devices=jax.device_count())
"""


@pytest.mark.long
def test_a_mesh_of_devices_trains_the_same(tmp_path):
    """Data-parallel over four devices: the same parameters up to the order of sums."""
    archives = []
    for devices in (1, 4):
        flags = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}", "JAX_PLATFORMS": "cpu"}
        file = tmp_path / f"{devices}.npz"
        subprocess.run([sys.executable, "-c", MESH, str(file)], env={**os.environ, **flags}, check=True)
        archives.append(dict(np.load(file, allow_pickle=False)))
    assert [archive.pop("devices") for archive in archives] == [1, 4]
    assert archives[0].keys() == archives[1].keys() and len(archives[0]) > 5
    for name, leaf in archives[0].items():
        np.testing.assert_allclose(archives[1][name], leaf, rtol=1e-4, atol=1e-5)


def test_the_papers_grid_costs_what_6nd_says():
    cells = layout(PAPER_PARAMS, PAPER_BUDGETS, flops_per_second=1e15, utilisation=0.5)
    assert len(cells) == 16 * 12
    last = cells.iloc[-1]
    assert last["tokens"] == pytest.approx(2.56e19 / (6 * 901e6)) and last["device_hours"] == pytest.approx(
        2.56e19 / 5e14 / 3600
    )
    with pytest.raises(ValueError, match="utilisation is 2, expected a share"):
        layout(PAPER_PARAMS, PAPER_BUDGETS, flops_per_second=1e15, utilisation=2)


def test_plan_and_check_as_commands(swept, tmp_path, capsys):
    assert cli.command(["testbed", "plan", "--preset", "tiny", "--json", "-o", str(tmp_path / "plan")]) == 0
    assert json.loads(capsys.readouterr().out)["runs"] == 7
    folder = str(swept[0].folder)
    assert cli.command(["testbed", "check", folder, "--draws", "1500", "--json", "-o", str(tmp_path / "check")]) == 0
    for check in json.loads(capsys.readouterr().out)["checks"]:
        assert abs(check["spread"] - 1) < 0.5 and abs(check["mean_z"]) < 1
    assert cli.command(["testbed", "check", folder, "--draws", "2", "-o", str(tmp_path / "few")]) == 1
    assert "draw more" in capsys.readouterr().err
    assert cli.command(["testbed", "check", str(tmp_path), "-o", str(tmp_path / "none")]) == 1
    assert "expected the settings of a sweep" in capsys.readouterr().err


def test_sweep_and_table_as_commands(swept, tmp_path, capsys, monkeypatch):
    """Seeds are added to a folder; its table has all of them. The preset says how many workers there are."""
    source = replace(TINY, make=lambda: swept[0].corpus)
    monkeypatch.setitem(PRESETS, "tiny", Preset(LEAST, Recipe(), source, about="", workers=0))
    monkeypatch.setattr(multiprocessing, "get_context", lambda _: pytest.fail("a process was started"))
    folder, count = tmp_path / "sweep", len(next(LEAST.runs(Recipe(), 256)).cells)
    for seed in (0, 1):
        status = cli.command(["testbed", "sweep", str(folder), "--preset", "tiny", "--seeds", str(seed), "--json"])
        printed = capsys.readouterr()
        files = ["runs.csv", "questions.parquet"]
        assert status == 0 and json.loads(printed.out) == {
            "command": "testbed sweep",
            "folder": str(folder),
            "files": files,
            "checkpoints": (seed + 1) * count,
        }
        assert ("making the corpus" in printed.err) == (seed == 0)
        assert pd.read_csv(folder / "runs.csv")["seed"].tolist() == sorted([*range(seed + 1)] * count)
    assert set(pq.read_table(folder / "questions.parquet")["model"].to_pylist()) == set(
        pd.read_csv(folder / "runs.csv")["model"]
    )
    assert cli.command(["testbed", "table", str(folder), "--json", "-o", str(tmp_path / "table")]) == 0
    assert sorted(json.loads(capsys.readouterr().out)["files"]) == sorted(files)
    assert (tmp_path / "table" / "runs.csv").read_bytes() == (folder / "runs.csv").read_bytes()
    (tmp_path / "a.txt").write_text("another text")
    assert cli.command(["testbed", "sweep", str(folder), "--preset", "tiny", "--text", str(tmp_path)]) == 1
    assert "source is tiny there and text" in capsys.readouterr().err


def test_the_table_that_ships():
    """As many checkpoints as promised; the columns hang together; averages are averages."""
    table = t2.datasets.load("testbed", samples=(1.0, 16.0))
    files = t2.datasets.fetch("testbed")
    runs = pd.concat([pd.read_csv(path) for path in files[::2]])
    assert len(table) == len(runs) * 8 * 2 and np.bincount(runs["seed"]).min() >= 100
    single = table["samples"] == 1
    np.testing.assert_allclose(table["neg_log_pass"][single], table["loss"][single], rtol=1e-12)
    # more samples help, and by Jensen's inequality the mean of logarithms lies above the logarithm of the mean
    assert (table["pass_at_k"][~single] > table["pass_at_k"][single]).all()
    assert (table["neg_log_pass"] >= -np.log(table["pass_at_k"]) - 1e-12).all()
    average = t2.datasets.load("testbed", samples=(1.0, 16.0), average=True)
    assert len(average) == 2 * len(runs) and set(average["task"]) == {"average"}
    model = average["model"][0]
    mine, steady = average["model"] == model, np.isin(table["task"], STEADY) & (table["model"] == model)
    assert average["pass_at_k"][mine][1] == pytest.approx(table["pass_at_k"][steady & ~single].mean(), rel=1e-12)
    assert sum(path.stat().st_size for path in files) < 15e6
