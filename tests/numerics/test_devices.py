"""Results do not depend on the devices over which they are spread: virtual ones, and those of two processes."""

import os
import socket
import subprocess
import sys

import numpy as np
import pytest

SETUP = """
import sys
import jax, numpy as np
import t2jax as t2

jax.config.update("jax_numpy_rank_promotion", "raise")
rng = np.random.default_rng(0)
n, d = np.logspace(7, 10, 30), np.logspace(9, 11, 30)[rng.permutation(30)]
loss = (1.8 + 480 / n**0.35 + 2100 / d**0.37) * np.exp(0.01 * rng.normal(size=30))
runs = t2.Table.from_columns(params=n, tokens=d, loss=loss)
FIXED = {"E": 1.8, "A": 480.0, "B": 2100.0}

def results(fit):
    draws = t2.bootstrap(fit, runs, draws=40, key=jax.random.key(1)).laws
    again = t2.parametric_bootstrap(fit, runs, draws=40, key=jax.random.key(2)).laws
    plans = t2.frontier(draws, t2.Budget(train=np.logspace(19, 23, 30)))
    return {"draws": draws.alpha, "again": again.beta, "plans": plans.params}
"""
DEVICES = (
    SETUP
    + """
from jax.sharding import AxisType
fit = t2.fit(t2.laws.Chinchilla, runs, key=jax.random.key(0), fixed=FIXED)
answers = {}
for size in (1, 2, 8):
    with jax.set_mesh(jax.make_mesh((size,), ("x",), (AxisType.Auto,), devices=jax.devices()[:size])):
        starts = t2.fit(t2.laws.Chinchilla, runs, key=jax.random.key(0), fixed=FIXED).law.alpha
        answers |= {f"{name} {size}": value for name, value in (results(fit) | {"fit": starts}).items()}
answers |= {f"{name} all": value for name, value in results(fit).items()}
with jax.set_mesh(jax.make_mesh((2, 4), ("x", "y"), (AxisType.Auto,) * 2)):
    answers |= {f"{name} grid": value for name, value in results(fit).items()}
with jax.set_mesh(jax.make_mesh((2,), ("x",), (AxisType.Explicit,), devices=jax.devices()[:2])):
    try:
        t2.fit(t2.laws.Chinchilla, runs, key=jax.random.key(0), fixed=FIXED)
    except ValueError as error:
        answers["explicit"] = str(error)
np.savez(sys.argv[1], devices=jax.device_count(), **answers)
"""
)
PROCESSES = (
    """
import os, sys
import jax
jax.distributed.initialize(sys.argv[2], num_processes=2, process_id=int(sys.argv[3]))
"""
    + SETUP
    + """
fit = t2.fit(t2.laws.Chinchilla, runs, key=jax.random.key(0), fixed=FIXED)
np.savez(sys.argv[1], devices=jax.device_count(), fit=fit.law.alpha, **results(fit))
"""
)


@pytest.fixture
def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return listener.getsockname()[1]


def test_results_are_equal_on_1_2_and_8_devices(tmp_path):
    flags = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
    file = tmp_path / "answers.npz"
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    subprocess.run([sys.executable, "-c", DEVICES, str(file)], env=environment, check=True)
    answers = dict(np.load(file, allow_pickle=False))
    assert answers.pop("devices") == 8
    assert "jax.make_mesh(..., axis_types=(jax.sharding.AxisType.Auto,) * 1)" in str(answers.pop("explicit"))
    assert len(answers) == 4 * 3 + 2 * 3
    for name, answer in answers.items():
        np.testing.assert_allclose(answer, answers[f"{name.split()[0]} 1"], rtol=1e-12, err_msg=name)


def test_two_processes_give_the_results_of_one(tmp_path, free_port):
    files = [tmp_path / f"{i}.npz" for i in range(2)]
    pair = [
        subprocess.Popen([sys.executable, "-c", PROCESSES, str(file), f"localhost:{free_port}", str(i)])
        for i, file in enumerate(files)
    ]
    assert [process.wait(timeout=300) for process in pair] == [0, 0]
    first, second = (dict(np.load(file, allow_pickle=False)) for file in files)
    assert first["devices"] == second["devices"] == 2
    alone: dict = {"sys": sys}
    exec(SETUP, alone)
    t2, jax = alone["t2"], alone["jax"]
    fit = t2.fit(t2.laws.Chinchilla, alone["runs"], key=jax.random.key(0), fixed=alone["FIXED"])
    expected = {"fit": fit.law.alpha, **alone["results"](fit)}
    for name, value in expected.items():
        np.testing.assert_array_equal(first[name], second[name])
        np.testing.assert_allclose(first[name], value, rtol=1e-12, err_msg=name)
