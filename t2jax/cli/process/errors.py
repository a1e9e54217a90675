"""Errors and warnings of a command, each as one sentence on stderr, and with --json as an object on stdout."""

import json
import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

INTERRUPTED = 130
FAILED = 1


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
