"""Options shared by commands: tables by path or name, noise models by name, NAME=VALUE pairs."""

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
    "gaussian-log": Gaussian("log"),
    "student-t": StudentT(),
    "binomial": Binomial(),
    "beta-binomial": BetaBinomial(),
}
LAW_NAMES = f"{', '.join(laws.names())}, or one on another, as t2-loss-on-kaplan"
Pairs = tuple[tuple[str, ...], ...]
"""NAME=VALUE pairs of an option, which takes several and may be repeated."""
MOST_FLOPS = 1e35
"""At 4e14 FLOP/s and $2.50 an hour, 1e35 FLOPs cost 1.7e17 dollars: more is a slip of the exponent."""
NoiseName = Literal["default", "huber", "gaussian", "gaussian-log", "student-t", "binomial", "beta-binomial"]


@dataclass(frozen=True)
class FittingOptions:
    """Options of the fit and its bootstrap."""

    law: Annotated[
        str | None,
        tyro.conf.arg(
            metavar="LAW",
            help=f"The law to fit: {LAW_NAMES}; or auto, the law that predicts dearer runs best. By default t2-pass-k "
            "for correct or pass_at_k, t2-loss for neg_log_pass, and auto for 8 losses or more.",
        ),
    ] = None
    noise: NoiseName = "default"
    """Noise model; by default one that suits the law and the columns."""
    units: tyro.conf.UseAppendAction[Annotated[Pairs, tyro.conf.arg(metavar="COLUMN=UNIT ...")]] = ()
    """Units of columns that are not raw counts: params=M tokens=B."""
    where: tyro.conf.UseAppendAction[Annotated[Pairs, tyro.conf.arg(metavar="COLUMN=VALUE ...")]] = ()
    """Rows to keep, by their value in a column: model=pythia-1b task=gsm8k."""
    keep_best: bool = False
    """Keep the row of the lowest loss of each (params, tokens), as after a sweep of learning rates."""
    fixed: tyro.conf.UseAppendAction[Annotated[Pairs, tyro.conf.arg(metavar="NAME=VALUE ...")]] = ()
    """Parameters to fix: alpha=0.35 beta=0.37."""
    starts: int = 8
    """Number of starts of the fit."""
    draws: int = 400
    """Bootstrap draws, which give the intervals; 0 for none."""
    over: Literal["default", "rows", "runs"] = "default"
    """Unit of the bootstrap: rows, or whole runs, whose rows share errors; by default runs if `model` repeats."""
    seed: int = 0
    """Seed of the random starts and draws."""

    def read(self, name: str) -> Table:
        """Reads a table, of which it keeps the rows that the options ask for. It raises as the function `read`."""
        table = read(name, self.units, self.where)
        return table.keep_lowest("loss") if self.keep_best else table

    def check(self) -> None:
        """Raises ValueError for numbers out of range, before anything is computed."""
        for option, number, least in (("--draws", self.draws, 0), ("--starts", self.starts, 1)):
            if number < least:
                raise ValueError(f"{option}: found {number}, expected at least {least}")
        self.fixed_values()

    def noise_model(self) -> Noise | None:
        """Returns the noise model by its name; None lets `t2.fit` choose."""
        return NOISES.get(self.noise)

    def fixed_values(self) -> dict[str, float]:
        """Returns `fixed` as numbers by name. It raises ValueError for anything else."""
        return numbers("--fixed", self.fixed)


def read(name: str, units: Pairs = (), where: Pairs = ()) -> Table:
    """Reads a table by its path or the name of a public data set. It raises TableError or DatasetError."""
    units_by_column = pairs("--units", units)
    if name not in datasets.names() and (Path(name).suffix or Path(name).exists()):
        table = read_table(name, units=dict(units_by_column))
    elif units_by_column:
        raise ValueError(f"--units applies to files; the data set {name!r} is in raw counts")
    else:
        table = datasets.load(name)
    return _select_rows(table, where) if where else table


def _select_rows(table: Table, where: Pairs) -> Table:
    """Returns the rows with each value of `--where`. It raises TableError without such rows or columns."""
    wanted: dict[str, str | float] = {}
    for column, text in pairs("--where", where).items():
        table.require(column, needed_by="--where")
        try:
            wanted[column] = text if table[column].dtype == object else float(text)
        except ValueError:
            raise ValueError(f"--where: found {column}={text!r}, expected a number") from None
    return table.where(**wanted)


def law_for(table: Table, name: str | None) -> type[Law]:
    """Returns the law of a name, or without a name, or for auto, the richest that the columns of the table allow."""
    if name not in (None, "auto"):
        return laws.by_name(name)
    if "correct" in table or "pass_at_k" in table:
        return laws.T2PassK
    return laws.T2Loss if "neg_log_pass" in table else laws.Chinchilla


def pairs(option: str, options: Pairs) -> dict[str, str]:
    """Returns NAME=VALUE pairs as texts by name. It raises ValueError with the option for anything else."""
    texts = {}
    for pair in itertools.chain.from_iterable(options):
        name, equals, value = pair.partition("=")
        if not (name and equals and value):
            raise ValueError(f"{option}: found {pair!r}, expected NAME=VALUE")
        if name in texts:
            raise ValueError(f"{option}: {name} is given twice, as {texts[name]} and as {value}")
        texts[name] = value
    return texts


def numbers(option: str, options: Pairs) -> dict[str, float]:
    """Returns NAME=NUMBER pairs as numbers by name. It raises ValueError with the option for anything else."""
    numbers_by_name = {}
    for name, text in pairs(option, options).items():
        try:
            numbers_by_name[name] = float(text)
        except ValueError:
            raise ValueError(f"{option}: found {name}={text!r}, expected a number") from None
    return numbers_by_name


def refuse_absurd(train: float, text: str, option: str = "--train") -> None:
    """Raises ValueError for training FLOPs beyond every machine, which are a slip of the exponent."""
    if train > MOST_FLOPS:
        raise ValueError(f"{option}: found {text}, expected at most {MOST_FLOPS:g} FLOPs")
