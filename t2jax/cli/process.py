"""What a command does as a process: interrupts, broken pipes, warnings and errors, each told in one sentence or not."""

import json
import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType
from typing import Any, NoReturn

INTERRUPTED = 130
FAILED = 1


def as_process(command: Callable[[Sequence[str]], int], args: Sequence[str]) -> int:
    """Run a command as the whole of a process, and return its exit status.

    An interrupt is noted as well as raised, for the callbacks of libraries swallow what is raised in them. A reader
    that has seen enough, as `head` has, ends the process quietly.
    """
    interrupts: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        del frame
        interrupts.append(number)
        raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as a parent in the background may want it
        signal.signal(signal.SIGINT, interrupt)
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


def leave_quietly() -> NoReturn:
    """End a process whose output nobody reads any more, without another word, as a signal would have ended it."""
    # what is left in the buffer of stdout would be written at exit, and fail once more
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.stderr.flush()
    os._exit(128 + signal.SIGPIPE)


def guarded(work: Callable[[], int], args: Sequence[str]) -> int:
    """The exit status of `work`, whose errors become one sentence on stderr, and with --json an object on stdout too.

    A ValueError of a library below t2jax keeps its traceback, for its text is not for users.
    """
    try:
        return work()
    except KeyboardInterrupt as stop:
        return _told("interrupted", stop, INTERRUPTED, args)
    except BrokenPipeError:
        raise
    except OSError as error:
        return _told(f"{error.filename}: {error.strerror}" if error.filename else error, error, FAILED, args)
    except ValueError as error:
        if not _raised_here(error.__traceback__):
            raise
        return _told(error, error, FAILED, args)


def show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """A warning as one sentence on stderr; those of libraries about numbers on the way are left out."""
    if issubclass(category, UserWarning):
        print(f"t2jax: {message}", file=sys.stderr)


def _told(what: object, error: BaseException, status: int, args: Sequence[str]) -> int:
    """Say what went wrong, and what was noted on the way about the results there are; returns the status."""
    said = "; ".join(map(str, (what, *getattr(error, "__notes__", ()))))
    print(f"t2jax: {said}", file=sys.stderr)
    if "--json" in args:
        print(json.dumps({"error": said}, ensure_ascii=False))
    return status


def _raised_here(traceback: TracebackType | None) -> bool:
    """Whether an error was raised by t2jax itself, whose messages are for users, and not by a library below it."""
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback is not None and str(traceback.tb_frame.f_globals.get("__name__", "")).startswith("t2jax")
