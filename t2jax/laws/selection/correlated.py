"""Selection among samples that resemble each other."""

from t2jax.laws.base import Law, law, part
from t2jax.laws.parameter import param
from t2jax.laws.priors import Uniform
from t2jax.laws.selection.oracle import Oracle
from t2jax.laws.selection.selection import Selection
from t2jax.typing import Array, Scalar


@law
class Correlated(Selection):
    """Another selection, of samples with a correlation c beyond that of the question: k count as k/(1 + (k-1)·c).

    Samples of a question share p, which Beta(a, b) holds already. Low temperatures and shared prefixes correlate them
    further. The effective number is that of a mean of k equally correlated numbers, at most 1/c (Kish 1965).
    It replaces k in the success, but not in what samples cost.
    The number is exact for the variance of the share of right samples, whatever correlates them.
    For an oracle it is cautious: a beta-binomial of the same correlation has a right sample more often.
    At p = 0.2, c = 0.1 and 64 samples that has 98 % against 86 % here.

    The selection is `Oracle` unless `Correlated.on(other)` replaces it. The prior of c is uniform.

    Examples:
        >>> verifier = t2.laws.Verifier(true_positive=0.95, false_positive=0.02)
        >>> alike = t2.laws.Correlated.on(t2.laws.Verifier)(selection=verifier, shared=0.1)
        >>> [round(float(alike(0.5, 2.0, k)), 3) for k in (1.0, 16.0, 256.0)]
        [0.2, 0.509, 0.572]
    """

    selection: Law = part(Oracle, predicts="success")
    shared: Scalar = param(Uniform(0.0, 1.0), unit="1", doc="correlation of samples of a question beyond their p")

    def _cost(self, a: Array, b: Array, k: Array) -> Array:
        return self.selection.cost(a, b, k / (1 + (k - 1) * self.shared))
