"""Tables on disk: nothing is lost between memory and file, and nothing half-written is read."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from t2jax.tables.place import TableError
from t2jax.tables.read import read_table
from t2jax.tables.source import Source
from t2jax.tables.table import Table
from tests.helpers.tables import refusal, small

UNITS = {"tokens": 1e9, "params": 1.0, "loss": 1.0}


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "T.CSV.GZ", "t.parquet"])
def test_round_trip_is_exact_and_keeps_provenance(tmp_path, name):
    bits = np.random.default_rng(0).integers(0x3E00000000000000, 0x7E00000000000000, size=500)
    awkward = bits.view(np.float64)
    table = Table.from_columns(
        params=awkward,
        tokens=1e9 / 3,
        loss=np.geomspace(5e-324, 1e308, 500),
        flops=np.where(np.arange(500) % 7 == 0, np.nan, -awkward),
        question=[f'"{i}", été\nnext' for i in range(500)],
        seed=np.arange(500),
        half=np.float32(0.1),
        source=Source(name="mine", licence="MIT", url="https://example.org", units=UNITS, history=("made",)),
    )
    path = tmp_path / name
    write_table, again = (Table.to_parquet, "u.parquet") if name == "t.parquet" else (Table.to_csv, "u.csv")
    write_table(table, path)
    back = read_table(path)
    assert back.columns == table.columns
    for column in table.columns:
        np.testing.assert_array_equal(back[column], table[column], strict=True)
    assert (back.source.licence, back.source.url) == ("MIT", "https://example.org")
    assert back.source.units == UNITS
    assert back.source.history[:2] == ("made", f"mine written as {name}")
    assert back.source.history[2].startswith(f"read {path} (sha256 {back.source.sha256}")
    write_table(back, tmp_path / again)
    assert read_table(tmp_path / again).source.history[:3] == back.source.history
    assert not [file.name for file in tmp_path.iterdir() if file.name.endswith(".tmp")]


def test_an_edited_csv_says_so(tmp_path):
    path = tmp_path / "t.csv"
    small(params=[1000, 2000, 3000], source=Source(name="mine", units={"params": 1.0})).to_csv(path)
    assert read_table(path).source.units == {"params": 1.0}
    path.write_text(path.read_text().replace("3000.0,", "30000.0,"))
    assert "t.csv changed after it was written" in read_table(path).source.history
    path.write_text(path.read_text().replace("30000.0,", "4000.0,"))
    assert "raw counts" in refusal(path)


def test_refuses_provenance_it_cannot_read(tmp_path):
    small().to_csv(tmp_path / "t.csv")
    for text in ("{", "[]", json.dumps({"history": [], "colour": 1})):
        (tmp_path / "t.csv.source.json").write_text(text)
        assert "t.csv.source.json: found other provenance" in refusal(tmp_path / "t.csv")


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    small(loss=3.0).to_csv(path)
    before = path.read_bytes()

    def no_room(_):
        raise OSError("no room")

    monkeypatch.setattr(os, "fsync", no_room)
    for write_table, name in ((Table.to_csv, "t.csv"), (Table.to_parquet, "t.parquet")):
        with pytest.raises(OSError, match="no room"):
            write_table(small(loss=2.0), tmp_path / name)
    assert path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["t.csv", "t.csv.source.json"]


def test_writes_only_what_it_can_read(tmp_path):
    with pytest.raises(TableError, match=r"found suffix '\.txt', expected \.csv or \.csv\.gz"):
        small().to_csv(tmp_path / "t.txt")
    with pytest.raises(TableError, match=r"expected \.parquet"):
        small().to_parquet(tmp_path / "t.csv")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        small().to_csv(tmp_path / "none" / "t.csv")


def test_needs_no_jax():
    code = "import sys, importlib.util as u; sys.modules['jax'] = None; sys.modules['t2jax'] = type(sys)('t2jax');"
    code += "sys.modules['t2jax'].__path__ = [__import__('os').path.join(sys.argv[1], 't2jax')];"
    code += "import t2jax.tables.table"
    root = str(Path(__file__).parents[2])
    subprocess.run([sys.executable, "-c", code, root], check=True, timeout=120)


@pytest.mark.parametrize("name", ["small.csv", "small.parquet"])
def test_small_models_that_were_told_to_be_raw_are_believed_again(tmp_path, name):
    source = Source(units={"params": 1.0})
    table = Table.from_columns(params=np.array([2e3, 1e5]), tokens=1e9, loss=3.0, source=source).where(params=2e3)
    (table.to_parquet if name.endswith("parquet") else table.to_csv)(tmp_path / name)
    assert read_table(tmp_path / name)["params"].tolist() == [2e3]
    bare = Table.from_columns(params=np.array([2e3, 1e5]), tokens=1e9, loss=3.0).where(params=2e3)
    (bare.to_parquet if name.endswith("parquet") else bare.to_csv)(tmp_path / name)
    assert read_table(tmp_path / name)["params"].tolist() == [2e3]
