"""Costs of a task of the testbed, as means over its questions and over bootstrap resamples of them."""

from typing import Any

import numpy as np
import pandas as pd

from experiments.shared.shards import passed, weights


def resampled_costs(runs: pd.DataFrame, p: np.ndarray, config: Any) -> dict[str, np.ndarray]:
    """Loss, -log pass@k and pass@k, means over the questions and over each resample: (1 + draws, checkpoints).

    p: the chance of one sample, (checkpoints, questions). config: with inference, beside, draws and seed.
    """
    share = weights(p.shape[1], config.draws, config.seed)
    means = {"once": -np.log(p) @ share.T}
    for inference in (config.inference, *config.beside):
        chances = passed(p, np.maximum(1.0, inference / (2 * runs["params"].to_numpy(float))))
        means[f"passed {inference:g}"] = chances @ share.T
        if inference == config.inference:
            means["by log"] = -np.log(chances) @ share.T
            means["effective"] = (chances.sum(axis=1) ** 2 / (chances**2).sum(axis=1))[:, None] + 0 * share[:, 0]
    return {name: values.T for name, values in means.items()}
