"""Counts and samples, checked."""

from collections.abc import Sequence

import jax
import numpy as np

from t2jax.numerics.special import pass_at_k_from_counts
from t2jax.typing import Array, Float


def checked_counts(trials: object, correct: object) -> tuple[np.ndarray, np.ndarray]:
    """Both as float arrays (questions,); raises ValueError that names the first question with a bad count."""
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
    """Every k as a float array (k,); raises ValueError for one below 1 and, unless `whole` is false, a fraction."""
    k = np.asarray(samples, float)
    if k.ndim != 1 or not k.size:
        raise ValueError(f"samples have shape {k.shape}, expected a list of k")
    bad = ~((k >= 1) & np.isfinite(k) & ((k == np.floor(k)) | (not whole)))
    if bad.any():
        raise ValueError(f"found k = {k[bad][0]:g}, expected {'whole ' if whole else ''}numbers of samples >= 1")
    return k


@jax.jit
def pass_of_each(n: Float[Array, " questions"], c: Float[Array, " questions"], k: Float[Array, " k"]) -> Array:
    """The unbiased pass@k of each question at each k, shape (questions, k); NaN where n < k. Checks nothing."""
    return pass_at_k_from_counts(n[:, None], c[:, None], k[None, :])
