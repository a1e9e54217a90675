"""What posteriors and their checks print: the status first, then each answer by name."""

import dataclasses
from typing import Any

import numpy as np

import t2jax as t2
from t2jax.numerics.bands import Band
from t2jax.posterior.diagnosis import Diagnosis
from t2jax.posterior.prior_check import PriorPredictive

KNOWN = {"B": 2000.0, "alpha": 0.35, "beta": 0.37}
BAND = Band(np.array([1.0, 2.0]), np.array([2.0, 3.0]), np.array([3.0, 4.0]), 0.9)
OBSERVED = np.array([2.0, 9.0])


class Draws(dict):
    """A group of draws by name."""

    data_vars = property(dict.keys)


class Values:
    """One variable of a group."""

    def __init__(self, values: Any):
        self.values = np.asarray(values)


def diagnosis(*names: str, r_hat: float = 1.0) -> Diagnosis:
    by_name = dict.fromkeys(names, 1000.0)
    return Diagnosis(dict.fromkeys(names, r_hat), by_name, by_name, by_name, 0, 2000, np.ones(2), (), 0, ())


def posterior() -> t2.Posterior:
    draws = {"E": np.linspace(1.0, 3.0, 2001).reshape(3, -1), "A": np.full((3, 667), 480.0)}
    laws = t2.laws.Chinchilla(**{name: values.ravel() for name, values in draws.items()}, **KNOWN)
    point = t2.laws.Chinchilla(E=2.0, A=480.0, **KNOWN)
    idata: Any = {"posterior": {name: Values(values) for name, values in draws.items()}}
    return t2.Posterior(laws, idata, point, diagnosis("E", "A"), draws_requested=667, draws_made=667)


def test_a_posterior():
    post = posterior()
    assert repr(post).splitlines() == [
        f"Posterior of Chinchilla: {post.status}",
        "  draws             667 of each chain",
        "  E                 2 (1.1 to 2.9)",
        "  A                 480 (480 to 480)",
    ]


def test_a_posterior_whose_chains_disagree():
    post = dataclasses.replace(posterior(), diagnosis=diagnosis("E", r_hat=1.5))
    assert repr(post).splitlines()[-1] == "  E                 no interval: the chains do not agree"


def test_both_kinds_of_posterior_tell_of_an_interrupt():
    for post in (
        dataclasses.replace(posterior(), draws_requested=1000),
        dataclasses.replace(tasks(), draws_requested=1000),
    ):
        assert post.converged and post.status.endswith("; interrupted: 667 of 1000 draws of each chain")


def tasks() -> t2.posterior.TaskPosterior:
    post = posterior()
    names = {**post.laws.values(), "alpha_population": np.linspace(0.3, 0.5, 2001), "alpha_spread": np.full(2001, 0.1)}
    typical = {f"{name}_population": np.full(2001, 1.0) for name in post.laws.values()}
    groups: Any = {
        "posterior": {name: Values(values) for name, values in (typical | names).items()},
        "prior": Draws(dict.fromkeys(("E", "alpha_population", "alpha_spread"))),
    }
    result = diagnosis("alpha_population", "alpha_spread")
    return t2.posterior.TaskPosterior(post.laws, ("web", "code"), ("alpha",), groups, post.point, result, 667, 667)


def test_a_posterior_of_tasks():
    post = tasks()
    assert repr(post).splitlines() == [
        f"TaskPosterior of Chinchilla: {post.status}",
        "  tasks             web, code",
        "  draws             667 of each chain",
        "  alpha_population  0.4 (0.31 to 0.49)",
        "  alpha_spread      0.1 (0.1 to 0.1)",
    ]


def test_a_population():
    assert repr(tasks().population).splitlines() == [
        "Population of tasks under Chinchilla",
        "  alpha             0.4 (0.31 to 0.49)",
        "  alpha_spread      0.1 (0.1 to 0.1)",
    ]


def loo(elpd: float) -> t2.posterior.Loo:
    return t2.posterior.Loo(elpd, 1.0, 2.0, "run", ("a", "b"), np.full(2, elpd / 2), np.array([0.1, 0.9]), 0.7)


def test_leave_one_out():
    result = loo(10.0)
    assert repr(result).splitlines() == [
        f"Loo: {result.status}",
        "  elpd              10.0 ± 1.0 nats",
        "  effective         2.0 parameters",
        "  largest Pareto k  0.90 (run b)",
    ]


def test_a_stack():
    loos = {"worse": loo(8.0), "better": loo(10.0)}
    result = t2.posterior.Stack({"worse": 0.2, "better": 0.8}, loos, {"worse": (-2.0, 0.5), "better": (0.0, 0.0)})
    assert repr(result).splitlines() == [
        f"Stack: {result.status}",
        "  better            weight 0.80, elpd 10.0, difference 0.0 ± 0.0",
        "  worse             weight 0.20, elpd 8.0, difference -2.0 ± 0.5",
    ]


def test_predictive_checks():
    result = t2.posterior.PosteriorPredictive(BAND, OBSERVED, np.array([0.5, 1.0]), {"spread": 0.004})
    lines = [f"PosteriorPredictive: {result.status}", "  rows inside       50.0%", "  spread            p = 0.004"]
    assert repr(result).splitlines() == lines
    before = PriorPredictive(posterior().laws, BAND, OBSERVED)
    first, *lines = repr(before).splitlines()
    assert first == f"PriorPredictive: {before.status}"
    assert lines == ["  rows inside       50.0%", "  predicted         2 to 3 (within 1 to 4)"]
