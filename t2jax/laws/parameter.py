"""Parameters of laws: each declared once, with a prior, a unit and a line of doc; and the coordinates fits work in.

The prior's support gives the bijector to the real line, the prior itself gives starting points and NUTS its density.
A coefficient that multiplies a power of an input (A in A/N^α) also says which, and fits then move in its *centred*
value A·N0^-α, the size of the term at the middle of the data. Centred coordinates are nearly uncorrelated where A and α
are not, and log A - α·log N0 is a shear, so densities keep their volume. Where rows determine parameters only together,
a `Frame` of the law or of the table puts what they determine in their place.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.distributions import Distribution, HalfNormal, LogNormal, Normal, Uniform, biject_to
from scipy.special import ndtri

from t2jax.typing import Array, ArrayLike

INPUT_COLUMNS: Mapping[str, str] = {"N": "params", "D": "tokens", "k": "samples", "U": "unique_tokens"}
"""The inputs of laws and the table columns that hold them; any other input is read from the column of its own name."""


@dataclass(frozen=True)
class Param:
    """One declared parameter of a law or of a noise model. Use `param` and `coefficient` to make one."""

    prior: Distribution
    unit: str
    doc: str
    power: tuple[tuple[str, str], ...] = ()  # pairs (input, exponent): multiplies the product of input^-exponent

    def constrain(self, u: ArrayLike) -> Array:
        """The parameter's value from its unconstrained coordinate."""
        return biject_to(self.prior.support)(u)

    def unconstrain(self, value: ArrayLike) -> Array:
        """The unconstrained coordinate of a value inside the support."""
        return biject_to(self.prior.support).inv(jnp.asarray(value, float))

    @property
    def domain(self) -> tuple[float, float]:
        """The ends of the prior's support, infinite where it is unbounded."""
        low, high = (getattr(self.prior.support, name, None) for name in ("lower_bound", "upper_bound"))
        return -math.inf if low is None else float(low), math.inf if high is None else float(high)

    @cached_property  # an unusual prior's median takes as long as a small fit
    def edge(self) -> tuple[float, float, float] | None:
        """(low, high, how near to an end counts as there); None for a parameter that is unbounded below.

        Near is a millionth of an interval, and of a half-line a billionth of the prior's median.
        """
        low, high = self.domain
        if not math.isfinite(low):
            return None
        return low, high, 1e-6 * (high - low) if math.isfinite(high) else 1e-9 * (self.median() - low)

    def settle(self, value: float) -> float:
        """The value, or the end of the domain where the value counts as there."""
        low, high, near = self.edge or (-math.inf, math.inf, 0.0)
        return low if value - low <= near else high if high - value <= near else value

    def median(self) -> float:
        """The median of the prior."""
        return float(self.quantiles(np.array(0.5)))

    def quantiles(self, shares: np.ndarray) -> np.ndarray:
        """Where the prior has these shares below; of a Beta or Gamma, say, those of 10,001 draws."""
        exact = _quantiles(self.prior, shares)
        if exact is not None:
            return exact
        try:
            return np.asarray(self.prior.icdf(shares))
        except (NotImplementedError, ImportError):  # NumPyro has no quantiles of some, or only with another library
            return np.quantile(self.prior.sample(jax.random.key(0), (10_001,)), shares)


def _quantiles(prior: Distribution, shares: np.ndarray) -> np.ndarray | None:
    """Quantiles of the usual priors by SciPy, as JAX would compile each step; None for any other prior."""
    # subclasses, such as truncated ones, have other quantiles
    if type(prior) is Normal:
        return np.asarray(prior.loc) + np.asarray(prior.scale) * ndtri(shares)
    if type(prior) is LogNormal:
        return np.exp(np.asarray(prior.loc) + np.asarray(prior.scale) * ndtri(shares))
    if type(prior) is HalfNormal:
        return np.asarray(prior.scale) * ndtri((1 + np.asarray(shares)) / 2)
    if type(prior) is Uniform:
        return np.asarray(prior.low) + np.asarray(shares) * (np.asarray(prior.high) - np.asarray(prior.low))
    return None


def param(prior: Distribution, unit: str, doc: str) -> Any:
    """Declare a parameter: `E: Scalar = param(LogNormal(0.5, 0.5), unit="nats", doc="irreducible loss")`.

    `prior` is a NumPyro distribution over a scalar; its support is the domain of the parameter.
    """
    if not isinstance(prior, Distribution):
        raise TypeError(f"the prior of a parameter must be a NumPyro distribution, not {prior!r} (parameter: {doc!r})")
    return Param(prior, unit, doc)


def coefficient(
    prior: Distribution, unit: str, doc: str, *powers: tuple[str, str], of: str = "", exponent: str = ""
) -> Any:
    """Declare a coefficient that multiplies a power of an input, as A in A/N^α: `of="N", exponent="alpha"`.

    powers: further pairs (input, exponent), for a product: `("N", "alpha"), ("D", "beta")` as F in F/(N^α·D^β); a pair
    given twice is the square. With it fits are centred at the data, and the law keeps its meaning when the units of the
    input change.
    """
    first = ((of, exponent),) if of else ()
    return Param(param(prior, unit, doc).prior, unit, doc, power=first + powers)
