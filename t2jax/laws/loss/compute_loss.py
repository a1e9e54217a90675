"""A power law of the loss in training compute alone."""

from typing import ClassVar

from t2jax.laws.base import Law, law
from t2jax.laws.parameter import coefficient, param
from t2jax.laws.priors import LogNormal
from t2jax.numerics.special import inverse_power
from t2jax.typing import Array, ArrayLike, Scalar


@law
class ComputeLoss(Law):
    """L(C) = E + A/C^α in nats per token, with the training compute C in FLOPs from the column `compute`.

    Its table needs no N and D, and C may be measured rather than 6ND.
    The law holds for any C > 0. The loss falls in C and tends to E.
    It says nothing of the size at which a budget is spent best: runs of one compute have one loss here.
    If runs are the best of each compute, it is their frontier; `Chinchilla` has such a frontier with α·β/(α+β).
    Source: Kaplan et al. 2020 (2001.08361), eq. 1.3, with a floor E.

    Priors (90 % ranges): E is as for `Chinchilla`.
    α is 0.04 to 0.43: the exponents of N and D in public fits give 0.1 to 0.2, and fits without a floor 0.05.
    A is 2.2 to 74,000, which is 1 to 5 nats at 1e18 FLOPs over that range of exponents.

    Examples:
        >>> law = t2.laws.ComputeLoss(E=1.75, A=60.0, alpha=0.09)
        >>> round(float(law(1e20)), 3)
        2.701
    """

    E: Scalar = param(LogNormal(0.0, 1.0), unit="nats/token", doc="irreducible loss")
    A: Scalar = coefficient(LogNormal(6.0, 3.2), "nats·FLOPs^α", "compute term", of="compute", exponent="alpha")
    alpha: Scalar = param(LogNormal(-2.0, 0.7), unit="1", doc="exponent of compute")

    linear: ClassVar[tuple[str, ...]] = ("E", "A")

    def __call__(self, compute: ArrayLike) -> Array:
        return self.E + self.A * inverse_power(compute, self.alpha)
