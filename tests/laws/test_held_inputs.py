"""Laws with columns of their own, held at a value: the same numbers, and plans with a closed form."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.distributions import LogNormal

import t2jax as t2
from t2jax.laws.held_inputs import class_holding, held_values, own_inputs

PRIOR = LogNormal(0.0, 1.0)


@t2.law
class Experts(t2.Law):
    """L(N, D, experts) = E + (N experts^rho)^-0.3 + D^-0.3."""

    E: float = t2.param(PRIOR, unit="nats", doc="irreducible loss")
    rho: float = t2.param(PRIOR, unit="1", doc="worth of an expert")

    def __call__(self, N, D, experts):
        return self.E + (N * experts**self.rho) ** -0.3 + D**-0.3

    def cost(self, N, D, experts):
        return self(N, D, experts)  # by position


LAW = Experts(E=1.8, rho=0.5)


def test_a_held_law_has_the_same_numbers_by_position_and_by_name():
    law_of_16: Any = t2.laws.hold(LAW, experts=16.0)
    expected = 1.8 + (4e9) ** -0.3 + 1e11**-0.3
    assert float(law_of_16(1e9, 1e11, 16.0)) == pytest.approx(expected, rel=1e-6)
    assert float(law_of_16(1e9, 1e11)) == pytest.approx(expected, rel=1e-6)
    assert float(law_of_16.cost(N=1e9, D=1e11)) == pytest.approx(expected, rel=1e-6)
    assert float(law_of_16(N=1e9, D=1e11, experts=1.0)) == pytest.approx(1.8 + 1e9**-0.3 + 1e11**-0.3, rel=1e-6)
    assert law_of_16.values() == LAW.values() and type(law_of_16).inputs() == Experts.inputs() == ("N", "D", "experts")
    assert own_inputs(type(law_of_16)) == [] and own_inputs(Experts) == ["experts"]
    assert held_values(type(law_of_16)) == {"experts": 16.0} and held_values(Experts) == {}


def test_a_column_of_the_table_is_read_all_the_same():
    law_of_16 = t2.laws.hold(LAW, experts=16.0)
    rows = {"params": jnp.array([1e9]), "tokens": jnp.array([1e11])}
    assert law_of_16.predict(rows) == pytest.approx(law_of_16(1e9, 1e11, 16.0))
    assert law_of_16.predict(rows | {"experts": jnp.array([1.0])}) == pytest.approx(law_of_16(1e9, 1e11, 1.0))


def test_plans_of_a_law_and_of_draws_are_at_the_value():
    """N experts^rho = D at the optimum, because both terms are the same power."""
    draws = t2.laws.hold(Experts(E=np.full(2, 1.8), rho=np.array([0.5, 0.25])), experts=16.0)
    plans = t2.frontier(draws, t2.Budget(train=6e20))
    np.testing.assert_allclose(plans.params, np.sqrt(1e20 / np.array([4.0, 2.0])), rtol=1e-6)
    with pytest.raises(ValueError, match=r"Experts reads experts too: .* by t2\.laws\.hold\(law, experts=\.\.\.\)"):
        t2.allocate(LAW, t2.Budget(train=6e20))


def test_a_law_inside_another_holds_too():
    outer = t2.laws.T2Loss.on(Experts)
    law_of_16 = class_holding(outer, {"experts": 16.0})
    law = law_of_16(E=1.8, rho=0.5, G=0.8, gamma=0.35)
    assert float(law.loss(N=1e9, D=1e11)) == pytest.approx(1.8 + 4e9**-0.3 + 1e11**-0.3, rel=1e-6)
    assert float(law(N=1e9, D=1e11, k=4.0)) == pytest.approx(float(law.loss(N=1e9, D=1e11)) + 0.8 * 4**-0.35, rel=1e-6)


def test_the_same_class_is_made_once():
    assert class_holding(Experts, {"experts": 8.0}) is class_holding(Experts, {"experts": 8})
    assert class_holding(Experts, {}) is Experts


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"expert": 8.0}, "expert cannot be held, because Experts does not read it; Experts's own columns: experts"),
        ({"N": 1e9}, "N cannot be held, because plans choose it"),
        ({"experts": np.nan}, "experts cannot be held at nan, expected a finite number"),
    ],
)
def test_what_cannot_be_held(values, message):
    with pytest.raises(ValueError, match=message):
        t2.laws.hold(LAW, **values)
