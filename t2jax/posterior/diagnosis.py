"""Convergence of chains: whether they agree, whether there are enough draws, and what the rows left to the prior."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from t2jax.posterior.arviz_groups import arviz
from t2jax.printing import format_quantiles
from t2jax.typing import Float

R_HAT, ESS, E_BFMI = 1.01, 400, 0.3
"""Limits of Vehtari et al. 2021 (1903.08008) for R-hat and ESS, and of Betancourt 2016 (1604.00695) for E-BFMI."""
TAILS = (0.05, 0.95)

AS_PRIOR = 0.8
"""The rows do not inform a direction whose posterior has more than this share of the prior's variance."""
SHIFT = 0.5  # and whose mean moves by less than this many standard deviations of the prior


@dataclass(frozen=True)
class Diagnosis:
    """Convergence statistics of chains, by parameter.

    Attributes:
        r_hat: Rank-normalised split R-hat.
        ess_bulk: Effective sample size of the bulk.
        ess_tail: Effective sample size of the tails.
        contraction: 1 - (variance of the posterior)/(variance of the prior), both as normal scores of the prior. It is
            near 1 if the rows determine a parameter, and 0 if the posterior is the prior.
        divergences: Number of divergent draws.
        draws: Number of draws in all chains.
        bfmi: E-BFMI of each chain.
        failures: A sentence for each limit that is broken.
        directions: Number of independent combinations of parameters whose posterior is the prior.
        left: Parameters that make up most of these combinations.
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
        """Whether every limit is met."""
        return not self.failures

    def agrees(self, name: str) -> bool:
        """Returns whether the chains agree on a parameter, so that its draws may be summarised."""
        return self.r_hat[name] < R_HAT  # False for NaN

    @property
    def sentence(self) -> str:
        """The diagnosis in English."""
        if self.converged:
            least = min(*self.ess_bulk.values(), *self.ess_tail.values())
            largest = max(self.r_hat.values())
            sentence = f"converged: R-hat at most {largest:.4f}, ESS at least {least:.0f}, no divergence"
        else:
            sentence = f"not converged: {'; '.join(self.failures)}"
        if self.left:
            total = len(self.r_hat)
            directions = "any direction" if self.directions == total else f"{self.directions} of {total} directions"
            names = ", ".join(self.left)
            sentence += f"; the rows do not inform {directions} ({names}), where the posterior is the prior"
        return sentence


class Diagnosed:
    """Convergence and status of a result whose chains have a `Diagnosis`."""

    diagnosis: Diagnosis
    draws_requested: int
    draws_made: int

    @property
    def converged(self) -> bool:
        """Whether the draws may be used: the chains meet every limit of `Diagnosis`."""
        return self.diagnosis.converged

    @property
    def status(self) -> str:
        """The diagnosis in English: the parameter that fails, and what to do."""
        cut = (
            f"; interrupted: {self.draws_made} of {self.draws_requested} draws of each chain"
            if self.draws_made < self.draws_requested
            else ""
        )
        return self.diagnosis.sentence + cut

    def _describe_draws(self, values: Mapping[str, np.ndarray]) -> dict[str, str]:
        """Returns the number of draws, and the median with the central 90 % of each sampled name."""
        rows = {"draws": f"{self.draws_made} of each chain"}
        for name, draws in values.items():
            agrees = self.diagnosis.agrees(name)
            rows[name] = format_quantiles(draws) if agrees else "no interval: the chains do not agree"
        return rows


def diagnose(
    drawn: Mapping[str, Float[np.ndarray, "chains draws"]],
    prior: Mapping[str, Float[np.ndarray, " priors"]],
    diverging: Float[np.ndarray, "chains draws"],
    energy: Float[np.ndarray, "chains draws"],
    left: Callable[[np.ndarray], tuple[int, np.ndarray]],
    latent: Mapping[str, Float[np.ndarray, "chains draws"]] | None = None,
) -> Diagnosis:
    """Judges draws by ArviZ's diagnostics, beside draws from the priors of the same names.

    `left` finds the directions in which normal scores (draws, names) are as in the prior: `left_together` for
    independent priors, `left_alone` for dependent ones, such as those of tasks of one population. `latent` holds other
    sampled quantities. They must meet the same limits, and the sentence names them only if they fail. Source of R-hat,
    ESS and their limits: Vehtari, Gelman, Simpson, Carpenter & Bürkner 2021 (1903.08008).
    """
    values = {name: np.asarray(draws, float) for name, draws in drawn.items()}
    statistics = _mixing_statistics(values)
    with np.errstate(all="ignore"):
        bfmi = np.asarray(arviz().bfmi(np.asarray(energy, float)), float)
    scores = np.stack([_scores(draws.ravel(), np.asarray(prior[name])) for name, draws in values.items()], axis=1)
    directions, share = left(scores)
    diagnosis = Diagnosis(
        **statistics,
        contraction=dict(zip(values, (1 - scores.var(axis=0)).tolist(), strict=True)),
        divergences=int(np.sum(diverging)),
        draws=diverging.size,
        bfmi=bfmi,
        failures=(),
        directions=directions,
        left=_main_names(share, directions, tuple(values)),
    )
    latent_diagnosis = replace(diagnosis, **_mixing_statistics(latent)) if latent else diagnosis
    failures = (
        _mixing_failure(diagnosis),
        _mixing_failure(latent_diagnosis) if latent else "",
        _size_failure(diagnosis, diverging.shape[1]),
        _size_failure(latent_diagnosis, diverging.shape[1]) if latent else "",
        _divergence_failure(values, diverging),
        _energy_failure(values, energy, bfmi),
    )
    return Diagnosis(**{**vars(diagnosis), "failures": tuple(failure for failure in failures if failure)})


def _mixing_statistics(values: Mapping[str, np.ndarray]) -> dict[str, Any]:
    az = arviz()
    with np.errstate(all="ignore"):  # a chain that does not move has an R-hat of NaN, which fails
        return {
            "r_hat": {name: float(az.rhat(draws)) for name, draws in values.items()},
            "ess_bulk": {name: float(az.ess(draws, method="bulk")) for name, draws in values.items()},
            "ess_tail": {name: float(az.ess(draws, method="tail", prob=TAILS)) for name, draws in values.items()},
        }


def _mixing_failure(diagnosis: Diagnosis) -> str:
    unmixed = [name for name in diagnosis.r_hat if not diagnosis.agrees(name)]
    if not unmixed:
        return ""
    worst = max(unmixed, key=lambda name: np.nan_to_num(diagnosis.r_hat[name], nan=np.inf))
    others = f" and {len(unmixed) - 1} more" if len(unmixed) > 1 else ""
    r_hat = diagnosis.r_hat[worst]
    sentence = f"the chains do not agree on {worst}{others} (R-hat {r_hat:.3g}, expected below {R_HAT})"
    if r_hat < 1.1:
        return f"{sentence}: draw twice as many, after twice the warm-up and with accept=0.95"
    advice = f"{sentence}: warm up longer, with accept=0.95"
    return f"{advice}; if that does not help there are several optima, which a narrower prior may decide"


def _size_failure(diagnosis: Diagnosis, draws: int) -> str:
    for kind, ess in (("", diagnosis.ess_bulk), (" in its tails", diagnosis.ess_tail)):
        worst = min(ess, key=lambda name: np.nan_to_num(ess[name], nan=-1.0))
        if not ess[worst] > ESS:
            needed = int(np.ceil(draws * 1.2 * ESS / ess[worst])) if ess[worst] > 0 else 10 * draws
            advice = f"take draws={needed}"
            return f"{worst} has {ess[worst]:.0f} effective draws{kind}, expected more than {ESS}: {advice}"
    return ""


def _divergence_failure(values: Mapping[str, np.ndarray], diverging: np.ndarray) -> str:
    count = int(np.sum(diverging))
    if not count:
        return ""
    diverged = np.asarray(diverging, bool)
    worst = _largest({name: abs(_rank(draws)[diverged].mean() - 0.5) for name, draws in values.items()})
    sentence = f"{count} of {diverged.size} draws diverged, most at one end of {worst}"
    return f"{sentence}: take accept=0.95 or 0.99, or a narrower prior of {worst}"


def _energy_failure(values: Mapping[str, np.ndarray], energy: np.ndarray, bfmi: np.ndarray) -> str:
    stuck = np.flatnonzero(~(bfmi > E_BFMI))
    if not stuck.size:
        return ""
    with np.errstate(all="ignore"):
        ranks = {name: _rank(draws).ravel() for name, draws in values.items()}
        correlations = {name: abs(np.corrcoef(rank, energy.ravel())[0, 1]) for name, rank in ranks.items()}
    worst = _largest(correlations)
    sentence = f"the energy of chain {stuck[0]} moves too little (E-BFMI {bfmi[stuck[0]]:.2g}, expected above {E_BFMI})"
    return f"{sentence}, most along {worst}: give {worst} a prior with lighter tails, or warm up longer"


def _largest(measure: Mapping[str, float]) -> str:
    return max(measure, key=lambda name: np.nan_to_num(measure[name], nan=-1.0))


def _rank(values: np.ndarray) -> np.ndarray:
    order = np.argsort(np.argsort(values, axis=None)).reshape(values.shape)
    return (order + 0.5) / order.size


def _scores(values: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Computes normal scores of values: normal quantiles of the shares of the prior below them."""
    from scipy.special import ndtri  # comes with JAX; slow to load

    ordered = np.sort(prior)
    # linear between two draws of the prior, so that a narrow posterior has a spread
    share = np.interp(values, ordered, (np.arange(ordered.size) + 0.5) / ordered.size)
    return ndtri(share)


def left_together(scores: Float[np.ndarray, "draws names"]) -> tuple[int, Float[np.ndarray, " names"]]:
    """Counts directions in which scores are as in the prior, with covariance one, and returns each name's share."""
    variances, axes = np.linalg.eigh(np.atleast_2d(np.cov(scores.T)))
    same = (variances > AS_PRIOR) & (np.abs(axes.T @ scores.mean(axis=0)) < SHIFT)
    return int(same.sum()), np.square(axes[:, same]).sum(axis=1)


def left_alone(scores: Float[np.ndarray, "draws names"]) -> tuple[int, Float[np.ndarray, " names"]]:
    """Counts names whose scores are as in their prior, each by itself, and returns them as 1 or 0."""
    same = (scores.var(axis=0) > AS_PRIOR) & (np.abs(scores.mean(axis=0)) < SHIFT)
    return int(same.sum()), same.astype(float)


def _main_names(share: np.ndarray, directions: int, names: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the names that make up most of the directions."""
    order = np.argsort(-share, kind="stable")
    enough = int(np.searchsorted(np.cumsum(share[order]), 0.8 * directions)) + 1
    return tuple(names[i] for i in sorted(order[:enough])) if directions else ()
