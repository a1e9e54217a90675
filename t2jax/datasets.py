"""Public tables by name: where each lies, its hash and licence, and how its columns become those of a Table."""

import difflib
import hashlib
import inspect
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pooch
import pyarrow.parquet as pq

from t2jax.downloads import retrieve
from t2jax.passes import pass_curves
from t2jax.table import Source, Table

__all__ = ["DataFile", "Dataset", "DatasetError", "fetch", "info", "load", "names"]

FOLDER_VARIABLE = "T2JAX_DATA"
SAMPLES = tuple(2.0**j for j in range(13))


class DatasetError(ValueError):
    """There is no such data set or option, or a file of one can be neither found nor downloaded, or is another file."""


@dataclass(frozen=True)
class DataFile:
    """One file of a data set: its place below a data folder, where it is published, and the hash of its bytes.

    A file without a URL comes with t2jax itself.
    """

    place: str
    url: str
    sha256: str


@dataclass(frozen=True)
class Dataset:
    """A public table. `load` turns the fetched `files`, in order, into a DataFrame with the columns of a Table."""

    name: str
    description: str
    citation: str
    licence: str
    files: tuple[DataFile, ...]
    load: Callable[..., pd.DataFrame]


def names() -> tuple[str, ...]:
    """The names that `load` knows."""
    return tuple(entry.name for entry in REGISTRY)


def info(name: str) -> Dataset:
    """What is known of a data set: description, citation, licence and files. Raises DatasetError for another name."""
    for entry in REGISTRY:
        if entry.name == name:
            return entry
    raise DatasetError(f"there is no data set {name!r}, expected {_one_of(name, names())}")


def fetch(name: str) -> tuple[Path, ...]:
    """The files of a data set: from the folder that T2JAX_DATA names, if they are there, else downloaded and kept.

    Every file is checked against its hash each time. Downloads are kept in the user's cache folder.
    Raises: DatasetError where a file cannot be had, or is not the file that was published.
    """
    return tuple(_local(file) or (_downloaded(file) if file.url else _bundled(file)) for file in info(name).files)


