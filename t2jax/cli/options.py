"""Options shared by commands that fit: the law, the noise model by name, fixed parameters, starts and draws."""

from collections.abc import Sequence
from dataclasses import dataclass, field, is_dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from t2jax import laws
from t2jax.cli.tables.options import ReadingOptions
from t2jax.cli.tables.pairs import Pairs, numbers
from t2jax.laws.user_code import is_reference, load_class
from t2jax.tables.columns import BITS

if TYPE_CHECKING:
    from t2jax.laws.base import Law
    from t2jax.noise.protocol import Noise
    from t2jax.planning.budget import Budget
    from t2jax.tables.table import Table

NOISES = {
    "huber": ("Huber",),
    "gaussian": ("Gaussian",),
    "gaussian-log": ("Gaussian", "log"),
    "student-t": ("StudentT",),
    "discrepancy": ("Discrepancy",),
    "binomial": ("Binomial",),
    "beta-binomial": ("BetaBinomial",),
}
"""Class of each noise model in `t2jax.noise`, with its arguments."""
LAW_NAMES = f"{', '.join(laws.names())}, one on another, as t2-loss-on-kaplan, or your own, as my_laws.py:MoE"
MOST_FLOPS = 1e35
"""At 4e14 FLOP/s and $2.50 an hour, 1e35 FLOPs cost 1.7e17 dollars: more is a slip of the exponent."""
NoiseName = Annotated[str, tyro.conf.arg(metavar="NOISE")]


@dataclass(frozen=True)
class FittingOptions:
    """Options of the fit and its bootstrap."""

    law: Annotated[
        str | None,
        tyro.conf.arg(
            metavar="LAW",
            help=f"The law to fit: {LAW_NAMES}; or auto, the law that predicts dearer runs best. By default t2-pass-k "
            "for correct or pass_at_k, t2-loss for neg_log_pass (post-trained with --stage), compute-loss for compute "
            "alone, and auto for 8 losses or more.",
        ),
    ] = None
    noise: NoiseName = "default"
    """Noise model: huber, gaussian, gaussian-log, student-t, discrepancy, binomial or beta-binomial, or your
    own, as my_noise.py:Cauchy. The default suits the law and the columns."""
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

    def read(self, name: str) -> "Table":
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
        self.noise_model()

    def noise_model(self) -> "Noise | None":
        """Returns the noise model by its name, as `noise_of`."""
        return noise_of(self.noise)

    def fixed_values(self) -> dict[str, float]:
        """Returns `fixed` as numbers by name. It raises ValueError for anything else."""
        return numbers("--fixed", self.fixed)


@dataclass(frozen=True)
class HeldOptions:
    """Columns that a law reads beside N, D and k, at one value. The budget gives t2jax's; a law holds its own."""

    hold: tyro.conf.UseAppendAction[Annotated[Pairs, tyro.conf.arg(metavar="COLUMN=VALUE ...")]] = ()
    """Values of columns that the law reads beside params, tokens and samples: served_bits=4, or experts=8."""

    @property
    def given(self) -> dict[str, float]:
        """Values of columns that the budget gives, by column."""
        return {name: value for name, value in numbers("--hold", self.hold).items() if name in BITS}

    def of(self, law: "type[Law]") -> "type[Law]":
        """Returns the class of laws at these values. It raises ValueError for a column that the law does not read."""
        values = {name: value for name, value in numbers("--hold", self.hold).items() if name not in BITS}
        return self._holding(law, values)

    def all_of(self, law: "type[Law]") -> "type[Law]":
        """Returns the class of laws at all these values, for commands without a budget. It raises as `of`."""
        return self._holding(law, numbers("--hold", self.hold))

    def _holding(self, law: "type[Law]", values: dict[str, float]) -> "type[Law]":
        from t2jax.laws.held_inputs import class_holding  # imports JAX, which --help need not

        try:
            return class_holding(law, values)
        except ValueError as error:
            text = str(error)
            raise ValueError(text if text.startswith("--hold") else f"--hold: {text}") from None

    @property
    def sentence(self) -> str:
        """What is held, in words."""
        return "Held at one value: " + ", ".join(
            f"{name} = {value:g}" for name, value in numbers("--hold", self.hold).items()
        )

    def apply(self, law: "Law") -> "Law":
        """Returns a law, or a batch of laws, at these values. It raises ValueError as `of`."""
        return self.of(type(law))(**law.values()) if self.hold else law

    def require_no_values(self) -> None:
        """Raises ValueError for values where no law is named that could read them."""
        if self.hold:
            raise ValueError("--hold needs --law, because a law must read these columns")

    def check(self, name: str | None, budget: "Budget") -> None:
        """Checks a named law before it is fitted. It raises ValueError unless the budget gives all that it reads."""
        from t2jax.planning.frontier import check_problem

        if name not in (None, "auto"):
            check_problem(self.of(laws.by_name(name)), budget)
        else:
            self.require_no_values()


def at_stage(fitting: FittingOptions, held_inputs: HeldOptions) -> tuple[FittingOptions, HeldOptions]:
    """Returns the options of plans for post-trained models, if the rows of such a stage are read."""
    if fitting.reading.stage is None:
        return fitting, held_inputs
    if "tuned" not in numbers("--hold", held_inputs.hold):
        held_inputs = replace(held_inputs, hold=(*held_inputs.hold, ("tuned=1",)))
    return (replace(fitting, law="post-trained") if fitting.law is None else fitting), held_inputs


def noise_of(name: str, among: Sequence[str] = tuple(NOISES)) -> "Noise | None":
    """Returns a noise model by its name, or by a text such as "my_noise.py:Cauchy"; None lets the command choose.

    It raises ValueError for an unknown name, and for a class that cannot be made without arguments.
    """
    if name == "default":
        return None
    from t2jax import noise

    if name in among:
        kind, *arguments = NOISES[name]
        return getattr(noise, kind)(*arguments)
    if not is_reference(name):
        listed = f"default, {', '.join(among)}"
        raise ValueError(f"--noise: found {name!r}, expected one of {listed}, or FILE.py:CLASS of your own")
    noise_class = load_class(name, noise.Noise)
    try:
        own_noise: Noise = noise_class()
    except TypeError as error:
        raise ValueError(f"--noise {name}: cannot be made without arguments ({error}); give them defaults") from None
    if not is_dataclass(noise_class):
        raise ValueError(f"--noise {name}: expected a frozen dataclass: write @dataclass(frozen=True) above the class")
    return own_noise


def law_for(table: "Table", name: str | None) -> "type[Law]":
    """Returns the law of a name, or without a name, or for auto, the richest that the columns of the table allow."""
    if name not in (None, "auto"):
        return laws.by_name(name)
    if "correct" in table or "pass_at_k" in table:
        return laws.T2PassK
    if not table.has_sizes:
        return laws.ComputeLoss
    if "neg_log_pass" in table:
        return laws.PostTrained if "tuned" in table else laws.T2Loss
    return laws.Chinchilla


def refuse_absurd(train: float, text: str, option: str = "--train") -> None:
    """Raises ValueError for training FLOPs beyond every machine, which are a slip of the exponent."""
    if train > MOST_FLOPS:
        raise ValueError(f"{option}: found {text}, expected at most {MOST_FLOPS:g} FLOPs")
