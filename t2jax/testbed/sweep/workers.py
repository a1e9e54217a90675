"""A sweep's runs spread over processes, one core each: small models do not fill more."""

import fcntl
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing.connection import Connection

from t2jax.testbed.sweep.grid import Run
from t2jax.testbed.sweep.sweep import Sweep

ONE_CORE = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def sweep_all(sweep: Sweep, workers: int | None, show: Callable[[int], object] = lambda _: None) -> None:
    """Train every unfinished cell of a sweep; `show` is told how many are finished whenever that changes.

    workers: processes, each on one core; None is one for every core; 0 trains in this process on whatever devices JAX
    sees, which is the way for a GPU, a TPU or several of them. A worker that finds a run in another's hands waits for
    it, and ends with the process that started it.
    """
    unfinished = [run for run in sweep.runs() if not all(sweep.finished(run, cell) for cell in run.cells)]
    if workers == 0:
        for run in unfinished:
            _work(sweep, run, lambda: show(sweep.count()))
        return
    flags, os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS"), ONE_CORE
    spawn = multiprocessing.get_context("spawn")
    theirs, ours = spawn.Pipe(duplex=False)
    pool = ProcessPoolExecutor(workers or os.cpu_count() or 1, spawn, _follow, (theirs,))
    try:
        futures = [pool.submit(_work, sweep, run) for run in unfinished]
        _watch(sweep, futures, show)
    except BaseException:
        ours.close()  # ends the workers at once
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        ours.close()
        theirs.close()
        os.environ.pop("XLA_FLAGS")
        if flags is not None:
            os.environ["XLA_FLAGS"] = flags


def _watch(sweep: Sweep, futures: list[Future], show: Callable[[int], object]) -> None:
    while True:
        done, waiting = wait(futures, timeout=1.0)
        show(sweep.count())
        for future in done:
            future.result()
        if not waiting:
            return


def _work(sweep: Sweep, run: Run, kept: Callable[[], object] = lambda: None) -> None:
    with _held(sweep, run):
        for _ in sweep.go(run):
            kept()


@contextmanager
def _held(sweep: Sweep, run: Run) -> Iterator[None]:
    """A lock on a run that the system takes back from a process that dies, however it dies."""
    path = sweep.folder / "locks" / run.label
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _follow(leash: Connection) -> None:
    """Let this process end when the one that started it lets go of the other end, or ends itself, SIGKILL included."""

    def watch() -> None:
        leash.poll(None)  # nothing is ever sent
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
