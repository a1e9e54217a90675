"""Posteriors: a law sampled from its priors and a table, as a batch of laws with a leading axis of draws."""

from collections.abc import Callable, Mapping

import jax
import numpy as np

from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law
from t2jax.noise.protocol import DEVIATION, LeftOutUnit, Noise
from t2jax.noise.question_grid import question_names
from t2jax.posterior.arviz_groups import PRIOR_DRAWS, _groups, inference_data, names_of_runs
from t2jax.posterior.chains import begin, draw_all
from t2jax.posterior.crossed_density import CrossedDensity
from t2jax.posterior.density import Priors, density
from t2jax.posterior.diagnosis import diagnose, left_together
from t2jax.posterior.posterior import Posterior
from t2jax.tables.table import Table
from t2jax.typing import Array, ArrayLike
from t2jax.working_precision import scope, to_host

STARTS = 8


@check_arguments
def sample(
    law: type[Law],
    table: Table,
    noise: Noise | None = None,
    *,
    key: Array,
    priors: Priors | None = None,
    fixed: Mapping[str, ArrayLike] | None = None,
    draws: int = 1000,
    warmup: int = 500,
    chains: int = 4,
    accept: float = 0.9,
    unit: LeftOutUnit | None = None,
    progress: Callable[[int], object] | None = None,
) -> Posterior:
    """Draw from the posterior of a law: its priors times the likelihood of the rows, by NumPyro's NUTS.

    noise: by default what suits the law and the table's columns (`noise.default_noise`, but Student-t errors of log
    losses); its scales are sampled too. priors: in place of declared ones, by name of a parameter of law or noise.
    fixed: parameters to hold, of law or noise; without a `loss` column a law's `gauge` is held too. A row's `weight` is
    how often it counts; several k of one run, which were measured on the same questions, count as measurements of their
    own unless weights of 1/(number of k) say that they go together. draws, warmup: of each chain. accept: the
    acceptance that the step size is adapted to; nearer to one means smaller steps. unit: of what the log-likelihood is
    kept, for `loo`: a "run", or a "question" over all runs that it was put to; by default a run, or the noise's own.
    progress: called with the steps that every chain has made since the last call.

    The chains run in the fit's centred coordinates, scaled by the curvature at the highest density, which many starts
    search for; each begins near one of the optima that are within 10 nats of the best. On a table of one D (or N, or k,
    to a hundredth) a law's `linear` coefficients move in the sums of terms that its rows do not tell apart, where their
    priors are on the domains that the law declares. An interrupt (KeyboardInterrupt) keeps the draws there are, and the
    status says so; before the first hundred of them it is raised. Deterministic given the key. Any number of rows will
    do: in a direction of which they tell nothing the posterior is the prior, and the status says so.

    Raises TableError for columns the law needs and the table lacks; ValueError for priors or fixed values of names that
    are no parameter or outside the domain, fewer than two chains, a unit that the noise does not have, and rows at
    which no start has a finite density; TypeError for a noise without likelihood. Source: Hoffman & Gelman 2014
    (1111.4246).
    Example: `post = t2.sample(t2.laws.Chinchilla, runs, key=jax.random.key(0)); post.summary()`.
    """
    check_numbers(chains, draws, warmup, accept)
    with scope() as dtype:
        target, data = density(law, table, noise, dict(fixed or {}), dict(priors or {}))
        noise = target.noise
        place, names = _units(table, noise.likelihood_unit(unit))
        if noise.unit is not None:
            data = noise.units(law, table)
            place = np.asarray(data.place)
        if noise.deviations:
            if "deviation" in law.declared():
                name = type(noise).__name__
                raise ValueError(f"{law.__name__} has a parameter deviation, as {name} has; rename the law's")
            target = CrossedDensity(**vars(target), runs=int(table.runs().max()) + 1)
        data = data.on_device(dtype)
        begin_key, prior_key = jax.random.split(key)
        mode, states = begin(target, data, STARTS, chains, warmup, accept, begin_key)
        if not np.isfinite(mode.value):
            raise ValueError(f"{law.__name__} on {table.source.name}: no start has a finite density; check its priors")
        prior = jax.tree.map(np.asarray, target.prior_draws(PRIOR_DRAWS, prior_key))
        drawn = draw_all(target, data, mode, place, states, warmup, draws, accept, progress)
        point, _ = to_host(target.split(mode.u))
    values = {name: drawn.named[name] for name in target.names}
    laws = law(**{name: drawn.named[name].ravel() for name in law.declared()})
    groups = _groups(target, values, drawn, prior, noise.response_name(law, table), names)
    latent: dict[str, np.ndarray] = {}
    if noise.deviations:
        runs, each = names_of_runs(table), drawn.named[DEVIATION]
        held = ("chain", "draw", "run"), each, {"units": "tau"}
        groups["posterior"] = groups["posterior"].assign_coords(run=runs).assign(deviation=held)
        latent = {f"deviation[{run}]": each[..., i] for i, run in enumerate(runs)}
    found = diagnose(values, prior, drawn.diverging, drawn.energy, left_together, latent)
    return Posterior(laws, inference_data(groups), point, found, draws, drawn.lp.shape[1], target)


def check_numbers(chains: int, draws: int, warmup: int, accept: float) -> None:
    """Raise ValueError for numbers with which nothing can be sampled or judged."""
    if chains < 2 or draws < 4 or warmup < 20 or not 0 < accept < 1:
        given = f"chains={chains}, draws={draws}, warmup={warmup}, accept={accept:g}"
        raise ValueError(f"found {given}, expected at least 2 chains, 4 draws, 20 of warm-up, and accept inside (0, 1)")


def _units(table: Table, unit: LeftOutUnit) -> tuple[np.ndarray, tuple[LeftOutUnit, list[str]]]:
    """The unit of each row, numbered from 0, (rows,); what it is and its names."""
    if unit == "run":
        return table.runs(), (unit, names_of_runs(table))
    if unit == "question":
        number, names = question_names(table)
        return number, (unit, names)
    raise ValueError(f"sample: unit={unit!r}, expected 'run' or 'question'")
