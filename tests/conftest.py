"""Settings of every test: no silent rank promotion, and no global 64-bit mode (float64 must not depend on it)."""

import gc
import os
import tempfile
from pathlib import Path

import jax
import matplotlib
import pytest

from t2jax.cli import FEW_COLLECTIONS, flags_for_fast_compilation

jax.config.update("jax_numpy_rank_promotion", "raise")
matplotlib.use("Agg")
pytest.register_assert_rewrite("tests.helpers")  # failures there show values too
MAPPINGS = 45_000  # of the 65,530 that Linux allows a process; every compiled program takes some


def pytest_configure(config):
    """Settings of workers and of commands that tests start, which have the environment of this process."""
    gc.set_threshold(*FEW_COLLECTIONS)
    os.environ.setdefault("XLA_FLAGS", " ".join(flags_of_tests()))
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as every core has a worker
    # what one process has compiled is there for all, and gone with the run
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="t2jax-compiled-")
        config.add_cleanup(folder.cleanup)
        os.environ["JAX_COMPILATION_CACHE_DIR"] = folder.name  # workers are started with it
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.3"
        jax.config.update("jax_compilation_cache_dir", folder.name)


def flags_of_tests() -> list[str]:
    """XLA's flags for tests, which compile more than they compute; JAX reads them when it makes the first array.

    The small modes of experiments have the same flags, and so find what other tests have compiled. Commands, notebooks
    and benchmarks outside pytest compile as users do.
    """
    one_thread = "--xla_cpu_multi_thread_eigen=false"  # as every core has a worker
    faster = flags_for_fast_compilation()
    # parts of a program for several threads to compile cost a sixth more; jaxlib's versions differ in their flags
    in_one_part = ["--xla_cpu_parallel_codegen_split_count=1"] if faster else []
    return [one_thread, "--xla_backend_optimization_level=0", *faster, *in_one_part]


@pytest.fixture
def settings_alone(monkeypatch):
    """Commands in this process leave its JAX settings alone."""
    from t2jax import cli

    monkeypatch.setattr(cli, "keep_compiled", lambda: None)


@pytest.fixture(scope="module", autouse=True)
def programs_within_limits():
    """Forget compiled programs between modules before their number is more than the kernel can map."""
    yield
    _keep_within_limits()


@pytest.fixture(autouse=True)
def long_tests_within_limits(request):
    """The same after each test that takes long and each experiment, as some compile for every law."""
    yield
    if request.node.get_closest_marker("long") or request.node.get_closest_marker("tiny"):
        _keep_within_limits()


def _keep_within_limits() -> None:
    maps = Path("/proc/self/maps")
    if maps.exists() and len(maps.read_bytes().splitlines()) > MAPPINGS:
        jax.clear_caches()
