"""Scaling laws, one per file; `by_name` finds them by the names of the command line."""

import difflib
import re

from t2jax.laws.base import Law, law, part
from t2jax.laws.loss.broken_power import BrokenPower
from t2jax.laws.loss.chinchilla import Chinchilla
from t2jax.laws.loss.data_constrained import DataConstrained
from t2jax.laws.loss.downstream_error import DownstreamError
from t2jax.laws.loss.excess_params import ExcessParams
from t2jax.laws.loss.interaction import Interaction
from t2jax.laws.loss.kaplan import Kaplan
from t2jax.laws.loss.overtraining import Overtraining
from t2jax.laws.loss.shared_exponent import SharedExponent
from t2jax.laws.pass_at_k.beta_tail import BetaTail
from t2jax.laws.pass_at_k.compute_pass_k import ComputePassK
from t2jax.laws.pass_at_k.params_tokens_pass_k import ParamsTokensPassK
from t2jax.laws.pass_at_k.power_law_k import PowerLawK
from t2jax.laws.pass_at_k.t2_loss import T2Loss
from t2jax.laws.pass_at_k.t2_pass_k import T2PassK
from t2jax.laws.pass_at_k.t2_pass_k_naive import T2PassKNaive

__all__ = [
    "ALL",
    "BetaTail",
    "BrokenPower",
    "Chinchilla",
    "ComputePassK",
    "DataConstrained",
    "DownstreamError",
    "ExcessParams",
    "Interaction",
    "Kaplan",
    "Law",
    "Overtraining",
    "ParamsTokensPassK",
    "PowerLawK",
    "SharedExponent",
    "T2Loss",
    "T2PassK",
    "T2PassKNaive",
    "by_name",
    "law",
    "name_of",
    "part",
]

ALL: tuple[type[Law], ...] = (
    Chinchilla,
    SharedExponent,
    Kaplan,
    Interaction,
    Overtraining,
    BrokenPower,
    DataConstrained,
    ExcessParams,
    DownstreamError,
    T2Loss,
    ComputePassK,
    ParamsTokensPassK,
    PowerLawK,
    T2PassK,
    T2PassKNaive,
    BetaTail,
)
"""Every exported law; the contract test runs over them."""


def name_of(law: type[Law]) -> str:
    """The command-line name of a law class: T2PassK is "t2-pass-k"."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", law.__name__).lower()


def by_name(name: str) -> type[Law]:
    """The law of a command-line name, or of a law on another: "t2-pass-k-on-kaplan" is `T2PassK.on(Kaplan)`.

    Raises ValueError that lists the names there are, or says why the one cannot be put on the other.
    """
    outer, on, inner = name.partition("-on-")
    found = {name_of(law): law for law in ALL}
    if outer not in found:
        alike = difflib.get_close_matches(outer, found, n=1)
        meant = f"; did you mean {alike[0]!r}?" if alike else ""
        raise ValueError(f"there is no law {outer!r}; the laws are {', '.join(found)}{meant}")
    if not on:
        return found[outer]
    if not inner:
        raise ValueError(f"{name!r} names no law after -on-, expected one of {', '.join(found)}")
    try:
        return found[outer].on(by_name(inner))
    except TypeError as error:
        raise ValueError(str(error)) from None
