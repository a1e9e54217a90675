"""Centred, unconstrained coordinates of the parameters of a law, and of the scales of its noise."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import jax.numpy as jnp
from numpyro.distributions import biject_to

from t2jax.laws.parameter import Param
from t2jax.pytrees import register
from t2jax.typing import Array, ArrayLike, Float


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

    declared: all parameters by name: those of the law, then those of its noise. fixed: values of those held.
    log_centre: mean over the data of the log of each input that coefficients are centred at. frame: of `laws.frames`;
    None moves in the parameters themselves. A pytree: tables and held values change without a new compilation.
    """

    declared: tuple[tuple[str, Param], ...]
    fixed: Mapping[str, ArrayLike]
    log_centre: Mapping[str, ArrayLike]
    frame: Frame | None = None

    @property
    def free(self) -> tuple[str, ...]:
        """Names of the fitted parameters, in the order of u."""
        return tuple(name for name, _ in self.declared if name not in self.fixed)

    def only(self, names: Collection[str]) -> "Coordinates":
        """The coordinates of some of the parameters, in the same order, moved in the same frame."""
        return replace(
            self,
            declared=tuple((name, one) for name, one in self.declared if name in names),
            fixed={name: value for name, value in self.fixed.items() if name in names},
        )

    def values(self, u: Float[Array, " free"]) -> dict[str, Array]:
        """Parameter values by name, in their own units, at coordinates u."""
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
