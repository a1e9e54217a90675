"""Every law, one written here included; random laws and places to read them at, and measurements of a law."""

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.distributions import LogNormal

import t2jax as t2
from t2jax.laws.loss.data_constrained import DataConstrained
from t2jax.laws.loss.downstream_error import DownstreamError
from t2jax.laws.loss.interaction import Interaction
from t2jax.laws.loss.interactions.signed_interaction import SignedInteraction
from t2jax.laws.loss.kaplan import Kaplan
from t2jax.laws.loss.multiple_choice import MultipleChoice
from t2jax.laws.pass_at_k.t2_loss import T2Loss
from t2jax.laws.pass_at_k.t2_pass_k import T2PassK
from t2jax.tables.source import Source
from t2jax.typing import Scalar


@t2.law
class LogSum(t2.Law):
    """L(N, D) = E + log(1 + A/N^α + B/D^β): a user's law, which the library does not know."""

    E: Scalar = t2.param(LogNormal(0.5, 0.5), unit="nats", doc="irreducible loss")
    A: Scalar = t2.coefficient(LogNormal(6.0, 2.0), unit="params^α", doc="size term", of="N", exponent="alpha")
    B: Scalar = t2.coefficient(LogNormal(6.0, 2.0), unit="tokens^β", doc="data term", of="D", exponent="beta")
    alpha: Scalar = t2.param(LogNormal(-1.0, 0.5), unit="1", doc="size exponent")
    beta: Scalar = t2.param(LogNormal(-1.0, 0.5), unit="1", doc="data exponent")
    convex: ClassVar[bool] = True

    def __call__(self, N, D):
        return self.E + jnp.log1p(self.A * N**-self.alpha + self.B * D**-self.beta)


LAWS = (
    *t2.laws.ALL,
    LogSum,
    T2Loss.on(Kaplan),
    T2PassK.on(DataConstrained.on(Kaplan)),
    DataConstrained.on(Interaction),
)
PASS = tuple(law for law in LAWS if "pass_at_k" in law.response)
LOSS = tuple(law for law in LAWS if law not in PASS)
DOMAIN = {"N": (1e5, 1e13), "D": (1e7, 1e15), "k": (1.0, 1e6), "U": (3e7, 1e13), "compute": (1e15, 1e28)}
DOMAIN |= {"total_params": (1e13, 1e15), "tuned": (0.1, 1.0)}
BITS = ("weight_bits", "activation_bits", "cache_bits", "served_bits")
DOMAIN |= dict.fromkeys(BITS, (2.0, 16.0))
POINTS = 64


def draw(law: type[t2.Law], count: int, seed: int = 0) -> Any:
    """Random laws (count,): middle half of each prior, terms of 0.5 to 5 where N, D and k are least."""
    rng = np.random.default_rng(seed)
    declared = law.declared()
    values = {
        name: np.asarray(parameter.prior.icdf(rng.uniform(0.25, 0.75, count))) for name, parameter in declared.items()
    }
    for name, parameter in declared.items():
        if parameter.power:
            least = math.prod(DOMAIN[of][0] ** values[exponent] for of, exponent in parameter.power)
            values[name] = np.exp(rng.uniform(np.log(0.5), np.log(5), count)) * least
    if law is DownstreamError:  # an error is at least zero
        values["drop"] = rng.uniform(0.1, 0.9, count) * values["epsilon"]
    if law is MultipleChoice:
        values["gain"] = rng.uniform(0.1, 0.9, count) * (1 - values["floor"])
    if law is SignedInteraction:  # terms are 5 at most, so the loss falls
        values["f"] = rng.uniform(-0.15, 0.5, count)
    return law(**values)


def places(law: type[t2.Law], count: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Random inputs, log-uniform over the domain, the first and last at its corners."""
    rng = np.random.default_rng(seed + 1)
    return tuple(
        np.concatenate([[low], np.exp(rng.uniform(np.log(low), np.log(high), count - 2)), [high]])
        for low, high in (DOMAIN[name] for name in law.inputs())
    )


def one_of(laws: Any, index: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[index], laws)


def chinchilla_values() -> dict[str, float]:
    return {"E": 1.5, "A": 200.0, "B": 900.0, "alpha": 0.3, "beta": 0.35}


def budget_for(law: type[t2.Law], **limits: Any) -> t2.Budget:
    """A budget that gives what the law reads beside N, D and k: unique tokens, experts and bits."""
    inputs: Any = dict.fromkeys((name for name in law.inputs() if name in BITS), 4.0)
    inputs |= {"tuned": 1.0} if "tuned" in law.inputs() else {}
    experts: Any = {"total_per_active": 8.0} if "total_params" in law.inputs() else {}
    unique: Any = {"unique_tokens": 1e10} if "U" in law.inputs() else {}
    return t2.Budget(**limits, **experts, **unique, inputs=inputs or None)


def measured(law: type[t2.Law], true: Any) -> t2.Table:
    """Noise-free measurements of a law at 40 places, always the same."""
    rng = np.random.default_rng(5)
    columns: Any = {"params": 10 ** rng.uniform(6, 9.5, 40), "tokens": 10 ** rng.uniform(8, 11.5, 40)}
    if "N" not in law.inputs():  # of one run
        columns = {"params": np.full(40, 1e8), "tokens": np.full(40, 1e10)}
    if "compute" in law.inputs():  # a table of compute alone
        columns = {"compute": 10 ** rng.uniform(16, 22, 40)}
    columns |= {"samples": 10 ** rng.uniform(0, 3, 40)} if "k" in law.inputs() else {}
    columns |= {"unique_tokens": 10 ** rng.uniform(7.5, 9.5, 40)} if "U" in law.inputs() else {}
    if "total_params" in law.inputs():
        columns |= {"total_params": columns["params"] * rng.uniform(1, 30, 40)}
    columns |= {"tuned": np.arange(40) % 2.0} if "tuned" in law.inputs() else {}
    columns |= {name: rng.uniform(3, 12, 40) for name in law.inputs() if name in BITS}
    if "loss" in law.fields and "loss" not in law.response:
        columns |= {"loss": np.asarray(true.loss.predict(columns))}
    columns |= {law.response[0]: np.asarray(true.predict(columns))}
    units = {"loss": 1.0}  # small models of random laws lose more than guessing costs
    return t2.Table.from_columns(source=Source(units=units), **columns)
