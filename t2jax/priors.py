"""Whether priors can be defended: what they predict before any run is seen, and what doubling their scales changes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.distributions import Distribution

from t2jax.bayes import LEVEL, Posterior, sample
from t2jax.bootstrap import Band, band
from t2jax.budgets import Budget
from t2jax.density import Priors, density
from t2jax.frontier import frontier
from t2jax.laws.base import Law
from t2jax.noise import Noise, measured, response
from t2jax.precision import scope
from t2jax.table import Table
from t2jax.typing import Array, ArrayLike, Float


@dataclass(frozen=True)
class PriorPredictive:
    """What the priors say of a table's rows. laws: drawn from the prior, leaves (draws,).

    predicted: band of the law over draws at each row, (rows,). observed (rows,): the response, for counts the share of
    correct ones.
    """

    laws: Law
    predicted: Band
    observed: Float[np.ndarray, " rows"]

    @property
    def covered(self) -> float:
        """The share of rows whose measurement lies inside the prior's interval."""
        return self.predicted.share(self.observed)

    @property
    def status(self) -> str:
        """What the comparison says, in English."""
        inside, rows = round(self.covered * self.observed.size), self.observed.size
        low, high = float(np.min(self.predicted.low)), float(np.max(self.predicted.high))
        said = f"{inside} of {rows} rows lie inside the prior's {100 * self.predicted.level:g} % interval of the law"
        said += f", which reaches from {low:.3g} to {high:.3g} over the rows"
        if self.covered < self.predicted.level / 2:
            return f"{said}: the priors contradict the rows; replace those that do not fit by `priors`"
        return said


def prior_predictive(
    law: type[Law],
    table: Table,
    noise: Noise | None = None,
    *,
    key: Array,
    priors: Priors | None = None,
    fixed: Mapping[str, ArrayLike] | None = None,
    draws: int = 1000,
) -> PriorPredictive:
    """Draw laws from the priors and predict the rows, without errors of the rows; arguments and errors as `sample`.

    A prior can be defended if measurements lie well inside what it predicts, and little of that is absurd. Source:
    Gelman et al. 2020, Bayesian workflow (2011.01808), section 2.4. Predictions that are no number are left out; raises
    ValueError where most are.
    """
    with scope() as dtype:
        target, data = density(law, table, noise, dict(fixed or {}), dict(priors or {}))
        rows = {name: jnp.asarray(column, dtype) for name, column in data.every_row().items()}
        values = dict(target.coordinates.fixed) | target.prior_draws(draws, key)
        laws = law(**{name: jnp.broadcast_to(jnp.asarray(values[name], dtype), (draws,)) for name in law.declared()})
        known = {"samples": jnp.ones((), dtype)} | rows
        predicted = np.asarray(jax.jit(jax.vmap(lambda one: one.predict(known)))(laws))
        laws = jax.tree.map(np.asarray, laws)
    observed = measured(response(law, table), rows)
    predicted = np.where(np.isfinite(predicted), predicted, np.nan)
    return PriorPredictive(laws, band(np.broadcast_to(predicted, (draws, len(table))), LEVEL), np.asarray(observed))


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
