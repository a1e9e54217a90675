"""One frontier of several laws: a mixture of posterior draws, each with its own optimum."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from t2jax.laws.arguments import check_arguments
from t2jax.numerics.bands import Band, band
from t2jax.planning.budget import Budget
from t2jax.planning.frontier import frontier
from t2jax.planning.plan import Plan
from t2jax.posterior.posterior import Posterior
from t2jax.printing import format_interval, summary
from t2jax.typing import Array

LEVEL = 0.9


@dataclass(frozen=True, repr=False)
class AveragedFrontier:
    """Result of `averaged_frontier`.

    Attributes:
        params: Band of N* at each budget, shape (budgets,).
        tokens: Band of D* at each budget.
        tokens_per_param: Band of D*/N* at each budget.
        samples: Band of k* at each budget.
        drawn: Number of draws from each posterior, by name.
        plans: Optima of all draws, arrays of shape (draws, *budgets), in the order of `drawn`.
        status: The draws by posterior, and the outcomes of their plans.

    Examples:
        >>> noisy = runs.with_columns(loss=runs["loss"] * (1 + 0.01 * np.sin(np.arange(24))))
        >>> fixed = {"E": 1.8, "B": 2100.0, "alpha": 0.35, "beta": 0.37}
        >>> post = t2.sample(t2.laws.Chinchilla, noisy, key=jax.random.key(0), fixed=fixed, draws=400, warmup=200)
        >>> budget, shares = t2.Budget(train=1e21), {"chinchilla": 1.0}
        >>> mixed = t2.evaluation.averaged_frontier({"chinchilla": post}, shares, budget, jax.random.key(0), draws=20)
        >>> f"{mixed.params.mid:.0e}", mixed.drawn
        ('3e+09', {'chinchilla': 20})
    """

    params: Band
    tokens: Band
    tokens_per_param: Band
    samples: Band
    drawn: dict[str, int]
    plans: Plan
    status: str

    def __repr__(self) -> str:
        """Writes the status, then the bands."""
        names = ("params", "tokens", "tokens_per_param", "samples")
        bands = {name: getattr(self, name) for name in names}
        rows = {name: format_interval(band.low, band.mid, band.high) for name, band in bands.items()}
        return summary("AveragedFrontier", self.status, rows)

    def band(self, level: float) -> "AveragedFrontier":
        """Computes bands of another level from the same draws.

        Args:
            level: Level of the bands, in (0, 1).

        Returns:
            An `AveragedFrontier`.
        """
        return _banded(self.plans, self.drawn, self.status, level)


@check_arguments
def averaged_frontier(
    posteriors: Mapping[str, Posterior],
    weights: Mapping[str, float],
    budgets: Budget,
    key: Array,
    draws: int = 1000,
    level: float = LEVEL,
) -> AveragedFrontier:
    """Computes bands on N*, D*, D*/N* and k* that include the uncertainty about the form of the law.

    Each posterior contributes its share of the draws, the remainders by chance. Each draw has the optimum of its own
    law, so laws of different types mix as plans. An average cannot show an error that all laws share. Source: Yao et
    al. 2018 (1704.02030) for the mixture of posteriors.

    Args:
        posteriors: Converged posteriors by name.
        weights: Weight of each posterior by name, such as from `t2.posterior.stack`.
        budgets: One budget or several.
        key: JAX random key.
        draws: Number of draws of all posteriors together.
        level: Level of the bands, in (0, 1).

    Returns:
        An `AveragedFrontier`.

    Raises:
        ValueError: Names differ, or weights are negative or do not sum to one. Also where a posterior with weight did
            not converge, or more than half of the draws have no optimum at a budget.

    Examples:
        >>> noisy = runs.with_columns(loss=runs["loss"] * (1 + 0.01 * np.sin(np.arange(24))))
        >>> fixed = {"E": 1.8, "B": 2100.0, "alpha": 0.35, "beta": 0.37}
        >>> post = t2.sample(t2.laws.Chinchilla, noisy, key=jax.random.key(0), fixed=fixed, draws=400, warmup=200)
        >>> budget, shares = t2.Budget(train=1e21), {"chinchilla": 1.0}
        >>> mixed = t2.evaluation.averaged_frontier({"chinchilla": post}, shares, budget, jax.random.key(0), draws=20)
        >>> f"{mixed.params.mid:.0e}", mixed.drawn
        ('3e+09', {'chinchilla': 20})
    """
    if set(posteriors) != set(weights) or not posteriors:
        raise ValueError(f"found weights of {', '.join(weights)} for posteriors {', '.join(posteriors)}")
    shares = np.array([float(weights[name]) for name in posteriors])
    if not (np.all(shares >= 0) and abs(shares.sum() - 1) < 1e-6):
        raise ValueError(f"found weights {shares.tolist()}, expected shares from 0 that sum to 1")
    count_key, *pick_keys = jax.random.split(key, 1 + len(posteriors))
    counts = _counts(shares / shares.sum(), draws, count_key)
    plans: list[Plan] = []
    for (name, post), count, pick_key in zip(posteriors.items(), counts, pick_keys, strict=True):
        if not count:
            continue
        if not post.converged:
            raise ValueError(f"there is no posterior of {name} to average ({post.status})")
        size = len(jax.tree.leaves(post.laws)[0])
        # without replacement while there are enough draws
        chosen = np.asarray(jax.random.choice(pick_key, size, (count,), replace=count > size))
        plans.append(frontier(jax.tree.map(lambda leaf, chosen=chosen: leaf[chosen], post.laws), budgets))
    mixed = jax.tree.map(lambda *leaves: np.concatenate(leaves), *plans)
    drawn = dict(zip(posteriors, counts, strict=True))
    shares_drawn = ", ".join(f"{count} of {name}" for name, count in drawn.items())
    return _banded(mixed, drawn, f"{draws} draws: {shares_drawn}; {mixed.status}", level)


def _banded(plans: Plan, drawn: dict[str, int], status: str, level: float) -> AveragedFrontier:
    """Computes the bands of plans at a level."""

    def of(values: Any) -> Band:
        return band(values, level)

    return AveragedFrontier(
        of(plans.params), of(plans.tokens), of(plans.tokens_per_param), of(plans.samples), drawn, plans, status
    )


def _counts(shares: np.ndarray, draws: int, key: Array) -> list[int]:
    """Draws whole numbers that sum to `draws`, each within one of its share and equal to it on average."""
    # systematic sampling: one uniform number decides all remainders
    ends = np.floor(np.cumsum(shares) * draws + float(jax.random.uniform(key)) - 1e-9)
    ends[-1] = draws
    return np.diff(ends, prepend=0.0).astype(int).tolist()
