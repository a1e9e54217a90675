"""Derivatives through partial derivatives are those of plain automatic differentiation, of any order and way."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2jax.numerics.log_gamma_square import log_gamma_square
from t2jax.numerics.partials import with_derivatives


def plain(x, y):
    return jnp.exp(-x * y) * jnp.log1p(x * x)


GIVEN = (lambda x, y: (2 * x / (1 + x * x) - y * jnp.log1p(x * x)) * jnp.exp(-x * y), lambda x, y: -x * plain(x, y))


@pytest.mark.parametrize("derivatives", [None, GIVEN], ids=["differentiated", "given"])
@pytest.mark.parametrize("order", [jax.grad, jax.hessian, lambda f: jax.jacfwd(jax.hessian(f))], ids=["1", "2", "3"])
def test_derivatives_are_those_of_the_plain_function(derivatives, order):
    rows = np.linspace(0.2, 2.0, 5)
    wrapped = with_derivatives(plain, derivatives)

    def total(function):
        return lambda u: jnp.sum(function(u[0] * rows, u[1] + 0.1 * rows))

    with jax.enable_x64(True):
        point = jnp.array([0.7, 1.3])
        expected = order(total(plain))(point)
        np.testing.assert_allclose(order(total(wrapped))(point), expected, rtol=1e-12, atol=1e-14)
        batched = jax.jit(jax.vmap(order(total(wrapped))))(jnp.stack([point, point]))
        np.testing.assert_allclose(batched[1], expected, rtol=1e-12, atol=1e-14)


def test_numbers_that_are_not_differentiated_cost_no_derivative():
    """A constant argument may have a partial derivative that cannot be evaluated."""

    def fail(x, y):
        raise AssertionError("no derivative in y was asked for")

    wrapped = with_derivatives(plain, (GIVEN[0], fail))
    assert float(jax.grad(lambda x: wrapped(x, 2.0 * jnp.ones(())))(jnp.ones(()))) == pytest.approx(
        float(jax.grad(lambda x: plain(x, 2.0))(1.0)), rel=1e-5
    )


def test_third_derivatives_of_the_square_of_log_gamma():
    """Closed form: the third derivative in z is a difference of tetragammas, psi2(n) = -2 zeta(3, n)."""
    zeta3 = {1: 1.2020569031595942, 2: 0.2020569031595942, 3: 0.0770569031595942, 4: 0.0400198661225573}
    with jax.enable_x64(True):
        unit = jnp.ones(())
        third = jax.grad(jax.grad(jax.grad(lambda z: log_gamma_square(z, unit, 2 * unit))))(unit)
    expected = -2 * (zeta3[4] - zeta3[2] - zeta3[3] + zeta3[1])
    assert float(third) == pytest.approx(expected, rel=1e-10)
