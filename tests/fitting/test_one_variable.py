"""Curves of one variable: the sum of the other terms is determined, and its terms are not."""

import jax
import numpy as np
import pytest

import t2jax as t2

TRUE = t2.laws.Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
RANGE = np.geomspace(1e8, 1e11, 12)


@pytest.mark.parametrize(
    ("curve", "terms", "expected", "determined"),
    [
        ({"params": 1e8, "tokens": RANGE}, "E + A/N^alpha", 1.8 + 480.0 * 1e8**-0.35, {"B": 2100.0, "beta": 0.37}),
        ({"params": RANGE, "tokens": 1e10}, "E + B/D^beta", 1.8 + 2100.0 * 1e10**-0.37, {"A": 480.0, "alpha": 0.35}),
    ],
)
def test_the_sum_is_reported_instead_of_its_terms(curve, terms, expected, determined):
    table = t2.Table.from_columns(**curve, loss=np.asarray(TRUE(curve["params"], curve["tokens"]), float))
    fit = t2.fit(t2.laws.Chinchilla, table, key=jax.random.key(0), starts=4)
    assert fit.converged and len(fit.undetermined) == 3
    (total,) = fit.sums
    assert total.terms == terms
    assert float(total.of(fit.law)) == pytest.approx(expected, rel=1e-6)
    for name, value in determined.items():
        assert fit.law.values()[name] == pytest.approx(value, rel=1e-5)
    laws = jax.tree.map(lambda leaf: np.array([leaf, leaf]), fit.law)
    np.testing.assert_allclose(total.of(laws), [expected, expected], rtol=1e-6)


def test_a_fit_that_determines_its_terms_has_no_sums():
    params, tokens = (x.ravel() for x in np.meshgrid(RANGE[::3], RANGE[::3]))
    table = t2.Table.from_columns(params=params, tokens=tokens, loss=np.asarray(TRUE(params, tokens), float))
    assert t2.fit(t2.laws.Chinchilla, table, key=jax.random.key(0), starts=2).sums == ()
