"""The simulated tables of `calibration`: laws drawn from their priors, and what their runs would measure."""

from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from scipy.special import expit

import t2jax as t2
from t2jax.evaluation.held_out import NEGLIGIBLE
from t2jax.tables.source import Source

if TYPE_CHECKING:
    from experiments.checks.calibration import Config

ROWS = 32
"""A table of counts is filled up to a multiple of so many rows."""
LEAST, MOST = 1e-300, 1e300
"""Where a Beta's parameter would be zero, or infinite, to float64."""
RISE = 0.2
"""The share of samples that are correct must differ by so much between some two runs of a table of counts."""


def world(law: type[t2.Law], rng: np.random.Generator, config: "Config") -> tuple[t2.Law, t2.Table, Any]:
    """A true law, a table of it and the scale of its errors.

    Most laws of counts drawn from the priors solve nothing, or everything, at every run, and nobody would fit such a
    table: truth and table are drawn again until the table shows a RISE. This depends on the truth through the table
    alone. Given a table the truth's rank is uniform, so the ranks of the accepted tables are uniform too.
    """
    while True:
        truth = draw_truth(law, rng)
        table, scale = simulate(law, truth, rng, config)
        if "correct" not in table:
            return truth, table, scale
        run, weight = table.runs(), table["weight"]
        solved = np.bincount(run, weight * table["correct"]) / np.bincount(run, weight * table["trials"])
        if np.ptp(solved) >= RISE:
            return truth, table, scale


def draw_truth(law: type[t2.Law], rng: np.random.Generator) -> t2.Law:
    """A law drawn from its priors; where a latent loss has no scale, at the gauge that `t2.sample` holds."""
    gauge = law.gauge if "pass_at_k" in law.response else {}
    values = {name: float(parameter.prior.icdf(rng.uniform())) for name, parameter in law.declared().items()}
    return law(**(values | dict(gauge)))


def simulate(law: type[t2.Law], truth: t2.Law, rng: np.random.Generator, config: "Config") -> tuple[t2.Table, Any]:
    """A table of a true law, and the scale of its errors, drawn from its prior; None for counts, which have none."""
    sizes = np.geomspace(5e7, 5e9, config.sizes), np.geomspace(1e9, 5e11, config.sizes)
    params, tokens = (x.ravel() for x in np.meshgrid(*sizes))
    if "pass_at_k" in law.response:
        params, tokens = np.repeat(params, config.questions), np.repeat(tokens, config.questions)
        correct = successes(truth, params, tokens, config.trials, rng)
        trials = np.full(len(params), config.trials)
        # questions of a run that were solved as often are one row that counts for all of them
        rows = np.stack([params, tokens, trials, correct])
        return filled(*np.unique(rows, axis=1, return_counts=True)), None
    samples = np.ones_like(params)
    if "k" in law.inputs():
        times = len(config.samples)
        params, tokens = np.repeat(params, times), np.repeat(tokens, times)
        samples = np.tile(config.samples, len(params) // times)
    sigma = float(np.exp(rng.normal(-5.0, 1.5)))  # the prior of noise.StudentT
    errors = np.exp(sigma * rng.standard_t(4, len(params)))
    exact = t2.evaluate(truth, params=params, tokens=tokens, samples=samples)
    measured: Any = {law.response[0]: exact * errors} | ({"samples": samples} if "k" in law.inputs() else {})
    believed = Source(units={"loss": 1.0})  # laws drawn from priors may lose more than guessing costs
    return t2.Table.from_columns(params=params, tokens=tokens, **measured, source=believed), sigma


def successes(
    truth: t2.Law, params: np.ndarray, tokens: np.ndarray, trials: int, rng: np.random.Generator
) -> np.ndarray:
    """How many trials of each question T2PassK has solved, (questions,).

    Where its Beta's parameters leave float64 (latent losses of hundreds), questions are all alike or all or nothing.
    """
    law: Any = truth
    with jax.enable_x64(True):
        a, b = (np.asarray(x) for x in law.questions(params, tokens))
        loss = np.asarray(law.loss(params, tokens))
    clipped = [np.clip(np.nan_to_num(x, nan=LEAST), LEAST, MOST) for x in (a, b)]
    correct = rng.binomial(trials, rng.beta(*clipped))
    mean, aside = law.theta2 * expit(law.theta1 * (law.theta0 - loss)), rng.spawn(1)[0]
    alike, apart = aside.binomial(trials, mean), trials * (aside.uniform(size=mean.shape) < mean)
    beyond = (clipped[0] != a) | (clipped[1] != b)
    return np.where(beyond, np.where(law.theta3 + law.theta4 * loss > 0, alike, apart), correct)


def filled(rows: np.ndarray, weight: np.ndarray) -> t2.Table:
    """A table of rows (4, rows), params, tokens, trials and correct, with more of no weight up to one of a few lengths.

    A length of its own would have everything compiled for it. What is added are the runs again, with no success in
    fewer trials.
    """
    length = ROWS * -(-len(weight) // ROWS)
    first = rows[:, np.unique(rows[:2], axis=1, return_index=True)[1]]
    fewer = [np.stack([*first[:2], 0 * first[2] + n, 0 * first[3]]) for n in range(1, int(rows[2].max()))]
    rows = np.concatenate([rows, *fewer], axis=1)[:, :length]
    weight = np.concatenate([weight, np.full(rows.shape[1] - len(weight), NEGLIGIBLE)])
    names = ("params", "tokens", "trials", "correct")
    return t2.Table.from_columns(**dict(zip(names, rows, strict=True)), weight=weight)
