"""-log pass@k as a power law in compute whose terms and exponent move with k."""

from typing import ClassVar

import jax.numpy as jnp
from numpyro.distributions import LogNormal, Normal

from t2jax.laws.base import Law, law
from t2jax.laws.parameter import coefficient, param
from t2jax.numerics.special import inverse_power
from t2jax.typing import Array, ArrayLike, Scalar


@law
class ComputePassK(Law):
    """-log pass@k(C, k) = E0(k) + C0(k)·C^-α(k) in nats, with C = 6ND, E0 = E·k^-ε, C0 = A·k^-γ, α(k) = α + δ·log k.

    Any C > 0 and k >= 1; falls in C; falls in k, to zero, where γ + δ·log C > 0. The faster the exponent grows with k,
    the lower γ: it may be negative, and C0(k) rise. It depends on N and D through C alone, so it has no compute-optimal
    size. Source: Schaeffer et al. 2025 (2509.24012), the law in compute; E0, C0 and α, there free at every k, are here
    the simplest functions of k: two powers and a line in log k, whose family does not depend on the unit of compute.

    Priors: E and ε as A and b of `PowerLawK`; A and α as in `BrokenPower`; γ of either sign; δ within 0.001 to 0.035 at
    90 %, 0.24 more by a thousand samples at most.
    """

    E: Scalar = param(LogNormal(0.0, 1.0), unit="nats", doc="-log pass@1 without end of compute")
    A: Scalar = coefficient(
        LogNormal(6.0, 2.0), "nats·FLOPs^α", "compute term at k = 1", ("N", "alpha"), ("D", "alpha"), ("k", "gamma")
    )
    alpha: Scalar = param(LogNormal(-2.0, 0.7), unit="1", doc="exponent of compute at k = 1")
    epsilon: Scalar = param(LogNormal(-1.0, 0.7), unit="1", doc="exponent in k of the irreducible term")
    gamma: Scalar = param(Normal(0.4, 0.5), unit="1", doc="exponent in k of the compute term, at C = 1")
    delta: Scalar = param(LogNormal(-5.0, 1.0), unit="1", doc="what the exponent of compute gains per log k")

    response: ClassVar[tuple[str, ...]] = ("neg_log_pass", "loss")
    linear: ClassVar[tuple[str, ...]] = ("E", "A")

    def __call__(self, N: ArrayLike, D: ArrayLike, k: ArrayLike) -> Array:
        compute = 6.0 * jnp.asarray(N) * jnp.asarray(D)
        exponent = self.alpha + self.delta * jnp.log(k)
        reducible = self.A * inverse_power(k, self.gamma) * inverse_power(compute, exponent)
        return self.E * inverse_power(k, self.epsilon) + reducible
