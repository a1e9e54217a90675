"""-log pass@k as power laws in size and data whose terms and exponents move with k."""

from typing import ClassVar

import jax.numpy as jnp
from numpyro.distributions import LogNormal, Normal

from t2jax.laws.base import Law, law
from t2jax.laws.parameter import coefficient, param
from t2jax.numerics.special import inverse_power
from t2jax.typing import Array, ArrayLike, Scalar


@law
class ParamsTokensPassK(Law):
    """-log pass@k(N, D, k) = E·k^-ε + A·k^-γ·N^-(α + δ·log k) + B·k^-ζ·D^-(β + η·log k) in nats.

    Any N, D > 0 and k >= 1; falls in N and D; falls in k, to zero, where γ + δ·log N > 0 and ζ + η·log D > 0. At one k
    it is Chinchilla's form. Source: Schaeffer et al. 2025 (2509.24012), the law in parameters and tokens; its terms and
    exponents, there free at every k, are here powers of k and lines in log k, whose family does not depend on the units
    of N and D.

    Priors: A, B, α and β as for Chinchilla; E, ε, δ and η as in `ComputePassK`; γ and ζ of either sign.
    """

    E: Scalar = param(LogNormal(0.0, 1.0), unit="nats", doc="-log pass@1 without end of size and data")
    A: Scalar = coefficient(LogNormal(6.0, 2.0), "nats·params^α", "size term at k = 1", ("N", "alpha"), ("k", "gamma"))
    B: Scalar = coefficient(LogNormal(6.0, 2.0), "nats·tokens^β", "data term at k = 1", ("D", "beta"), ("k", "zeta"))
    alpha: Scalar = param(LogNormal(-1.0, 0.5), unit="1", doc="size exponent at k = 1")
    beta: Scalar = param(LogNormal(-1.0, 0.5), unit="1", doc="data exponent at k = 1")
    epsilon: Scalar = param(LogNormal(-1.0, 0.7), unit="1", doc="exponent in k of the irreducible term")
    gamma: Scalar = param(Normal(0.4, 0.5), unit="1", doc="exponent in k of the size term, at N = 1")
    zeta: Scalar = param(Normal(0.4, 0.5), unit="1", doc="exponent in k of the data term, at D = 1")
    delta: Scalar = param(LogNormal(-5.0, 1.0), unit="1", doc="what the size exponent gains per log k")
    eta: Scalar = param(LogNormal(-5.0, 1.0), unit="1", doc="what the data exponent gains per log k")

    response: ClassVar[tuple[str, ...]] = ("neg_log_pass", "loss")
    linear: ClassVar[tuple[str, ...]] = ("E", "A", "B")

    def __call__(self, N: ArrayLike, D: ArrayLike, k: ArrayLike) -> Array:
        steps = jnp.log(k)
        size = self.A * inverse_power(k, self.gamma) * inverse_power(N, self.alpha + self.delta * steps)
        data = self.B * inverse_power(k, self.zeta) * inverse_power(D, self.beta + self.eta * steps)
        return self.E * inverse_power(k, self.epsilon) + size + data