def load(name: str, **options: Any) -> Table:
    """A public table by name, such as load("chinchilla-epoch"); `info(name).load` tells its columns and options.

    Raises: DatasetError for an unknown name or option, and as `fetch` does.
    """
    entry = info(name)
    known = [p.name for p in inspect.signature(entry.load).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for option in options:
        if option not in known:
            raise DatasetError(f"data set {name!r} has no option {option!r}, expected {_one_of(option, known)}")
    frame = entry.load(*fetch(name), **options)
    chosen = "".join(f", {option}={value!r}" for option, value in options.items())
    read = tuple(f"read {file.url or file.place} (sha256 {file.sha256})" for file in entry.files)
    source = Source(
        name=name,
        sha256=entry.files[0].sha256,
        url=entry.files[0].url,
        licence=entry.licence,
        history=(*read, f"loaded as data set {name!r}{chosen}"),
    )
    return Table(frame, source)


def _one_of(name: str, known: Iterable[str]) -> str:
    known = tuple(known)
    alike = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {alike[0]!r}?" if alike else ""
    return (f"one of {', '.join(known)}" if known else "none") + hint


def _local(file: DataFile) -> Path | None:
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder or not Path(folder, file.place).exists():
        return None
    return _checked(Path(folder, file.place), file)


def _bundled(file: DataFile) -> Path:
    """A file that an installed t2jax has beside its modules, and a checkout in its folder `data`."""
    package = Path(__file__).parent
    folder = next((one for one in (package / "_data", package.parent / "data") if (one / file.place).exists()), None)
    if folder is None:
        raise DatasetError(f"{file.place} is missing from this installation of t2jax in {package}; install it again")
    return _checked(folder / file.place, file)


def _checked(path: Path, file: DataFile) -> Path:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != file.sha256:
        raise DatasetError(f"{path}: found sha256 {found}, expected {file.sha256}: this is not the published file")
    return path


def _downloaded(file: DataFile) -> Path:
    folder = pooch.os_cache("t2jax") / Path(file.place).parent
    otherwise = f"put the file at {file.place} in a folder named by the environment variable {FOLDER_VARIABLE}"
    return retrieve(file.url, file.sha256, folder, otherwise, DatasetError)


def _chinchilla_epoch(csv: Path, *, outliers: bool = False) -> pd.DataFrame:
    """Chinchilla's Figure 4, read off the published picture: `params`, `tokens`, `loss`, `flops`; 240 rows.

    Tokens are not in the file: they follow from training FLOP = 6 N D. The published fit leaves out the five points of
    highest loss (3.45 to 5.01; the next is 3.41); `outliers=True` keeps all 245. Nothing else is odd: no cell is empty
    and no (params, tokens) is repeated.
    """
    raw = pd.read_csv(csv, dtype=str)
    # As Python reads numbers, exact to the last bit: not every pandas does.
    columns = ("Model Size", "Training FLOP", "loss")
    params, flops, loss = (np.array([float(cell) for cell in raw[column]]) for column in columns)
    frame = pd.DataFrame({"params": params, "tokens": flops / (6 * params), "loss": loss, "flops": flops})
    highest = np.argsort(-loss)[: 0 if outliers else 5]
    return frame.loc[~frame.index.isin(highest)]


def _pythia_gsm8k(passes: Path, models: Path) -> pd.DataFrame:
    """Correct answers of 81 Pythia checkpoints to GSM8K questions: one row per checkpoint and question, 10,273 rows.

    Columns: `model`, `params` (with embeddings), `tokens`, `question` (the source's prompt_idx), `trials`, `correct`,
    `non_embedding_params`. Found in the source, and left as it is unless said:

    - It repeats each (checkpoint, question) for 24 values of k with the same counts; one of them is taken here. Its own
      pass@k is 1 wherever k exceeds the trials, so it is not read.
    - 78 checkpoints have the same 128 questions. Pythia_12B_2M has 30, Pythia_2.8B_2B also question 330, and
      Pythia_410M_20B also 330 and 822.
    - Trials differ by question within a checkpoint, from 128 to 2,980,608, always a multiple of 128. No row has more
      correct answers than trials; 58 % have none, and Pythia_12B_2M and Pythia_410M_64M have none at all.
    - Params and tokens are nominal: "2M" tokens stands for step 1 and 200B for step 100,000, 4.6 % below that step's
      2,097,152 tokens each. Checkpoints before the last are not annealed, and there is no loss.
    """
    wanted = {"Model Nickname": "model", "prompt_idx": "question", "Num. Samples": "trials"}
    counts = pd.read_parquet(passes, columns=[*wanted, "Num. Samples Correct"])
    counts = counts.rename(columns={**wanted, "Num. Samples Correct": "correct"}).drop_duplicates()
    wanted = {"Model Nickname": "model", "Parameters": "params", "Tokens": "tokens"}
    sizes = pd.read_csv(models, usecols=[*wanted, "Parameters Excluding Embeddings"])
    sizes = sizes.rename(columns={**wanted, "Parameters Excluding Embeddings": "non_embedding_params"})
    # A checkpoint without a size, or counts that differed between values of k, would now be refused by Table.
    joined = counts.merge(sizes, on="model", how="left", validate="many_to_one")
    return joined.loc[:, ["model", "params", "tokens", "question", "trials", "correct", "non_embedding_params"]]


def _testbed(
    runs: Path, questions: Path, *, samples: Sequence[float] = SAMPLES, average: bool = False, seeds: bool = True
) -> pd.DataFrame:
    """Our own models of 2 k to 0.9 M parameters on eight tasks: one row per checkpoint, task and k.

    Columns: `model`, `params` (without embeddings), `tokens`, `task`, `samples`, `neg_log_pass`, `pass_at_k`, `loss`
    (mean negative log-likelihood of the task's answers, which is neg_log_pass at k = 1), `validation_loss`
    (nats/token on held-out text), `budget` (training FLOPs of the isoFLOP group), `seed`. samples: the k to compute.
    average: instead of each task their mean, as task "average". seeds: if False, instead of each seed's checkpoint the
    mean over seeds, with `weight`, how many there are, and without `model` and `seed`.
    """
    table = pd.read_csv(runs, dtype={"model": str})
    p = pq.read_table(questions).to_pandas()
    cells = p.groupby(["model", "task"], observed=True, sort=False)["p"]
    names, chances = zip(*((name, one.to_numpy(float)) for name, one in cells), strict=True)
    models, tasks = zip(*names, strict=True)
    cost, passed = pass_curves(np.stack(chances), samples)
    loss = -np.mean(np.log(np.stack(chances)), axis=1)
    if average:
        count = len(set(tasks))
        cost, passed, loss = (one.reshape(-1, count, *one.shape[1:]).mean(axis=1) for one in (cost, passed, loss))
        models, tasks = models[::count], ("average",) * len(loss)
    frame = pd.DataFrame(
        {
            "model": np.repeat(models, len(samples)),
            "task": np.repeat(tasks, len(samples)),
            "samples": np.tile(np.asarray(samples, float), len(loss)),
            "neg_log_pass": cost.ravel(),
            "pass_at_k": passed.ravel(),
            "loss": np.repeat(loss, len(samples)),
        }
    )
    facts = table.loc[:, ["model", "params", "tokens", "validation_loss", "budget", "seed"]]
    joined = facts.merge(frame, on="model", validate="one_to_many")
    columns = ["model", "params", "tokens", "task", "samples", "neg_log_pass", "pass_at_k", "loss"]
    found = joined.loc[:, [*columns, "validation_loss", "budget", "seed"]]
    if seeds:
        return found
    cell = ["params", "tokens", "task", "samples"]
    means = found.drop(columns=["model", "seed"]).assign(weight=1.0).groupby(cell, as_index=False, sort=False)
    return means.agg(dict.fromkeys([*columns[5:], "validation_loss", "budget"], "mean") | {"weight": "sum"})


EPOCH = (
    "https://raw.githubusercontent.com/epoch-research/analyzing-chinchilla/92258837425e1b5f2851d624287f0120583a3d0e/"
)
MONKEYS = "https://raw.githubusercontent.com/SullivanC19/monkeys_revisited/792adf7b47f4cc99a0374d42a6014138ef267d5e/"

REGISTRY = (
    Dataset(
        name="chinchilla-epoch",
        description="final losses of the Chinchilla runs, read off Figure 4 of Hoffmann et al. 2022 by Epoch AI",
        citation="Besiroglu, Erdil, Barnett and You 2024, Chinchilla Scaling: A Replication Attempt, 2404.10102",
        licence="none stated",
        files=(
            DataFile(
                place="chinchilla-epoch/svg_extracted_data.csv",
                url=EPOCH + "data/svg_extracted_data.csv",
                sha256="193478df4e90f040016431996c45682659306840ecdadf83cfb9cd5ca0aa1b30",
            ),
        ),
        load=_chinchilla_epoch,
    ),
    Dataset(
        name="pythia-gsm8k",
        description="samples drawn and correct for each GSM8K question from 81 Pythia checkpoints",
        citation="GitHub SullivanC19/monkeys_revisited, after Brown et al. 2024, Large Language Monkeys, 2407.21787",
        licence="none stated",
        files=(
            DataFile(
                place="pythia-gsm8k/gsm8k_pass_at_k.parquet",
                url=MONKEYS + "data/raw_data/large_language_monkeys/gsm8k_pass_at_k.parquet",
                sha256="48a79ead300b0ac41db1b8091861ed6d4e3093d100514e6677482ca31e8f5e3d",
            ),
            DataFile(
                place="pythia-gsm8k/models_pythia.csv",
                url=MONKEYS + "data/raw_data/gpt4_gsm8k/models_pythia.csv",
                sha256="99605284fdbe0ba3787a1b4e7bda6d36e10409dc7eb2f6d47c2f6c79987b1f11",
            ),
        ),
        load=_pythia_gsm8k,
    ),
    Dataset(
        name="testbed",
        description="loss and pass@k of our own small models on eight tasks, from Chinchilla's ratio to overtraining",
        citation="t2jax, data/testbed/SOURCE.md",
        licence="Apache-2.0",
        files=(
            DataFile(
                place="testbed/runs.csv",
                url="",
                sha256="81645c7140074c223bbbccb9d8a632d8cf6e64f48795a6c57c2e6bbb84e0e701",
            ),
            DataFile(
                place="testbed/questions.parquet",
                url="",
                sha256="826045b64ca078365fb72cf54a3f68f75ee109f2b27a09243c06f475f045fbab",
            ),
        ),
        load=_testbed,
    ),
)
