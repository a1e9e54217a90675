"""Random planning problems with experts, bits, repeated tokens and selections among samples, and grids over each."""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

import t2jax as t2
from t2jax import laws
from t2jax.planning.problem import inputs_at
from t2jax.working_precision import scope

H100 = t2.Serving(generated=500.0, batch=32.0, on=t2.accelerator("H100"))
EXPERTS = 16.0
WHOLE = laws.T2PassK


@dataclass(frozen=True)
class Kind:
    """Problems of one kind: a law, ranges of parameters beside those of Chinchilla's, and a budget.

    Attributes:
        law: The law.
        ranges: Ends of each range by parameter. Values are even in logs, or even if the low end is not positive.
        budget: The budget.
        form: Which parameters of Chinchilla's law the law has: all, smaller A and B, or those without N.
    """

    law: type[t2.Law]
    ranges: dict[str, tuple[float, float]]
    budget: t2.Budget
    form: str = "all"


PRECISE = {"C": (5.0, 100.0), "gamma_D": (0.3, 0.7), "gamma_N": (0.3, 0.7), "gamma": (0.5, 0.9)}
FARSEER = {
    "E_slope": (-0.15, -0.02),
    "E_bend": (-0.1, 0.1),
    "B_slope": (-0.8, -0.1),
    "B_bend": (-0.1, 0.1),
    "beta_slope": (-0.15, 0.05),
    "beta_bend": (-0.1, 0.1),
}
KINDS = {
    "data wall": Kind(
        laws.HarmfulRepetition,
        {"P": (0.01, 0.2), "delta": (0.3, 1.2), "kappa": (0.3, 0.9)},
        t2.Budget(train=1e22, unique_tokens=2e9),
    ),
    "overfitting": Kind(
        laws.OverfittedRepetition,
        {"L0": (8.0, 12.0), "C": (0.005, 0.1), "gamma": (0.3, 0.9), "delta": (0.3, 0.9)},
        t2.Budget(train=1e22, unique_tokens=2e9),
        form="smaller",
    ),
    "few bits": Kind(laws.Quantised, PRECISE, t2.Budget(train=1e23, inputs={"served_bits": 3.0})),
    "bits in training": Kind(
        laws.EffectiveParams,
        {"gamma_weight": (1.5, 4.0), "gamma_activation": (1.5, 4.0), "gamma_cache": (0.5, 1.5)},
        t2.Budget(train=1e22, inputs={"weight_bits": 4.0, "activation_bits": 8.0, "cache_bits": 8.0}),
    ),
    "experts in memory": Kind(
        laws.MixtureOfExperts,
        {"C": (0.2, 1.0), "G": (5.0, 30.0), "lam": (-0.3, 0.1), "delta": (0.1, 0.3), "gamma": (0.1, 0.3)},
        t2.Budget(train=1e24, inference=1e3, total_per_active=EXPERTS, serving=H100),
    ),
    "either sign": Kind(
        laws.SignedInteraction, {"f": (-0.8, 0.8)}, t2.Budget(train=1e22, params_min=1e7, tokens_min=1e9)
    ),
    "Farseer": Kind(laws.Farseer, FARSEER, t2.Budget(train=1e22, params_min=1e8, params_max=1e11), form="without N"),
}
"""Kinds of a law of the loss by name."""
QUERY = t2.Budget(train=1e22, inference=2e12)
SELECTIONS = {
    "abstaining verifier": Kind(
        WHOLE.on(laws.AbstainingVerifier),
        {"true_positive": (0.6, 0.99), "false_positive": (1e-3, 0.3), "abstention": (-0.0, 0.8)},
        QUERY,
    ),
    "majority vote": Kind(WHOLE.on(laws.MajorityVote), {"rival": (0.1, 0.9)}, QUERY),
    "best of n": Kind(WHOLE.on(laws.BestOfN), {"correlation": (0.1, 0.95)}, QUERY),
}
"""Kinds of a selection among samples by name."""


