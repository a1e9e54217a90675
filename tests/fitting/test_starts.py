"""Starts of a fit: an optimum that only one of them reached is looked for again, by the program that is compiled."""

from typing import Any

import jax
import numpy as np
import pytest
from numpyro.distributions import Normal

import t2jax as t2
from t2jax.fitting.fit import _best_of, _outcome, _Solution
from t2jax.typing import Scalar
from tests.helpers.tables import count_compilations

KEY = jax.random.key(0)


def search_of(*ends: tuple[float, int]) -> tuple[Any, list[Any]]:
    """A search whose calls end at (value, number of starts there) in turn, and the keys that it was given."""
    keys: list[Any] = []

    def search(key: Any) -> _Solution:
        value, agree = ends[len(keys)]
        keys.append(key)
        rest: Any = dict.fromkeys(_Solution._fields, np.zeros(1)) | {"law": None, "noise_values": {}}
        return _Solution(**(rest | {"value": np.asarray(value), "converged": np.asarray(True)}))._replace(
            agree=np.asarray(agree), tolerance=np.asarray(1e-6)
        )

    return search, keys


@pytest.mark.parametrize(
    ("ends", "value", "agree", "tried"),
    [
        ([(1.0, 8)], 1.0, 8, 8),
        ([(1.0, 2)], 1.0, 2, 8),
        ([(1.0, 1), (2.0, 5), (1.0, 3), (1.5, 8)], 1.0, 4, 32),  # reached again by three of the others
        ([(1.0, 1), (2.0, 5), (3.0, 3), (1.5, 8)], 1.0, 1, 32),  # still one
        ([(1.0, 1), (2.0, 5), (0.5, 1), (0.5, 2)], 0.5, 3, 32),  # a better one was there
    ],
)
def test_more_starts_follow_an_optimum_that_one_reached(ends, value, agree, tried):
    search, keys = search_of(*ends)
    result, reached, starts = _best_of(search, 8, KEY)
    assert (float(result.value), reached, starts, len(keys)) == (value, agree, tried, len(ends))
    assert len({tuple(jax.random.key_data(key).tolist()) for key in keys}) == len(keys)
    once = ", and an optimum found once may not be the best"
    message = f"converged: {agree} of {tried} starts reached the best optimum"
    assert _outcome(result, (), reached, starts) == message + (once if agree == 1 else "")


def test_a_single_start_that_was_asked_for_stays_one():
    search, keys = search_of((1.0, 1))
    result, reached, starts = _best_of(search, 1, KEY)
    assert (reached, starts, len(keys)) == (1, 1, 1)
    assert _outcome(result, (), reached, starts) == "converged: 1 of 1 starts reached the best optimum"


@t2.law
class Waves(t2.Law):
    """Losses that wave with log N, so that every phase speed near a multiple is an optimum of its own."""

    speed: Scalar = t2.param(Normal(0.0, 200.0), unit="1", doc="waves per unit of log N")

    def __call__(self, N):
        return 3 + jax.numpy.sin(self.speed * jax.numpy.log(N / 1e7))


def test_a_law_of_many_optima_says_so_and_compiles_nothing_more():
    """Two starts among hundreds of optima hardly ever agree; eight starts then were taken, by one program."""
    params = np.geomspace(1e7, 1e9, 40)
    loss = 3 + np.sin(77.0 * np.log(params / 1e7)) + 0.1 * np.cos(np.arange(40.0) ** 2)
    table = t2.Table.from_columns(params=params, tokens=1e10, loss=loss)
    fits = [t2.fit(Waves, table, key=jax.random.key(0), starts=2)]
    with count_compilations() as compiled:
        fits += [t2.fit(Waves, table, key=jax.random.key(seed), starts=2) for seed in range(1, 6)]
        assert compiled() <= 1  # fold_in, where the first fit needed none
    lone = [fit for fit in fits if "an optimum found once may not be the best" in fit.status]
    assert lone and all(fit.starts == 8 and fit.agreement == 1 / 8 for fit in lone)
