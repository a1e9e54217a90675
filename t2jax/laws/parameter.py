"""Declarations of parameters: prior, unit, meaning and the power of an input that a coefficient multiplies.

The support of the prior gives the bijector to the real line; the prior gives starting points and the density of NUTS.
A coefficient of a power of an input, as A in A/N^α, is fitted in its centred value A·N0^-α.
This is the size of the term at the middle of the data, which is nearly uncorrelated with α where A is not.
log A - α·log N0 is a shear, so densities keep their volume.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.laws.priors import Prior, plain
from t2jax.typing import Array, ArrayLike

if TYPE_CHECKING:
    from numpyro.distributions import Distribution
    from numpyro.distributions.transforms import Transform

INPUT_COLUMNS: Mapping[str, str] = {"N": "params", "D": "tokens", "k": "samples", "U": "unique_tokens"}
"""The inputs of laws and the table columns that hold them; any other input is read from the column of its own name."""


@dataclass(frozen=True)
class Param:
    """One declared parameter of a law or of a noise model; use `param` and `coefficient` to make one."""

    given: "Prior | Distribution"
    unit: str
    doc: str
    power: tuple[tuple[str, str], ...] = ()  # pairs (input, exponent): multiplies the product of input^-exponent

    @property
    def prior(self) -> "Distribution":
        """The prior as a NumPyro distribution."""
        return self.given.distribution if isinstance(self.given, Prior) else self.given

    @property
    def bijector(self) -> Any:
        """NumPyro's map from the real line to the prior's support."""
        return bijector_of(self.prior)

    def constrain(self, u: ArrayLike) -> Array:
        """Maps an unconstrained coordinate to the parameter's value."""
        return self.bijector(u)

    def unconstrain(self, value: ArrayLike) -> Array:
        """Maps a value inside the support to its unconstrained coordinate."""
        return self.bijector.inv(jnp.asarray(value, float))

    def coordinate(self, value: float) -> float:
        """Computes `unconstrain` of one number, without JAX for the usual priors."""
        if plain(self.given) is None:
            return float(self.unconstrain(value))
        low, high = self.domain
        if math.isinf(low):
            return value
        return math.log(value - low) if math.isinf(high) else math.log((value - low) / (high - value))

    @property
    def domain(self) -> tuple[float, float]:
        """Ends of the prior's support, infinite where it is unbounded."""
        usual = plain(self.given)
        if usual is not None:
            return usual.domain
        low, high = (getattr(self.prior.support, name, None) for name in ("lower_bound", "upper_bound"))
        return -math.inf if low is None else float(low), math.inf if high is None else float(high)

    @cached_property  # an unusual prior's median takes as long as a small fit
    def edge(self) -> tuple[float, float, float] | None:
        """The domain and the distance from an end that counts as zero, or None for a parameter unbounded below.

        The distance is a millionth of an interval, and for a half-line a billionth of the prior's median.
        """
        low, high = self.domain
        if not math.isfinite(low):
            return None
        return low, high, 1e-6 * (high - low) if math.isfinite(high) else 1e-9 * (self.median() - low)

    def settle(self, value: float) -> float:
        """Returns the value, or the end of the domain if the value is within `edge` of it."""
        low, high, tolerance = self.edge or (-math.inf, math.inf, 0.0)
        return low if value - low <= tolerance else high if high - value <= tolerance else value

    def median(self) -> float:
        """Computes the median of the prior."""
        return float(self.quantiles(np.array(0.5)))

    def quantiles(self, shares: np.ndarray) -> np.ndarray:
        """Computes quantiles of the prior at the given shares, from 10,001 draws where there is no formula."""
        usual = plain(self.given)  # without JAX, which would compile each step
        if usual is not None:
            return usual.quantiles(shares)
        try:
            return np.asarray(self.prior.icdf(shares))
        except (NotImplementedError, ImportError):  # NumPyro has no quantiles of some, or only with another library
            return np.quantile(self.prior.sample(jax.random.key(0), (10_001,)), shares)


def bijector_of(prior: "Distribution") -> "Transform":
    """Returns NumPyro's map from the real line to the support of a prior."""
    from numpyro.distributions import biject_to  # slow to load

    return biject_to(prior.support)


def param(prior: "Prior | Distribution", unit: str, doc: str) -> Any:
    """Declares a parameter of a law or a noise model.

    Args:
        prior: A NumPyro distribution over a scalar. Its support is the domain of the parameter.
        unit: Unit of the parameter, such as "nats/token"; "1" for none.
        doc: Meaning of the parameter in a few words.

    Returns:
        The declaration, to be assigned to a field of the class.

    Raises:
        TypeError: The prior is no NumPyro distribution.

    Examples:
        >>> from numpyro.distributions import LogNormal
        >>> E = t2.param(LogNormal(0.5, 0.5), unit="nats/token", doc="irreducible loss")
        >>> round(E.median(), 3)
        1.649
    """
    if not isinstance(prior, Prior) and not _is_distribution(prior):
        raise TypeError(f"the prior of a parameter must be a NumPyro distribution, not {prior!r} (parameter: {doc!r})")
    return Param(prior, unit, doc)


def _is_distribution(prior: Any) -> bool:
    """Checks whether a prior is a NumPyro distribution; whoever made such a prior has loaded NumPyro."""
    from numpyro.distributions import Distribution

    return isinstance(prior, Distribution)


def coefficient(
    prior: "Prior | Distribution", unit: str, doc: str, *powers: tuple[str, str], of: str = "", exponent: str = ""
) -> Any:
    """Declares a coefficient of a power of an input, such as A in A/N^α.

    Fits then use the size of the term at the middle of the data.
    The law keeps its meaning if the unit of the input changes.

    Args:
        prior: A NumPyro distribution over a scalar. Its support is the domain of the coefficient.
        unit: Unit of the coefficient, such as "nats·params^α".
        doc: Meaning of the coefficient in a few words.
        powers: Pairs (input, exponent) for a product: `("N", "alpha"), ("D", "beta")` for F in F/(N^α·D^β).
            A pair given twice is the square.
        of: The input of a single power, such as "N".
        exponent: The parameter that is the exponent of `of`, such as "alpha".

    Returns:
        The declaration, to be assigned to a field of the class.

    Examples:
        >>> from numpyro.distributions import LogNormal
        >>> A = t2.coefficient(LogNormal(6.0, 2.0), "nats·params^α", "size term", of="N", exponent="alpha")
        >>> A.power
        (('N', 'alpha'),)
    """
    first = ((of, exponent),) if of else ()
    return Param(param(prior, unit, doc).given, unit, doc, power=first + powers)
