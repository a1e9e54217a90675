"""One loss that is far from those of runs that it should lie between."""

import numpy as np

TWICE = 2.0
"""A loss above this multiple of one that it should be below is of another unit, or of a run that diverged."""
FEWEST_LOSSES = 8
"""Fewest rows of which one loss stands out."""


def loss_out_of_order(params: np.ndarray, tokens: np.ndarray, loss: np.ndarray) -> tuple[int, str] | None:
    """Finds the one loss that is twice that of a smaller run, or half that of a larger one.

    Args:
        params: Numbers of parameters, shape (rows,).
        tokens: Numbers of tokens, shape (rows,).
        loss: Losses, shape (rows,).

    Returns:
        The row, and what the other run has; None where no row, or more than one, is so.
    """
    if len(loss) < FEWEST_LOSSES:
        return None
    if above := _row_above(params, tokens, loss):
        return above[0], f"a run with no more params and no more tokens has {above[1]:g}"
    if below := _row_above(-params, -tokens, 1 / loss):
        return below[0], f"a run with no fewer params and no fewer tokens has {1 / below[1]:g}"
    return None


def _row_above(params: np.ndarray, tokens: np.ndarray, loss: np.ndarray) -> tuple[int, float] | None:
    first, second = np.argsort(-loss)[:2]
    least = [float(loss[(params <= params[row]) & (tokens <= tokens[row])].min()) for row in (first, second)]
    alone = loss[first] > TWICE * least[0] and loss[second] <= TWICE * least[1]
    return (int(first), least[0]) if alone else None
