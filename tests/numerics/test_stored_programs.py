"""Programs in files give the same numbers without being traced again, and are left alone where they may not apply."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.distributions import Normal

import t2jax as t2
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


def test_laws_of_others_and_traced_arguments_are_not_stored(folder):
    program = StoredProgram(solve)
    np.testing.assert_allclose(program(Flat(E=2.0), MATRIX)["x"], [2.0, 0.0], atol=1e-6)
    slope = jax.grad(lambda E: program(Flat(E=E), MATRIX)["x"][0])(2.0)
    assert float(slope) == pytest.approx(1.0, rel=1e-6) and not list(folder.iterdir())
