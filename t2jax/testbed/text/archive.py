"""A corpus as it is kept: tokens, questions, what they were made with, and a digest; one .npz file without pickles."""

import dataclasses
import hashlib
import json
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from t2jax.files import whole
from t2jax.testbed.text.questions import Questions
from t2jax.testbed.text.tokenizer import VOCABULARY, Tokenizer

__all__ = ["Corpus", "CorpusError", "Settings"]


class CorpusError(ValueError):
    """Text or a file is refused; the message names it, what was found and what was expected."""


@dataclass(frozen=True)
class Settings:
    """What a corpus is made with: plain numbers, for JSON.

    Attributes:
        context: tokens that a model sees; a question has at most one more.
        vocabulary: entries of the encoding.
        synthetic_share: share of the training tokens that comes from the made-up tasks, at least 0 and below 1.
        questions_per_task: number of questions of each task.
        held_out: share of the real documents that is kept from training.
        facts: number of facts that the made-up knowledge consists of.
    Raises: CorpusError for a number outside its range.
    """

    context: int = 64
    vocabulary: int = VOCABULARY
    synthetic_share: float = 0.3
    questions_per_task: int = 600
    held_out: float = 0.03
    facts: int = 7_500

    def __post_init__(self) -> None:
        for name in ("context", "vocabulary", "questions_per_task", "facts"):
            if not 1 <= getattr(self, name) <= 65_535:  # ids are uint16
                raise CorpusError(f"found {name}={getattr(self, name)}, expected a whole number from 1 to 65535")
        for name in ("synthetic_share", "held_out"):
            if not 0 < getattr(self, name) < 1:
                raise CorpusError(f"found {name}={getattr(self, name)}, expected a share above 0 and below 1")


@dataclass(frozen=True)
class Corpus:
    """Tokens to train on, tokens to validate on, and questions; documents follow each other, each begun by id 0.

    Attributes:
        train: (T,) uint16, real and made-up documents, shuffled.
        held_out: (V,) uint16, held-out documents of the real text.
        questions: of all tasks; those on real text come from held-out documents.
        settings: what it was made with.
        seed: the seed it was made with.
        tokenizer: the encoding, as JSON text for Tokenizer.
    """

    train: np.ndarray
    held_out: np.ndarray
    questions: Questions
    settings: Settings
    seed: int
    tokenizer: str

    @property
    def vocabulary(self) -> int:
        """Number of token ids."""
        return self.settings.vocabulary

    @cached_property
    def digest(self) -> str:
        """The sha256 of all arrays, settings, seed and encoding: equal digests mean the same corpus."""
        digest = hashlib.sha256(self._about().encode())
        for array in self._arrays().values():
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def decode(self, ids: np.ndarray) -> str:
        """The text of token ids (tokens,), separators left out."""
        return Tokenizer(self.tokenizer).decode(ids)

    def save(self, path: str | Path) -> None:
        """Write one .npz file, under another name until it is whole."""
        with whole(Path(path)) as unfinished, unfinished.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **self._arrays(), about=self._about(), digest=self.digest)

    @classmethod
    def load(cls, path: str | Path) -> "Corpus":
        """Read what `save` wrote. Raises: CorpusError where there is no such file, or it is another or was changed."""
        try:
            with Path(path).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                held = {name: file[name] for name in file.files}
            about = json.loads(str(held["about"]))
            corpus = cls(
                train=held["train"],
                held_out=held["held_out"],
                questions=Questions(tuple(about["tasks"]), held["task"], held["tokens"], held["answer"]),
                settings=Settings(**about["settings"]),
                seed=about["seed"],
                tokenizer=about["tokenizer"],
            )
            digest = str(held["digest"])
        except FileNotFoundError:
            raise CorpusError(f"{path}: there is no such file, expected a corpus that Corpus.save wrote") from None
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            cause = f"{type(error).__name__}: {error}"
            raise CorpusError(f"{path}: found another file ({cause}), expected one that Corpus.save wrote") from error
        if corpus.digest != digest:
            raise CorpusError(f"{path}: found digest {corpus.digest}, expected {digest}: its content was changed")
        return corpus

    def _about(self) -> str:
        told = {
            "settings": dataclasses.asdict(self.settings),
            "seed": self.seed,
            "tasks": self.questions.tasks,
            "tokenizer": self.tokenizer,
        }
        return json.dumps(told, sort_keys=True)

    def _arrays(self) -> dict[str, np.ndarray]:
        asked = self.questions
        streams = {"train": self.train, "held_out": self.held_out}
        return streams | {"task": asked.task, "tokens": asked.tokens, "answer": asked.answer}
