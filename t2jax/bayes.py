"""Posteriors: a law sampled from its priors and a table, as a batch of laws with a leading axis of draws."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from t2jax.bootstrap import Band, band
from t2jax.chains import Drawn, begin, draw_all
from t2jax.crossed import DEVIATION, CrossedDensity, CrossedEffects
from t2jax.density import Density, Priors, density
from t2jax.diagnose import Diagnosis, arviz, diagnose, left_together
from t2jax.laws.base import Law
from t2jax.noise import Joint, Noise, response
from t2jax.precision import scope, to_host
from t2jax.question_rows import question_names
from t2jax.table import Table
from t2jax.typing import Array, ArrayLike
from t2jax.unit_noise import Unit, UnitNoise

STARTS = 8
PRIOR_DRAWS = 4000
LEVEL = 0.9


@dataclass(frozen=True)
class Posterior:
    """The result of `sample`. laws: one law per draw, leaves (chains * draws,), chain after chain.

    idata: the same for ArviZ (`InferenceData`, or a `DataTree` from ArviZ 1 on): groups posterior, sample_stats,
    log_likelihood by run or question, and prior. point: the law at the highest density in the coordinates that are
    sampled, of `CrossedEffects` that of runs on the law. status: in English, "converged: ..." only if every limit of
    `Diagnosis` is kept. made: draws of each chain that are there, of those asked for. density: what was sampled; None
    for a posterior read from a file.
    """

    laws: Law
    idata: Any = field(repr=False)
    point: Law
    diagnosis: Diagnosis = field(repr=False)
    asked: int
    made: int
    density: Density | None = field(default=None, repr=False)

    @property
    def converged(self) -> bool:
        """Whether the draws may be used: chains agree, are long enough and went everywhere; see `Diagnosis`."""
        return self.diagnosis.converged

    @property
    def status(self) -> str:
        """What the diagnostics say, in English, which parameter fails and what to do."""
        cut = f"; interrupted: {self.made} of {self.asked} draws of each chain" if self.made < self.asked else ""
        return self.diagnosis.sentence + cut

    def summary(self, level: float = LEVEL) -> pd.DataFrame:
        """One row for each sampled parameter: mean, sd, median and central interval, R-hat, ESS and contraction.

        Where the chains do not agree on a parameter there is no mean, sd or interval of it (NaN): they would describe
        where the chains were, not the posterior. `attrs["status"]` is the status. Raises ValueError as `band`.
        """
        values = {name: np.asarray(self.idata["posterior"][name].values, float) for name in self.diagnosis.r_hat}
        return summarise(self.diagnosis, values, self.status, level)

    def band(self, quantity: Callable[[Law], Array], level: float = LEVEL) -> Band:
        """Quantile band of anything computed from one law: `post.band(lambda law: law(1e9, 2e10))`.

        Raises ValueError where the chains do not agree on a parameter: a band would say where the chains were.
        """
        if not all(map(self.diagnosis.agrees, self.diagnosis.r_hat)):
            raise ValueError(f"there is no posterior to take a band of ({self.status})")
        with scope() as dtype:
            laws = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), self.laws)
            return band(np.asarray(jax.jit(jax.vmap(quantity))(laws)), level)


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
    unit: Unit | None = None,
    progress: Callable[[int], object] | None = None,
) -> Posterior:
    """Draw from the posterior of a law: its priors times the likelihood of the rows, by NumPyro's NUTS.

    noise: by default what suits the law and the table's columns (`noise.default_density`: Student-t errors of log
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
        if isinstance(noise, UnitNoise):
            if unit is not None and unit != noise.unit:
                whole = f"{type(noise).__name__} has a likelihood of each {noise.unit} only"
                raise ValueError(f"sample: unit={unit!r}, but {whole}")
            data = noise.units(law, table)
            place, names = np.asarray(data.place), _units(table, noise.unit)[1]
        else:
            place, names = _units(table, unit or "run")
        if isinstance(noise, CrossedEffects):
            if "deviation" in law.declared():
                raise ValueError(f"{law.__name__} has a parameter deviation, as CrossedEffects has; rename the law's")
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
    measured = response(law, table) + ("_and_loss" if isinstance(target.noise, Joint) else "")
    groups = _groups(target, values, drawn, prior, measured, names)
    latent: dict[str, np.ndarray] = {}
    if isinstance(target, CrossedDensity):
        runs, each = names_of_runs(table), drawn.named[DEVIATION]
        held = ("chain", "draw", "run"), each, {"units": "tau"}
        groups["posterior"] = groups["posterior"].assign_coords(run=runs).assign(deviation=held)
        latent = {f"deviation[{run}]": each[..., i] for i, run in enumerate(runs)}
    found = diagnose(values, prior, drawn.diverging, drawn.energy, left_together, latent)
    return Posterior(laws, inference_data(groups), point, found, draws, drawn.lp.shape[1], target)


