"""Checks of counts and of k, and the unbiased pass@k of a question."""

from collections.abc import Sequence

import jax
import numpy as np

from t2jax.numerics.special import pass_at_k_from_counts
from t2jax.typing import Array, Float


def checked_counts(trials: object, correct: object) -> tuple[np.ndarray, np.ndarray]:
    """Converts both to float arrays, shape (questions,).

    Raises:
        ValueError: A count is bad. The message names the first such question, from 0.
    """
    n, c = np.asarray(trials, float), np.asarray(correct, float)
    if n.ndim != 1 or n.shape != c.shape or not n.size:
        raise ValueError(f"trials have shape {n.shape}, correct {c.shape}, expected one number per question in both")
    for bad, expected in (
        (~((n >= 1) & (n == np.floor(n)) & np.isfinite(n)), "a whole number of trials >= 1"),
        (~((c >= 0) & (c == np.floor(c))), "a whole number correct >= 0"),
        (~(c <= n), "no more correct than trials"),
    ):
        if bad.any():
            i = int(bad.argmax())
            raise ValueError(f"question {i} has {c[i]:g} correct of {n[i]:g} trials, expected {expected}")
    return n, c


def checked_samples(samples: Sequence[float], whole: bool = True) -> np.ndarray:
    """Converts every k to a float array, shape (k,).

    Raises:
        ValueError: A k is below 1, or it is a fraction and `whole` is true.
    """
    k = np.asarray(samples, float)
    if k.ndim != 1 or not k.size:
        raise ValueError(f"samples have shape {k.shape}, expected a list of k")
    bad = ~((k >= 1) & np.isfinite(k) & ((k == np.floor(k)) | (not whole)))
    if bad.any():
        raise ValueError(f"found k = {k[bad][0]:g}, expected {'whole ' if whole else ''}numbers of samples >= 1")
    return k


def refuse_short(n: np.ndarray, k: np.ndarray) -> None:
    """Raises ValueError for a question with fewer samples than k, where no unbiased estimate exists."""
    short = np.flatnonzero(n < k.max())
    if short.size:
        raise ValueError(
            f"question {short[0]} has n = {n[short[0]]:g} samples, fewer than k = {k.max():g} ({short.size} of {n.size}"
            " questions have); forecast it, or leave such questions out if n does not depend on how hard they are"
        )


@jax.jit
def question_pass_at_k(n: Float[Array, " questions"], c: Float[Array, " questions"], k: Float[Array, " k"]) -> Array:
    """Computes the unbiased pass@k of each question at each k, shape (questions, k).

    It is NaN where n < k. The inputs are not checked.
    """
    return pass_at_k_from_counts(n[:, None], c[:, None], k[None, :])
