"""Do T²'s laws predict overtrained models? Fit the checkpoints with D/N below 100, predict the others (paper: Fig. 4).

Approach 1 fits the mean of -log pass@k, Approach 2 pass@k jointly with the loss. Kaplan's form has E = 0, as in Kaplan
et al. and where fits put it. From how many tokens on runs are fitted, and which law is called best, the fitted range
alone decides: fits to its runs of lowest D/N, and how well they predict the average over tasks in its rest.

T2Loss gives every model the same gain from samples, which misses by far where it is fitted already; `Threshold`, added
for that reason, has k samples solve the questions whose negative log-likelihood is about log k or less.

Bands hold 90 % for one new checkpoint: a bootstrap over the fitted checkpoints, and on every draw the relative
residuals of one fitted checkpoint, drawn at random.

    python -m experiments.paper.rq2_overtrained_tasks [tiny] [-o FOLDER]
"""

import t2jax as t2
from experiments.shared.overtrained import Config, Result, Threshold, audit, figures, words
from experiments.shared.record import command

__all__ = ["Config", "Result", "Threshold", "audit"]


def run(config: Config) -> Result:
    """The audit of the table that ships."""
    rows = t2.datasets.load("testbed", samples=config.samples)
    average = t2.datasets.load("testbed", samples=config.samples, average=True)
    tasks = sorted(set(rows["task"]))[: config.tasks]
    return audit([average, *(rows.where(task=name) for name in tasks)], config)


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