def inference_data(groups: Mapping[str, Any]) -> Any:
    """Data sets by group as ArviZ holds them: `InferenceData`, or from ArviZ 1 on xarray's `DataTree`."""
    import xarray  # slow to load

    kind = vars(arviz()).get("InferenceData")  # not by getattr, at which ArviZ 1 warns
    return xarray.DataTree.from_dict(dict(groups)) if kind is None else kind(**groups)


def check_numbers(chains: int, draws: int, warmup: int, accept: float) -> None:
    """Raise ValueError for numbers with which nothing can be sampled or judged."""
    if chains < 2 or draws < 4 or warmup < 20 or not 0 < accept < 1:
        given = f"chains={chains}, draws={draws}, warmup={warmup}, accept={accept:g}"
        raise ValueError(f"found {given}, expected at least 2 chains, 4 draws, 20 of warm-up, and accept inside (0, 1)")


def summarise(found: Diagnosis, values: Mapping[str, np.ndarray], status: str, level: float) -> pd.DataFrame:
    """The table of `Posterior.summary`. values: draws (chains, draws) of each name in the diagnosis."""
    rows = {}
    for name in found.r_hat:
        one = values[name].ravel()
        spread = band(one, level)
        numbers = [one.mean(), one.std(ddof=1), spread.low, spread.mid, spread.high]
        told = [found.r_hat[name], found.ess_bulk[name], found.ess_tail[name], found.contraction[name]]
        rows[name] = [*(numbers if found.agrees(name) else [np.nan] * 5), *told]
    low, high = (f"{100 * (0.5 + side * level / 2):g} %" for side in (-1, 1))
    columns = ["mean", "sd", low, "median", high, "r_hat", "ess_bulk", "ess_tail", "contraction"]
    made = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    made.attrs["status"] = status
    return made


def sample_stats(drawn: Drawn) -> Any:
    """How the sampler fared at each draw, by the names that ArviZ knows: an xarray data set (chain, draw)."""
    import xarray  # slow to load

    stats = {
        "lp": drawn.lp,
        "diverging": drawn.diverging,
        "energy": drawn.energy,
        "n_steps": drawn.n_steps,
        "tree_depth": np.ceil(np.log2(drawn.n_steps + 1)).astype(int),
        "acceptance_rate": drawn.acceptance_rate,
        "step_size": drawn.step_size,
    }
    chains, draws = drawn.lp.shape
    position = {"chain": np.arange(chains), "draw": np.arange(draws)}
    return xarray.Dataset({name: (("chain", "draw"), one) for name, one in stats.items()}, coords=position)


def _units(table: Table, unit: Unit) -> tuple[np.ndarray, tuple[Unit, list[str]]]:
    """The unit of each row, numbered from 0, (rows,); what it is and its names."""
    if unit == "run":
        return table.runs(), (unit, names_of_runs(table))
    if unit == "question":
        number, names = question_names(table)
        return number, (unit, names)
    raise ValueError(f"sample: unit={unit!r}, expected 'run' or 'question'")


def names_of_runs(table: Table) -> list[str]:
    """What each run is called: its `model`, or its params and tokens."""
    first = np.unique(table.runs(), return_index=True)[1]
    if "model" in table:
        return [str(one) for one in table["model"][first]]
    sizes = zip(table["params"][first], table["tokens"][first], strict=True)
    return [f"params={params:.6g} tokens={tokens:.6g}" for params, tokens in sizes]


def _groups(
    target: Density,
    values: dict[str, np.ndarray],
    drawn: Drawn,
    prior: dict[str, np.ndarray],
    measured: str,
    units: tuple[Unit, list[str]],
) -> dict[str, Any]:
    import xarray

    declared = dict(target.coordinates.declared)
    chains, draws = drawn.lp.shape
    axes = ("chain", "draw")

    def named(of: Mapping[str, np.ndarray], length: int, count: int) -> Any:
        held = {
            name: (axes, one, {"units": declared[name].unit, "doc": declared[name].doc}) for name, one in of.items()
        }
        return xarray.Dataset(held, coords={"chain": np.arange(count), "draw": np.arange(length)})

    position = {"chain": np.arange(chains), "draw": np.arange(draws)}
    return {
        "posterior": named(values, draws, chains),
        "sample_stats": sample_stats(drawn),
        "log_likelihood": xarray.Dataset(
            {measured: ((*axes, units[0]), drawn.log_likelihood)},
            coords={**position, units[0]: units[1]},
        ),
        "prior": named({name: one[None] for name, one in prior.items()}, PRIOR_DRAWS, 1),
    }
