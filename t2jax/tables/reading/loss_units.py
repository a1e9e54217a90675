"""Units of a loss, and how each becomes nats per token."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

LossUnit = Literal["nats", "bits-per-token", "bits-per-byte", "bits-per-character", "perplexity", "accuracy"]


@dataclass(frozen=True)
class LossConversion:
    """How a unit becomes nats per token.

    Attributes:
        to_nats: Nats per token of values and of the number that the unit needs.
        accepts: Test of finite values.
        expected: Valid values in words.
        formula: The conversion in words, for the note of a table.
        needs: Option that the conversion needs, empty without one.
        becomes: Column of the result.
        slope: Nats per token by unit at values and that number, which converts standard errors.
    """

    to_nats: Callable[[np.ndarray, float], np.ndarray]
    accepts: Callable[[np.ndarray], np.ndarray]
    expected: str
    formula: str
    needs: str = ""
    becomes: str = "loss"
    slope: Callable[[np.ndarray, float], np.ndarray] = lambda values, per_token: np.full_like(
        values, math.log(2.0) * per_token
    )


def _times_ln2(values: np.ndarray, per_token: float) -> np.ndarray:
    return values * math.log(2.0) * per_token


def _log(values: np.ndarray, _: float) -> np.ndarray:
    return np.log(values)


def _complement(values: np.ndarray, _: float) -> np.ndarray:
    return 1.0 - values


LOSS_UNITS: dict[str, LossConversion] = {
    "nats": LossConversion(lambda values, _: values, lambda x: x > 0, "a loss > 0", "loss is as it was"),
    "bits-per-token": LossConversion(
        _times_ln2, lambda x: x > 0, expected="bits per token > 0", formula="loss is bits per token times ln 2"
    ),
    "bits-per-byte": LossConversion(
        _times_ln2,
        lambda x: x > 0,
        expected="bits per byte > 0",
        formula="loss is bits per byte times ln 2 times bytes per token",
        needs="bytes_per_token",
    ),
    "bits-per-character": LossConversion(
        _times_ln2,
        lambda x: x > 0,
        expected="bits per character > 0",
        formula="loss is bits per character times ln 2 times characters per token",
        needs="characters_per_token",
    ),
    "perplexity": LossConversion(
        _log,
        lambda x: x > 1,
        expected="a perplexity of a token > 1",
        formula="loss is the log of the perplexity",
        slope=lambda values, _: 1 / values,
    ),
    "accuracy": LossConversion(
        _complement,
        lambda x: (x >= 0) & (x <= 1),
        expected="a share of right answers from 0 to 1",
        formula="error is 1 - accuracy",
        becomes="error",
    ),
}
"""Bits times ln 2 are nats; a token of b bytes has b times the nats of a byte; a perplexity is exp(nats per token)."""


def remedy(unit: str, column: str) -> str:
    """Writes what to give for a unit whose conversion needs a number."""
    needs = LOSS_UNITS[unit].needs
    option = f"--{needs.replace('_', '-')}"
    part = needs.split("_")[0].removesuffix("s")
    return (
        f"the {column} is in {unit.replace('-', ' ')}, and a loss in nats per token is that times ln 2 times the"
        f" {part}s of a token: pass {needs}=4.4, say (in commands {option} 4.4). With 1 losses, E, A and B are in nats"
        f" per {part}, while exponents and best sizes are the same"
    )
