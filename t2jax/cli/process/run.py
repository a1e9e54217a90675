"""A command as the whole of a process: interrupts at any time, and readers that go away."""

import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NoReturn

from t2jax.cli.process.errors import INTERRUPTED, show_warning


def as_process(command: Callable[[Sequence[str]], int], args: Sequence[str]) -> int:
    """Run a command as the whole of a process, and return its exit status.

    An interrupt is noted as well as raised, for the callbacks of libraries swallow what is raised in them; those of
    them that report so, as XLA's, have it raised again. A reader that has seen enough, as `head` has, ends the process
    quietly.
    """
    interrupts: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        del frame
        interrupts.append(number)
        raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as a parent in the background may want it
        signal.signal(signal.SIGINT, interrupt)
    sys.unraisablehook = again_outside
    warnings.showwarning = show_warning
    try:
        try:
            status = command(args)
        finally:
            sys.stdout.flush()  # of --help too, so that a broken pipe shows here and not at exit
    except KeyboardInterrupt:
        print("t2jax: interrupted", file=sys.stderr)
        status = INTERRUPTED
    except BrokenPipeError:
        leave_quietly()
    if interrupts and status != INTERRUPTED:
        print("t2jax: interrupted; the results are whole all the same", file=sys.stderr)
        status = INTERRUPTED
    if status == INTERRUPTED:
        # XLA's threads may still compute, and crash if the interpreter is taken down around them
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


def again_outside(swallowed: "sys.UnraisableHookArgs") -> None:
    """Interrupt once more, a moment after a callback has swallowed an interrupt; report other exceptions as usual."""
    if not issubclass(swallowed.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(swallowed)
        return
    import threading  # rarely needed, and here the callback is not yet over

    threading.Timer(0.05, signal.raise_signal, [signal.SIGINT]).start()


def leave_quietly() -> NoReturn:
    """End a process whose output nobody reads any more, without another word, as a signal would have ended it."""
    # what is left in the buffer of stdout would be written at exit, and fail once more
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.stderr.flush()
    os._exit(128 + signal.SIGPIPE)
