"""Errors and warnings of a command: one sentence on stderr, and with --json an object on stdout."""

import json
import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from t2jax.cli.process.wording import in_option_names

INTERRUPTED = 130
FAILED = 1
LAW_CHECKS = ("t2jax.laws.check", "t2jax.laws.base")
"""Modules whose TypeErrors tell the mistake in a law of the user's own."""


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
        module = _raised_in(error.__traceback__)
        if not module.startswith("t2jax"):
            raise
        text = str(error) if module.startswith("t2jax.cli") else in_option_names(str(error))
        return _report(text, error, FAILED, args)
    except TypeError as error:
        if _raised_in(error.__traceback__) not in LAW_CHECKS:
            raise
        return _report(error, error, FAILED, args)


def show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """Prints a warning as one sentence on stderr. Numerical warnings of libraries are dropped."""
    if issubclass(category, UserWarning):
        print(f"t2jax: {in_option_names(str(message))}", file=sys.stderr)


def _report(error_text: object, error: BaseException, status: int, args: Sequence[str]) -> int:
    """Prints an error with the notes about finished results and their answer, and returns the status."""
    sentence = "; ".join(map(str, (error_text, *getattr(error, "__notes__", ()))))
    print(f"t2jax: {sentence}", file=sys.stderr)
    if "--json" in args:
        answer = {"error": sentence, **getattr(error, "answer", {})}
        print(json.dumps(answer, ensure_ascii=False, allow_nan=False))
    return status


def _raised_in(traceback: TracebackType | None) -> str:
    """Returns the module that raised an error. The messages of t2jax's own modules are meant for users."""
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return "" if traceback is None else str(traceback.tb_frame.f_globals.get("__name__", ""))
