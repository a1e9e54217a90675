"""A power law of -log pass@k in compute, whose terms and exponent depend on k."""

from typing import ClassVar

import jax.numpy as jnp

from t2jax.laws.base import Law, law
from t2jax.laws.parameter import coefficient, param
from t2jax.laws.priors import LogNormal, Normal
from t2jax.numerics.special import inverse_power
from t2jax.typing import Array, ArrayLike, Scalar


@law
class ComputePassK(Law):
    """-log pass@k(C, k) = E0(k) + C0(k)·C^-α(k) in nats, with C = 6ND, E0 = E·k^-ε, C0 = A·k^-γ, α(k) = α + δ·log k.

    The law holds for any C > 0 and k >= 1. It falls in C. It falls in k to zero where γ + δ·log C > 0.
    A faster growth of the exponent with k goes with a lower γ, which may be negative, so that C0(k) rises.
    The law depends on N and D through C alone, so it has no compute-optimal size.
    Source: Schaeffer et al. 2025 (2509.24012), the law in compute.
    There E0, C0 and α are free at every k. Here they are two powers of k and a line in log k.
    These are the simplest functions whose family does not depend on the unit of compute.

    Priors (90 % ranges): E and ε are as A and b of `PowerLawK`, and A and α are as in `BrokenPower`. γ has either sign.
    δ is 0.001 to 0.035: a thousand samples add at most 0.24 to the exponent.

    Examples:
        >>> values = dict(E=0.5, A=5e3, alpha=0.18, epsilon=0.4, gamma=0.2, delta=0.005)
        >>> law = t2.laws.ComputePassK(**values)
        >>> round(float(law(1e9, 2e10, 16.0)), 3)
        0.533
    """

    E: Scalar = param(LogNormal(0.0, 1.0), unit="nats", doc="-log pass@1 at infinite compute")
    A: Scalar = coefficient(
        LogNormal(6.0, 2.0), "nats·FLOPs^α", "compute term at k = 1", ("N", "alpha"), ("D", "alpha"), ("k", "gamma")
    )
    alpha: Scalar = param(LogNormal(-2.0, 0.7), unit="1", doc="exponent of compute at k = 1")
    epsilon: Scalar = param(LogNormal(-1.0, 0.7), unit="1", doc="exponent in k of the irreducible term")
    gamma: Scalar = param(Normal(0.4, 0.5), unit="1", doc="exponent in k of the compute term, at C = 1")
    delta: Scalar = param(LogNormal(-5.0, 1.0), unit="1", doc="increase of the compute exponent per log k")

    response: ClassVar[tuple[str, ...]] = ("neg_log_pass", "loss")
    linear: ClassVar[tuple[str, ...]] = ("E", "A")

    def __call__(self, N: ArrayLike, D: ArrayLike, k: ArrayLike) -> Array:
        compute = 6.0 * jnp.asarray(N) * jnp.asarray(D)
        exponent = self.alpha + self.delta * jnp.log(k)
        reducible = self.A * inverse_power(k, self.gamma) * inverse_power(compute, exponent)
        return self.E * inverse_power(k, self.epsilon) + reducible
