"""Errors and warnings of a command: one sentence on stderr, and with --json an object on stdout."""

import json
import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

INTERRUPTED = 130
FAILED = 1


def guarded(work: Callable[[], int], args: Sequence[str]) -> int:
    """Returns the exit status of `work`, and reports its errors as one sentence on stderr.

    With --json the error is also an object on stdout. A ValueError of another library keeps its traceback, because its
    text is not meant for users.
    """
    try:
        return work()
    except KeyboardInterrupt as stop:
        return _report("interrupted", stop, INTERRUPTED, args)
    except BrokenPipeError:
        raise
    except OSError as error:
        return _report(f"{error.filename}: {error.strerror}" if error.filename else error, error, FAILED, args)
    except ValueError as error:
        if not _raised_by_t2jax(error.__traceback__):
            raise
        return _report(error, error, FAILED, args)


def show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """Prints a warning as one sentence on stderr. Numerical warnings of libraries are dropped."""
    if issubclass(category, UserWarning):
        print(f"t2jax: {message}", file=sys.stderr)


def _report(error_text: object, error: BaseException, status: int, args: Sequence[str]) -> int:
    """Prints an error with the notes about finished results, and returns the status."""
    sentence = "; ".join(map(str, (error_text, *getattr(error, "__notes__", ()))))
    print(f"t2jax: {sentence}", file=sys.stderr)
    if "--json" in args:
        print(json.dumps({"error": sentence}, ensure_ascii=False))
    return status


def _raised_by_t2jax(traceback: TracebackType | None) -> bool:
    """Returns whether t2jax itself raised an error, so that its message is meant for users."""
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback is not None and str(traceback.tb_frame.f_globals.get("__name__", "")).startswith("t2jax")
