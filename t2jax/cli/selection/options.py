"""Options of the selection among samples, shared by commands that plan."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from t2jax.cli.law_source import LawSource
    from t2jax.laws.selection.selection import Selection


@dataclass(frozen=True)
class SelectionOptions:
    """How the deployed system picks its answer; by default an oracle recognises every right one, as pass@k assumes."""

    selection: Annotated[str | None, tyro.conf.arg(metavar="verifier=T/H|abstain=T/H/W|vote=S|best-of=R")] = None
    """The first sample that a verifier accepts, with probability T if right and H if wrong; the same, where no answer
    has the value W; a vote, where a share S of wrong samples agree; the highest reward, of correlation R."""
    correlation: float | None = None
    """Correlation of the samples of a question, from 0 to 1: k samples count as k/(1 + (k-1)·correlation)."""

    def chosen(self) -> "Selection | None":
        """Returns the selection, None for an oracle by default. It raises ValueError for wrong text or numbers."""
        if self.correlation is not None and not 0 <= self.correlation <= 1:
            raise ValueError(f"--correlation: found {self.correlation:g}, expected a number from 0 to 1")
        if self.selection is None and self.correlation is None:
            return None
        from t2jax.cli.selection.kinds import parse_selection
        from t2jax.laws.selection.correlated import Correlated

        selection = parse_selection(self.selection or "oracle")
        if self.correlation is None:
            return selection
        return Correlated.on(type(selection))(selection=selection, shared=self.correlation)

    def put_on(self, source: "LawSource") -> "LawSource":
        """Returns the law and its draws with the selection. Intervals that only hold for an oracle are left out.

        It raises ValueError for a law that does not say how questions differ.
        """
        selection = self.chosen()
        if selection is None or source.law is None:
            return source
        from t2jax.laws.selection.selection import select

        try:
            law = select(source.law, selection)
        except TypeError as error:
            raise ValueError(
                f"--selection needs a law with a success of each question, as t2-pass-k: {error}"
            ) from None
        draws = None if source.draws is None else select(source.draws, selection)
        return replace(source, law=law, draws=draws, fit=None, choice=None)
