"""Selection among samples of a deployed system, from the options of a command, and in words."""

from typing import Any

from t2jax.laws.base import Law
from t2jax.laws.selection.abstaining_verifier import AbstainingVerifier
from t2jax.laws.selection.best_of_n import BestOfN
from t2jax.laws.selection.majority_vote import MajorityVote
from t2jax.laws.selection.oracle import Oracle
from t2jax.laws.selection.selection import Selection
from t2jax.laws.selection.verifier import Verifier
from t2jax.planning.advice.best_samples import BestSamples

KINDS: dict[str, tuple[type[Selection], tuple[str, ...]]] = {
    "oracle": (Oracle, ()),
    "verifier": (Verifier, ("true_positive", "false_positive")),
    "abstain": (AbstainingVerifier, ("true_positive", "false_positive", "abstention")),
    "vote": (MajorityVote, ("rival",)),
    "best-of": (BestOfN, ("correlation",)),
}
"""Selections by their names on the command line, with the numbers that follow."""
FORMS = "oracle, verifier=T/H, abstain=T/H/W, vote=S or best-of=R"
MOST_CORRELATED = 0.99
"""Beyond this correlation of a reward the integral loses digits, and the reward is nearly an oracle."""


def parse_selection(text: str) -> Selection:
    """Returns a selection from a text such as "verifier=.95/.02". It raises ValueError for anything else."""
    name, _, rest = text.partition("=")
    if name not in KINDS:
        raise ValueError(f"--selection: found {text!r}, expected {FORMS}")
    kind, parameters = KINDS[name]
    cells = rest.split("/") if rest else []
    if len(cells) != len(parameters):
        wanted = f"{len(parameters)} numbers after {name}=" if parameters else f"no number after {name}"
        raise ValueError(f"--selection: found {text!r}, expected {wanted}: {', '.join(parameters) or 'it has none'}")
    values: dict[str, float] = {}
    for parameter, cell in zip(parameters, cells, strict=True):
        most = MOST_CORRELATED if parameter == "correlation" else 1.0
        try:
            values[parameter] = float(cell)
        except ValueError:
            raise ValueError(f"--selection: found {cell!r} in {text!r}, expected a number") from None
        if not 0 <= values[parameter] <= most:
            name = parameter.replace("_", " ")
            raise ValueError(f"--selection: found a {name} of {cell}, expected a number from 0 to {most:g}")
    if values.get("true_positive", 1.0) <= values.get("false_positive", 0.0):
        raise ValueError(f"--selection: {text!r} accepts wrong answers as often as right ones, expected T above H")
    return kind(**values)


def selection_of(law: Law) -> Selection | None:
    """Returns the selection of a law, None for an oracle and for laws without a selection."""
    selection = vars(law).get("selection")
    return None if selection is None or isinstance(selection, Oracle) else selection


def describe_best_samples(best: BestSamples, samples: float) -> str:
    """Returns a sentence on how many samples are worth drawing at the size of the plan."""
    if best.samples < float("inf"):
        text = f"With this selection more than {best.samples:.3g} samples make it worse"
        return f"{text}: {best.success:.1%} is the best at this size, and one sample has {best.single:.1%}."
    text = f"With this selection more samples never make it worse, but {best.enough:.3g} have 99 % of the whole gain"
    drawn = " (the plan draws more, for little)" if samples > best.enough else ""
    return f"{text}{drawn}: at this size {best.success:.1%} is the end, and one sample has {best.single:.1%}."


def selection_answer(law: Law, best: BestSamples | None) -> dict[str, Any] | None:
    """Returns the selection for --json: its name, numbers, and the best number of samples; None for an oracle."""
    selection = selection_of(law)
    if selection is None or best is None:
        return None
    endless = best.samples == float("inf")
    return {
        "name": type(selection).__name__,
        **{name: float(value) for name, value in selection.values().items()},
        "best_samples": None if endless else best.samples,
        "success": best.success,
        "enough_samples": best.enough,
        "single": best.single,
    }
