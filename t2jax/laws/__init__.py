"""Scaling laws, one per file; `by_name` finds them by the names of the command line."""

import difflib
import importlib
import re
from typing import TYPE_CHECKING, Any

from t2jax.on_demand import names_on_demand

if TYPE_CHECKING:
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

    ALL: tuple[type[Law], ...]
    """Every exported law; the contract test runs over them."""

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
    "names",
    "part",
]

_LAWS = {
    "Chinchilla": "t2jax.laws.loss.chinchilla",
    "SharedExponent": "t2jax.laws.loss.shared_exponent",
    "Kaplan": "t2jax.laws.loss.kaplan",
    "Interaction": "t2jax.laws.loss.interaction",
    "Overtraining": "t2jax.laws.loss.overtraining",
    "BrokenPower": "t2jax.laws.loss.broken_power",
    "DataConstrained": "t2jax.laws.loss.data_constrained",
    "ExcessParams": "t2jax.laws.loss.excess_params",
    "DownstreamError": "t2jax.laws.loss.downstream_error",
    "T2Loss": "t2jax.laws.pass_at_k.t2_loss",
    "ComputePassK": "t2jax.laws.pass_at_k.compute_pass_k",
    "ParamsTokensPassK": "t2jax.laws.pass_at_k.params_tokens_pass_k",
    "PowerLawK": "t2jax.laws.pass_at_k.power_law_k",
    "T2PassK": "t2jax.laws.pass_at_k.t2_pass_k",
    "T2PassKNaive": "t2jax.laws.pass_at_k.t2_pass_k_naive",
    "BetaTail": "t2jax.laws.pass_at_k.beta_tail",
}
"""The module of each exported law, in the order in which they are listed."""


def names() -> tuple[str, ...]:
    """The names of all laws on the command line, known without importing them."""
    return tuple(_kebab(name) for name in _LAWS)


def name_of(law: "type[Law]") -> str:
    """The command-line name of a law class: T2PassK is "t2-pass-k"."""
    return _kebab(law.__name__)


def by_name(name: str) -> "type[Law]":
    """The law of a command-line name, or of a law on another: "t2-pass-k-on-kaplan" is `T2PassK.on(Kaplan)`.

    Raises ValueError that lists the names there are, or says why the one cannot be put on the other.
    """
    outer, on, inner = name.partition("-on-")
    found = dict(zip(names(), _LAWS, strict=True))
    if outer not in found:
        alike = difflib.get_close_matches(outer, found, n=1)
        meant = f"; did you mean {alike[0]!r}?" if alike else ""
        raise ValueError(f"there is no law {outer!r}; the laws are {', '.join(found)}{meant}")
    outer_law = _law(found[outer])
    if not on:
        return outer_law
    if not inner:
        raise ValueError(f"{name!r} names no law after -on-, expected one of {', '.join(found)}")
    try:
        return outer_law.on(by_name(inner))
    except TypeError as error:
        raise ValueError(str(error)) from None


def _law(name: str) -> "type[Law]":
    return getattr(importlib.import_module(_LAWS[name]), name)


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()


if not TYPE_CHECKING:  # a type checker would take every name for a public one
    _named, __dir__ = names_on_demand(
        __name__, {"t2jax.laws.base": ("Law", "law", "part")} | {module: (name,) for name, module in _LAWS.items()}
    )

    def __getattr__(name: str) -> Any:
        return tuple(map(_law, _LAWS)) if name == "ALL" else _named(name)
