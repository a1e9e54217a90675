"""Scaling laws, one per file, and the functions that find them by name."""

import difflib
import importlib
import re
from typing import TYPE_CHECKING, Any

from t2jax.laws.user_code import is_reference, load_class, origin_of
from t2jax.on_demand import names_on_demand

if TYPE_CHECKING:
    from t2jax.laws.base import Law, law, part
    from t2jax.laws.held_inputs import hold
    from t2jax.laws.loss.architecture.effective_params import EffectiveParams
    from t2jax.laws.loss.architecture.mixture_of_experts import MixtureOfExperts
    from t2jax.laws.loss.architecture.quantised import Quantised
    from t2jax.laws.loss.broken_power import BrokenPower
    from t2jax.laws.loss.chinchilla import Chinchilla
    from t2jax.laws.loss.compute_loss import ComputeLoss
    from t2jax.laws.loss.data_constrained import DataConstrained
    from t2jax.laws.loss.downstream_error import DownstreamError
    from t2jax.laws.loss.excess_params import ExcessParams
    from t2jax.laws.loss.interaction import Interaction
    from t2jax.laws.loss.interactions.farseer import Farseer
    from t2jax.laws.loss.interactions.signed_interaction import SignedInteraction
    from t2jax.laws.loss.kaplan import Kaplan
    from t2jax.laws.loss.multiple_choice import MultipleChoice
    from t2jax.laws.loss.overtraining import Overtraining
    from t2jax.laws.loss.repetition.harmful_repetition import HarmfulRepetition
    from t2jax.laws.loss.repetition.overfitted_repetition import OverfittedRepetition
    from t2jax.laws.loss.shared_exponent import SharedExponent
    from t2jax.laws.pass_at_k.beta_tail import BetaTail
    from t2jax.laws.pass_at_k.compute_pass_k import ComputePassK
    from t2jax.laws.pass_at_k.params_tokens_pass_k import ParamsTokensPassK
    from t2jax.laws.pass_at_k.post_trained import PostTrained
    from t2jax.laws.pass_at_k.power_law_k import PowerLawK
    from t2jax.laws.pass_at_k.t2_loss import T2Loss
    from t2jax.laws.pass_at_k.t2_pass_k import T2PassK
    from t2jax.laws.pass_at_k.t2_pass_k_naive import T2PassKNaive
    from t2jax.laws.selection.abstaining_verifier import AbstainingVerifier
    from t2jax.laws.selection.best_of_n import BestOfN
    from t2jax.laws.selection.correlated import Correlated
    from t2jax.laws.selection.majority_vote import MajorityVote
    from t2jax.laws.selection.oracle import Oracle
    from t2jax.laws.selection.selection import Selection, select
    from t2jax.laws.selection.verifier import Verifier

    ALL: tuple[type[Law], ...]
    """All exported laws."""

__all__ = [
    "ALL",
    "AbstainingVerifier",
    "BestOfN",
    "BetaTail",
    "BrokenPower",
    "Chinchilla",
    "ComputeLoss",
    "ComputePassK",
    "Correlated",
    "DataConstrained",
    "DownstreamError",
    "EffectiveParams",
    "ExcessParams",
    "Farseer",
    "HarmfulRepetition",
    "Interaction",
    "Kaplan",
    "Law",
    "MajorityVote",
    "MixtureOfExperts",
    "MultipleChoice",
    "Oracle",
    "OverfittedRepetition",
    "Overtraining",
    "ParamsTokensPassK",
    "PostTrained",
    "PowerLawK",
    "Quantised",
    "Selection",
    "SharedExponent",
    "SignedInteraction",
    "T2Loss",
    "T2PassK",
    "T2PassKNaive",
    "Verifier",
    "by_name",
    "hold",
    "law",
    "name_of",
    "names",
    "part",
    "select",
]

_LAWS = {
    "Chinchilla": "t2jax.laws.loss.chinchilla",
    "SharedExponent": "t2jax.laws.loss.shared_exponent",
    "Kaplan": "t2jax.laws.loss.kaplan",
    "Interaction": "t2jax.laws.loss.interaction",
    "SignedInteraction": "t2jax.laws.loss.interactions.signed_interaction",
    "Farseer": "t2jax.laws.loss.interactions.farseer",
    "Overtraining": "t2jax.laws.loss.overtraining",
    "BrokenPower": "t2jax.laws.loss.broken_power",
    "ComputeLoss": "t2jax.laws.loss.compute_loss",
    "DataConstrained": "t2jax.laws.loss.data_constrained",
    "ExcessParams": "t2jax.laws.loss.excess_params",
    "HarmfulRepetition": "t2jax.laws.loss.repetition.harmful_repetition",
    "OverfittedRepetition": "t2jax.laws.loss.repetition.overfitted_repetition",
    "MixtureOfExperts": "t2jax.laws.loss.architecture.mixture_of_experts",
    "EffectiveParams": "t2jax.laws.loss.architecture.effective_params",
    "Quantised": "t2jax.laws.loss.architecture.quantised",
    "DownstreamError": "t2jax.laws.loss.downstream_error",
    "MultipleChoice": "t2jax.laws.loss.multiple_choice",
    "T2Loss": "t2jax.laws.pass_at_k.t2_loss",
    "PostTrained": "t2jax.laws.pass_at_k.post_trained",
    "ComputePassK": "t2jax.laws.pass_at_k.compute_pass_k",
    "ParamsTokensPassK": "t2jax.laws.pass_at_k.params_tokens_pass_k",
    "PowerLawK": "t2jax.laws.pass_at_k.power_law_k",
    "T2PassK": "t2jax.laws.pass_at_k.t2_pass_k",
    "T2PassKNaive": "t2jax.laws.pass_at_k.t2_pass_k_naive",
    "BetaTail": "t2jax.laws.pass_at_k.beta_tail",
}
"""Module of each exported law, in the order of the catalogue."""
_SELECTIONS = {
    "Oracle": "t2jax.laws.selection.oracle",
    "Verifier": "t2jax.laws.selection.verifier",
    "AbstainingVerifier": "t2jax.laws.selection.abstaining_verifier",
    "MajorityVote": "t2jax.laws.selection.majority_vote",
    "BestOfN": "t2jax.laws.selection.best_of_n",
    "Correlated": "t2jax.laws.selection.correlated",
}
"""Module of each selection among samples, which stands on a law as an inner law does."""


