"""Does the T² paper's recipe for Approach 1 find the law, and do robust fits in one go find it better?

The recipe: least squares on the mean of -log pass@k over all checkpoints and k, best of 500 starts. Ours: Huber's
function of the log residuals, the default. Both fit T2Loss to tables simulated from a known law on the paper's grid
(its measurements are not public): 16 sizes by 12 budgets, runs of 50M to 120B tokens. Every row has an error of its own
and shares one with the other k of its run; a few runs went wrong and ended too high, as real ones do.

    python -m experiments.paper.approach1 [tiny] [-o FOLDER]
"""

from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np

import t2jax as t2
from experiments.shared.record import command
from experiments.shared.recovery import Result, figures, paper_grid, recover, words
from t2jax.working_precision import scope

TRUTH = t2.laws.T2Loss(E=0.9, A=900.0, B=15000.0, alpha=0.42, beta=0.48, G=2.2, gamma=0.25)
"""An assumed task: at 149M parameters, 3B tokens and one sample, -log pass@1 is 3.9 nats."""


@dataclass(frozen=True)
class Config:
    """What is simulated, and how often."""

    tables: int = 20
    """Simulated tables."""
    starts: int = 500
    """Starts of the recipe's fits, as in the paper."""
    samples: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
    """The k at which every run is measured."""
    run_error: float = 0.02
    """Standard deviation of the log error that all rows of a run share."""
    row_error: float = 0.01
    """Standard deviation of a row's own log error."""
    failed_share: float = 0.03
    """Share of runs that went wrong."""
    failed_error: float = 0.15
    """How much too high the log of their loss is."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(tables=2, starts=8, samples=(1, 4, 32, 256))


def run(config: Config) -> Result:
    tables = [simulate(config, np.random.default_rng([config.seed, i])) for i in range(config.tables)]
    recipes = {
        "paper: least squares": partial(t2.fit, t2.laws.T2Loss, noise=t2.noise.Gaussian(), starts=config.starts),
        "ours: Huber of the log": partial(t2.fit, t2.laws.T2Loss, noise=t2.noise.Huber()),
    }
    return recover(TRUTH, tables, recipes, config.seed)


def simulate(config: Config, random: np.random.Generator) -> t2.Table:
    """One table of the paper's shape, measured with errors."""
    params, tokens, _ = paper_grid()
    shape = (len(params), len(config.samples))
    shared = config.run_error * random.standard_normal(len(params))
    shared += config.failed_error * (random.random(len(params)) < config.failed_share)
    error = shared[:, None] + config.row_error * random.standard_normal(shape)
    with scope():
        exact = np.asarray(TRUTH(params[:, None], tokens[:, None], np.array([config.samples], float)))
    return t2.Table.from_columns(
        model=[f"run-{i}" for i in np.repeat(np.arange(len(params)), shape[1])],
        params=np.repeat(params, shape[1]),
        tokens=np.repeat(tokens, shape[1]),
        samples=np.tile(config.samples, shape[0]),
        neg_log_pass=(exact * np.exp(error)).ravel(),
    )


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
