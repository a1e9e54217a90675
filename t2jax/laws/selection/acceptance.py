"""Number of samples until the first accepted one."""

import jax.numpy as jnp

from t2jax.typing import Array, ArrayLike


def samples_to_acceptance(p: Array, q: Array, k: Array, true_positive: ArrayLike, false_positive: ArrayLike) -> Array:
    """Computes (1 - (1-A)^k)/A, the mean number of samples up to the first accepted one or the k-th.

    Args:
        p: Success probability of one sample, shape (nodes,).
        q: Its complement 1-p, shape (nodes,).
        k: Number of samples, a scalar.
        true_positive: Probability of accepting a right answer.
        false_positive: Probability of accepting a wrong answer.

    Returns:
        The number, shape (nodes,). It is k if nothing is ever accepted.
    """
    tiny = jnp.finfo(p.dtype).tiny
    accepted = p * jnp.asarray(true_positive) + q * jnp.asarray(false_positive)
    rejected = p * (1 - jnp.asarray(true_positive)) + q * (1 - jnp.asarray(false_positive))
    rare = accepted < 0.5
    log_rejected = jnp.where(
        rare, jnp.log1p(-jnp.where(rare, accepted, 0.5)), jnp.log(jnp.maximum(jnp.where(rare, 0.5, rejected), tiny))
    )
    some = accepted > tiny
    return jnp.where(some, -jnp.expm1(k * log_rejected) / jnp.where(some, accepted, 1.0), k)
