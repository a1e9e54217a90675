"""Programs in files give the same numbers without being traced again, and are left alone where they may not apply."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.distributions import Normal, TruncatedNormal

import t2jax as t2
from t2jax.fitting.bootstrap import _resampled
from t2jax.fitting.fit import _solve
from t2jax.laws import T2Loss
from t2jax.numerics.programs.stored_programs import StoredProgram, store_programs
from t2jax.typing import Scalar

traces = []


def solve(law, matrix):
    """A program with linear algebra, which counts how often it is traced."""
    traces.append(1)
    return {"x": jnp.linalg.solve(matrix, matrix[0] * law.E), "count": matrix.shape[0]}


@t2.law
class Flat(t2.Law):
    """A law of another package."""

    E: Scalar = t2.param(Normal(0.0, 1.0), unit="nats", doc="constant")

    def __call__(self, N):
        return self.E + 0 * N


@pytest.fixture
def folder(tmp_path):
    store_programs(tmp_path)
    traces.clear()
    yield tmp_path
    store_programs(None)


LAW = t2.laws.Chinchilla(E=2.0, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
MATRIX = np.array([[2.0, 1.0], [1.0, 3.0]])


def test_a_stored_program_is_not_traced_again(folder):
    first = StoredProgram(solve)(LAW, MATRIX)
    (path,) = folder.iterdir()
    second = StoredProgram(solve)(LAW, 2 * MATRIX)
    assert len(traces) == 1
    np.testing.assert_allclose(first["x"], 2 * np.linalg.solve(MATRIX, MATRIX[0]), rtol=1e-6)
    np.testing.assert_allclose(second["x"], first["x"], rtol=1e-6)
    assert second["count"] == 2
    path.write_bytes(path.read_bytes()[:100])  # a file that was cut off
    np.testing.assert_array_equal(StoredProgram(solve)(LAW, MATRIX)["x"], first["x"])


def test_other_shapes_and_precisions_have_other_programs(folder):
    program = StoredProgram(solve)
    program(LAW, np.eye(3))
    with jax.enable_x64(True):
        assert program(LAW, MATRIX)["x"].dtype == np.float64
    assert len(list(folder.iterdir())) == 2


def scaled(values, *, factor, prior):
    del prior
    return factor * values["x"]


def test_programs_differ_by_what_is_no_array(folder):
    """Settings and constants are in the key, and a distribution is known by its numbers."""
    program = StoredProgram(scaled, settings=("factor", "prior"))
    for factor, prior in ((2.0, Normal(0.0, 1.0)), (3.0, Normal(0.0, 1.0)), (3.0, Normal(0.0, 2.0))):
        assert float(program({"x": np.ones(())}, factor=factor, prior=prior)) == factor
    assert len(list(folder.iterdir())) == 3
    # made from another distribution, which its numbers do not tell; and a class that no module has
    for prior in (TruncatedNormal(low=0.0), T2Loss.on(t2.laws.Kaplan)):
        assert float(program({"x": np.ones(())}, factor=3.0, prior=prior)) == 3.0
    assert len(list(folder.iterdir())) == 3


def test_a_fit_and_its_bootstrap_come_from_files_with_the_same_numbers(folder):
    """On one core, the same program gives the same digits however it came here."""
    params, tokens = (leaf.ravel() for leaf in np.meshgrid([1e7, 1e8, 1e9], [1e9, 1e10, 1e11]))
    errors = 1e-3 * np.random.default_rng(0).normal(size=9)
    table = t2.Table.from_columns(params=params, tokens=tokens, loss=LAW(params, tokens) * np.exp(errors))

    def fitted():
        fit = t2.fit(t2.laws.Chinchilla, table, key=jax.random.key(0), starts=1)
        boot = t2.bootstrap(fit, table, draws=4, key=jax.random.key(1))
        return [*fit.law.values().values(), fit.objective, *boot.laws.alpha]

    traced = fitted()
    assert len(list(folder.iterdir())) == 2
    for program in (_solve, _resampled):
        program.programs.clear()
    np.testing.assert_allclose(fitted(), traced, rtol=1e-9)
    np.testing.assert_allclose(traced[:5], [*LAW.values().values()], rtol=0.2)


def test_laws_of_others_and_traced_arguments_are_not_stored(folder):
    program = StoredProgram(solve)
    np.testing.assert_allclose(program(Flat(E=2.0), MATRIX)["x"], [2.0, 0.0], atol=1e-6)
    slope = jax.grad(lambda E: program(Flat(E=E), MATRIX)["x"][0])(2.0)
    assert float(slope) == pytest.approx(1.0, rel=1e-6) and not list(folder.iterdir())