def names() -> tuple[str, ...]:
    """Lists the names of all laws on the command line, without importing the laws.

    Returns:
        The names in the order of the catalogue.

    Examples:
        >>> t2.laws.names()[:3]
        ('chinchilla', 'shared-exponent', 'kaplan')
    """
    return tuple(_kebab(name) for name in _LAWS)


def name_of(law: "type[Law]") -> str:
    """Gives the name of a law on the command line.

    Args:
        law: A class of laws.

    Returns:
        The name of the class in lower case with hyphens, or as it is written for a class from a file of its own.

    Examples:
        >>> t2.laws.name_of(t2.laws.T2PassK)
        't2-pass-k'
    """
    origin = origin_of(law)
    if origin is None:
        return _kebab(law.__name__)
    outer = law.__name__.removesuffix(f"On{origin.name}")
    return origin.name if outer == law.__name__ else f"{_kebab(outer)}-on-{origin.name}"


def by_name(name: str) -> "type[Law]":
    """Finds a law by its name on the command line.

    Args:
        name: A name such as "t2-pass-k", or a law on another: "t2-pass-k-on-kaplan" is `T2PassK.on(Kaplan)`.
            A selection comes last: "t2-pass-k-on-kaplan-on-verifier". A law of one's own is named by its file and
            class, "my_laws.py:MoE", or by a module, "my.laws:MoE". The file is run.

    Returns:
        The class of the law.

    Raises:
        ValueError: No law has this name, or the first law cannot be put on the second. Also where a file is missing,
            fails or has no such class.

    Examples:
        >>> t2.laws.by_name("t2-loss-on-kaplan").__name__
        'T2LossOnKaplan'
    """
    outer, separator, inner = name.partition("-on-")
    classes = dict(zip(names(), _LAWS, strict=True))
    if outer not in classes and is_reference(name):
        from t2jax.laws.base import Law  # which imports JAX

        return load_class(name, Law)
    selections = {_kebab(selection): selection for selection in _SELECTIONS}
    if at := next((f"-on-{part}" for part in name.split("-on-")[1:] if part in selections), ""):
        law, _, rest = name.partition(at)
        return _put(by_name(law), _selection(selections, at.removeprefix("-on-") + rest))
    if outer not in classes:
        suggestions = difflib.get_close_matches(outer, classes, n=1)
        hint = f"; did you mean {suggestions[0]!r}?" if suggestions else ""
        raise ValueError(f"there is no law {outer!r}; the laws are {', '.join(classes)}{hint}")
    outer_law = _law(classes[outer])
    if not separator:
        return outer_law
    if not inner:
        raise ValueError(f"{name!r} names no law after -on-, expected one of {', '.join(classes)}")
    return _put(outer_law, by_name(inner))


def _put(outer: "type[Law]", inner: "type[Law]") -> "type[Law]":
    """Puts an inner law or a selection into a law. It raises ValueError if they do not fit."""
    try:
        return outer.on(inner)
    except TypeError as error:
        raise ValueError(str(error)) from None


def _selection(classes: dict[str, str], name: str) -> "type[Law]":
    """Finds a selection, or one on another such as correlated-on-verifier. It raises ValueError for another name."""
    outer, separator, inner = name.partition("-on-")
    if outer not in classes:
        raise ValueError(f"there is no selection {outer!r}; the selections are {', '.join(classes)}")
    selection = _law(classes[outer])
    return _put(selection, _selection(classes, inner)) if separator else selection


def _law(name: str) -> "type[Law]":
    return getattr(importlib.import_module({**_LAWS, **_SELECTIONS}[name]), name)


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()


if not TYPE_CHECKING:  # a type checker would take every name for a public one
    _get_name, __dir__ = names_on_demand(
        __name__,
        {
            "t2jax.laws.base": ("Law", "law", "part"),
            "t2jax.laws.held_inputs": ("hold",),
            "t2jax.laws.selection.selection": ("Selection", "select"),
        }
        | {module: (name,) for name, module in {**_LAWS, **_SELECTIONS}.items()},
    )

    def __getattr__(name: str) -> Any:
        return tuple(map(_law, _LAWS)) if name == "ALL" else _get_name(name)
