"""Options shared by commands that fit: the law, the noise model by name, fixed parameters, starts and draws."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

import tyro

from t2jax import laws
from t2jax.cli.tables.options import ReadingOptions
from t2jax.cli.tables.pairs import Pairs, numbers
from t2jax.laws.base import Law
from t2jax.noise.counts import BetaBinomial, Binomial
from t2jax.noise.losses import Gaussian, Huber, StudentT
from t2jax.noise.protocol import Noise
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
            "for correct or pass_at_k, t2-loss for neg_log_pass, compute-loss for compute alone, and auto for 8 losses "
            "or more.",
        ),
    ] = None
    noise: NoiseName = "default"
    """Noise model; by default one that suits the law and the columns."""
    reading: ReadingOptions = field(default_factory=ReadingOptions)
    keep_best: bool = False
    """Keep the row of the lowest loss of each (params, tokens), whatever settings were swept; see --best-of."""
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
        """Reads a table, of which it keeps the rows that the options ask for. It raises ValueError as its options."""
        table = self.reading.read(name)
        table = table.keep_lowest("loss") if self.keep_best else table
        self.reading.ask(table, self.law)
        return table

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


def law_for(table: Table, name: str | None) -> type[Law]:
    """Returns the law of a name, or without a name, or for auto, the richest that the columns of the table allow."""
    if name not in (None, "auto"):
        return laws.by_name(name)
    if "correct" in table or "pass_at_k" in table:
        return laws.T2PassK
    if not table.has_sizes:
        return laws.ComputeLoss
    return laws.T2Loss if "neg_log_pass" in table else laws.Chinchilla


def refuse_absurd(train: float, text: str, option: str = "--train") -> None:
    """Raises ValueError for training FLOPs beyond every machine, which are a slip of the exponent."""
    if train > MOST_FLOPS:
        raise ValueError(f"{option}: found {text}, expected at most {MOST_FLOPS:g} FLOPs")
