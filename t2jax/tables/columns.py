"""Names, symbols and valid values of the columns of a table."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Column:
    """A numeric column of fixed meaning: its symbol in papers, its values in words, and a test of finite values."""

    name: str
    symbol: str
    expected: str
    accepts: Callable[[np.ndarray], np.ndarray]


NUMBERS = {
    column.name: column
    for column in (
        Column("params", "N", "a number of parameters > 0", lambda x: x > 0),
        Column("tokens", "D", "a number of training tokens > 0", lambda x: x > 0),
        Column("samples", "k", "a number of samples >= 1", lambda x: x >= 1),
        Column("loss", "L", "a loss > 0 in nats", lambda x: x > 0),
        Column("loss_se", "se", "a standard error of the loss > 0 in nats", lambda x: x > 0),
        Column("unique_tokens", "U", "a number of different tokens > 0", lambda x: x > 0),
        Column("error", "Err", "a share of wrong answers from 0 to 1", lambda x: (x >= 0) & (x <= 1)),
        Column("neg_log_pass", "-log pass@k", "a mean of -log pass@k >= 0", lambda x: x >= 0),
        Column("pass_at_k", "pass@k", "a probability from 0 to 1", lambda x: (x >= 0) & (x <= 1)),
        Column("trials", "n", "a whole number of trials >= 1", lambda x: (x >= 1) & (x == np.floor(x))),
        Column("correct", "c", "a whole number of correct trials >= 0", lambda x: (x >= 0) & (x == np.floor(x))),
        Column("weight", "w", "a weight > 0", lambda x: x > 0),
    )
}
BITS = ("weight_bits", "activation_bits", "cache_bits", "served_bits")
"""Columns of bits of a number, which a budget gives."""
SHARES = ("pass_at_k", "error")
"""Columns of shares, which people also write in percent."""
RESPONSES = ("loss", "error", "neg_log_pass", "pass_at_k", "correct")
"""Measurements, of which a table has at least one to be fitted."""
TEXTS = ("model", "task", "question")
REQUIRED = ("params", "tokens")
COMPUTE = Column("compute", "C", "a training compute > 0 in FLOPs", lambda x: x > 0)
"""Stands in for params and tokens in a table that has neither. Beside them it is a column like any other."""
SIZE = ("params", "tokens", "unique_tokens", "samples", "task", "question")
"""What a law is a function of. Rows that are equal in all of these are repetitions, or differ in a setting."""
RUN_KEY = ("model", "params", "tokens", "task", "question", "samples")
UNITS = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
UNITS |= {"thousands": 1e3, "millions": 1e6, "billions": 1e9, "trillions": 1e12, "percent": 0.01, "%": 0.01}
UNITS |= {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}


def of_compute_alone(names: Collection[object]) -> bool:
    """Tells whether a table with these columns has compute in place of params and tokens."""
    return COMPUTE.name in names and not any(name in names for name in REQUIRED)


def with_compute(keys: tuple[str, ...], names: Collection[object]) -> tuple[str, ...]:
    """Returns the columns that identify a run or a size, with compute where it stands in for params and tokens."""
    return (*keys, COMPUTE.name) if of_compute_alone(names) else keys
