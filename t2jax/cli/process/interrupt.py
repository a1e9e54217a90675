"""Interrupts that keep what was finished before them."""

from typing import Any


class Interrupted(KeyboardInterrupt):
    """An interrupt, with what was finished.

    Attributes:
        finished: The part of the result that there is.
    """

    def __init__(self, finished: Any, stop: BaseException):
        super().__init__()
        self.finished = finished
        for note in getattr(stop, "__notes__", ()):
            self.add_note(note)
