"""Runs of ScaleBench: Farseer's grid, and runs whose tokens repeat."""

from pathlib import Path
from typing import TYPE_CHECKING

from t2jax.datasets.files import DataFile, Dataset

if TYPE_CHECKING:
    import pandas as pd

UPSTREAM = "https://raw.githubusercontent.com/PlanarG/active-sl/e0a58ffde4f6fdfb20880d47d6d180fdbcb1440d/"
CITATION = "Li et al. 2026, ScaleBench, 2604.22753; GitHub PlanarG/active-sl"


def _farseer(train: Path, test: Path) -> "pd.DataFrame":
    """Reads 411 runs of Farseer's grid (Li et al. 2025, 2506.10972), with losses in nats per character, not per token.

    Columns are `model`, a number for each run, `params`, `tokens`, `loss` and `held_out`, 1 in the 7 rows to predict.
    """
    return _runs(train, test, {"N": "params", "D": "tokens", "loss": "loss"})


def _repetition(train: Path, test: Path) -> "pd.DataFrame":
    """Reads 182 runs with up to thousands of passes over their data (Muennighoff et al. 2023, 2305.16264).

    Columns are `model`, a number for each run, `params`, `tokens`, `unique_tokens`, `loss` and `held_out`.
    The latter is 1 in the 21 rows to predict.
    """
    names = {name: name for name in ("params", "tokens", "unique_tokens", "loss")}
    return _runs(train, test, names)


def _runs(train: Path, test: Path, names: dict[str, str]) -> "pd.DataFrame":
    import pandas as pd

    parts = [pd.read_parquet(path, columns=[*names]).set_axis([*names.values()], axis=1) for path in (train, test)]
    joined = pd.concat([part.assign(held_out=held_out) for held_out, part in enumerate(parts)], ignore_index=True)
    return joined.assign(model=[f"run {row}" for row in range(len(joined))])


def _file(table: str, part: str, sha256: str) -> DataFile:
    url = f"{UPSTREAM}benchmark/dataset/{table}_scaling_law/{part}-00000-of-00001.parquet"
    return DataFile(place=f"scalebench/{table}_{part}.parquet", url=url, sha256=sha256)


SCALEBENCH_FARSEER = Dataset(
    name="scalebench-farseer",
    description="losses of 411 language models over a grid of params and tokens, 7 of them dear ones to predict",
    citation=CITATION,
    licence="CC-BY-4.0",
    files=(
        _file("farseer", "train", "98c4167b4b111814bcf8450bef0ec975239da067dd4f42ef6b71f4c1667705bc"),
        _file("farseer", "test", "f886cce70555fed73c6ecbdc6588edc0cb0947a00db36e15c8795afcba280f3d"),
    ),
    load=_farseer,
)
SCALEBENCH_REPETITION = Dataset(
    name="scalebench-repetition",
    description="losses of 182 language models on few or many unique tokens, 21 of them to predict",
    citation=CITATION,
    licence="CC-BY-4.0",
    files=(
        _file("data_constrained", "train", "d0e6f059e657c7476f8f2636110e391d086c78bd826a50c4cc62f06e73c7b020"),
        _file("data_constrained", "test", "acdc55ff3bffb3020b365007d2b18bc0bf0ec3e359b2ceb3e09abe2bbb94cc2e"),
    ),
    load=_repetition,
)
