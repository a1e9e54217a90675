"""What doubling the scale of each prior does to an answer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpyro.distributions import Distribution

from t2jax.laws.arguments import check_arguments
from t2jax.numerics.bands import Band, band
from t2jax.planning.budget import Budget
from t2jax.planning.frontier import frontier
from t2jax.posterior.posterior import LEVEL, Posterior
from t2jax.posterior.sample import sample
from t2jax.tables.table import Table
from t2jax.typing import Array


@dataclass(frozen=True)
class PriorSensitivity:
    """What doubling the scales of the priors does. params, wider_params: bands of N* at the budgets, (budgets,).

    shifts: by parameter, the change of its mean in standard deviations of the first posterior. kept: parameters whose
    prior has no scale to double (a Uniform, say). wider: the posterior under the wider priors.
    """

    params: Band
    wider_params: Band
    shifts: dict[str, float]
    kept: tuple[str, ...]
    wider: Posterior = field(repr=False)

    @property
    def change(self) -> Any:
        """The relative change of the median N* at each budget."""
        return np.asarray(self.wider_params.mid) / np.asarray(self.params.mid) - 1

    @property
    def status(self) -> str:
        """What changed, in English."""
        most = np.ravel(self.change)[np.argmax(np.abs(self.change))]
        wide = np.ravel(self.wider_params.high / self.wider_params.low / (self.params.high / self.params.low)).max()
        worst = max(self.shifts, key=lambda name: abs(self.shifts[name]))
        said = (
            f"with the scales of the priors doubled the median of N* changes by {100 * most:+.2g} % at most, and its "
        )
        said += f"{100 * self.params.level:g} % interval is {wide:.3g} times as wide at most; the largest change of a "
        said += f"parameter's mean is {self.shifts[worst]:+.2g} standard deviations ({worst})"
        if self.kept:
            said += f"; the priors of {', '.join(self.kept)} have no scale and were kept"
        return said


@check_arguments
def prior_sensitivity(
    post: Posterior,
    table: Table,
    budget: Budget,
    *,
    key: Array,
    draws: int = 1000,
    warmup: int = 500,
    chains: int = 4,
    accept: float = 0.95,
    progress: Callable[[int], object] | None = None,
) -> PriorSensitivity:
    """Sample again with every prior's scale doubled, and compare N* at the budgets and the parameters.

    post: of `sample` on the same table. draws, warmup, chains, accept, progress: as in `sample`; wider priors are
    harder to draw from, so steps are smaller by default. Where N* hardly changes the rows speak, not the
    priors. Source: Gelman et al. 2020 (2011.01808), section 6.3. Raises ValueError for a posterior read from a file,
    chains that did not converge, there or here, and a law without N and D.
    """
    target = post.density
    if target is None:
        raise ValueError("a posterior read from a file does not know its priors; sample it again")
    if not post.converged:
        raise ValueError(f"there is no posterior to compare with ({post.status})")
    wider = {name: two for name, one in target.priors.items() if (two := _widened(one)) is not None}
    kept = tuple(name for name in target.priors if name not in wider)
    again = sample(
        target.law,
        table,
        target.noise,
        key=key,
        priors=target.priors | wider,
        fixed=target.coordinates.fixed,
        draws=draws,
        warmup=warmup,
        chains=chains,
        accept=accept,
        progress=progress,
    )
    if not again.converged:
        raise ValueError(f"with the scales of the priors doubled there is no posterior to compare ({again.status})")
    before, after = (band(frontier(one.laws, budget).params, LEVEL) for one in (post, again))
    first, second = (
        {name: np.asarray(one.idata["posterior"][name].values) for name in target.names} for one in (post, again)
    )
    shifts = {name: float((second[name].mean() - first[name].mean()) / first[name].std()) for name in target.names}
    return PriorSensitivity(before, after, shifts, kept, again)


def _widened(prior: Distribution) -> Distribution | None:
    """The prior with its scale doubled, or its rate halved; None for one without either."""
    given = {name: getattr(prior, name) for name in prior.arg_constraints}
    if "scale" in given:
        return type(prior)(**(given | {"scale": 2 * given["scale"]}))
    return type(prior)(**(given | {"rate": given["rate"] / 2})) if "rate" in given else None
