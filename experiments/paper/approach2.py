"""Does the T² paper's two-stage recipe for Approach 2 find the law, and does one fit of everything find it better?

The recipe: (1) Chinchilla's law to the losses, with E profiled on 40 values from 0.01 to 0.95 of the least loss. Rows
are weighted by the inverse variance of the losses of their isoFLOP group. (2) θ0 to θ4 by least squares on pass@k, with
the loss law fixed. Ours: T2PassK to losses and pass@k jointly, the default. Both fit tables simulated from a known law
on the paper's grid (its measurements are not public): 16 sizes by 12 budgets, runs of 50M to 120B tokens. The success
of 1,000 questions is Beta distributed, so that pass@k has the error of so few questions.

    python -m experiments.paper.approach2 [tiny] [-o FOLDER]
"""

from dataclasses import dataclass
from functools import partial
from typing import Self

import jax
import numpy as np

import t2jax as t2
from experiments.shared.record import command
from experiments.shared.recovery import Result, figures, paper_grid, recover, words
from t2jax.working_precision import scope

LOSS = t2.laws.Chinchilla(E=1.2, A=900.0, B=15000.0, alpha=0.42, beta=0.48)
TRUTH = t2.laws.T2PassK(loss=LOSS, theta0=2.3, theta1=3.0, theta2=0.9, theta3=1.5, theta4=-0.3)
"""An assumed task: at 149M parameters, 3B tokens and one sample, 66 % of the answers are right."""


@dataclass(frozen=True)
class Config:
    """What is simulated, and how often."""

    tables: int = 10
    """Simulated tables."""
    profile: int = 40
    """Values of E that the recipe tries."""
    starts: int = 50
    """Starts of each of the recipe's fits, as in the paper."""
    questions: int = 1000
    """Questions of the task."""
    samples: tuple[int, ...] = (1, 4, 16, 64, 256, 1024)
    """The k at which every run is measured."""
    loss_error: float = 0.01
    """Standard deviation of the log of a run's loss."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(tables=1, profile=8, starts=4, questions=300, samples=(1, 16, 256))


def run(config: Config) -> Result:
    tables = [simulate(config, np.random.default_rng([config.seed, i])) for i in range(config.tables)]
    recipes = {
        "paper: two stages": partial(two_stages, config),
        "ours: one joint fit": partial(t2.fit, t2.laws.T2PassK),
    }
    return recover(TRUTH, tables, recipes, config.seed)


def simulate(config: Config, random: np.random.Generator) -> t2.Table:
    """One table of the paper's shape: each run's loss at one sample, and its pass@k at every k, on rows by k."""
    params, tokens, budgets = paper_grid()
    with scope():
        loss, a, b = (np.asarray(values) for values in (TRUTH.loss(params, tokens), *TRUTH.questions(params, tokens)))
    success = random.beta(a, b, (config.questions, len(params)))
    loss = loss * np.exp(config.loss_error * random.standard_normal(len(params)))
    k = np.array(config.samples, float)
    # the mean over questions of 1 - (1 - p)^k, as the paper measures it from p itself
    passed = -np.expm1(k * np.log1p(-np.minimum(success, 1 - 1e-15))[..., None]).mean(axis=0)
    return t2.Table.from_columns(
        model=[f"run-{i}" for i in np.repeat(np.arange(len(params)), len(k))],
        params=np.repeat(params, len(k)),
        tokens=np.repeat(tokens, len(k)),
        budget=np.repeat(budgets, len(k)),
        samples=np.tile(k, len(params)),
        loss=np.repeat(loss, len(k)),
        pass_at_k=passed.ravel(),
    )


def two_stages(config: Config, table: t2.Table, *, key: jax.Array) -> t2.Fit:
    """The paper's recipe: the loss law by weighted least squares with E profiled, then the link to pass@k."""
    once = table.where(samples=1)
    groups = [once["loss"][once["budget"] == budget] for budget in once["budget"]]
    once = once.with_columns(weight=np.array([1 / np.var(group) for group in groups]))
    tried = np.linspace(0.01, 0.95, config.profile) * once["loss"].min()
    least_squares = t2.noise.Gaussian()
    losses = [
        t2.fit(t2.laws.Chinchilla, once, noise=least_squares, fixed={"E": e}, starts=config.starts, key=key)
        for e in tried
    ]
    loss_law = min(losses, key=lambda fit: fit.objective).law.values()
    return t2.fit(t2.laws.T2PassK, table, noise=least_squares, fixed=loss_law, starts=config.starts, key=key)


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
