"""Corpora of tokens and questions with their settings and digest, each in one .npz file without pickles."""

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
    """Error for invalid text or files; the message names the file, the fault and the expectation."""


@dataclass(frozen=True)
class Settings:
    """Settings of a corpus as plain numbers, for JSON.

    Attributes:
        context: Tokens that a model sees; a question has at most one more.
        vocabulary: Entries of the encoding.
        synthetic_share: Share of synthetic tasks in the training tokens, above 0 and below 1.
        questions_per_task: Number of questions of each task.
        exercises_per_task: Number of documents of each tuned task, for fine-tuning.
        scored: Scored tokens of each question on text.
        held_out: Share of real documents that are excluded from training, above 0 and below 1.
        facts: Number of facts of the task `facts`.
        codes: Number of things with a code of the task `codes`; 0 leaves the task out.
        rules: Number of rules of the task `chains`.
        maps: Number of maps of the task `walks`; 0 leaves the task out.
        highest: Largest total of the task `sums`, from 19 to 99.

    Raises:
        CorpusError: A number is outside its range.
    """

    context: int = 64
    vocabulary: int = VOCABULARY
    synthetic_share: float = 0.3
    questions_per_task: int = 2_000
    exercises_per_task: int = 512
    scored: int = 4
    held_out: float = 0.08
    facts: int = 7_500
    codes: int = 0
    rules: int = 64
    maps: int = 4
    highest: int = 49

    def __post_init__(self) -> None:
        counted = ("context", "vocabulary", "questions_per_task", "exercises_per_task", "scored", "facts", "rules")
        for least, names in ((1, counted), (0, ("codes", "maps"))):  # a task that may be left out has 0
            for name in names:
                if not least <= getattr(self, name) <= 65_535:  # ids are uint16
                    setting = f"{name}={getattr(self, name)}"
                    raise CorpusError(f"found {setting}, expected a whole number from {least} to 65535")
        if not 19 <= self.highest <= 99:
            raise CorpusError(f"found highest={self.highest}, expected a whole number from 19 to 99")
        for name in ("synthetic_share", "held_out"):
            if not 0 < getattr(self, name) < 1:
                raise CorpusError(f"found {name}={getattr(self, name)}, expected a share above 0 and below 1")


@dataclass(frozen=True)
class Corpus:
    """Tokens for training and validation, and questions; each document begins with id 0.

    Attributes:
        train: Real and synthetic documents, shuffled; uint16 of shape (T,).
        held_out: Held-out documents of the real text; uint16 of shape (V,).
        questions: Questions of all tasks; questions on real text come from held-out documents.
        exercises: Documents for fine-tuning in the form of questions, with none of the questions' keys.
        settings: Settings of the corpus.
        seed: Seed of the corpus.
        tokenizer: The encoding, as JSON text for `Tokenizer`.
    """

    train: np.ndarray
    held_out: np.ndarray
    questions: Questions
    exercises: Questions
    settings: Settings
    seed: int
    tokenizer: str

    @property
    def vocabulary(self) -> int:
        """Number of token ids."""
        return self.settings.vocabulary

    @cached_property
    def digest(self) -> str:
        """The sha256 of all arrays, settings, seed and encoding; equal digests mean equal corpora."""
        digest = hashlib.sha256(self._about().encode())
        for array in self._arrays().values():
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def decode(self, ids: np.ndarray) -> str:
        """Decodes token ids (tokens,) to text without separators."""
        return Tokenizer(self.tokenizer).decode(ids)

    def save(self, path: str | Path) -> None:
        """Writes one .npz file, completely or not at all."""
        with whole(Path(path)) as unfinished, unfinished.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **self._arrays(), about=self._about(), digest=self.digest)

    @classmethod
    def load(cls, path: str | Path) -> "Corpus":
        """Reads a file of `save`; raises CorpusError if it is missing, different or changed."""
        try:
            with Path(path).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            about = json.loads(str(arrays["about"]))
            corpus = cls(
                train=arrays["train"],
                held_out=arrays["held_out"],
                questions=_questions(about["tasks"], arrays, "questions"),
                exercises=_questions(about["tuned_tasks"], arrays, "exercises"),
                settings=Settings(**about["settings"]),
                seed=about["seed"],
                tokenizer=about["tokenizer"],
            )
            digest = str(arrays["digest"])
        except FileNotFoundError:
            raise CorpusError(f"{path}: there is no such file, expected a corpus that Corpus.save wrote") from None
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            cause = f"{type(error).__name__}: {error}"
            raise CorpusError(f"{path}: found another file ({cause}), expected one that Corpus.save wrote") from error
        if corpus.digest != digest:
            raise CorpusError(f"{path}: found digest {corpus.digest}, expected {digest}: its content was changed")
        return corpus

    def _about(self) -> str:
        about = {
            "settings": dataclasses.asdict(self.settings),
            "seed": self.seed,
            "tasks": self.questions.tasks,
            "tuned_tasks": self.exercises.tasks,
            "tokenizer": self.tokenizer,
        }
        return json.dumps(about, sort_keys=True)

    def _arrays(self) -> dict[str, np.ndarray]:
        arrays = {"train": self.train, "held_out": self.held_out}
        for name, rows in (("questions", self.questions), ("exercises", self.exercises)):
            arrays |= {f"{name}.task": rows.task, f"{name}.tokens": rows.tokens, f"{name}.answer": rows.answer}
        return arrays


def _questions(tasks: list[str], arrays: dict[str, np.ndarray], name: str) -> Questions:
    return Questions(tuple(tasks), *(arrays[f"{name}.{field}"] for field in ("task", "tokens", "answer")))
