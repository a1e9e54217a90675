"""Mistakes in a law that somebody has just written: each is told in one sentence that names it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.distributions import LogNormal

import t2jax as t2
from t2jax.laws.pass_at_k.power_law_k import PowerLawK
from t2jax.typing import Scalar

KEY = jax.random.key(0)
TABLE = t2.Table.from_columns(params=[1e7, 1e8, 1e9], tokens=[1e9, 1e10, 1e11], loss=[3.0, 2.5, 2.2])


def user_law(name: str, call: Any) -> type[t2.Law]:
    """A law as a user may write it, with one mistake in its `__call__`."""

    class Mine(t2.Law):
        E: Scalar = t2.param(LogNormal(0.0, 1.0), unit="nats", doc="irreducible loss")
        alpha: Scalar = t2.param(LogNormal(-1.0, 0.5), unit="1", doc="size exponent")

    Mine.__call__, Mine.__name__ = call, name
    return t2.law(Mine)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda self, N, D: self.E, r"Mine\(N, D\) gives shape \(\) for 4 rows, expected \(4,\): one number per row"),
        (lambda self, N, D: (N**-self.alpha)[:, None], r"gives shape \(4, 1\) for 4 rows"),
        (lambda self, N, D: (N, D), "gives tuple, expected one array"),
        (lambda self, N, D: N + 1j, "gives complex128, expected real numbers"),
        (lambda self, N, D: self.E + np.log(N), r"Mine\(N, D\) cannot be compiled: .* use jax.numpy"),
        (lambda self, N, D: self.E if N[0] > 1 else N, r"Mine\(N, D\) cannot be compiled: .* use jax.numpy"),
        (
            lambda self, N, D: self.E + jnp.squeeze(N)[:, None].mean(axis=1),
            r"Mine\(N, D\) fails on a table of one row: ",
        ),
        (lambda self, N, D: self.E * N**-self.beta, "fails on columns of 4 rows: Mine has no attribute 'beta'"),
    ],
)
def test_a_mistake_in_a_law_is_named(call, message):
    with pytest.raises(TypeError, match=message):
        t2.fit(user_law("Mine", call), TABLE, key=KEY)


@pytest.mark.parametrize(
    "call",
    [
        lambda self, N, D: self.E + (N / jnp.mean(N)) ** -self.alpha,
        lambda self, N, D: self.E + (N / jnp.min(N)) ** -self.alpha,
        lambda self, N, D: self.E + (N / N[0]) ** -self.alpha,
        lambda self, N, D: self.E + jnp.cumsum(N) ** -self.alpha,
        lambda self, N, D: self.E + jnp.sort(D) ** -self.alpha,
        lambda self, N, D: (D / N / jnp.mean(D / N)) ** -self.alpha,
        lambda self, N, D: (N - jnp.mean(N)) / jnp.std(N),  # NaN alone
        lambda self, N, D: jnp.exp(N) * 1e-300 / jnp.mean(N),  # infinite but near one
    ],
)
def test_a_law_that_reads_other_rows_is_refused(call):
    with pytest.raises(TypeError, match=r"Mine\(N, D\) gives a row another value when other rows are"):
        t2.fit(user_law("Mine", call), TABLE, key=KEY)


def test_parameters_of_shape_one_are_no_mistake():
    """A parameter is an array in `__call__`, so its methods work there."""
    law = user_law("Mine", lambda self, N, D: self.E.reshape(1) + N**-self.alpha)
    exact = 1.5 + np.array([1e7, 1e8, 1e9]) ** -0.1
    fit = t2.fit(law, t2.Table.from_columns(params=[1e7, 1e8, 1e9], tokens=1e10, loss=exact), key=KEY)
    np.testing.assert_allclose([fit.law.E, fit.law.alpha], [1.5, 0.1], rtol=1e-6)


def test_what_is_no_law_yet_is_named():
    """The decorator forgotten, an annotation forgotten, values without a logarithm."""

    class Plain(t2.Law):
        E: Scalar = t2.param(LogNormal(0.0, 1.0), unit="nats", doc="irreducible loss")

    with pytest.raises(TypeError, match=r"Plain is not decorated: write @t2.law above its class"):
        t2.fit(Plain, TABLE, key=KEY)
    with pytest.raises(TypeError, match=r"Bare.E has no annotation: write E: Scalar = t2.param"):

        @t2.law
        class Bare(t2.Law):
            E = t2.param(LogNormal(0.0, 1.0), unit="nats", doc="irreducible loss")

    fit = t2.fit(user_law("Below", lambda self, N, D: -self.E - N**-self.alpha), TABLE, key=KEY)
    assert (
        not fit.converged and "; Below is -1." in fit.status and "at row 0 (params=1e+07, tokens=1e+09)" in fit.status
    )


def test_a_law_of_one_run_refuses_several():
    several = t2.Table.from_columns(params=[1e8, 1e8, 2e8], tokens=1e10, samples=[1.0, 2.0, 1.0], neg_log_pass=1.0)
    with pytest.raises(
        t2.TableError,
        match=r"PowerLawK reads samples, in which no two runs differ, .* and the table has 2",
    ):
        t2.fit(PowerLawK, several, key=KEY)


def test_a_column_that_only_the_law_knows():
    law = user_law("Deep", lambda self, N, depth: self.E + depth * N**-self.alpha)
    with pytest.raises(t2.TableError, match="column 'depth', needed by Deep, is missing; columns there: 'params', "):
        t2.fit(law, TABLE, key=KEY)
    with pytest.raises(ValueError, match="does not read N and D, so it has no optimum; its inputs are N, depth"):
        t2.allocate(law(E=1.0, alpha=0.3), t2.Budget(train=1e20))
    law = user_law("Deep", lambda self, N, D, depth: self.E + depth * N**-self.alpha + 1 / D)
    with pytest.raises(ValueError, match="choose N, D and k, but Deep reads depth too: its inputs are N, D, depth"):
        t2.allocate(law(E=1.0, alpha=0.3), t2.Budget(train=1e20))


def test_a_law_that_is_no_number_is_told_not_raised():
    fit = t2.fit(user_law("Mine", lambda self, N, D: self.E + jnp.where(N > 5e7, jnp.nan, 1.0)), TABLE, key=KEY)
    message = "failed: the objective was not finite from any start; Mine is nan at row 1 (params=1e+08, tokens=1e+10) "
    assert (
        not fit.converged
        and fit.status.startswith(message)
        and "with E=1, " in fit.status
        and fit.status.endswith("at 2 of 3 rows")
    )
    # its value is finite, and so is its slope, but not the derivative of that
    call = lambda self, N, D: self.E + jnp.where(self.alpha > 0, N**-self.alpha, jnp.sqrt(0.0 * self.alpha))  # noqa: E731
    fit = t2.fit(user_law("Mine", call), TABLE, key=KEY)
    assert not fit.converged
    assert fit.status.startswith("not converged: the derivatives of Mine in alpha are not finite; ")


def test_a_law_of_compute_alone():
    """Its runs differ in the column that it reads. Exact losses give back E, A and alpha."""
    flops = np.geomspace(1e17, 1e22, 14)
    size = np.sqrt(flops / 6)
    rows = t2.Table.from_columns(params=size, tokens=size, compute=flops, loss=1.75 + 60 * flops**-0.09)

    @t2.law
    class OfCompute(t2.Law):
        E: Scalar = t2.param(LogNormal(0.5, 0.5), unit="nats/token", doc="irreducible loss")
        A: Scalar = t2.coefficient(LogNormal(4.0, 2.0), unit="nats", doc="compute term", of="compute", exponent="alpha")
        alpha: Scalar = t2.param(LogNormal(-2.0, 0.7), unit="1", doc="compute exponent")

        def __call__(self, compute):
            return self.E + self.A * compute**-self.alpha

    result = t2.fit(OfCompute, rows, key=KEY)
    assert result.converged
    np.testing.assert_allclose([result.law.E, result.law.A, result.law.alpha], [1.75, 60.0, 0.09], rtol=1e-6)
    alike = rows.with_columns(compute=1e20, model=[f"m{i}" for i in range(14)])
    with pytest.raises(t2.TableError, match=r"OfCompute reads compute, in which no two runs differ, .* has 14"):
        t2.fit(OfCompute, alike, key=KEY)


def test_text_in_a_column_that_the_law_reads():
    law = user_law("Deep", lambda self, N, depth: self.E + depth * N**-self.alpha)
    size = np.geomspace(1e7, 1e10, 12)
    rows = t2.Table.from_columns(params=size, tokens=1e11, depth=8.0, loss=1.5 + 8 * size**-0.1)
    text = rows.with_columns(depth=["many", *["8"] * 11])
    expected = "row 0, column 'depth': found 'many', expected a number, for Deep"
    for call in (
        lambda: t2.fit(law, text, key=KEY),
        lambda: t2.sample(law, text, key=KEY),
        lambda: t2.predict(law(E=1.0, alpha=0.3), text),
        lambda: t2.bootstrap(t2.fit(law, rows, key=KEY), text, draws=4, key=KEY),
    ):
        with pytest.raises(t2.TableError, match=expected):
            call()
