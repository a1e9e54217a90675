"""A command that several hosts run together: one process prints and writes, the others only compute."""

import atexit
import ctypes
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

COUNTS = ("SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE")
"""Variables of launchers with the number of processes of one step: `srun` and Open MPI's `mpirun`."""


def launched_together(environment: Mapping[str, str]) -> bool:
    """Returns whether a launcher started this process as one of several, by its environment variables.

    On a TPU pod every host has the names of all.
    """
    counts = [environment.get(name, "1") for name in COUNTS]
    hosts = [name for name in environment.get("TPU_WORKER_HOSTNAMES", "").split(",") if name]
    return any(count.isdigit() and int(count) > 1 for count in counts) or len(hosts) > 1


def join_hosts(config: Any) -> Any:
    """Joins the processes of a launcher into one JAX program, and returns the config for this process.

    All processes compute the same results, with fits, draws and chains spread over all devices. The first process
    keeps its config; the others print nothing and write to a folder that is not kept.
    """
    if not launched_together(os.environ):
        return config
    import jax
    from jax.experimental.multihost_utils import sync_global_devices

    with _native_text_on_stderr():
        jax.distributed.initialize()
        sync_global_devices("t2jax")  # the first program over all devices, when they connect
    if jax.process_index() == 0:
        return config
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115, open as long as the process
    if not hasattr(config, "output"):
        return config
    folder = tempfile.TemporaryDirectory(prefix="t2jax-host-")
    atexit.register(folder.cleanup)
    return replace(config, output=replace(config.output, out=Path(folder.name)))


@contextmanager
def _native_text_on_stderr() -> Iterator[None]:
    """Sends what compiled libraries print to stderr, because stdout is for the result: Gloo tells its connections."""
    stdout = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        ctypes.CDLL(None).fflush(None)  # their buffers, before stdout is itself again
        os.dup2(stdout, 1)
        os.close(stdout)
