"""Centred, unconstrained coordinates of the parameters of a law and of its noise."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import jax.numpy as jnp

from t2jax.laws.parameter import Param
from t2jax.pytrees import register
from t2jax.typing import Array, ArrayLike, Float


class Frame(Protocol):
    """Stand-ins for some parameters of a law, each with the domain of its parameter; see `Law.frame`.

    The argument `domains` holds the domain of each free parameter.
    A parameter without an entry, or with another domain than in the law, has no stand-in.
    """

    def values(
        self, stand_ins: Mapping[str, Array], domains: Mapping[str, tuple[float, float]]
    ) -> tuple[dict[str, Array], Array]:
        """Computes parameter values from stand-ins, and log |det ∂values/∂stand_ins|."""
        ...

    def stand_ins(
        self, values: Mapping[str, ArrayLike], domains: Mapping[str, tuple[float, float]]
    ) -> dict[str, ArrayLike]:
        """Computes the stand-ins of parameter values."""
        ...


@dataclass(frozen=True)
class Coordinates:
    """Map between parameter values and the vector u of a fit: free, unconstrained and centred at the data.

    It is a pytree, so that other tables and fixed values need no new compilation.

    Attributes:
        declared: All parameters by name: first the parameters of the law, then the parameters of its noise.
        fixed: Values of the fixed parameters.
        log_centre: Mean over the data of the log of each input at which coefficients are centred.
        frame: A frame of `laws.frames`, or None for the parameters themselves.
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
        """Selects the coordinates of some parameters, in the same order and frame."""
        return replace(
            self,
            declared=tuple((name, parameter) for name, parameter in self.declared if name in names),
            fixed={name: value for name, value in self.fixed.items() if name in names},
        )

    def values(self, u: Float[Array, " free"]) -> dict[str, Array]:
        """Computes parameter values by name, in their units, at coordinates u."""
        values, _ = self._framed(self._stand_ins(u))
        return {name: values[name] for name, _ in self.declared}

    def _stand_ins(self, u: Float[Array, " free"]) -> dict[str, Array]:
        declared = dict(self.declared)
        fixed = {name: jnp.asarray(value, u.dtype) for name, value in self.fixed.items()}
        values = fixed | {name: declared[name].constrain(u[i]) for i, name in enumerate(self.free)}
        for name in self.free:
            values[name] = values[name] * jnp.exp(self._shear(declared[name], values))
        return values

    def _framed(self, stand_ins: dict[str, Array]) -> tuple[dict[str, Array], Array]:
        if self.frame is None:
            return stand_ins, jnp.zeros(())
        return self.frame.values(stand_ins, self._domains())

    def _domains(self) -> dict[str, tuple[float, float]]:
        return {name: parameter.domain for name, parameter in self.declared if name in self.free}

    def log_slopes(self, u: Float[Array, " free"]) -> dict[str, Array]:
        """Computes log |∂value/∂u| of each free parameter at u, the change of its log density from value to u.

        The sum is log |det ∂values/∂u| without `frame_volume`.
        A coefficient depends on exponents that do not depend on it, so the matrix is triangular.
        Its diagonal is the slope of the bijector times the shear.
        """
        declared, values, slopes = dict(self.declared), self._stand_ins(u), {}
        for i, name in enumerate(self.free):
            bijector = declared[name].bijector
            slope = bijector.log_abs_det_jacobian(u[i], bijector(u[i]))
            slopes[name] = slope + self._shear(declared[name], values)
        return slopes

    def frame_volume(self, u: Float[Array, " free"]) -> Array:
        """Computes log |det ∂values/∂stand_ins| at u, which is zero without a frame."""
        return self._framed(self._stand_ins(u))[1].astype(u.dtype)

    def unconstrain(self, values: Mapping[str, ArrayLike]) -> Float[Array, " free"]:
        """Computes the coordinates u at which `values(u)` equals the given parameter values."""
        declared = dict(self.declared)
        if self.frame is not None:
            values = self.frame.stand_ins(values, self._domains())

        def coordinate(name: str) -> Array:
            centred = jnp.asarray(values[name], float) * jnp.exp(-self._shear(declared[name], values))
            return declared[name].unconstrain(centred)

        return jnp.stack([coordinate(name) for name in self.free])

    def _shear(self, declared: Param, values: Mapping[str, ArrayLike]) -> Array:
        powers = ((source, exponent) for source, exponent in declared.power if source in self.log_centre)
        return sum(
            (jnp.asarray(values[exponent]) * self.log_centre[source] for source, exponent in powers), jnp.zeros(())
        )


register(Coordinates, ("fixed", "log_centre", "frame"), ("declared",))
