"""Coordinates for laws whose parameters the rows determine only in combination."""

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
    """The frame of `T2PassK`: logit of the mean success and log of the sample size at the largest N and D.

    L is the loss at the largest N and D, μ the mean success there, m its logit and n the log of ν.
    m stands in for θ0 with θ0 = L + (m - log s)/θ1, and n for θ3 with θ3 = n - θ4 L.
    The share s stands in for θ2 with θ2 = μ + (1-μ)s: it is the part of 1-μ that lies below the ceiling.
    Where success is rare, rows determine only θ2·exp(θ1 θ0). A ceiling close to the data bends other parameters.
    In (m, s) the posterior has hardly an edge or a bend.

    Attributes:
        loss: The law of L.
        inputs: The largest N and D.
    """

    loss: Any
    inputs: Mapping[str, ArrayLike]

    def values(self, stand_ins: Mapping[str, Any], domains: Mapping[str, Any]) -> tuple[dict[str, Any], Array]:
        values, volume, loss = dict(stand_ins), jnp.zeros(()), self._loss(stand_ins)
        if domains.get("theta3") == LINE:
            values["theta3"] = stand_ins["theta3"] - stand_ins["theta4"] * loss
        if domains.get("theta0") == LINE:
            m, share = stand_ins["theta0"], stand_ins["theta2"]
            volume = -jnp.log(stand_ins["theta1"])
            if domains.get("theta2") == SHARE:
                values["theta2"] = jax.nn.sigmoid(m) + jax.nn.sigmoid(-m) * share
                volume = volume + jnp.log(values["theta2"] / share) + jax.nn.log_sigmoid(-m)
            values["theta0"] = loss + (m - jnp.log(share)) / stand_ins["theta1"]
        return values, volume

    def stand_ins(self, values: Mapping[str, Any], domains: Mapping[str, Any]) -> dict[str, Any]:
        stand_ins, loss = dict(values), self._loss(values)
        if domains.get("theta3") == LINE:
            stand_ins["theta3"] = values["theta3"] + values["theta4"] * loss
        if domains.get("theta0") == LINE:
            logit = values["theta1"] * (values["theta0"] - loss)
            stand_ins["theta0"] = logit + jnp.log(values["theta2"])
            if domains.get("theta2") == SHARE:
                # of μ = θ2 σ(x): 1 - μ = σ(-x) + (1 - θ2) σ(x), and s = θ2 σ(-x)/(1 - μ)
                rest = jax.nn.sigmoid(-logit) + (1 - values["theta2"]) * jax.nn.sigmoid(logit)
                stand_ins["theta0"] = stand_ins["theta0"] + jax.nn.log_sigmoid(logit) - logit - jnp.log(rest)
                stand_ins["theta2"] = values["theta2"] * jax.nn.sigmoid(-logit) / rest
        return stand_ins

    def _loss(self, values: Mapping[str, Any]) -> Array:
        return self.loss(**{name: values[name] for name in self.loss.declared()})(**self.inputs)


register(Top, ("inputs",), ("loss",))


@dataclass(frozen=True)
class SumFrame:
    """The frame of terms that rows determine only in sum, such as E and B/D^β of Chinchilla's law at a single D.

    In such a group the sum, in units of the first coefficient, stands in for the first coefficient.
    For every other coefficient its ratio to the first one stands in: E + B/D^β for E, and B/E for B.
    In the parameters themselves the posterior is a thin bent sheet, along which chains hardly move.

    Attributes:
        law: A class of laws that is linear in the coefficients.
        groups: Names of the coefficients of each group.
        inputs: Inputs of the row at which terms are compared.
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
        stand_ins = dict(values)
        for first, terms in self._groups(values, domains):
            stand_ins[first] = values[first] + sum(values[name] * term for name, term in terms.items())
            stand_ins |= {name: values[name] / values[first] for name in terms}
        return stand_ins

    def _groups(self, values: Mapping[str, Any], domains: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Array]]]:
        """Yields for each group the first coefficient and the weights of the others relative to the first.

        Members are sampled and positive, and there are two or more. Any positive weight gives a valid frame.
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
    """Finds the frame of a law whose linear coefficients have terms that are proportional over all rows.

    Coefficients form a group if they multiply the same powers of the inputs that vary by more than SAME.
    The result is None if every coefficient is alone in its group.
    """
    columns = {of: np.asarray(column) for of, column in inputs.items()}
    varying = {of for of, column in columns.items() if np.ptp(column) > SAME * np.max(np.abs(column))}
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for name in law.linear:
        power = tuple(sorted(pair for pair in law.declared()[name].power if pair[0] in varying))
        groups.setdefault(power, []).append(name)
    shared = tuple(tuple(group) for group in groups.values() if len(group) > 1)
    return SumFrame(law, shared, {of: float(np.median(column)) for of, column in columns.items()}) if shared else None


@dataclass(frozen=True)
class Falling:
    """The frame of `SignedInteraction`: f stays above -1/m, so that the loss falls in N and D over the table.

    m is the largest of the two terms a and b there, at the smallest N and D. log(1 + f·m) stands in for f.

    Attributes:
        params: The smallest N.
        tokens: The smallest D.
    """

    params: ArrayLike
    tokens: ArrayLike

    def values(self, stand_ins: Mapping[str, Any], domains: Mapping[str, Any]) -> tuple[dict[str, Any], Array]:
        values, volume = dict(stand_ins), jnp.zeros(())
        if domains.get("f") == LINE:
            largest = self._largest(stand_ins)
            values["f"] = jnp.expm1(stand_ins["f"]) / largest
            volume = stand_ins["f"] - jnp.log(largest)
        return values, volume

    def stand_ins(self, values: Mapping[str, Any], domains: Mapping[str, Any]) -> dict[str, Any]:
        stand_ins = dict(values)
        if domains.get("f") == LINE:
            stand_ins["f"] = jnp.log1p(values["f"] * self._largest(values))
        return stand_ins

    def _largest(self, values: Mapping[str, Any]) -> Array:
        terms = (("A", "alpha", self.params), ("B", "beta", self.tokens))
        size, data = (values[name] * jnp.exp(-values[exponent] * jnp.log(least)) for name, exponent, least in terms)
        return jnp.maximum(size, data)


register(Falling, ("params", "tokens"), ())


@dataclass(frozen=True)
class Below:
    """The frame of `MultipleChoice`: floor and gain add up to 1 at most. gain/(1 - floor) stands in for the gain."""

    def values(self, stand_ins: Mapping[str, Any], domains: Mapping[str, Any]) -> tuple[dict[str, Any], Array]:
        values, volume = dict(stand_ins), jnp.zeros(())
        if domains.get("gain") == SHARE:
            room = 1 - stand_ins["floor"]
            values["gain"] = room * stand_ins["gain"]
            volume = jnp.log(room)
        return values, volume

    def stand_ins(self, values: Mapping[str, Any], domains: Mapping[str, Any]) -> dict[str, Any]:
        stand_ins = dict(values)
        if domains.get("gain") == SHARE:
            stand_ins["gain"] = values["gain"] / (1 - values["floor"])
        return stand_ins


register(Below, (), ())
