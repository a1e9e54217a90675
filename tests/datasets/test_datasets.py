"""Public tables: what the registry says, what the loaders give, and files that are missing or altered."""

import hashlib
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from t2jax import datasets
from t2jax.datasets.files import DatasetError


@pytest.fixture
def files():
    """Fetches the files of a data set, or skips the test where they can be neither found nor downloaded."""

    def fetch(name):
        try:
            return datasets.fetch(name)
        except DatasetError as error:
            pytest.skip(f"needs public data: {error}")

    return fetch


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No data folder, an empty cache, and a network that answers nothing; gives back the cache's folder."""

    def no_answer(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.delenv("T2JAX_DATA", raising=False)
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "cache" / name)
    monkeypatch.setattr("pooch.retrieve", no_answer)
    return tmp_path / "cache"


def test_every_entry_is_complete():
    scalebench = ("scalebench-farseer", "scalebench-repetition")
    assert datasets.names() == ("chinchilla-epoch", "pythia-gsm8k", *scalebench, "testbed")
    licences = {"testbed": "Apache-2.0"} | dict.fromkeys(scalebench, "CC-BY-4.0")
    for name in datasets.names():
        entry, ours = datasets.info(name), name == "testbed"
        assert entry.description and entry.citation and entry.load.__doc__
        assert entry.licence == licences.get(name, "none stated")
        for file in entry.files:
            assert name.startswith(file.place.partition("/")[0]) and len(file.sha256) == 64
            if not ours:  # what t2jax ships has no address
                assert file.url.startswith("https://")
                assert any(len(part) == 40 for part in file.url.split("/")), "the URL must name a commit"


def test_names_and_options_that_are_not_there():
    with pytest.raises(
        DatasetError, match=r"no data set 'chinchila', expected one of .*did you mean 'chinchilla-epoch'\?"
    ):
        datasets.load("chinchila")
    with pytest.raises(DatasetError, match=r"no option 'outlier', expected one of outliers; did you mean 'outliers'\?"):
        datasets.load("chinchilla-epoch", outlier=True)
    with pytest.raises(DatasetError, match=r"'pythia-gsm8k' has no option 'outliers', expected none$"):
        datasets.load("pythia-gsm8k", outliers=True)


def test_no_network_is_one_clear_error(offline):
    with pytest.raises(DatasetError) as caught:
        datasets.load("chinchilla-epoch")
    message = str(caught.value)
    assert datasets.info("chinchilla-epoch").files[0].url in message and "could not be downloaded" in message
    assert "put the file at chinchilla-epoch/svg_extracted_data.csv" in message and "T2JAX_DATA" in message
    assert "\n" not in message
    assert not offline.exists()


def test_a_file_that_is_not_the_published_one(offline, monkeypatch, tmp_path):
    (tmp_path / "chinchilla-epoch").mkdir()
    altered = tmp_path / "chinchilla-epoch" / "svg_extracted_data.csv"
    altered.write_text("Model Size,Training FLOP,loss\n1e9,1e20,3\n")
    monkeypatch.setenv("T2JAX_DATA", str(tmp_path))
    result = hashlib.sha256(altered.read_bytes()).hexdigest()
    with pytest.raises(DatasetError) as caught:
        datasets.load("chinchilla-epoch")
    message = str(caught.value)
    assert (
        str(altered) in message
        and "expected 193478df4e90f040016431996c45682659306840ecdadf83cfb9cd5ca0aa1b30" in message
    )
    assert f"found sha256 {result}" in message


