"""The law Farseer, in which coefficient and exponent of the data term change with the size."""

import jax.numpy as jnp

from t2jax.laws.base import Law, law
from t2jax.laws.parameter import coefficient, param
from t2jax.laws.priors import LogNormal, Normal
from t2jax.typing import Array, ArrayLike, Scalar

REFERENCE = 1e9
"""Number of parameters at which E, B and beta are read."""


@law
class Farseer(Law):
    """L(N, D) = E(N) + B(N)/D^β(N) in nats per token, with logs of E, B, β as x + s·(n^q - 1)/q.

    Here n = N/1e9, so x belongs to one billion parameters, s is the slope in log N there, and q bends the slope.
    The paper writes exp(a3·N^γ + b3) + exp(a2·N^β + b2)·D^-exp(a1·N^α + b1), which `of_paper` converts.
    In its form a and b cancel as the exponents tend to zero; here q = 0 is a plain power law in N.
    The loss falls in D > 1. Whether it falls in N depends on the slopes, and beyond the table it may rise.
    Source: Li et al. 2025 (2506.10972).

    Priors (90 % ranges): E, B and β are as E, B and β of `Chinchilla`.
    The slopes of log E and log β are -0.33 to 0.33 (a public refit: -0.11 and -0.15).
    The slope of log B is -1.2 to 1.2 (-0.82), as B makes up for D^β(N). The bends are -0.33 to 0.33 (-0.13 to 0.05).

    Examples:
        >>> slopes = dict(E_slope=-0.11, E_bend=0.05, B_slope=-0.82, B_bend=-0.13, beta_slope=-0.15, beta_bend=0.04)
        >>> law = t2.laws.Farseer(E=0.447, B=106.4, beta=0.297, **slopes)
        >>> round(float(law(1e9, 2e10)), 3)
        0.54
    """

    E: Scalar = param(LogNormal(0.0, 1.0), unit="nats/token", doc="loss of 1e9 params on endless tokens")
    E_slope: Scalar = param(Normal(0.0, 0.2), unit="1", doc="d log E/d log N at 1e9 params")
    E_bend: Scalar = param(Normal(0.0, 0.2), unit="1", doc="exponent by which that slope changes with N")
    B: Scalar = coefficient(LogNormal(6.0, 2.0), "nats·tokens^β", "data term of 1e9 params", of="D", exponent="beta")
    B_slope: Scalar = param(Normal(0.0, 0.7), unit="1", doc="d log B/d log N at 1e9 params")
    B_bend: Scalar = param(Normal(0.0, 0.2), unit="1", doc="exponent by which that slope changes with N")
    beta: Scalar = param(LogNormal(-1.0, 0.5), unit="1", doc="data exponent of 1e9 params")
    beta_slope: Scalar = param(Normal(0.0, 0.2), unit="1", doc="d log β/d log N at 1e9 params")
    beta_bend: Scalar = param(Normal(0.0, 0.2), unit="1", doc="exponent by which that slope changes with N")

    def __call__(self, N: ArrayLike, D: ArrayLike) -> Array:
        size = jnp.log(jnp.asarray(N) / REFERENCE)
        log_beta = jnp.log(self.beta) + self.beta_slope * _bent(size, self.beta_bend)
        log_data = jnp.log(self.B) + self.B_slope * _bent(size, self.B_bend) - jnp.exp(log_beta) * jnp.log(D)
        return self.E * jnp.exp(self.E_slope * _bent(size, self.E_bend)) + jnp.exp(log_data)

    @classmethod
    def of_paper(cls, size: dict[str, float], data: dict[str, float], exponent: dict[str, float]) -> "Farseer":
        """Converts coefficients of the paper, whose terms have logs a·n^q + b with n = N/1e9.

        Args:
            size: a, q and b of E(N), in the paper a3, γ and b3.
            data: a, q and b of B(N), in the paper a2, β and b2.
            exponent: a, q and b of β(N), in the paper a1, α and b1.

        Returns:
            The law.

        Examples:
            >>> size = dict(a=-2.082316, q=0.0530760, b=1.277014)
            >>> data = dict(a=6.521068, q=-0.1257767, b=-1.853805)
            >>> exponent = dict(a=-3.640181, q=0.0422716, b=2.426767)
            >>> round(float(t2.laws.Farseer.of_paper(size, data, exponent)(1e9, 2e10)), 3)
            0.539
        """
        values = {}
        for name, term in {"E": size, "B": data, "beta": exponent}.items():
            values |= {name: float(jnp.exp(term["a"] + term["b"])), f"{name}_bend": term["q"]}
            values[f"{name}_slope"] = term["a"] * term["q"]
        return cls(**values)


def _bent(log_size: Array, bend: ArrayLike) -> Array:
    """Computes (n^q - 1)/q from log n, which is log n at q = 0, by its series where both are small."""
    x = bend * log_size
    small = jnp.abs(x) < 1e-3
    series = log_size * (1 + x / 2 * (1 + x / 3 * (1 + x / 4 * (1 + x / 5))))
    return jnp.where(small, series, jnp.expm1(jnp.where(small, 1.0, x)) / jnp.where(small, 1.0, bend))
