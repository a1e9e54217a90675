"""Greedy choice of the candidates that most reduce the variance of an answer."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.typing import Array, Float

TOLLS = np.geomspace(1e-3, 10.0, 9)
"""Costs of a run on top of its compute, in units of the most expensive run. All are tried, and the best one is used."""


def log_variance(covariance: Float[Array, "laws p p"], slopes: Float[Array, "laws p"]) -> Array:
    """Computes the mean over laws of the log of the variance gᵀCg."""
    return jnp.mean(jnp.log(jnp.einsum("li,lij,lj->l", slopes, covariance, slopes)))


def reductions(
    covariance: Float[Array, "laws p p"], slopes: Float[Array, "laws p"], rows: Float[Array, "laws rows p"]
) -> Float[Array, " rows"]:
    """Computes for each row how much `log_variance` falls if it is measured, by a rank-one update."""
    products = jnp.einsum("lij,lrj->lri", covariance, rows)
    variance = jnp.einsum("li,lij,lj->l", slopes, covariance, slopes)
    reduction = jnp.einsum("lri,li->lr", products, slopes) ** 2 / (1 + jnp.einsum("lri,lri->lr", products, rows))
    return -jnp.mean(jnp.log1p(-reduction / variance[:, None]), axis=0)


def covariance_with(covariance: Float[Array, "laws p p"], row: Float[Array, "laws p"]) -> Float[Array, "laws p p"]:
    """Computes the covariance after a row is measured. Source: Sherman & Morrison 1950."""
    product = jnp.einsum("lij,lj->li", covariance, row)
    denominator = 1 + jnp.einsum("li,li->l", product, row)
    return covariance - product[:, :, None] * product[:, None, :] / denominator[:, None, None]


@partial(jax.jit, static_argnames="count")
def greedy(
    covariance: Array, slopes: Array, rows: Array, cost: Array, compute: Array, toll: Array, count: int
) -> tuple[Array, Array]:
    """Picks rows (count,) one by one, and returns the picks with the final log variance.

    Each pick reduces `log_variance` most per cost + toll among the affordable rows. The pick is -1 if none is
    affordable.
    """

    def step(carry: tuple[Array, Array], _: Any) -> tuple[tuple[Array, Array], Array]:
        covariance, remaining = carry
        affordable = cost <= remaining * (1 + 1e-9)
        score = jnp.where(affordable, reductions(covariance, slopes, rows) / (cost + toll), -1.0)
        pick = jnp.argmax(score)
        any_affordable = jnp.any(affordable)
        updated = covariance_with(covariance, rows[:, pick])
        covariance = jnp.where(any_affordable, updated, covariance)
        return (covariance, remaining - jnp.where(any_affordable, cost[pick], 0.0)), jnp.where(any_affordable, pick, -1)

    (covariance, _), picks = jax.lax.scan(step, (covariance, compute), None, length=count)
    return picks, log_variance(covariance, slopes)


def choose_runs(
    covariance: Array, slopes: Array, rows: Array, cost: np.ndarray, compute: float | None, count: int
) -> np.ndarray:
    share = jnp.asarray(cost / cost.max(), slopes.dtype)
    if compute is None:  # only the number of runs matters
        picks, _ = greedy(covariance, slopes, rows, 0 * share, jnp.inf, 1.0, count)  # pyright: ignore[reportArgumentType]
        return np.asarray(picks)
    compute_share = jnp.asarray(compute / cost.max(), slopes.dtype)
    attempts = [greedy(covariance, slopes, rows, share, compute_share, jnp.asarray(toll), count) for toll in TOLLS]
    picks = np.asarray(min(attempts, key=lambda attempt: float(attempt[1]))[0])
    return picks[picks >= 0]
