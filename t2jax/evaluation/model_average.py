"""One frontier of several laws: draws of their posteriors mixed by weights, each with its own optimum."""

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
from t2jax.printing import format_interval, report
from t2jax.typing import Array

LEVEL = 0.9


@dataclass(frozen=True, repr=False)
class AveragedFrontier:
    """The result of `averaged_frontier`. params, tokens, tokens_per_param, samples: bands at the budgets, (budgets,).

    drawn: how many draws each posterior gave, by name. plans: the optima of all draws, arrays (draws, *budgets), the
    posteriors one after the other in the order of `drawn`. status: in English.
    """

    params: Band
    tokens: Band
    tokens_per_param: Band
    samples: Band
    drawn: dict[str, int]
    plans: Plan
    status: str

    def __repr__(self) -> str:
        """Prints the status, then each band."""
        bands = {name: getattr(self, name) for name in ("params", "tokens", "tokens_per_param", "samples")}
        rows = {name: format_interval(band.low, band.mid, band.high) for name, band in bands.items()}
        return report(f"AveragedFrontier: {self.status}", rows)

    def band(self, level: float) -> "AveragedFrontier":
        """The same draws with bands of another level."""
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
    """Bands on N*, D*, D/N* and k* that hold what is not known of the law's form too, not only of its parameters.

    Of `draws` draws each posterior gives its share of `weights` (those of `stack`), the remainders by chance; each
    draw's optimum is that of its own law, so laws of different types mix as plans. What laws of one set agree on
    wrongly, no average shows. Source: Yao et al. 2018 (1704.02030) for the mixture of posteriors.

    Raises ValueError for names that differ, weights that are negative or do not sum to one, a posterior with weight
    that did not converge, and where more than half of the draws have no optimum at a budget.
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
    told = ", ".join(f"{count} of {name}" for name, count in drawn.items())
    return _banded(mixed, drawn, f"{draws} draws: {told}; {mixed.status}", level)


def _banded(plans: Plan, drawn: dict[str, int], status: str, level: float) -> AveragedFrontier:
    def of(values: Any) -> Band:
        return band(values, level)

    return AveragedFrontier(
        of(plans.params), of(plans.tokens), of(plans.tokens_per_param), of(plans.samples), drawn, plans, status
    )


def _counts(shares: np.ndarray, draws: int, key: Array) -> list[int]:
    """Whole numbers that sum to `draws`, each within one of its share of them and equal to it on average."""
    # systematic sampling: one uniform number decides all remainders
    ends = np.floor(np.cumsum(shares) * draws + float(jax.random.uniform(key)) - 1e-9)
    ends[-1] = draws
    return np.diff(ends, prepend=0.0).astype(int).tolist()
