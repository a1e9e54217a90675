"""Posterior of one law, from its priors and a table."""

from collections.abc import Callable, Mapping

import jax
import numpy as np

from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law
from t2jax.noise.protocol import DEVIATION, LeftOutUnit, Noise
from t2jax.noise.question_grid import question_names
from t2jax.numerics.programs.devices import device_mesh
from t2jax.posterior.arviz_groups import PRIOR_DRAWS, inference_data, names_of_runs, sample_groups
from t2jax.posterior.chains import draw_all, initialise_chains
from t2jax.posterior.density import Priors, density
from t2jax.posterior.diagnosis import diagnose, left_together
from t2jax.posterior.latent_density import LatentDensity
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
    """Samples the posterior of a law: its priors times the likelihood of the rows, by NumPyro's NUTS.

    Chains run in the fit's centred coordinates, scaled by the curvature at the highest density, which many starts
    search. Each chain starts near an optimum within 10 nats of the best. Rows of one D (or N, or k, within 1 %)
    determine only sums of some terms. The `linear` coefficients then move in these sums, with priors on the domains
    that the law declares. In a direction that the rows do not inform, the posterior is the prior, and `status` names
    it.
    The result is deterministic given the key. Source: Hoffman & Gelman 2014 (1111.4246).

    Args:
        law: A law class.
        table: Any number of rows with the columns that the law reads. A row's `weight` is how often it counts. Several
            k of one run, measured on the same questions, count as separate measurements unless their weights are
            1/(number of k).
        noise: Noise model, whose scales are sampled too. The default suits the law and the columns
            (`noise.default_noise`, but Student-t errors of log losses).
        key: Random key.
        priors: Priors in place of the declared ones, by name of a parameter of law or noise.
        fixed: Values of parameters of law or noise that are not sampled. Without a `loss` column, a law's `gauge` is
            fixed too.
        draws: Draws of each chain.
        warmup: Warm-up steps of each chain.
        chains: Number of chains, at least two.
        accept: Target acceptance of the step size. Values nearer to 1 mean smaller steps.
        unit: Unit of the log-likelihoods for `loo`: "run", or "question" over all runs that answered it. The default is
            a run, or the noise's own unit.
        progress: Function that is called with the number of steps since its last call.

    Returns:
        The posterior. An interrupt (KeyboardInterrupt) keeps the draws so far, and the status says so. Before the first
        hundred draws it is raised.

    Raises:
        TableError: When the table lacks a column that the law needs.
        ValueError: When a prior or fixed value has an unknown name or is outside the domain. Also when there are fewer
            than two chains, the noise lacks the unit, or no start has a finite density.
        TypeError: When the noise has no likelihood.

    Examples:
        >>> fixed = {"A": 480.0, "B": 2100.0, "beta": 0.37, "sigma": 0.01}
        >>> post = t2.sample(t2.laws.Chinchilla, runs, key=jax.random.key(0), fixed=fixed)
        >>> low, high = post.summary(level=0.9).loc["alpha", ["5 %", "95 %"]]
        >>> bool(low < 0.35 < high)
        True
    """
    check_numbers(chains, draws, warmup, accept)
    with scope() as dtype:
        target, data = density(law, table, noise, dict(fixed or {}), dict(priors or {}))
        noise = target.noise
        units, names = _units(table, noise.likelihood_unit(unit))
        if noise.unit is not None:
            data = noise.units(law, table)
            units = np.asarray(data.place)
        if noise.deviations:
            if "deviation" in law.declared():
                name = type(noise).__name__
                raise ValueError(f"{law.__name__} has a parameter deviation, as {name} has; rename the law's")
            target = LatentDensity(**vars(target), deviations=len(_deviating(table, noise)))
        data = data.on_device(dtype)
        start_key, prior_key = jax.random.split(key)
        mode, states = initialise_chains(target, data, STARTS, chains, warmup, accept, start_key)
        if not np.isfinite(mode.value):
            raise ValueError(f"{law.__name__} on {table.source.name}: no start has a finite density; check its priors")
        prior = jax.tree.map(np.asarray, target.prior_draws(PRIOR_DRAWS, prior_key))
        chain_draws = draw_all(target, data, mode, units, states, warmup, draws, accept, device_mesh(chains), progress)
        point, _ = to_host(target.split(mode.u))
    values = {name: chain_draws.named[name] for name in target.names}
    laws = law(**{name: chain_draws.named[name].ravel() for name in law.declared()})
    groups = sample_groups(target, values, chain_draws, prior, noise.response_name(law, table), names)
    latent: dict[str, np.ndarray] = {}
    if noise.deviations:
        names_of_deviations, deviations = _deviating(table, noise), chain_draws.named[DEVIATION]
        variable = ("chain", "draw", noise.deviations), deviations
        coordinates = {noise.deviations: names_of_deviations}
        groups["posterior"] = groups["posterior"].assign_coords(coordinates).assign(deviation=variable)
        latent = {f"deviation[{name}]": deviations[..., i] for i, name in enumerate(names_of_deviations)}
    diagnosis = diagnose(values, prior, chain_draws.diverging, chain_draws.energy, left_together, latent)
    draws_made = chain_draws.lp.shape[1]
    return Posterior(laws, inference_data(groups), point, diagnosis, draws, draws_made, target, table)


def check_numbers(chains: int, draws: int, warmup: int, accept: float) -> None:
    """Raises ValueError for numbers of chains, draws and steps that cannot be sampled or judged."""
    if chains < 2 or draws < 4 or warmup < 20 or not 0 < accept < 1:
        given = f"chains={chains}, draws={draws}, warmup={warmup}, accept={accept:g}"
        raise ValueError(f"found {given}, expected at least 2 chains, 4 draws, 20 of warm-up, and accept inside (0, 1)")


def _deviating(table: Table, noise: Noise) -> list[str]:
    """Names the runs or rows that have a deviation of their own."""
    return names_of_runs(table) if noise.deviations == "run" else [str(row) for row in range(len(table))]


def _units(table: Table, unit: LeftOutUnit) -> tuple[np.ndarray, tuple[LeftOutUnit, list[str]]]:
    """Returns the unit of each row, numbered from 0, shape (rows,), with its kind and names."""
    if unit == "run":
        return table.runs(), (unit, names_of_runs(table))
    if unit == "question":
        number, names = question_names(table)
        return number, (unit, names)
    if unit == "table":
        return np.zeros(len(table), int), (unit, [table.source.name])
    raise ValueError(f"sample: unit={unit!r}, expected 'run' or 'question'")
