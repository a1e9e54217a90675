"""Chooses from candidates those that reduce the variance of an answer most."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.typing import Array, Float

TOLLS = np.geomspace(1e-3, 10.0, 9)
"""What a run is taken to cost beside its own compute, in units of the dearest run: tried in turn, the best kept."""


def log_variance(covariance: Float[Array, "laws p p"], slopes: Float[Array, "laws p"]) -> Array:
    """Mean over laws of the log of the variance gᵀCg."""
    return jnp.mean(jnp.log(jnp.einsum("li,lij,lj->l", slopes, covariance, slopes)))


def reductions(
    covariance: Float[Array, "laws p p"], slopes: Float[Array, "laws p"], rows: Float[Array, "laws rows p"]
) -> Float[Array, " rows"]:
    """By how much `log_variance` falls when one row is measured, for each row, by the update of rank one."""
    moved = jnp.einsum("lij,lrj->lri", covariance, rows)
    variance = jnp.einsum("li,lij,lj->l", slopes, covariance, slopes)
    taken = jnp.einsum("lri,li->lr", moved, slopes) ** 2 / (1 + jnp.einsum("lri,lri->lr", moved, rows))
    return -jnp.mean(jnp.log1p(-taken / variance[:, None]), axis=0)


def covariance_with(covariance: Float[Array, "laws p p"], row: Float[Array, "laws p"]) -> Float[Array, "laws p p"]:
    """The covariance once a row is measured. Source: Sherman & Morrison 1950."""
    moved = jnp.einsum("lij,lj->li", covariance, row)
    part = 1 + jnp.einsum("li,li->l", moved, row)
    return covariance - moved[:, :, None] * moved[:, None, :] / part[:, None, None]


@partial(jax.jit, static_argnames="count")
def greedy(
    covariance: Array, slopes: Array, rows: Array, cost: Array, compute: Array, toll: Array, count: int
) -> tuple[Array, Array]:
    """Picks (count,), each the row that reduces `log_variance` most per cost + toll among those still paid for.

    Where none is, the pick is -1. Also the log variance in the end.
    """

    def step(carry: tuple[Array, Array], _: Any) -> tuple[tuple[Array, Array], Array]:
        covariance, left = carry
        paid = cost <= left * (1 + 1e-9)
        score = jnp.where(paid, reductions(covariance, slopes, rows) / (cost + toll), -1.0)
        pick = jnp.argmax(score)
        any_paid = jnp.any(paid)
        new = covariance_with(covariance, rows[:, pick])
        covariance = jnp.where(any_paid, new, covariance)
        return (covariance, left - jnp.where(any_paid, cost[pick], 0.0)), jnp.where(any_paid, pick, -1)

    (covariance, _), picks = jax.lax.scan(step, (covariance, compute), None, length=count)
    return picks, log_variance(covariance, slopes)


def _chosen(
    covariance: Array, slopes: Array, rows: Array, cost: np.ndarray, compute: float | None, count: int
) -> np.ndarray:
    share = jnp.asarray(cost / cost.max(), slopes.dtype)
    if compute is None:  # nothing but the number of runs counts
        picks, _ = greedy(covariance, slopes, rows, 0 * share, jnp.inf, 1.0, count)  # pyright: ignore[reportArgumentType]
        return np.asarray(picks)
    money = jnp.asarray(compute / cost.max(), slopes.dtype)
    found = [greedy(covariance, slopes, rows, share, money, jnp.asarray(toll), count) for toll in TOLLS]
    picks = np.asarray(min(found, key=lambda one: float(one[1]))[0])
    return picks[picks >= 0]
