"""Comparison of posteriors by the runs that they have not seen: PSIS-LOO by run, and stacking weights."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from t2jax.laws.arguments import check_arguments
from t2jax.noise.discrepancy import Discrepancy
from t2jax.posterior.arviz_groups import arviz, inference_data
from t2jax.posterior.posterior import Posterior
from t2jax.printing import report
from t2jax.typing import Float


@dataclass(frozen=True, repr=False)
class Loo:
    """Result of `loo`: how well a posterior predicts each unit (a run) from the others.

    Attributes:
        elpd: Log density of each unit given the others, summed, in nats.
        error: Standard error of `elpd`.
        effective: Number of parameters that the rows determine: the log density with a unit minus that without it,
            summed.
        unit: Kind of the unit that is left out.
        names: Names of the units, shape (units,).
        log_densities: Log density of each unit, shape (units,).
        pareto_k: Tail index of each unit's importance weights, shape (units,). Above `good` the entry is unreliable.
        good: Largest reliable `pareto_k`.

    Examples:
        >>> fixed = {"A": 480.0, "B": 2100.0, "beta": 0.37, "sigma": 0.01}
        >>> post = t2.sample(t2.laws.Chinchilla, runs, key=jax.random.key(0), fixed=fixed)
        >>> scores = t2.loo(post)
        >>> scores.unit, len(scores.names), scores.unsure
        ('run', 24, ())
    """

    elpd: float
    error: float
    effective: float
    unit: str
    names: tuple[str, ...]
    log_densities: Float[np.ndarray, " units"]
    pareto_k: Float[np.ndarray, " units"]
    good: float

    def __repr__(self) -> str:
        """Prints the status, then the sum and the least reliable unit."""
        worst = int(np.argmax(np.nan_to_num(self.pareto_k, nan=np.inf)))
        rows = {
            "elpd": f"{self.elpd:.1f} ± {self.error:.1f} nats",
            "effective": f"{self.effective:.1f} parameters",
            "largest Pareto k": f"{self.pareto_k[worst]:.2f} ({self.unit} {self.names[worst]})",
        }
        return report(f"Loo: {self.status}", rows)

    @property
    def unsure(self) -> tuple[str, ...]:
        """The units with unreliable entries, the worst first."""
        order = np.argsort(-np.nan_to_num(self.pareto_k, nan=np.inf))
        return tuple(self.names[i] for i in order if not self.pareto_k[i] <= self.good)

    @property
    def status(self) -> str:
        """The result in English, with the names of the unreliable units."""
        sentence = f"elpd {self.elpd:.1f} ± {self.error:.1f} nats over {len(self.names)} {self.unit}s"
        sentence += f", {self.effective:.1f} effective parameters"
        if not self.unsure:
            return f"{sentence}; the Pareto k of every {self.unit} is at most {self.good:.2f}: the sum is reliable"
        worst = self.unsure[0]
        k = self.pareto_k[self.names.index(worst)]
        count = len(self.unsure) - 1
        names = ", ".join(self.unsure[1:4]) + (", ..." if count > 3 else "")
        others = f" and of {count} more ({names})" if count else ""
        return (
            f"{sentence}; unreliable: the Pareto k of {self.unit} {worst}{others} is above {self.good:.2f}"
            f" ({k:.2f}), since the posterior changes without it: "
            f"sample without that {self.unit}, and score it with that posterior"
        )


@dataclass(frozen=True, repr=False)
class Stack:
    """Result of `stack`: weights of posteriors in a mixture.

    Attributes:
        weights: Weight of each posterior, by name. They sum to one.
        loos: Leave-one-out result of each posterior, by name.
        differences: By name, `elpd` minus that of the best, with the standard error of the difference over units.

    Examples:
        >>> values = {"A": 480.0, "B": 2100.0, "beta": 0.37}
        >>> fixed = {"one per cent": values | {"sigma": 0.01}, "two per cent": values | {"sigma": 0.02}}
        >>> key = jax.random.key(0)
        >>> posts = {name: t2.sample(t2.laws.Chinchilla, runs, key=key, fixed=values) for name, values in fixed.items()}
        >>> list(t2.posterior.stack(posts).table.index)
        ['one per cent', 'two per cent']
    """

    weights: dict[str, float]
    loos: dict[str, Loo]
    differences: dict[str, tuple[float, float]]

    def __repr__(self) -> str:
        """Prints the status, then each posterior, the best first."""
        rows = {
            name: f"weight {self.weights[name]:.2f}, elpd {self.loos[name].elpd:.1f}, "
            f"difference {self.differences[name][0]:.1f} ± {self.differences[name][1]:.1f}"
            for name in map(str, self.table.index)
        }
        return report(f"Stack: {self.status}", rows)

    @property
    def table(self) -> pd.DataFrame:
        """One row for each posterior, the best first: weight, elpd, difference with its error, and largest Pareto k."""
        rows = {
            name: [self.weights[name], loo.elpd, *self.differences[name], loo.effective, float(loo.pareto_k.max())]
            for name, loo in self.loos.items()
        }
        columns = ["weight", "elpd", "difference", "difference_error", "effective", "largest_pareto_k"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns).sort_values("elpd", ascending=False)

    @property
    def status(self) -> str:
        """The weights and the unreliable units, in English."""
        shares = ", ".join(f"{name} {self.weights[name]:.2f}" for name in self.table.index)
        sentence = f"weights: {shares}"
        for name, loo in self.loos.items():
            sentence += f"; {name}: {loo.status}" if loo.unsure else ""
        return sentence


@check_arguments
def loo(post: Posterior) -> Loo:
    """Computes the leave-one-out log density by Pareto-smoothed importance sampling, one whole run at a time.

    Rows of one run share errors, so its rows must not predict each other. The log-likelihoods of `post.idata` are
    summed by run, or by question if `sample` had `unit="question"`. No refit is needed. ArviZ does the computation.
    Source: Vehtari, Gelman & Gabry 2017 (1507.04544) and Vehtari et al. 2024 (1507.02646), with the limit
    min(0.7, 1 - 1/log10(draws)) of Pareto k.

    Args:
        post: A posterior that converged.

    Returns:
        The log density of each unit, with its reliability.

    Raises:
        ValueError: When the chains did not converge, or all rows have one likelihood together (`Discrepancy`).

    Examples:
        >>> fixed = {"A": 480.0, "B": 2100.0, "beta": 0.37, "sigma": 0.01}
        >>> post = t2.sample(t2.laws.Chinchilla, runs, key=jax.random.key(0), fixed=fixed)
        >>> scores = t2.loo(post)
        >>> bool(scores.elpd == scores.log_densities.sum())
        True
    """
    return _loo(post, _by_unit(post), 0.0)


def stack(posteriors: Mapping[str, Posterior]) -> Stack:
    """Computes the weights at which a mixture of posteriors predicts left-out runs best: max Σ log Σ w·p(run | others).

    ArviZ's `compare` computes the weights. Source: Yao, Vehtari, Simpson & Gelman 2018 (1704.02030).

    Args:
        posteriors: At least two posteriors by name. They must predict the same column for the same runs in one order.

    Returns:
        Weights, and the leave-one-out result of each posterior.

    Raises:
        ValueError: When there are fewer than two posteriors, their units differ, or chains did not converge.

    Examples:
        >>> values = {"A": 480.0, "B": 2100.0, "beta": 0.37}
        >>> fixed = {"one per cent": values | {"sigma": 0.01}, "two per cent": values | {"sigma": 0.02}}
        >>> key = jax.random.key(0)
        >>> posts = {name: t2.sample(t2.laws.Chinchilla, runs, key=key, fixed=values) for name, values in fixed.items()}
        >>> {name: round(weight, 2) for name, weight in t2.posterior.stack(posts).weights.items()}
        {'one per cent': 1.0, 'two per cent': 0.0}
    """
    if len(posteriors) < 2:
        raise ValueError(f"found {len(posteriors)} posterior, expected at least two to weigh")
    values = {name: _by_unit(post) for name, post in posteriors.items()}
    (first, first_values), *rest = values.items()
    for name, other_values in rest:
        if first_values.dims[2] != other_values.dims[2]:
            units = f"{name} is by {other_values.dims[2]} and {first} by {first_values.dims[2]}"
            raise ValueError(f"{units}: sample both with unit='question'")
        same = first_values.name == other_values.name
        if not same or list(_names(first_values)) != list(_names(other_values)):
            raise ValueError(f"{name} and {first} predict different things: sample both from the same rows")
    # exp(elpd) of a run of many rows is zero in float64; a constant for each run changes no weight
    shift = np.max([np.asarray(value).mean(axis=(0, 1)) for value in values.values()], axis=0)
    loos = {name: _loo(posteriors[name], value, shift) for name, value in values.items()}
    shifted = {
        name: inference_data({"posterior": _dataset(posteriors[name]), "log_likelihood": (value - shift).to_dataset()})
        for name, value in values.items()
    }
    az = arviz()
    options = {"round_to": "none"} if "round_to" in az.compare.__code__.co_varnames else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the status names units with a large Pareto k
        weights = az.compare(shifted, method="stacking", **options)["weight"].astype(float).clip(0.0)
    weights = (weights / weights.sum()).to_dict()
    best = max(loos.values(), key=lambda result: result.elpd)
    differences = {
        name: (float(difference.sum()), float(np.sqrt(difference.size * difference.var())))
        for name, difference in ((name, result.log_densities - best.log_densities) for name, result in loos.items())
    }
    return Stack({name: float(weights[name]) for name in posteriors}, loos, differences)


def _loo(post: Posterior, value: Any, shift: Any) -> Loo:
    if not post.converged:
        raise ValueError(f"there is no posterior to judge ({post.status})")
    az = arviz()
    # a constant for each unit shifts its elpd and does not change its importance weights
    data = inference_data({"posterior": _dataset(post), "log_likelihood": (value - shift).to_dataset()})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = az.loo(data, pointwise=True)
    is_old_arviz = "InferenceData" in vars(az)  # ArviZ below 1
    log_densities = np.asarray(result["loo_i"] if is_old_arviz else result.elpd_i, float) + shift
    return Loo(
        elpd=float(log_densities.sum()),
        error=float(np.sqrt(log_densities.size * log_densities.var())),
        effective=float(result["p_loo"] if is_old_arviz else result.p),
        unit=str(value.dims[2]),
        names=tuple(_names(value)),
        log_densities=log_densities,
        pareto_k=np.asarray(result["pareto_k"] if is_old_arviz else result.pareto_k, float),
        good=float(result["good_k"] if is_old_arviz else result.good_k),
    )


def _by_unit(post: Posterior) -> Any:
    """Returns the log-likelihoods as an array (chain, draw, unit). It raises ValueError if all rows have one."""
    values = next(iter(_as_dataset(post.idata["log_likelihood"]).values()))
    if values.dims[2] == "table":
        raise ValueError(Discrepancy.no_likelihood)
    return values


def _dataset(post: Posterior) -> Any:
    return _as_dataset(post.idata["posterior"])


def _as_dataset(group: Any) -> Any:
    return group.to_dataset() if hasattr(group, "to_dataset") else group


def _names(value: Any) -> list[str]:
    return [str(name) for name in np.asarray(value.coords[value.dims[2]])]
