"""A law of mixtures of experts in active and total parameters."""

from typing import ClassVar

from t2jax.laws.base import Law, law
from t2jax.laws.parameter import coefficient, param
from t2jax.laws.priors import LogNormal, Normal
from t2jax.numerics.special import inverse_power
from t2jax.typing import Array, ArrayLike, Scalar


@law
class MixtureOfExperts(Law):
    """L(N, D, T) = E + A/T^α + B/D^β + C/s^λ + G/(s^δ·T^γ) in nats per token, with s = N/T.

    N are the active params, those that one token meets, and T all of them, from the column `total_params`.
    The paper has the sparsity S = 1 - s. Compute counts N and memory counts T: see `Budget.total_per_active`.
    The loss falls in D. In N at one T it may rise, since published fits have λ < 0.
    At a fixed s it falls in N and D and is convex in (log N, log D), as plans need it.
    Source: Abnar et al. 2025 (2501.12370).

    Priors (90 % ranges): A and B are 58 to 150,000 (published: 16,613 and 5,456), which carry units of T and D.
    α and β are as for `Chinchilla` (0.60 and 0.40). C is 0.1 to 2.7 nats (0.46) and G 1 to 700 (17.3).
    λ is -0.5 to 0.5 (-0.17). γ and δ are 0.06 to 0.6 (both 0.16).

    Examples:
        >>> terms = dict(E=0.94, A=16612.5, B=5455.67, C=0.4598, G=17.26)
        >>> exponents = dict(alpha=0.5962, beta=0.3954, lam=-0.1666, delta=0.1603, gamma=0.1595)
        >>> law = t2.laws.MixtureOfExperts(**terms, **exponents)
        >>> round(float(law(1e8, 2e10, total_params=1e9)), 4)  # one tenth is active
        2.7019
    """

    E: Scalar = param(LogNormal(0.0, 1.0), unit="nats/token", doc="irreducible loss")
    A: Scalar = coefficient(LogNormal(8.0, 2.4), "nats·params^α", "size term", of="total_params", exponent="alpha")
    B: Scalar = coefficient(LogNormal(8.0, 2.4), "nats·tokens^β", "data term", of="D", exponent="beta")
    C: Scalar = param(LogNormal(-0.7, 1.0), unit="nats/token", doc="sparsity term")
    G: Scalar = coefficient(
        LogNormal(3.3, 2.0), "nats·params^γ", "term of sparsity and size", of="total_params", exponent="gamma"
    )
    alpha: Scalar = param(LogNormal(-1.0, 0.5), unit="1", doc="size exponent")
    beta: Scalar = param(LogNormal(-1.0, 0.5), unit="1", doc="data exponent")
    lam: Scalar = param(Normal(0.0, 0.3), unit="1", doc="exponent of the active share")
    delta: Scalar = param(LogNormal(-1.7, 0.7), unit="1", doc="exponent of the active share in the joint term")
    gamma: Scalar = param(LogNormal(-1.7, 0.7), unit="1", doc="size exponent of the joint term")

    linear: ClassVar[tuple[str, ...]] = ("E", "A", "B", "G")
    convex: ClassVar[bool] = True

    def __call__(self, N: ArrayLike, D: ArrayLike, total_params: ArrayLike) -> Array:
        share = N / total_params
        size, data = (self.A * inverse_power(total_params, self.alpha), self.B * inverse_power(D, self.beta))
        joint = self.G * inverse_power(share, self.delta) * inverse_power(total_params, self.gamma)
        return self.E + size + data + self.C * inverse_power(share, self.lam) + joint
