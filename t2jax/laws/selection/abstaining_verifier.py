"""Selection by a verifier with errors, in a system that may give no answer."""

import jax.numpy as jnp

from t2jax.laws.base import law
from t2jax.laws.parameter import param
from t2jax.laws.priors import Uniform
from t2jax.laws.selection.acceptance import samples_to_acceptance
from t2jax.laws.selection.selection import Selection
from t2jax.numerics.beta_mean import mean_with_ends
from t2jax.typing import Array, Scalar


@law
class AbstainingVerifier(Selection):
    """The first accepted of k samples is returned; if none is accepted, the system says that it has no answer.

    As for `Verifier`, a sample is accepted with probability A = p·t + (1-p)·h. The value of a question is
    p·t/A·(1 - (1-A)^k) + w·(1-A)^k: a right answer counts 1, a wrong one 0, and no answer w.
    A wrong answer that costs c times what a right one gains has w = c/(1+c).
    The value at one sample is p·t + w·(1-A), not p.
    More samples turn silence into answers. Hard questions are the last to be answered, and mostly wrongly.
    So with w, h > 0 there is a finite best k, at most of about 1/h, beyond which more samples make it worse.
    Source: Stroebl et al. 2024 (2411.17501), where false positives have a cost.

    All three parameters have uniform priors: verifiers and costs of errors are found of any size.

    Examples:
        >>> verifier = t2.laws.AbstainingVerifier(true_positive=0.95, false_positive=0.1, abstention=0.5)
        >>> [round(float(verifier(0.5, 2.0, k)), 3) for k in (1.0, 3.0, 64.0)]
        [0.555, 0.581, 0.518]
    """

    true_positive: Scalar = param(Uniform(0.0, 1.0), unit="1", doc="probability of accepting a right answer")
    false_positive: Scalar = param(Uniform(0.0, 1.0), unit="1", doc="probability of accepting a wrong answer")
    abstention: Scalar = param(Uniform(0.0, 1.0), unit="1", doc="value of no answer; a right answer has 1")

    def stops(self, p: Array, q: Array, k: Array) -> Array:
        return samples_to_acceptance(p, q, k, self.true_positive, self.false_positive)

    def _cost(self, a: Array, b: Array, k: Array) -> Array:
        def value(p: Array, q: Array) -> Array:
            drawn = self.stops(p, q, k)
            accepted = p * self.true_positive + q * self.false_positive
            # not 1 - accepted·drawn, which may end below zero by rounding
            silence = jnp.exp(k * jnp.log1p(-jnp.minimum(accepted, 1 - jnp.finfo(p.dtype).eps)))
            return p * self.true_positive * drawn + self.abstention * silence

        # where questions are hopeless the mean of such values is zero to rounding
        return -jnp.log(jnp.maximum(mean_with_ends(value, a, b, k), jnp.finfo(a.dtype).tiny))
