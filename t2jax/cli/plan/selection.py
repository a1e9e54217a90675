"""Selection among samples of a deployed system, from the options of a command, and in words."""

from dataclasses import dataclass, replace
from typing import Annotated, Any

import tyro

from t2jax.cli.law_source import LawSource
from t2jax.laws.base import Law
from t2jax.laws.selection.abstaining_verifier import AbstainingVerifier
from t2jax.laws.selection.best_of_n import BestOfN
from t2jax.laws.selection.correlated import Correlated
from t2jax.laws.selection.majority_vote import MajorityVote
from t2jax.laws.selection.oracle import Oracle
from t2jax.laws.selection.selection import Selection, select
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


@dataclass(frozen=True)
class SelectionOptions:
    """How the deployed system picks its answer; by default an oracle recognises every right one, as pass@k assumes."""

    selection: Annotated[str | None, tyro.conf.arg(metavar="verifier=T/H|abstain=T/H/W|vote=S|best-of=R")] = None
    """The first sample that a verifier accepts, with probability T if right and H if wrong; the same, where no answer
    has the value W; a vote, where a share S of wrong samples agree; the highest reward, of correlation R."""
    correlation: float | None = None
    """Correlation of the samples of a question, from 0 to 1: k samples count as k/(1 + (k-1)·correlation)."""

    def chosen(self) -> Selection | None:
        """Returns the selection, None for an oracle by default. It raises ValueError for wrong text or numbers."""
        if self.correlation is not None and not 0 <= self.correlation <= 1:
            raise ValueError(f"--correlation: found {self.correlation:g}, expected a number from 0 to 1")
        if self.selection is None and self.correlation is None:
            return None
        selection = parse_selection(self.selection or "oracle")
        if self.correlation is None:
            return selection
        return Correlated.on(type(selection))(selection=selection, shared=self.correlation)

    def put_on(self, source: LawSource) -> LawSource:
        """Returns the law and its draws with the selection. Intervals that only hold for an oracle are left out.

        It raises ValueError for a law that does not say how questions differ.
        """
        selection = self.chosen()
        if selection is None or source.law is None:
            return source
        try:
            law = select(source.law, selection)
        except TypeError as error:
            raise ValueError(
                f"--selection needs a law with a success of each question, as t2-pass-k: {error}"
            ) from None
        draws = None if source.draws is None else select(source.draws, selection)
        return replace(source, law=law, draws=draws, fit=None, choice=None)


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