def test_a_download_is_checked_and_kept(files, monkeypatch, tmp_path, caplog):
    caplog.set_level(logging.CRITICAL)
    (whole,) = files("chinchilla-epoch")
    served = {"from": whole}

    def download(url, output_file, pooch):
        assert url == datasets.info("chinchilla-epoch").files[0].url
        shutil.copyfile(served["from"], output_file)

    monkeypatch.delenv("T2JAX_DATA", raising=False)
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "cache" / name)
    monkeypatch.setattr("pooch.core.choose_downloader", lambda url, progressbar: download)
    served["from"] = Path(__file__)
    with pytest.raises(DatasetError, match=r"svg_extracted_data.csv: .*known hash: expected sha256:193478\w+ but got"):
        datasets.fetch("chinchilla-epoch")
    served["from"] = whole
    (path,) = datasets.fetch("chinchilla-epoch")
    assert path == tmp_path / "cache" / "t2jax" / "chinchilla-epoch" / "svg_extracted_data.csv"
    served["from"] = Path(__file__)  # not asked again
    assert len(datasets.load("chinchilla-epoch")) == 240


def test_chinchilla(files):
    (path,) = files("chinchilla-epoch")
    raw = pd.read_csv(path)
    table, whole = datasets.load("chinchilla-epoch"), datasets.load("chinchilla-epoch", outliers=True)
    assert (len(table), len(whole), len(raw)) == (240, 245, 245)
    assert table.columns == ("params", "tokens", "loss", "flops")
    np.testing.assert_allclose(whole["params"], raw["Model Size"], rtol=1e-15)
    np.testing.assert_allclose(6 * whole["params"] * whole["tokens"], raw["Training FLOP"], rtol=1e-14)
    fitted = np.isin(whole["loss"], table["loss"])
    assert sorted(whole["loss"][~fitted]) == sorted(whole["loss"])[-5:]
    assert whole["loss"][~fitted].min() == pytest.approx(3.447, abs=1e-3) and table["loss"].max() < 3.41
    np.testing.assert_array_equal(table["params"], whole["params"][fitted])
    assert len(np.unique(whole.runs())) == 245
    assert table.source.licence == "none stated" and table.source.sha256.startswith("193478df")
    assert whole.source.history[-1] == "loaded as data set 'chinchilla-epoch', outliers=True"


def test_pythia_source_is_as_described(files):
    passes, models = files("pythia-gsm8k")
    raw, sizes = pd.read_parquet(passes), pd.read_csv(models)
    pairs = raw.groupby(["Model Nickname", "prompt_idx"])
    assert (len(raw), len(pairs), raw["k"].nunique()) == (246_552, 10_273, 24)
    assert set(pairs.size()) == {24}
    for counts in ("Num. Samples", "Num. Samples Correct"):
        assert set(pairs[counts].nunique()) == {1}
    beyond = np.asarray(raw["k"]) > np.asarray(raw["Num. Samples"])
    assert beyond.sum() == 44_353 and set(np.asarray(raw["pass@k"])[beyond]) == {1.0}
    assert set(raw["Model Nickname"]) == set(sizes["Model Nickname"]) and len(sizes) == 81


def test_pythia(files):
    files("pythia-gsm8k")
    table = datasets.load("pythia-gsm8k")
    assert len(table) == 10_273
    assert table.columns == ("model", "params", "tokens", "question", "trials", "correct", "non_embedding_params")
    runs = table.runs()
    assert runs.max() == 80
    questions = dict(zip(table["model"][np.unique(runs, return_index=True)[1]], np.bincount(runs), strict=True))
    odd = {name: count for name, count in questions.items() if count != 128}
    assert odd == {"Pythia_12B_2M": 30, "Pythia_2.8B_2B": 129, "Pythia_410M_20B": 130}
    extra = table.where(question=["330", "822"])
    assert sorted(zip(extra["model"], extra["question"], strict=True)) == [
        ("Pythia_2.8B_2B", "330"),
        ("Pythia_410M_20B", "330"),
        ("Pythia_410M_20B", "822"),
    ]
    trials, correct = table["trials"], table["correct"]
    assert (trials.min(), trials.max()) == (128, 2_980_608) and (trials % 128 == 0).all() and (correct <= trials).all()
    assert np.mean(correct == 0) == pytest.approx(0.58, abs=0.005)
    solved = np.bincount(runs, weights=correct)
    unsolved = set(table["model"]) - set(table["model"][solved[runs] > 0])
    assert unsolved == {"Pythia_12B_2M", "Pythia_410M_64M"}
    smallest = table.where(model="Pythia_14M_2M")
    assert set(smallest["params"]) == {14e6} and set(smallest["tokens"]) == {2e6}
    assert set(smallest["non_embedding_params"]) == {1_189_888}
    cell = table.where(model="Pythia_1.4B_200B", question="12")
    assert (cell["trials"][0], cell["correct"][0]) == (10_112, 43)
    assert len(table.source.history) == 3 and "models_pythia.csv" in table.source.history[1]


