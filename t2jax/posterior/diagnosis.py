"""Whether chains can be believed: do they agree, are there enough draws, and what is only the prior again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from t2jax.posterior.arviz_groups import arviz
from t2jax.typing import Float

R_HAT, ESS, E_BFMI = 1.01, 400, 0.3
"""Limits of Vehtari et al. 2021 (1903.08008) for R-hat and ESS, and of Betancourt 2016 (1604.00695) for E-BFMI."""

AS_PRIOR = 0.8
"""The rows say nothing in a direction in which the posterior has more than this share of the prior's variance."""
SHIFT = 0.5  # and in which it has moved by less than this many of the prior's standard deviations


@dataclass(frozen=True)
class Diagnosis:
    """What the chains show, by parameter: rank-normalised split R-hat, bulk and tail ESS, and contraction.

    contraction: 1 - variance of the posterior over that of the prior, both as normal scores of the prior: near 1 where
    the rows determine a parameter, 0 where it is as before. divergences: of how many `draws` in all chains. bfmi: of
    each chain. failures: a sentence for each limit that is not kept. directions: how many independent combinations of
    the parameters have their prior as posterior. left: the parameters that make up most of these.
    """

    r_hat: dict[str, float]
    ess_bulk: dict[str, float]
    ess_tail: dict[str, float]
    contraction: dict[str, float]
    divergences: int
    draws: int
    bfmi: Float[np.ndarray, " chains"]
    failures: tuple[str, ...]
    directions: int
    left: tuple[str, ...]

    @property
    def converged(self) -> bool:
        """Whether every limit is kept."""
        return not self.failures

    def agrees(self, name: str) -> bool:
        """Whether the chains agree on a parameter, so that its draws may be summarised."""
        return self.r_hat[name] < R_HAT  # not where it is NaN

    @property
    def sentence(self) -> str:
        """All of it in English."""
        if self.converged:
            least = min(*self.ess_bulk.values(), *self.ess_tail.values())
            said = f"converged: R-hat at most {max(self.r_hat.values()):.4f}, ESS at least {least:.0f}, no divergence"
        else:
            said = f"not converged: {'; '.join(self.failures)}"
        if self.left:
            every = len(self.r_hat)
            where = "any direction" if self.directions == every else f"{self.directions} of {every} directions"
            said += f"; the rows tell nothing in {where} ({', '.join(self.left)}): there the posterior is the prior"
        return said


def diagnose(
    drawn: Mapping[str, Float[np.ndarray, "chains draws"]],
    prior: Mapping[str, Float[np.ndarray, " priors"]],
    diverging: Float[np.ndarray, "chains draws"],
    energy: Float[np.ndarray, "chains draws"],
    left: Callable[[np.ndarray], tuple[int, np.ndarray]],
    latent: Mapping[str, Float[np.ndarray, "chains draws"]] | None = None,
) -> Diagnosis:
    """Judge draws by ArviZ's diagnostics, and beside draws from the priors of the same names.

    left: what is as before, of normal scores of the prior (draws, names): `left_together` where priors are independent,
    `left_alone` where they are not, as those of tasks of one population. latent: what else was sampled; its chains are
    held to the same limits, and told of where they fail.
    Source of the limits and of R-hat and ESS: Vehtari, Gelman, Simpson, Carpenter & Bürkner 2021 (1903.08008).
    """
    values = {name: np.asarray(one, float) for name, one in drawn.items()}
    mixed = _mixed(values)
    with np.errstate(all="ignore"):
        bfmi = np.asarray(arviz().bfmi(np.asarray(energy, float)), float)
    scores = np.stack([_scores(one.ravel(), np.asarray(prior[name])) for name, one in values.items()], axis=1)
    directions, share = left(scores)
    found = Diagnosis(
        **mixed,
        contraction=dict(zip(values, (1 - scores.var(axis=0)).tolist(), strict=True)),
        divergences=int(np.sum(diverging)),
        draws=diverging.size,
        bfmi=bfmi,
        failures=(),
        directions=directions,
        left=_most(share, directions, tuple(values)),
    )
    other = replace(found, **_mixed(latent)) if latent else found
    said = (
        _mixing(found),
        _mixing(other) if latent else "",
        _size(found, diverging.shape[1]),
        _size(other, diverging.shape[1]) if latent else "",
        _divergences(values, diverging),
        _energy(values, energy, bfmi),
    )
    return Diagnosis(**{**vars(found), "failures": tuple(one for one in said if one)})


