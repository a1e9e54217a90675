"""What fits and chains move in, in place of parameters of a law that rows determine only together."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from t2jax.params import Param
from t2jax.trees import register
from t2jax.typing import Array, ArrayLike

Power = tuple[tuple[str, str], ...]
LINE, SHARE, POSITIVE = (-math.inf, math.inf), (0.0, 1.0), (0.0, math.inf)


@dataclass(frozen=True)
class Top:
    """The frame of T2PassK: at the largest N and D, the logit m of the mean success μ and the log n of the sample size.

    m stands for θ0, n for θ3, and for θ2 the share s of what is left above μ that the ceiling has: there
    θ0 = L + (m - log s)/θ1, θ2 = μ + (1-μ)s, θ3 = n - θ4 L. Where success is rare rows determine only θ2·exp(θ1 θ0),
    and a ceiling near what is reached bends other parameters: in (m, s) there is hardly an edge or a bend.

    loss: the law of L. inputs: the largest N and D.
    """

    loss: Any
    inputs: Mapping[str, ArrayLike]

    def values(self, stand_ins: Mapping[str, Any], domains: Mapping[str, Any]) -> tuple[dict[str, Any], Array]:
        values, volume, at = dict(stand_ins), jnp.zeros(()), self._loss(stand_ins)
        if domains.get("theta3") == LINE:
            values["theta3"] = stand_ins["theta3"] - stand_ins["theta4"] * at
        if domains.get("theta0") == LINE:
            m, share = stand_ins["theta0"], stand_ins["theta2"]
            volume = -jnp.log(stand_ins["theta1"])
            if domains.get("theta2") == SHARE:
                values["theta2"] = jax.nn.sigmoid(m) + jax.nn.sigmoid(-m) * share
                volume = volume + jnp.log(values["theta2"] / share) + jax.nn.log_sigmoid(-m)
            values["theta0"] = at + (m - jnp.log(share)) / stand_ins["theta1"]
        return values, volume

    def stand_ins(self, values: Mapping[str, Any], domains: Mapping[str, Any]) -> dict[str, Any]:
        found, at = dict(values), self._loss(values)
        if domains.get("theta3") == LINE:
            found["theta3"] = values["theta3"] + values["theta4"] * at
        if domains.get("theta0") == LINE:
            logit = values["theta1"] * (values["theta0"] - at)
            found["theta0"] = logit + jnp.log(values["theta2"])
            if domains.get("theta2") == SHARE:
                # of μ = θ2 σ(x): 1 - μ = σ(-x) + (1 - θ2) σ(x), and s = θ2 σ(-x)/(1 - μ)
                rest = jax.nn.sigmoid(-logit) + (1 - values["theta2"]) * jax.nn.sigmoid(logit)
                found["theta0"] = found["theta0"] + jax.nn.log_sigmoid(logit) - logit - jnp.log(rest)
                found["theta2"] = values["theta2"] * jax.nn.sigmoid(-logit) / rest
        return found

    def _loss(self, values: Mapping[str, Any]) -> Array:
        return self.loss(**{name: values[name] for name in self.loss.declared()})(**self.inputs)


register(Top, ("inputs",), ("loss",))


@dataclass(frozen=True)
class Level:
    """The frame of terms that only their sum tells apart: at one D, E and B/D^β of Chinchilla's law.

    In a group of such terms their sum, in units of the first one's coefficient, stands for that one, and its ratio to
    that one for each other: E + B/D^β for E, and B/E for B. In the parameters themselves the sum is a thin bent sheet,
    along which chains hardly move.

    groups: names of such coefficients. powers: of each the (input, exponent) pairs of what is the same in every row.
    inputs: their values.
    """

    groups: tuple[tuple[str, ...], ...]
    powers: tuple[tuple[str, Power], ...]
    inputs: Mapping[str, ArrayLike]

    def values(self, stand_ins: Mapping[str, Any], domains: Mapping[str, Any]) -> tuple[dict[str, Any], Array]:
        values, volume = dict(stand_ins), jnp.zeros(())
        for first, *others in self._free(domains):
            ratio = sum(stand_ins[name] * self._term(name, first, stand_ins) for name in others)
            values[first] = stand_ins[first] / (1 + ratio)
            values |= {name: values[first] * stand_ins[name] for name in others}
            volume = volume + len(others) * jnp.log(values[first]) - jnp.log1p(ratio)
        return values, volume

    def stand_ins(self, values: Mapping[str, Any], domains: Mapping[str, Any]) -> dict[str, Any]:
        found = dict(values)
        for first, *others in self._free(domains):
            found[first] = values[first] + sum(values[name] * self._term(name, first, values) for name in others)
            found |= {name: values[name] / values[first] for name in others}
        return found

    def _free(self, domains: Mapping[str, Any]) -> list[list[str]]:
        """The members of each group that are sampled and positive, where there are two or more."""
        found = ([name for name in group if domains.get(name) == POSITIVE] for group in self.groups)
        return [group for group in found if len(group) > 1]

    def _term(self, name: str, first: str, values: Mapping[str, Any]) -> Array:
        """What a coefficient is multiplied by in every row, over what the first one is."""
        powers = dict(self.powers)
        logs = {
            one: sum((values[exponent] * jnp.log(self.inputs[of]) for of, exponent in powers[one]), jnp.zeros(()))
            for one in (name, first)
        }
        return jnp.exp(logs[first] - logs[name])


register(Level, ("inputs",), ("groups", "powers"))


def level(linear: Sequence[str], declared: Mapping[str, Param], constant: Mapping[str, float]) -> Level | None:
    """The frame of a law with these linear parameters on a table of which some inputs are constant.

    Together go coefficients of the same powers of what is not. None where each has its own. constant: values of inputs.
    """
    groups: dict[Power, list[str]] = {}
    for name in linear:
        varying = tuple(sorted(pair for pair in declared[name].power if pair[0] not in constant))
        groups.setdefault(varying, []).append(name)
    found = tuple(tuple(group) for group in groups.values() if len(group) > 1)
    powers = tuple(
        (name, tuple(pair for pair in declared[name].power if pair[0] in constant)) for group in found for name in group
    )
    read = {of: constant[of] for _, one in powers for of, _ in one}
    return Level(found, powers, read) if found else None
