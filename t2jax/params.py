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
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.distributions import Distribution, biject_to

from t2jax.trees import register
from t2jax.typing import Array, ArrayLike, Float

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

    @cached_property  # a prior's median takes as long as a small fit
    def edge(self) -> tuple[float, float, float] | None:
        """(low, high, how near to an end counts as there); None for a parameter that is unbounded below.

        Near is a millionth of an interval, and of a half-line a billionth of the prior's median.
        """
        low, high = self.domain
        if not math.isfinite(low):
            return None
        return low, high, 1e-6 * (high - low) if math.isfinite(high) else 1e-9 * (self.median() - low)

    def median(self) -> float:
        """The median of the prior."""
        return float(self.quantiles(np.array(0.5)))

    def quantiles(self, shares: np.ndarray) -> np.ndarray:
        """Where the prior has these shares below; of a Beta or Gamma, say, those of 10,001 draws."""
        try:
            return np.asarray(self.prior.icdf(shares))
        except (NotImplementedError, ImportError):  # NumPyro has no quantiles of some, or only with another library
            return np.quantile(self.prior.sample(jax.random.key(0), (10_001,)), shares)


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


class Frame(Protocol):
    """Stand-ins for some parameters of a law, each with the domain of the parameter it stands for: see `Law.frame`.

    domains: of the free parameters; one that is not among them, or has another domain than the law's, has no stand-in.
    """

    def values(
        self, stand_ins: Mapping[str, Array], domains: Mapping[str, tuple[float, float]]
    ) -> tuple[dict[str, Array], Array]:
        """Parameter values, and log |det ∂values/∂stand_ins|."""
        ...

    def stand_ins(
        self, values: Mapping[str, ArrayLike], domains: Mapping[str, tuple[float, float]]
    ) -> dict[str, ArrayLike]:
        """The stand-ins of given parameter values."""
        ...


@dataclass(frozen=True)
class Coordinates:
    """The real vector u in which a law is fitted: free parameters, unconstrained and centred at the data.

    declared: all parameters by name. fixed: values of those held. log_centre: mean over the data of the log of each
    input that coefficients are centred at. frame: of `t2jax.frames`; None moves in the parameters themselves. A pytree:
    tables and held values change without a new compilation.
    """

    declared: tuple[tuple[str, Param], ...]
    fixed: Mapping[str, ArrayLike]
    log_centre: Mapping[str, ArrayLike]
    frame: Frame | None = None

    @property
    def free(self) -> tuple[str, ...]:
        """Names of the fitted parameters, in the order of u."""
        return tuple(name for name, _ in self.declared if name not in self.fixed)

    def values(self, u: Float[Array, " free"]) -> dict[str, Array]:
        """Parameter values by name, in the law's own units, at coordinates u."""
        values, _ = self._framed(self._stand_ins(u))
        return {name: values[name] for name, _ in self.declared}

    def _stand_ins(self, u: Float[Array, " free"]) -> dict[str, Array]:
        declared = dict(self.declared)
        held = {name: jnp.asarray(value, u.dtype) for name, value in self.fixed.items()}
        values = held | {name: declared[name].constrain(u[i]) for i, name in enumerate(self.free)}
        for name in self.free:
            values[name] = values[name] * jnp.exp(self._shear(declared[name], values))
        return values

    def _framed(self, stand_ins: dict[str, Array]) -> tuple[dict[str, Array], Array]:
        if self.frame is None:
            return stand_ins, jnp.zeros(())
        return self.frame.values(stand_ins, self._domains())

    def _domains(self) -> dict[str, tuple[float, float]]:
        return {name: one.domain for name, one in self.declared if name in self.free}

    def log_slopes(self, u: Float[Array, " free"]) -> dict[str, Array]:
        """log |∂value/∂u| of each free parameter at u: what its density gains when it is written as one of u.

        Their sum is log |det ∂values/∂u|, but for `frame_volume`: a coefficient depends on exponents that do not depend
        on it, so the matrix is triangular and its diagonal is the bijector's slope times the shear.
        """
        declared, values, slopes = dict(self.declared), self._stand_ins(u), {}
        for i, name in enumerate(self.free):
            bijector = biject_to(declared[name].prior.support)
            slope = bijector.log_abs_det_jacobian(u[i], bijector(u[i]))
            slopes[name] = slope + self._shear(declared[name], values)
        return slopes

    def frame_volume(self, u: Float[Array, " free"]) -> Array:
        """log |det ∂values/∂stand_ins| at u; zero without a frame."""
        return self._framed(self._stand_ins(u))[1].astype(u.dtype)

    def unconstrain(self, values: Mapping[str, ArrayLike]) -> Float[Array, " free"]:
        """The coordinates u at which `values(u)` equals the given parameter values."""
        declared = dict(self.declared)
        if self.frame is not None:
            values = self.frame.stand_ins(values, self._domains())

        def coordinate(name: str) -> Array:
            centred = jnp.asarray(values[name], float) * jnp.exp(-self._shear(declared[name], values))
            return declared[name].unconstrain(centred)

        return jnp.stack([coordinate(name) for name in self.free])

    def _shear(self, declared: Param, values: Mapping[str, ArrayLike]) -> Array:
        known = ((of, exponent) for of, exponent in declared.power if of in self.log_centre)
        return sum((jnp.asarray(values[exponent]) * self.log_centre[of] for of, exponent in known), jnp.zeros(()))


register(Coordinates, ("fixed", "log_centre", "frame"), ("declared",))
