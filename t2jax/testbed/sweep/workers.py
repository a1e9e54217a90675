"""Parallel training of a sweep's runs in processes of one core each, since small models do not fill more."""

import fcntl
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing.connection import Connection

import jax

from t2jax.testbed.sweep.grid import Cell, Run
from t2jax.testbed.sweep.sweep import Sweep

CACHE = "jax_compilation_cache_dir"
ONE_CORE = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def sweep_all(sweep: Sweep, workers: int | None, show: Callable[[int], object] = lambda _: None) -> None:
    """Trains every unfinished cell of a sweep, and then measures what follows the runs.

    Cells are trained seed by seed from the smallest budget to the largest, and runs are followed after all cells of
    their seed. What an interrupted sweep has finished are thus whole isoFLOP groups. A worker waits for a run that
    another worker trains, and ends with the process that started it.

    Args:
        sweep: The sweep.
        workers: Number of processes with one core each; None is one per core.
            0 trains in this process on all devices that JAX has, as for a GPU, a TPU or several of them.
        show: Function that gets the number of finished cells whenever it changes.
    """
    jobs = _jobs(sweep)
    if workers == 0:
        for run, cell in jobs:
            _work(sweep, run, cell)
            if cell:
                show(sweep.count())
        return
    before = {name: os.environ.get(name) for name in ("XLA_FLAGS", CACHE.upper())}
    os.environ["XLA_FLAGS"] = ONE_CORE
    if folder := getattr(jax.config, CACHE):
        os.environ[CACHE.upper()] = folder  # one worker compiles for all
    spawn = multiprocessing.get_context("spawn")
    child_end, parent_end = spawn.Pipe(duplex=False)
    pool = ProcessPoolExecutor(workers or os.cpu_count() or 1, spawn, _exit_with_parent, (child_end,))
    try:
        futures = [pool.submit(_work, sweep, run, cell) for run, cell in jobs]
        _watch(sweep, futures, show)
    except BaseException:
        parent_end.close()  # ends the workers at once
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        parent_end.close()
        child_end.close()
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _watch(sweep: Sweep, futures: list[Future], show: Callable[[int], object]) -> None:
    while True:
        done, waiting = wait(futures, timeout=1.0)
        show(sweep.count())
        for future in done:
            future.result()
        if not waiting:
            return


def _jobs(sweep: Sweep) -> list[tuple[Run, Cell | None]]:
    """Lists the unfinished cells, and each run that is not complete with None, in the order of `sweep_all`."""
    unfinished = [run for run in sweep.runs() if not sweep.complete(run)]
    jobs: list[tuple[Run, Cell | None]] = []
    for seed in dict.fromkeys(run.seed for run in unfinished):
        runs = [run for run in unfinished if run.seed == seed]
        cells = [(run, cell) for run in runs for cell in run.cells if not sweep.finished(run, cell)]
        jobs += [*sorted(cells, key=lambda pair: pair[1].budget), *((run, None) for run in runs)]
    return jobs


def _work(sweep: Sweep, run: Run, cell: Cell | None) -> None:
    with _locked(sweep, run):
        if cell is None:
            sweep.follow(run)
        else:
            sweep.train(run, cell)


@contextmanager
def _locked(sweep: Sweep, run: Run) -> Iterator[None]:
    """Locks a run; the system releases the lock when the process ends in any way."""
    path = sweep.folder / "locks" / run.label
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _exit_with_parent(leash: Connection) -> None:
    """Ends this process when its parent closes the other end of the pipe or ends, even by SIGKILL."""

    def watch() -> None:
        leash.poll(None)  # nothing is ever sent
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
