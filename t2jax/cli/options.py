"""What the options of `fit` and `frontier` mean: tables by path or name, noise models by name, NAME=VALUE pairs."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from t2jax import datasets, laws
from t2jax.laws.base import Law
from t2jax.noise.counts import BetaBinomial, Binomial
from t2jax.noise.losses import Gaussian, Huber, StudentT
from t2jax.noise.protocol import Noise
from t2jax.tables.read import read_table
from t2jax.tables.table import Table

NOISES: dict[str, Noise] = {
    "huber": Huber(),
    "gaussian": Gaussian(),
    "student-t": StudentT(),
    "binomial": Binomial(),
    "beta-binomial": BetaBinomial(),
}
LAW_NAMES = f"{', '.join(laws.names())}, or one on another, as t2-loss-on-kaplan"
Pairs = tuple[tuple[str, ...], ...]
"""NAME=VALUE pairs as options give them: several after one option, which may also be given again."""
NoiseName = Literal["default", "huber", "gaussian", "student-t", "binomial", "beta-binomial"]


@dataclass(frozen=True)
class FittingOptions:
    """How a law is fitted and its uncertainty found."""

    law: Annotated[
        str | None,
        tyro.conf.arg(
            metavar="LAW",
            help=f"The law to fit: {LAW_NAMES}. By default the first that the "
            "columns allow of t2-pass-k (correct or pass_at_k), t2-loss (neg_log_pass) and chinchilla.",
        ),
    ] = None
    noise: NoiseName = "default"
    """What a measurement is; by default what suits the law and the columns."""
    units: tyro.conf.UseAppendAction[Annotated[Pairs, tyro.conf.arg(metavar="COLUMN=UNIT ...")]] = ()
    """Units of columns that are not raw counts: params=M tokens=B."""
    where: tyro.conf.UseAppendAction[Annotated[Pairs, tyro.conf.arg(metavar="COLUMN=VALUE ...")]] = ()
    """Rows to keep, by their value in a column: model=pythia-1b task=gsm8k."""
    fixed: tyro.conf.UseAppendAction[Annotated[Pairs, tyro.conf.arg(metavar="NAME=VALUE ...")]] = ()
    """Parameters to hold: alpha=0.35 beta=0.37."""
    starts: int = 8
    """How many starts the fit is run from."""
    draws: int = 400
    """Bootstrap draws, from which the intervals come; 0 for none."""
    over: Literal["default", "rows", "runs"] = "default"
    """What is drawn again: rows, or whole runs, whose rows share errors; by default runs where `model` repeats."""
    seed: int = 0
    """Seed of the random starts and draws."""

    def noise_model(self) -> Noise | None:
        """The noise model by its name; None lets `t2.fit` choose."""
        return NOISES.get(self.noise)

    def held(self) -> dict[str, float]:
        """`fixed` as numbers by name. Raises ValueError for anything else."""
        return numbers("--fixed", self.fixed)


def read(name: str, units: Pairs = (), where: Pairs = ()) -> Table:
    """A table by the path of its file or the name of a public data set. Raises TableError or DatasetError."""
    given = pairs("--units", units)
    if name not in datasets.names() and (Path(name).suffix or Path(name).exists()):
        table = read_table(name, units=dict(given))
    elif given:
        raise ValueError(f"--units is for files; the data set {name!r} is in raw counts")
    else:
        table = datasets.load(name)
    return _kept(table, where) if where else table


def _kept(table: Table, where: Pairs) -> Table:
    """The rows that have each value of `--where`. Raises TableError where there is none, or no such column."""
    wanted: dict[str, str | float] = {}
    for column, text in pairs("--where", where).items():
        table.require(column, needed_by="--where")
        try:
            wanted[column] = text if table[column].dtype == object else float(text)
        except ValueError:
            raise ValueError(f"--where: found {column}={text!r}, expected a number") from None
    return table.where(**wanted)


def law_for(table: Table, name: str | None) -> type[Law]:
    """The law of a name, or without one the richest that the columns of the table allow."""
    if name is not None:
        return laws.by_name(name)
    if "correct" in table or "pass_at_k" in table:
        return laws.T2PassK
    return laws.T2Loss if "neg_log_pass" in table else laws.Chinchilla


def pairs(option: str, given: Pairs) -> dict[str, str]:
    """NAME=VALUE pairs as texts by name. Raises ValueError, naming the option, for anything else."""
    found = {}
    for one in itertools.chain.from_iterable(given):
        name, equals, value = one.partition("=")
        if not (name and equals and value):
            raise ValueError(f"{option}: found {one!r}, expected NAME=VALUE")
        if name in found:
            raise ValueError(f"{option}: {name} is given twice, as {found[name]} and as {value}")
        found[name] = value
    return found


def numbers(option: str, given: Pairs) -> dict[str, float]:
    """NAME=NUMBER pairs as numbers by name. Raises ValueError, naming the option, for anything else."""
    found = {}
    for name, text in pairs(option, given).items():
        try:
            found[name] = float(text)
        except ValueError:
            raise ValueError(f"{option}: found {name}={text!r}, expected a number") from None
    return found
