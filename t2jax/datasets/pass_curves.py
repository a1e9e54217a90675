"""Computes pass@k over questions from their success probabilities."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.numerics.special import log_pass_at_k
from t2jax.typing import Array, Float
from t2jax.working_precision import scope


def pass_curves(
    p: Float[np.ndarray, "cells questions"], samples: Sequence[float]
) -> tuple[Float[np.ndarray, "cells samples"], Float[np.ndarray, "cells samples"]]:
    """Computes the means over questions of -log pass@k, in nats, and of pass@k.

    pass@k is 1 - (1 - p)^k for known p. A fit to the first mean is Approach 1 of Roberts et al. 2026 (2604.01411).
    A fit to the second one is Approach 2. By Jensen's inequality the first is at least minus the log of the second.

    Args:
        p: Success probabilities of one sample in (0, 1], shape (cells, questions).
        samples: Values of k.

    Returns:
        Mean -log pass@k and mean pass@k, each of shape (cells, samples).

    Raises:
        ValueError: A probability is outside (0, 1].
    """
    p = np.asarray(p, float)
    if not np.all((p > 0) & (p <= 1)):
        raise ValueError(f"p has {p[~((p > 0) & (p <= 1))][0]:g}, expected chances above 0 and at most 1")
    with scope():
        curves = [_means_at(jnp.asarray(p), jnp.asarray(float(k))) for k in samples]
        cost, passed = (np.stack([np.asarray(curve[i]) for curve in curves], axis=1) for i in range(2))
    return cost, passed


@jax.jit
def _means_at(p: Array, k: Array) -> tuple[Array, Array]:
    """Computes mean -log pass@k and mean pass@k over questions at one k."""
    logs = log_pass_at_k(p, k)
    return -jnp.mean(logs, axis=1), jnp.mean(jnp.exp(logs), axis=1)
