"""The contract that every law keeps, one written here included."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.distributions import LogNormal

import t2jax as t2
from t2jax.laws.loss.architecture.mixture_of_experts import MixtureOfExperts
from t2jax.laws.loss.architecture.quantised import Quantised
from t2jax.laws.loss.broken_power import BrokenPower
from t2jax.laws.loss.chinchilla import Chinchilla
from t2jax.laws.loss.data_constrained import DataConstrained
from t2jax.laws.loss.downstream_error import DownstreamError
from t2jax.laws.loss.excess_params import ExcessParams
from t2jax.laws.loss.interactions.farseer import Farseer
from t2jax.laws.loss.kaplan import Kaplan
from t2jax.laws.loss.multiple_choice import MultipleChoice
from t2jax.laws.loss.repetition.harmful_repetition import HarmfulRepetition
from t2jax.laws.loss.repetition.overfitted_repetition import OverfittedRepetition
from t2jax.laws.pass_at_k.beta_tail import BetaTail
from t2jax.laws.pass_at_k.compute_pass_k import ComputePassK
from t2jax.laws.pass_at_k.params_tokens_pass_k import ParamsTokensPassK
from t2jax.laws.pass_at_k.post_trained import PostTrained
from t2jax.laws.pass_at_k.power_law_k import PowerLawK
from t2jax.laws.pass_at_k.t2_loss import T2Loss
from t2jax.laws.pass_at_k.t2_pass_k import T2PassK
from t2jax.laws.pass_at_k.t2_pass_k_naive import T2PassKNaive
from t2jax.typing import Scalar
from tests.helpers.laws import BITS, LAWS, LOSS, POINTS, chinchilla_values, draw, one_of, places

RISES = {
    Farseer: {"N"},
    HarmfulRepetition: {"N", "D"},
    MixtureOfExperts: {"N", "total_params"},
    OverfittedRepetition: {"N"},
    PostTrained: {"N", "D", "tuned"},
    Quantised: {"D"},
}
"""Inputs in which a law may rise, as its docstring says."""
WITHOUT_LIMIT = (Farseer, MixtureOfExperts, OverfittedRepetition, PostTrained, Quantised)
"""Laws of which the loss without end of everything depends on what grows faster."""
TO_ZERO = (PowerLawK, ComputePassK, ParamsTokensPassK)
TOGETHER = {"N": {"N", "total_params"}, "D": {"D", "U"}}
"""Inputs that are counted in the same unit."""
every = pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def cost(law: Any, at: Any) -> Any:
    """The cost at inputs in the order of `inputs()`."""
    return law.cost(**dict(zip(law.inputs(), at, strict=True)))


def value(law: Any, at: Any) -> Any:
    """The prediction at inputs in the order of `inputs()`."""
    return law(**dict(zip(law.inputs(), at, strict=True)))


@every
def test_finite_and_monotone(law):
    """Losses fall in every input; pass@k rises in k, in N and D as each law says (compared as -log pass@k)."""
    laws, at = draw(law, POINTS), places(law, POINTS)
    first = np.asarray(cost(laws, at))
    assert np.all(np.isfinite(first)) and np.all(np.isfinite(value(laws, at)))
    single = tuple(np.ones(POINTS) if name == "k" else x for name, x in zip(law.inputs(), at, strict=True))
    for i, name in enumerate(law.inputs()):
        begin = single if issubclass(law, T2PassK) and name != "k" else at
        steps = np.stack(
            [np.asarray(cost(laws, (*begin[:i], begin[i] * step, *begin[i + 1 :]))) for step in (1, 1.5, 30)]
        )
        falls = np.diff(steps, axis=0) < 0
        # pass@k is one to rounding; more unique tokens than are read, or so often repeated that no more is learnt, or
        # so many more parameters than the tokens call for
        without_end = law is ExcessParams or (name == "D" and "U" in law.inputs())
        # numbers of so many bits are exact to rounding, and the terms of Farseer's law may vanish there
        without_end |= name in BITS or law is Farseer
        same = (steps[1:] < 1e-290) | (name == "U") | without_end
        if name in RISES.get(law, ()):
            continue
        assert np.all(falls | (same & (np.diff(steps, axis=0) <= 0))), name


@every
def test_limits(law):
    """Without end of everything a loss is E; a pass@k lies in (0, 1], its cost is -log of it, its best mean known."""
    laws = draw(law, POINTS)
    if law in WITHOUT_LIMIT:
        return
    if law in LOSS:
        everything, least = (np.inf,) * len(law.inputs()), np.zeros(POINTS) if law in TO_ZERO else laws.E
        if law is DownstreamError:
            least = laws.epsilon - laws.drop * np.exp(-laws.rate * laws.E)
        if law is MultipleChoice:
            least = 1 - laws.floor - laws.gain / (1 + np.exp(-laws.steepness * (laws.midpoint - laws.E)))
        np.testing.assert_allclose(value(laws, everything), least, rtol=1e-14)
        assert np.all(np.asarray(value(laws, places(law, POINTS))) > least)
    else:
        passed = np.asarray(value(laws, places(law, POINTS)))
        assert np.all((passed > 0) & (passed <= 1))
        np.testing.assert_allclose(-np.log(passed), cost(laws, places(law, POINTS)), rtol=1e-10, atol=1e-15)
        if law is BetaTail:
            best = laws.a / (laws.a + laws.b)
        else:
            best = laws.theta2 / (1 + np.exp(laws.theta1 * (laws.E - laws.theta0)))
        np.testing.assert_allclose(laws(**dict.fromkeys(law.inputs(), np.inf) | {"k": 1.0}), best, rtol=1e-13)


@every
def test_compiled_batched_and_differentiated(law):
    """jit and vmap change nothing, and the gradient in every parameter and log input is the finite difference."""
    laws, at = draw(law, POINTS, seed=2), places(law, POINTS, seed=2)

    def at_logs(law, logs):
        return cost(law, jnp.exp(logs))

    logs = jnp.log(jnp.stack(at, axis=1))
    value_and_slopes = jax.jit(jax.vmap(jax.value_and_grad(at_logs, argnums=(0, 1))))
    values, (by_law, by_logs) = value_and_slopes(laws, logs)
    assert type(by_law) is law
    for i in (0, 1, POINTS - 1):
        eager = cost(one_of(laws, i), [x[i] for x in at])
        np.testing.assert_allclose(values[i], eager, rtol=1e-12)
    np.testing.assert_allclose(values, cost(laws, at), rtol=1e-12)

    def difference(move):
        low, high = (value_and_slopes(*move(h))[0] for h in (-1e-5, 1e-5))
        return np.asarray(high - low) / 2e-5

    # a central difference errs by rounding (1e-16/1e-5) and by h² times a third derivative
    def close(slope, difference):
        np.testing.assert_allclose(slope, difference, rtol=1e-6, atol=3e-10 * np.max(np.abs(values)) + 1e-9)

    leaves, tree = jax.tree.flatten(laws)
    for j, slope in enumerate(jax.tree.leaves(by_law)):

        def moved(h, j=j):
            return jax.tree.unflatten(tree, [leaf * (1 + h * (i == j)) for i, leaf in enumerate(leaves)]), logs

        close(slope * leaves[j], difference(moved))
    for j in range(len(at)):
        close(by_logs[:, j], difference(lambda h, j=j: (laws, logs.at[:, j].add(h))))


@every
def test_is_a_pytree_that_prints(law):
    laws = draw(law, 3)
    leaves, tree = jax.tree.flatten(laws)
    assert jax.tree.unflatten(tree, leaves).values() == laws.values() and len(leaves) == len(law.declared())
    assert type(jax.tree.map(lambda leaf: leaf[0], laws)) is law
    names = ["".join(str(key) for key in path) for path, _ in jax.tree_util.tree_leaves_with_path(laws)]
    assert [name.rsplit(".", 1)[1] for name in names] == list(law.declared())
    assert repr(laws) == f"{law.__name__}({', '.join(f'{name}=<3>' for name in law.declared())})"
    shown = ", ".join(f"{name}=0.125" for name in law.declared())
    assert repr(law(**dict.fromkeys(law.declared(), 0.125))) == f"{law.__name__}({shown})"
    for name, value in laws.values().items():
        assert getattr(laws, name) is value, f"{law.__name__}.{name}"
    with pytest.raises(AttributeError, match=f"{law.__name__} has no attribute 'rho'"):
        _ = laws.rho


@every
def test_takes_its_parameters_by_keyword(law):
    values = dict.fromkeys(law.declared(), 0.5)
    for name in law.declared():
        with pytest.raises(TypeError, match=rf"lacks {name}; its parameters are {next(iter(law.declared()))}, "):
            law(**{other: value for other, value in values.items() if other != name})
    with pytest.raises(TypeError, match=f"{law.__name__} has no parameter aplha; its parameters are "):
        law(**values, aplha=0.5)
    with pytest.raises(TypeError):
        law(*values.values())


@every
def test_units_of_inputs(law):
    """With an input counted in thousands, A becomes A·1000^-α and the law says the same."""
    laws, at = draw(law, POINTS), places(law, POINTS)
    values = laws.values()
    if law is Farseer:  # whose parameters are those of a model of 1e9 params
        return
    for of in {"N", "D", "compute"} & set(law.inputs()):
        scaled, together = {}, TOGETHER.get(of, {of})
        for name, parameter in law.declared().items():
            if exponents := [exponent for x, exponent in parameter.power if x in together]:
                scaled[name] = values[name] * 1000.0 ** -sum(values[exponent] for exponent in exponents)
        assert scaled
        if law is PostTrained:  # for rows with another `tuned` than 1 each would have a scale of its own
            at = (*at[:-1], np.ones(POINTS))
            scaled["scale"] = values["scale"] * 1000.0 ** (values["drift"] * (1 if of == "D" else -1))
        if law is BrokenPower:
            scaled["C1"] = values["C1"] / 1000
        # 1000^(δ log k) is a power of k
        if law is ComputePassK or (law is ParamsTokensPassK and of == "N"):
            scaled["gamma"] = values["gamma"] + values["delta"] * np.log(1000.0)
        if law is ParamsTokensPassK and of == "D":
            scaled["zeta"] = values["zeta"] + values["eta"] * np.log(1000.0)
        grown = {"N": (HarmfulRepetition, "P", "kappa", 1), "D": (HarmfulRepetition, "P", "kappa", -1)}
        more = {"N": (OverfittedRepetition, "C", "gamma", 1), "D": (OverfittedRepetition, "C", "delta", -1)}
        bits = {"N": (Quantised, "C", "gamma_N", -1), "D": (Quantised, "C", "gamma_D", 1)}
        for which, coefficient, exponent, sign in (table[of] for table in (grown, more, bits) if of in table):
            if law is which:
                scaled[coefficient] = values[coefficient] * 1000.0 ** (sign * values[exponent])
        thousands = [x / 1000 if name in together else x for name, x in zip(law.inputs(), at, strict=True)]
        np.testing.assert_allclose(cost(law(**values | scaled), thousands), cost(laws, at), rtol=1e-11)


def test_parts_are_seen_from_outside():
    kaplan = Kaplan(E=1.0, A=2.0, B=3.0, alpha=0.4, beta=0.5, kappa=0.6)
    flat, nested = (
        T2Loss.on(Kaplan)(**kaplan.values(), G=7.0, gamma=0.8),
        T2Loss.on(Kaplan)(loss=kaplan, G=7.0, gamma=0.8),
    )
    assert flat.values() == nested.values() and nested.loss is kaplan and flat.loss.values() == kaplan.values()
    by_hand = 1.0 + (2.0 * 1e9**-0.4 + 3.0 * 1e10**-0.5) ** 0.6 + 7.0 * 5.0**-0.8
    for law in (flat, nested, T2Loss(loss=kaplan, G=7.0, gamma=0.8)):
        assert law(1e9, 1e10, 5.0) == pytest.approx(by_hand, rel=1e-13)
    assert T2Loss.on(Kaplan) is T2Loss.on(Kaplan) and T2Loss.on(Kaplan).inputs() == ("N", "D", "k")
    with pytest.raises(TypeError, match="Chinchilla has no part to put Kaplan in"):
        Chinchilla.on(Kaplan)
    with pytest.raises(TypeError, match="T2PassK does not hand k to its part, and T2Loss needs it"):
        T2PassK.on(T2Loss)
    with pytest.raises(TypeError, match="DataConstrained does not hand k to its part, and T2Loss needs it"):
        DataConstrained.on(T2Loss)
    for law in (T2PassK, DataConstrained):
        with pytest.raises(
            TypeError, match=f"part of {law.__name__} is a law of the loss, .*DownstreamError predicts error"
        ):
            law.on(DownstreamError)
    with pytest.raises(TypeError, match="both have a parameter gamma"):

        @t2.law
        class Clashing(t2.Law):
            gamma: Scalar = t2.param(LogNormal(0.0, 1.0), unit="1", doc="also a sampling exponent elsewhere")

            def __call__(self, N, D):
                return self.gamma / N / D

        T2Loss.on(Clashing)


def test_inputs_of_a_part_reach_it():
    """Samples on repeated data: U passes through the laws of k, by name, and may be left out."""
    repeated = DataConstrained(**chinchilla_values(), R_D=15.0)
    combined = T2Loss.on(DataConstrained)(**repeated.values(), G=2.0, gamma=0.5)
    assert combined.inputs() == ("N", "D", "k", "U") and combined.needed() == {"N", "D", "k"}
    by_hand = float(repeated(1e8, 1e10, 1e9)) + 2.0 * 4.0**-0.5
    assert combined(1e8, 1e10, 4.0, U=1e9) == pytest.approx(by_hand, rel=1e-13)
    assert combined(1e8, 1e10, 4.0) == pytest.approx(float(repeated(1e8, 1e10)) + 1.0, rel=1e-13)
    rows: Any = {"params": np.array([1e8]), "tokens": np.array([1e10]), "samples": np.array([4.0])}
    assert combined.predict(rows | {"unique_tokens": np.array([1e9])})[0] == pytest.approx(by_hand, rel=1e-13)
    assert combined.predict(rows)[0] == pytest.approx(float(combined(1e8, 1e10, 4.0)), rel=1e-13)
    counted = T2PassK.on(DataConstrained)(
        **repeated.values(), theta0=2.0, theta1=1.0, theta2=0.9, theta3=0.0, theta4=0.1
    )
    a, b = counted.questions(1e8, 1e10, U=1e9)
    assert a / (a + b) == pytest.approx(0.9 / (1 + math.exp(float(repeated(1e8, 1e10, 1e9)) - 2.0)), rel=1e-12)


def test_names():
    assert [t2.laws.name_of(law) for law in (Chinchilla, T2Loss, T2PassK, T2PassKNaive)] == [
        "chinchilla",
        "t2-loss",
        "t2-pass-k",
        "t2-pass-k-naive",
    ]
    assert all(t2.laws.by_name(t2.laws.name_of(law)) is law for law in t2.laws.ALL)
    with pytest.raises(ValueError, match=r"no law 'chinchila'; the laws are .* did you mean 'chinchilla'\?"):
        t2.laws.by_name("chinchila")
    twice = "t2-pass-k-on-data-constrained-on-kaplan"
    assert t2.laws.by_name(twice) is T2PassK.on(DataConstrained.on(Kaplan))
    assert t2.laws.by_name("t2-pass-k-on-chinchilla") is T2PassK.on(Chinchilla) is T2PassK
    with pytest.raises(ValueError, match="'t2-loss-on-' names no law after -on-, expected one of chinchilla, "):
        t2.laws.by_name("t2-loss-on-")
    with pytest.raises(ValueError, match="Chinchilla has no part to put Kaplan in"):
        t2.laws.by_name("chinchilla-on-kaplan")