def test_testbed_by_hand():
    """Mean loss and pass@64 of every checkpoint and task of a seed by pandas, of base models and after fine-tuning."""
    p = pd.read_parquet(datasets.fetch("testbed")[1], columns=["model", "stage", "task", "p"])
    p = p.assign(p=p["p"].astype(float))
    p = p.assign(loss=-np.log(p["p"]), pass_at_k=1 - (1 - p["p"]) ** 64)
    for stage in ("base", "sft"):
        rows: Any = p[p["stage"] == stage].groupby(["model", "task"])[["loss", "pass_at_k"]].mean()
        table = datasets.load("testbed", samples=(64.0,), stage=stage).where(seed=0).to_frame()
        read: Any = table.set_index(["model", "task"])[["loss", "pass_at_k"]].sort_index()
        pd.testing.assert_frame_equal(read, rows, check_index_type=False, rtol=1e-9)
    assert len(read) == 29 + 30 + 32  # of chains, facts and hypernym, as not all tasks are there at every checkpoint


def test_testbed_averages():
    """Over tasks, those with a spread between seeds of 3 % at most; over seeds by pandas, their number as weight."""
    tasks = datasets.load("testbed", samples=(1.0, 64.0)).to_frame()
    values, cell = ["pass_at_k", "neg_log_pass", "loss"], ["params", "tokens", "samples"]
    long = tasks[(tasks["samples"] == 1) & (tasks["tokens"] >= 2**19)]
    cells: Any = long.groupby(["task", "params", "tokens"])["loss"].agg(["std", "mean"])
    spread = (cells["std"] / cells["mean"]).groupby("task").median()
    steady = tasks[tasks["task"].isin(spread.index[spread <= 0.03])]
    by_hand: Any = steady.groupby(["model", "samples"])[values].mean()
    rows = datasets.load("testbed", samples=(1.0, 64.0), average=True).to_frame()
    read: Any = rows.set_index(["model", "samples"])[values].sort_index()
    pd.testing.assert_frame_equal(read, by_hand, rtol=1e-12)
    means = datasets.load("testbed", samples=(1.0, 64.0), average=True, seeds=False).to_frame()
    assert len(means) == 2 * 159 and set(means["weight"]) == {len(datasets.fetch("testbed")) / 2}
    by_hand = rows.groupby(cell)[values].mean()
    np.testing.assert_allclose(means.set_index(cell)[values].sort_index(), by_hand, rtol=1e-14)


def test_testbed_tasks_and_stages_that_are_not_there():
    rows = datasets.load("testbed", samples=(1.0,), tasks=("sums", "facts"))
    assert rows["task"][:2].tolist() == ["sums", "facts"] and len(set(rows["task"])) == 2
    with pytest.raises(DatasetError, match="no task 'sums' at this stage, expected some of"):
        datasets.load("testbed", tasks=("sums",), stage="ft")
    with pytest.raises(DatasetError, match="no question at stage 'rl', expected 'base', or"):
        datasets.load("testbed", stage="rl")


def test_a_variable_that_names_no_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("T2JAX_DATA", str(tmp_path / "absent"))
    with pytest.raises(DatasetError, match=r"T2JAX_DATA names '.*absent', which is no folder: name one, or unset"):
        datasets.load("testbed")
