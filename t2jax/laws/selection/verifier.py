"""Selection by a verifier with errors."""

from t2jax.laws.base import law
from t2jax.laws.parameter import param
from t2jax.laws.priors import Uniform
from t2jax.laws.selection.acceptance import samples_to_acceptance
from t2jax.laws.selection.selection import Selection
from t2jax.typing import Array, Scalar


@law
class Verifier(Selection):
    """The first accepted of k samples is returned; if none is accepted, one of the rejected at random.

    A sample of a question is right with probability p. The verifier accepts it with probability t if it is right and
    h if it is wrong, independently of other samples. It thus accepts a sample with probability A = p·t + (1-p)·h.
    Success of a question is p·t/A·(1 - (1-A)^k) + p·(1-t)·(1-A)^(k-1).
    That is p + p(1-p)(t-h)·(1 - (1-A)^(k-1))/A, and the mean over Beta(a, b) is an integral in one variable.
    If t > h success never falls in k, for any question. It ends at the mean of p·t/A, below one if h > 0.
    Beyond some 1/h samples nearly nothing is gained. Costs of samples, and answers that are worse than none
    (`AbstainingVerifier`), give a finite best k. With t = 1 and h = 0 it is `Oracle`.
    Source: Stroebl et al. 2024 (2411.17501) for resampling with an imperfect verifier.

    Both probabilities have uniform priors: verifiers are found of any quality.

    Examples:
        >>> verifier = t2.laws.Verifier(true_positive=0.95, false_positive=0.02)
        >>> [round(float(verifier(0.5, 2.0, k)), 3) for k in (1.0, 16.0, 256.0)]
        [0.2, 0.634, 0.727]
    """

    true_positive: Scalar = param(Uniform(0.0, 1.0), unit="1", doc="probability of accepting a right answer")
    false_positive: Scalar = param(Uniform(0.0, 1.0), unit="1", doc="probability of accepting a wrong answer")

    def gain(self, p: Array, q: Array, k: Array) -> Array:
        return (self.true_positive - self.false_positive) * self.stops(p, q, k - 1)

    def stops(self, p: Array, q: Array, k: Array) -> Array:
        return samples_to_acceptance(p, q, k, self.true_positive, self.false_positive)