def _mixed(values: Mapping[str, np.ndarray]) -> dict[str, Any]:
    az = arviz()
    with np.errstate(all="ignore"):  # a chain that stands still has no R-hat: NaN, which fails
        return {
            "r_hat": {name: float(az.rhat(one)) for name, one in values.items()},
            "ess_bulk": {name: float(az.ess(one, method="bulk")) for name, one in values.items()},
            "ess_tail": {name: float(az.ess(one, method="tail", prob=(0.05, 0.95))) for name, one in values.items()},
        }


def _mixing(found: Diagnosis) -> str:
    bad = [name for name in found.r_hat if not found.agrees(name)]
    if not bad:
        return ""
    worst = max(bad, key=lambda name: np.nan_to_num(found.r_hat[name], nan=np.inf))
    others = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
    so = f"the chains do not agree on {worst}{others} (R-hat {found.r_hat[worst]:.3g}, expected below {R_HAT})"
    if found.r_hat[worst] < 1.1:
        return f"{so}: draw twice as many, after twice the warm-up and with accept=0.95"
    longer = f"{so}: warm up longer, with accept=0.95"
    return f"{longer}; if that does not help there are several optima, which a narrower prior may decide"


def _size(found: Diagnosis, draws: int) -> str:
    for kind, ess in (("", found.ess_bulk), (" in its tails", found.ess_tail)):
        worst = min(ess, key=lambda name: np.nan_to_num(ess[name], nan=-1.0))
        if not ess[worst] > ESS:
            more = int(np.ceil(draws * 1.2 * ESS / ess[worst])) if ess[worst] > 0 else 10 * draws
            asked = f"take draws={more}"
            return f"{worst} has {ess[worst]:.0f} effective draws{kind}, expected more than {ESS}: {asked}"
    return ""


def _divergences(values: Mapping[str, np.ndarray], diverging: np.ndarray) -> str:
    count = int(np.sum(diverging))
    if not count:
        return ""
    at = np.asarray(diverging, bool)
    worst = _farthest({name: abs(_rank(one)[at].mean() - 0.5) for name, one in values.items()})
    so = f"{count} of {at.size} draws diverged, most at one end of {worst}"
    return f"{so}: take accept=0.95 or 0.99, or a narrower prior of {worst}"


def _energy(values: Mapping[str, np.ndarray], energy: np.ndarray, bfmi: np.ndarray) -> str:
    low = np.flatnonzero(~(bfmi > E_BFMI))
    if not low.size:
        return ""
    with np.errstate(all="ignore"):
        levels = {name: abs(np.corrcoef(_rank(one).ravel(), energy.ravel())[0, 1]) for name, one in values.items()}
    worst = _farthest(levels)
    so = f"the energy of chain {low[0]} moves too little (E-BFMI {bfmi[low[0]]:.2g}, expected above {E_BFMI})"
    return f"{so}, most along {worst}: give {worst} a prior with lighter tails, or warm up longer"


def _farthest(measure: Mapping[str, float]) -> str:
    return max(measure, key=lambda name: np.nan_to_num(measure[name], nan=-1.0))


def _rank(values: np.ndarray) -> np.ndarray:
    order = np.argsort(np.argsort(values, axis=None)).reshape(values.shape)
    return (order + 0.5) / order.size


def _scores(values: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Normal quantiles of the shares of the prior below each value: standard normal for draws from the prior itself."""
    from scipy.special import ndtri  # comes with JAX; slow to load

    ordered = np.sort(prior)
    # inside a gap between two draws of the prior linearly, so that a narrow posterior keeps its spread
    share = np.interp(values, ordered, (np.arange(ordered.size) + 0.5) / ordered.size)
    return ndtri(share)


def left_together(scores: Float[np.ndarray, "draws names"]) -> tuple[int, Float[np.ndarray, " names"]]:
    """How many directions have the scores of the prior, whose covariance is the identity, and each name's share."""
    variances, axes = np.linalg.eigh(np.atleast_2d(np.cov(scores.T)))
    same = (variances > AS_PRIOR) & (np.abs(axes.T @ scores.mean(axis=0)) < SHIFT)
    return int(same.sum()), np.square(axes[:, same]).sum(axis=1)


def left_alone(scores: Float[np.ndarray, "draws names"]) -> tuple[int, Float[np.ndarray, " names"]]:
    """How many names have the scores of their prior, each by itself, and which, as 1 or 0."""
    same = (scores.var(axis=0) > AS_PRIOR) & (np.abs(scores.mean(axis=0)) < SHIFT)
    return int(same.sum()), same.astype(float)


def _most(share: np.ndarray, directions: int, names: tuple[str, ...]) -> tuple[str, ...]:
    """The names that make up most of the directions."""
    order = np.argsort(-share, kind="stable")
    enough = int(np.searchsorted(np.cumsum(share[order]), 0.8 * directions)) + 1
    return tuple(names[i] for i in sorted(order[:enough])) if directions else ()
