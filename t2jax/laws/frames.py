"""What fits and chains (`Top`), or chains alone (`SumFrame`) move in where rows determine parameters only together."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.pytrees import register
from t2jax.typing import Array, ArrayLike

SAME = 0.01
"""Inputs that differ by less than this share of the largest count as one."""
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
class SumFrame:
    """The frame of terms that only their sum tells apart: at one D, E and B/D^β of Chinchilla's law.

    In a group of such terms their sum, in units of the first one's coefficient, stands for that one, and its ratio to
    that one for each other: E + B/D^β for E, and B/E for B. In the parameters themselves the sum is a thin bent sheet,
    along which chains hardly move.

    law: linear in the coefficients. groups: their names. inputs: of the row at which terms are compared.
    """

    law: Any
    groups: tuple[tuple[str, ...], ...]
    inputs: Mapping[str, ArrayLike]

    def values(self, stand_ins: Mapping[str, Any], domains: Mapping[str, Any]) -> tuple[dict[str, Any], Array]:
        values, volume = dict(stand_ins), jnp.zeros(())
        for first, terms in self._groups(stand_ins, domains):
            ratio = sum(stand_ins[name] * term for name, term in terms.items())
            values[first] = stand_ins[first] / (1 + ratio)
            values |= {name: values[first] * stand_ins[name] for name in terms}
            volume = volume + len(terms) * jnp.log(values[first]) - jnp.log1p(ratio)
        return values, volume

    def stand_ins(self, values: Mapping[str, Any], domains: Mapping[str, Any]) -> dict[str, Any]:
        found = dict(values)
        for first, terms in self._groups(values, domains):
            found[first] = values[first] + sum(values[name] * term for name, term in terms.items())
            found |= {name: values[name] / values[first] for name in terms}
        return found

    def _groups(self, values: Mapping[str, Any], domains: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Array]]]:
        """Of each group the first, and what each other is multiplied by over what the first is.

        Members are sampled and positive, and two or more. Any positive multiple leaves a frame.
        """
        zero = {name: values[name] for name in self.law.declared()} | dict.fromkeys(self.law.linear, 0.0)

        def predict(**coefficient: float) -> Array:
            return self.law(**(zero | coefficient))(**self.inputs)

        for group in self.groups:
            members = [name for name in group if domains.get(name) == POSITIVE]
            if len(members) > 1:
                origin = predict()
                sizes = [predict(**{name: 1.0}) - origin for name in members]
                unit, *others = (jnp.where(jnp.isfinite(size) & (size != 0), jnp.abs(size), 1.0) for size in sizes)
                yield members[0], {name: other / unit for name, other in zip(members[1:], others, strict=True)}


register(SumFrame, ("inputs",), ("law", "groups"))


def sum_frame(law: Any, inputs: Mapping[str, ArrayLike]) -> SumFrame | None:
    """The frame of a law on rows with these inputs, where coefficients in which it is linear have terms alike in all.

    Together go coefficients of the same powers of the inputs that vary, by more than SAME. None where each has its own.
    """
    columns = {of: np.asarray(column) for of, column in inputs.items()}
    varying = {of for of, column in columns.items() if np.ptp(column) > SAME * np.max(np.abs(column))}
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for name in law.linear:
        power = tuple(sorted(pair for pair in law.declared()[name].power if pair[0] in varying))
        groups.setdefault(power, []).append(name)
    found = tuple(tuple(group) for group in groups.values() if len(group) > 1)
    return SumFrame(law, found, {of: float(np.median(column)) for of, column in columns.items()}) if found else None
