"""Run of a command as a whole process, with interrupts at any time and closed pipes."""

import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NoReturn

from t2jax.cli.process.errors import INTERRUPTED, show_warning


def as_process(command: Callable[[Sequence[str]], int], args: Sequence[str]) -> int:
    """Runs a command as a whole process and returns its exit status.

    An interrupt is recorded as well as raised, because callbacks of libraries swallow exceptions. If a library reports
    a swallowed interrupt, as XLA does, the interrupt is raised again. A reader that closes the pipe early, as `head`
    does, ends the process quietly.
    """
    interrupts: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        del frame
        interrupts.append(number)
        raise KeyboardInterrupt

    if (
        signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    ):  # ignored if the parent asks for it, as for background jobs
        signal.signal(signal.SIGINT, interrupt)
    sys.unraisablehook = raise_interrupt_again
    warnings.showwarning = show_warning
    try:
        try:
            status = command(args)
        finally:
            sys.stdout.flush()  # also after --help, so that a broken pipe shows here and not at exit
    except KeyboardInterrupt:
        print("t2jax: interrupted", file=sys.stderr)
        status = INTERRUPTED
    except BrokenPipeError:
        leave_quietly()
    if interrupts and status != INTERRUPTED:
        print("t2jax: interrupted; the results are complete", file=sys.stderr)
        status = INTERRUPTED
    if status == INTERRUPTED:
        # XLA's threads may still compute, and crash when the interpreter shuts down
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


def raise_interrupt_again(swallowed: "sys.UnraisableHookArgs") -> None:
    """Raises an interrupt again, shortly after a callback has swallowed it. Other exceptions are reported as usual."""
    if not issubclass(swallowed.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(swallowed)
        return
    import threading  # rarely needed, and the callback must return first

    threading.Timer(0.05, signal.raise_signal, [signal.SIGINT]).start()


def leave_quietly() -> NoReturn:
    """Ends a process whose output has no reader, without a message, with the status of a SIGPIPE signal."""
    # the rest of the stdout buffer would be written at exit, and fail again
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.stderr.flush()
    os._exit(128 + signal.SIGPIPE)
