"""Posteriors compared by what they say of a run that they have not seen: PSIS-LOO by run, and stacking weights."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from t2jax.laws.arguments import check_arguments
from t2jax.posterior.arviz_groups import arviz, inference_data
from t2jax.posterior.posterior import Posterior
from t2jax.typing import Float


@dataclass(frozen=True)
class Loo:
    """The result of `loo`. elpd: log density of each unit (a run) by the others, nats, summed. error: its standard
    error.

    effective: how many parameters the rows determine, elpd of the units with themselves minus without. unit: what is
    left out. names (units,); each (units,): the elpd of each. pareto_k (units,): how heavy the tail of its importance
    weights is; above `good` its entry cannot be trusted.
    """

    elpd: float
    error: float
    effective: float
    unit: str
    names: tuple[str, ...]
    each: Float[np.ndarray, " units"] = field(repr=False)
    pareto_k: Float[np.ndarray, " units"] = field(repr=False)
    good: float

    @property
    def unsure(self) -> tuple[str, ...]:
        """The units whose entry cannot be trusted, the worst first."""
        order = np.argsort(-np.nan_to_num(self.pareto_k, nan=np.inf))
        return tuple(self.names[i] for i in order if not self.pareto_k[i] <= self.good)

    @property
    def status(self) -> str:
        """What was found, in English, naming the units whose entry cannot be trusted."""
        said = f"elpd {self.elpd:.1f} ± {self.error:.1f} nats over {len(self.names)} {self.unit}s"
        said += f", {self.effective:.1f} effective parameters"
        if not self.unsure:
            return f"{said}; the Pareto k of every {self.unit} is at most {self.good:.2f}: the sum can be trusted"
        worst = self.unsure[0]
        k = self.pareto_k[self.names.index(worst)]
        others = len(self.unsure) - 1
        more = f" and of {others} more ({', '.join(self.unsure[1:4])}{', ...' if others > 3 else ''})" if others else ""
        return (
            f"{said}; not to be trusted: the Pareto k of {self.unit} {worst}{more} is above {self.good:.2f}"
            f" ({k:.2f}), since the posterior without it is another one: sample without it and score it by that"
        )


@dataclass(frozen=True)
class Stack:
    """The result of `stack`. weights: of each posterior, by name; they sum to one. loos: by name.

    differences: elpd less that of the best, with the standard error of the difference over units, by name.
    """

    weights: dict[str, float]
    loos: dict[str, Loo] = field(repr=False)
    differences: dict[str, tuple[float, float]]

    @property
    def table(self) -> pd.DataFrame:
        """One row for each posterior, the best first: weight, elpd, difference and its standard error, largest k."""
        rows = {
            name: [self.weights[name], one.elpd, *self.differences[name], one.effective, float(one.pareto_k.max())]
            for name, one in self.loos.items()
        }
        columns = ["weight", "elpd", "difference", "difference_error", "effective", "largest_pareto_k"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns).sort_values("elpd", ascending=False)

    @property
    def status(self) -> str:
        """The weights, and what cannot be trusted, in English."""
        shares = ", ".join(f"{name} {self.weights[name]:.2f}" for name in self.table.index)
        said = f"weights: {shares}"
        for name, one in self.loos.items():
            said += f"; {name}: {one.status}" if one.unsure else ""
        return said


@check_arguments
def loo(post: Posterior) -> Loo:
    """Leave-one-out log density by Pareto-smoothed importance sampling, a whole run at a time, without a refit.

    Rows of one run share errors, so a row must not be predicted from its siblings; the log-likelihoods of `post.idata`
    are summed by run, or by question where `sample` was asked to. Through ArviZ. Source: Vehtari, Gelman & Gabry 2017
    (1507.04544) and Vehtari et al. 2024 (1507.02646), whose limit of Pareto k is min(0.7, 1 - 1/log10(draws)).

    Raises ValueError for chains that did not converge: there is no posterior to judge.
    """
    return _loo(post, _by_unit(post), 0.0)


def stack(posteriors: Mapping[str, Posterior]) -> Stack:
    """Weights at which the mixture of the posteriors predicts runs left out best: max Σ log Σ w·p(run | others).

    posteriors: by name, of the same rows; the response must be the same column, in the same order of runs. Weights by
    ArviZ's `compare`. Source: Yao, Vehtari, Simpson & Gelman 2018 (1704.02030).

    Raises ValueError for fewer than two posteriors, for units that differ, and as `loo`.
    """
    if len(posteriors) < 2:
        raise ValueError(f"found {len(posteriors)} posterior, expected at least two to weigh")
    values = {name: _by_unit(post) for name, post in posteriors.items()}
    (first, one), *others = values.items()
    for name, other in others:
        if one.dims[2] != other.dims[2]:
            raise ValueError(
                f"{name} is by {other.dims[2]} and {first} by {one.dims[2]}: sample both with unit='question'"
            )
        same = one.name == other.name
        if not same or list(_names(one)) != list(_names(other)):
            raise ValueError(f"{name} and {first} predict different things: sample both from the same rows")
    # exp(elpd) of a run of many rows is zero in float64; a constant for each run changes no weight
    shift = np.max([np.asarray(value).mean(axis=(0, 1)) for value in values.values()], axis=0)
    loos = {name: _loo(posteriors[name], value, shift) for name, value in values.items()}
    shifted = {
        name: inference_data({"posterior": _dataset(posteriors[name]), "log_likelihood": (value - shift).to_dataset()})
        for name, value in values.items()
    }
    az = arviz()
    kind = {"round_to": "none"} if "round_to" in az.compare.__code__.co_varnames else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pareto k above its limit is told in the status, by name
        weights = az.compare(shifted, method="stacking", **kind)["weight"].astype(float).clip(0.0)
    weights = (weights / weights.sum()).to_dict()
    best = max(loos.values(), key=lambda found: found.elpd)
    differences = {
        name: (float(apart.sum()), float(np.sqrt(apart.size * apart.var())))
        for name, apart in ((name, found.each - best.each) for name, found in loos.items())
    }
    return Stack({name: float(weights[name]) for name in posteriors}, loos, differences)


def _loo(post: Posterior, value: Any, shift: Any) -> Loo:
    if not post.converged:
        raise ValueError(f"there is no posterior to judge ({post.status})")
    az = arviz()
    # a constant for each unit moves its elpd by as much, and keeps its importance weights
    data = inference_data({"posterior": _dataset(post), "log_likelihood": (value - shift).to_dataset()})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = az.loo(data, pointwise=True)
    old = "InferenceData" in vars(az)  # ArviZ below 1
    each = np.asarray(found["loo_i"] if old else found.elpd_i, float) + shift
    return Loo(
        elpd=float(each.sum()),
        error=float(np.sqrt(each.size * each.var())),
        effective=float(found["p_loo"] if old else found.p),
        unit=str(value.dims[2]),
        names=tuple(_names(value)),
        each=each,
        pareto_k=np.asarray(found["pareto_k"] if old else found.pareto_k, float),
        good=float(found["good_k"] if old else found.good_k),
    )


def _by_unit(post: Posterior) -> Any:
    """The log-likelihoods as an array (chain, draw, unit)."""
    return next(iter(_plain(post.idata["log_likelihood"]).values()))


def _dataset(post: Posterior) -> Any:
    return _plain(post.idata["posterior"])


def _plain(group: Any) -> Any:
    return group.to_dataset() if hasattr(group, "to_dataset") else group


def _names(value: Any) -> list[str]:
    return [str(one) for one in np.asarray(value.coords[value.dims[2]])]
