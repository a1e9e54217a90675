"""Starts of the search for a plan: feasible sizes, with shares of the tokens and samples that they leave."""

import jax
import jax.numpy as jnp

from t2jax.planning.budget import Budget
from t2jax.planning.prices.terms import total
from t2jax.planning.problem import bounds, spending
from t2jax.typing import Array, Float

MANY = ((0.03, 0.12, 0.25, 0.4, 0.5, 0.6, 0.75, 0.88, 0.97), (0.3, 0.5, 0.7, 0.85, 0.97), (0.02, 0.3, 0.6, 0.9))
"""Starts of laws that are not convex, as fractions of the feasible logs of N, D and k. At each N the best D and k are a
start."""


def epigraph_at(budget: Budget, n: Array, d: Array, k: Array) -> Array:
    """Returns a value of the epigraph variable that satisfies its limits strictly at N, D and k, if one exists."""
    training, serving = budget.prices
    if budget.goal == "queries":
        left = jnp.maximum(1 - training(n, d) / jnp.asarray(budget.total), 1e-3)
        return jnp.log(jnp.asarray(budget.total) * left / serving(n, k)) - 0.5
    queries = jnp.zeros_like(n) if budget.queries is None else jnp.asarray(budget.queries)
    return jnp.log(spending(budget, n, d, k, queries)) + 0.5


def grid(budget: Budget, fixed: Array, free: tuple[int, ...], parts: tuple[Array, Array, Array]) -> Float[Array, "g 4"]:
    """Returns starts as fractions of the ranges that the budget leaves.

    Their shape is (parts of N · parts of D · parts of k, 4).
    """
    training, serving = budget.prices
    (n_low, n_high), (d_low, d_high), (k_low, k_high) = bounds(budget)
    share = 0.6 if budget.total is not None else 1.0

    def ranges(n: Array) -> tuple[Array, Array]:
        """Returns logs of the most tokens and samples at a size, if each takes its share of the budget."""
        size = jnp.exp(n)
        shares = ((budget.train, 1.0), (budget.total, share))
        log_purses = [jnp.log(purse * part) for purse, part in shares if purse is not None]
        tokens = [purse - jnp.log(training(size, jnp.ones_like(size))) for purse in log_purses] or [n + 10.0]
        if not budget.serves:
            return jnp.min(jnp.stack([*tokens, jnp.full_like(n, d_high)])), jnp.full_like(n, k_low + 1.0)
        zeros, ones = jnp.zeros_like(size), jnp.ones_like(size)
        prompt = jnp.stack([total(terms, size, ones, zeros) for terms in serving.terms()])
        with_sample = jnp.stack([total(terms, size, ones, ones) for terms in serving.terms()])
        purses = [] if budget.inference is None else [budget.inference]
        if budget.total is not None and budget.queries is not None:
            purses.append(jnp.asarray(budget.total) * (1 - share) / budget.queries)
        samples = [jnp.min((purse - prompt) / (with_sample - prompt)) for purse in purses]
        samples = samples or [jnp.exp(k_low + 7.0) * jnp.ones_like(n)]
        most = jnp.log(jnp.maximum(jnp.min(jnp.stack(samples)), 1e-30))
        return jnp.min(jnp.stack([*tokens, jnp.full_like(n, d_high)])), jnp.minimum(most, k_high)

    def tokens_of_ratio(n: Array) -> Array:
        """Returns the log of the tokens at a fixed ratio of tokens to parameters."""
        return n + jnp.log(jnp.asarray(budget.tokens_per_param, n.dtype))

    def feasible(n: Array) -> Array:
        tokens, samples = ranges(n)
        good = (tokens >= d_low) & (samples >= k_low)
        if budget.tokens_per_param is not None:
            good &= (tokens_of_ratio(n) >= d_low) & (tokens_of_ratio(n) <= tokens)
        if serving.on is not None and (budget.serves or budget.durations):
            good &= serving.memory_used(jnp.exp(n)) < serving.on.memory * serving.on.devices
        for name in budget.durations:
            good &= getattr(serving, name)(jnp.exp(n)) < getattr(budget, name)
        return good

    if 0 in free:
        sizes = jnp.linspace(n_low, jnp.minimum(n_high, jnp.maximum(n_low + 5.0, 45.0)), 91)
        good = jax.vmap(feasible)(sizes)
        low = jnp.where(jnp.any(good), sizes[jnp.argmax(good)], sizes[0])
        high = jnp.where(jnp.any(good), sizes[-1 - jnp.argmax(good[::-1])], sizes[-1])
        if budget.goal != "quality":
            high = jnp.minimum(high, jnp.maximum(low + 3.0, 30.0))
    else:
        low = high = fixed[0]

    def start_at(i: Array, j: Array, m: Array) -> Array:
        n = low + i * (high - low)
        tokens, samples = ranges(n)
        d = d_low + j * jnp.maximum(tokens - d_low, 0.1) if 1 in free else fixed[1]
        d = d if budget.tokens_per_param is None else tokens_of_ratio(n)
        k = k_low + m * jnp.maximum(samples - k_low, 0.1) if 2 in free else fixed[2]
        epigraph = fixed[3] if budget.goal == "quality" else epigraph_at(budget, *jnp.exp(jnp.stack([n, d, k])))
        return jnp.stack([n, d, jnp.asarray(k, n.dtype), epigraph])

    choices = [choice.ravel() for choice in jnp.meshgrid(*parts, indexing="ij")]
    return jax.vmap(start_at)(*choices)
