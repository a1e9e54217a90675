"""Settings of every test: no silent rank promotion, and no global 64-bit mode (float64 must not depend on it)."""

import os
import tempfile
from importlib.metadata import version
from pathlib import Path

# Tests compile more than they compute: programs that LLVM does not optimise are there in half the time. Commands,
# notebooks and benchmarks outside pytest compile as users do. One thread for each worker, as all cores have a worker.
FAST_TO_COMPILE = ["--xla_backend_optimization_level=0", "--xla_cpu_multi_thread_eigen=false"]
if version("jaxlib").startswith(
    "0.10."
):  # later versions do not know the flag, and end at a flag that they do not know
    FAST_TO_COMPILE.append("--xla_cpu_use_fusion_emitters=false")
os.environ.setdefault("XLA_FLAGS", " ".join(FAST_TO_COMPILE))  # read when JAX is imported
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import jax  # noqa: E402
import matplotlib  # noqa: E402
import pytest  # noqa: E402

jax.config.update("jax_numpy_rank_promotion", "raise")
matplotlib.use("Agg")
pytest.register_assert_rewrite("tests.helpers")  # failures there show values too
MAPPINGS = 45_000  # of the 65,530 that Linux allows a process; every compiled program takes some


def pytest_configure(config):
    """What one process has compiled is there for all: workers, and commands that tests start; gone with the run."""
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="t2jax-compiled-")
        config.add_cleanup(folder.cleanup)
        os.environ["JAX_COMPILATION_CACHE_DIR"] = folder.name  # workers are started with it
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.3"
        jax.config.update("jax_compilation_cache_dir", folder.name)


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
