"""Selection by a vote."""

from t2jax.laws.base import law
from t2jax.laws.parameter import param
from t2jax.laws.priors import Uniform
from t2jax.laws.selection.selection import Selection
from t2jax.numerics.beta_order import log_exceeds
from t2jax.typing import Array, Scalar


@law
class MajorityVote(Selection):
    """The answer with most votes among k samples is returned.

    Of the wrong samples of each question, a share s gives the strongest wrong answer, without scatter.
    Then the right answer needs the share τ = s/(1+s) of the votes: it wins with 1 + τ(k-1) right samples or more.
    This happens with probability I_p(1+τ(k-1), 1+(1-τ)(k-1)), the incomplete beta function, also for real k.
    If all wrong samples agree, s = 1 and the vote of an odd k is the majority exactly. An even k counts less there
    than a tie that is broken at random.
    The mean over Beta(a, b) is P(p > Y) for Y ~ Beta(1+τ(k-1), 1+(1-τ)(k-1)).
    As k goes to infinity, success is the share of questions with p > τ. It may rise and then fall in k:
    questions with p < τ are lost by more votes (Chen et al. 2024, 2403.02419).
    Source: Wang et al. 2022 (2203.11171) for the vote.

    The prior of s is uniform: wrong answers may all agree, or all differ.

    Examples:
        >>> vote = t2.laws.MajorityVote(rival=0.5)
        >>> [round(float(vote(2.0, 2.0, k)), 3) for k in (1.0, 16.0, 1e6)]
        [0.5, 0.704, 0.741]
    """

    rival: Scalar = param(Uniform(0.0, 1.0), unit="1", doc="share of the strongest wrong answer in wrong ones")

    def _cost(self, a: Array, b: Array, k: Array) -> Array:
        needed = self.rival / (1 + self.rival)
        return -log_exceeds(a, b, 1 + needed * (k - 1), 1 + (1 - needed) * (k - 1))