def draw(kind: Kind, count: int, seed: int = 3) -> t2.Law:
    """Draws random laws of a kind, a batch of shape (count,)."""
    random = np.random.default_rng(seed)

    def spread(low: float, high: float) -> np.ndarray:
        return (
            random.uniform(low, high, count) if low <= 0 else np.exp(random.uniform(np.log(low), np.log(high), count))
        )

    if kind.law.response == ("pass_at_k",) or "theta0" in kind.law.fields:
        values = {"E": spread(0.5, 2.0), "A": spread(100.0, 2000.0), "B": spread(100.0, 5000.0)}
        values |= {"alpha": spread(0.25, 0.5), "beta": spread(0.25, 0.5), "theta0": random.uniform(1, 3, count)}
        values |= {"theta1": random.uniform(1, 2.5, count), "theta2": random.uniform(0.3, 0.9, count)}
        values |= {"theta3": random.uniform(-1, 1, count), "theta4": random.uniform(-0.6, 0.3, count)}
    else:
        values = {"E": random.uniform(1.2, 2.2, count), "alpha": random.uniform(0.3, 0.4, count)}
        values["beta"] = random.uniform(0.3, 0.4, count)
        for name, at, exponent in (("A", 1e9, "alpha"), ("B", 2e10, "beta")):
            values[name] = random.uniform(0.2, 0.6, count) * at ** values[exponent]
            values[name] /= 8 if kind.form == "smaller" else 1
    values |= {name: spread(*ends) for name, ends in kind.ranges.items()}
    left_out = ("A", "alpha") if kind.form == "without N" else ()
    return kind.law(**{name: value for name, value in values.items() if name not in left_out})


def grid_of(budget: t2.Budget, points: int) -> tuple[np.ndarray, np.ndarray]:
    """Lists N over eleven decades, or its bounds, and D up to the training budget, as pairs that the limits allow."""
    n = np.geomspace(budget.params_min or 1e3, budget.params_max or 1e14, points)[:, None]
    d = float(np.asarray(budget.train)) / 6 / n * np.concatenate([np.geomspace(1e-8, 0.999, 2 * points // 3), [1.0]])
    allowed = d >= (budget.tokens_min or 1.0)
    n, d = np.broadcast_to(n, d.shape)[allowed], d[allowed]
    if budget.serving is None:
        return n, d
    room = _room(budget)
    fits = np.asarray(budget.prices[1].memory_used(n), float) <= room * (1 + 1e-6)
    return n[fits], d[fits]


def samples_of(budget: t2.Budget, points: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lists N, D and k as triples that both budgets pay for, with fewer points along D and k."""
    train, query = float(np.asarray(budget.train)), float(np.asarray(budget.inference))
    axes = np.geomspace(1e6, 1e12, points), np.geomspace(0.01, 1, 6), np.linspace(0, 1, points)
    n, part, depth = (axis.ravel() for axis in np.meshgrid(*axes))
    d, k = part * train / (6 * n), np.maximum(query / (2 * n), 1.0) ** depth
    allowed = (d >= 1) & (2 * n * k <= query)
    return n[allowed], d[allowed], k[allowed]


def overspent(budget: t2.Budget, plans: Any) -> float:
    """Computes by how much a plan exceeds a limit at most, relative to the limit."""
    spent = [6 * plans.params * plans.tokens / np.asarray(budget.train)]
    if budget.serving is not None:
        spent.append(plans.params * EXPERTS * 2 / _room(budget))  # all experts, in two bytes each
    elif budget.inference is not None:
        spent.append(2 * plans.params * plans.samples / np.asarray(budget.inference))
    return float(np.max([np.max(np.asarray(part)[np.asarray(plans.ok)]) for part in spent]) - 1)


def best_of_grid(law: t2.Law, budget: t2.Budget, places: tuple[np.ndarray, ...]) -> np.ndarray:
    """Computes the least cost of each law of a batch over all places, shape (laws,)."""
    n, d, k = (*places, np.ones_like(places[0]))[:3]
    with scope():

        @jax.jit
        def least(single: t2.Law) -> jax.Array:
            return single.cost(**inputs_at(single, budget, n, d, k)).min()

        leaves = jax.tree.map(jax.numpy.asarray, law)
        count = len(jax.tree.leaves(law)[0])
        return np.array([float(least(jax.tree.map(lambda leaf, i=i: leaf[i], leaves))) for i in range(count)])


def _room(budget: t2.Budget) -> float:
    chip = budget.prices[1].on
    assert chip is not None
    return float(np.asarray(chip.memory) * np.asarray(chip.devices))
