"""What fits and chains move in, in place of parameters of a law that rows determine only together."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from t2jax.trees import register
from t2jax.typing import Array, ArrayLike

LINE, SHARE = (-math.inf, math.inf), (0.0, 1.0)


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
