"""A power law of -log pass@k in size and data, whose terms and exponents depend on k."""

from typing import ClassVar

import jax.numpy as jnp

from t2jax.laws.base import Law, law
from t2jax.laws.parameter import coefficient, param
from t2jax.laws.priors import LogNormal, Normal
from t2jax.numerics.special import inverse_power
from t2jax.typing import Array, ArrayLike, Scalar


@law
class ParamsTokensPassK(Law):
    """-log pass@k(N, D, k) = E·k^-ε + A·k^-γ·N^-(α + δ·log k) + B·k^-ζ·D^-(β + η·log k) in nats.

    The law holds for any N, D > 0 and k >= 1. It falls in N and in D.
    It falls in k to zero where γ + δ·log N > 0 and ζ + η·log D > 0. At one k it has the form of `Chinchilla`.
    Source: Schaeffer et al. 2025 (2509.24012), the law in parameters and tokens.
    There all terms and exponents are free at every k. Here they are powers of k and lines in log k,
    a family that does not depend on the units of N and D.

    The priors of A, B, α and β are as for `Chinchilla`, and the priors of E, ε, δ and η as for `ComputePassK`.
    γ and ζ have either sign.

    Examples:
        >>> values = dict(E=0.5, A=480.0, B=2100.0, alpha=0.35, beta=0.37, epsilon=0.4)
        >>> law = t2.laws.ParamsTokensPassK(gamma=0.2, zeta=0.2, delta=0.005, eta=0.005, **values)
        >>> round(float(law(1e9, 2e10, 16.0)), 3)
        0.445
    """

    E: Scalar = param(LogNormal(0.0, 1.0), unit="nats", doc="-log pass@1 at infinite size and data")
    A: Scalar = coefficient(LogNormal(6.0, 2.0), "nats·params^α", "size term at k = 1", ("N", "alpha"), ("k", "gamma"))
    B: Scalar = coefficient(LogNormal(6.0, 2.0), "nats·tokens^β", "data term at k = 1", ("D", "beta"), ("k", "zeta"))
    alpha: Scalar = param(LogNormal(-1.0, 0.5), unit="1", doc="size exponent at k = 1")
    beta: Scalar = param(LogNormal(-1.0, 0.5), unit="1", doc="data exponent at k = 1")
    epsilon: Scalar = param(LogNormal(-1.0, 0.7), unit="1", doc="exponent in k of the irreducible term")
    gamma: Scalar = param(Normal(0.4, 0.5), unit="1", doc="exponent in k of the size term, at N = 1")
    zeta: Scalar = param(Normal(0.4, 0.5), unit="1", doc="exponent in k of the data term, at D = 1")
    delta: Scalar = param(LogNormal(-5.0, 1.0), unit="1", doc="increase of the size exponent per log k")
    eta: Scalar = param(LogNormal(-5.0, 1.0), unit="1", doc="increase of the data exponent per log k")

    response: ClassVar[tuple[str, ...]] = ("neg_log_pass", "loss")
    linear: ClassVar[tuple[str, ...]] = ("E", "A", "B")

    def __call__(self, N: ArrayLike, D: ArrayLike, k: ArrayLike) -> Array:
        steps = jnp.log(k)
        size = self.A * inverse_power(k, self.gamma) * inverse_power(N, self.alpha + self.delta * steps)
        data = self.B * inverse_power(k, self.zeta) * inverse_power(D, self.beta + self.eta * steps)
        return self.E * inverse_power(k, self.epsilon) + size + data
