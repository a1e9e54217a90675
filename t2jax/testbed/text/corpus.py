"""Makes a corpus: real documents are split and turned into questions, synthetic tasks added, and all text encoded."""

import hashlib
import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from t2jax.testbed.text import text_tasks
from t2jax.testbed.text.archive import Corpus, CorpusError, Settings
from t2jax.testbed.text.questions import Document, ask, gather
from t2jax.testbed.text.synthetic_tasks import SyntheticTask, synthetic_tasks
from t2jax.testbed.text.tokenizer import Tokenizer
from t2jax.testbed.text.words import BEASTS, COLOURS, EVENTS, FIRST, LAST, TOWNS

__all__ = ["Corpus", "CorpusError", "Settings", "Source", "build", "from_folder", "text_source", "tiny"]

SAMPLE = 6_000_000  # characters that the encoding is trained on
TUNED = ("hypernym", "facts", "chains")  # tasks with exercises: text, recall and reasoning
TYPICAL = 30  # characters of a made-up document, about
BLANK_LINE = re.compile(r"\n\s*\n")

Row = tuple[np.ndarray, np.ndarray]  # tokens and answer of one question


@dataclass(frozen=True)
class Source:
    """The source of a corpus: a name that changes with it, and a function that makes it."""

    name: str
    make: Callable[[], Corpus]


def text_source(folder: str | Path, settings: Settings, seed: int) -> Source:
    """Names the source that `from_folder` reads, by a hash of its files' relative names and bytes.

    A folder without .txt files raises CorpusError.
    """
    digest = hashlib.sha256()
    for file in _text_files(folder):
        name, data = file.relative_to(folder).as_posix().encode(), file.read_bytes()
        digest.update(f"{len(name)} {len(data)} ".encode())  # where a name and a text end
        digest.update(name)
        digest.update(data)
    return Source(f"text {digest.hexdigest()}", lambda: from_folder(folder, settings, seed))


def from_folder(folder: str | Path, settings: Settings, seed: int) -> Corpus:
    """Makes a corpus from all .txt files of a folder and its subfolders, with paragraphs as documents.

    The tasks are the end of a paragraph (`sentence_end`) and the synthetic ones.

    Args:
        folder: The folder.
        settings: Settings of the corpus.
        seed: Seed of the corpus.

    Returns:
        The corpus.

    Raises:
        CorpusError: The folder has no such files, a file is not UTF-8, or there is too little text.
    """
    documents = []
    for file in _text_files(folder):
        data = file.read_bytes()
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            byte = f"byte 0x{error.object[error.start]:02x} at offset {data.find(error.object) + error.start}"
            raise CorpusError(f"{file}: found {byte}, expected text in UTF-8") from None
        documents += [text_tasks.prose(paragraph) for paragraph in BLANK_LINE.split(text)]
    return build(documents, settings, seed, name=str(folder))


def build(documents: Sequence[Document], settings: Settings, seed: int, name: str = "the text") -> Corpus:
    """Makes a corpus from real documents and the synthetic tasks; repeated documents are used once.

    Args:
        documents: The real documents.
        settings: Settings of the corpus.
        seed: Seed of the corpus.
        name: Name of the text in messages.

    Returns:
        The corpus.

    Raises:
        CorpusError: There is too little text for the encoding or the questions.
    """
    rng = np.random.default_rng(seed)
    distinct = list({document.text: document for document in documents if document.text}.values())
    order = rng.permutation(len(distinct)).tolist()
    held_out_count = round(settings.held_out * len(distinct))
    held_out, real = [distinct[i] for i in order[:held_out_count]], [distinct[i] for i in order[held_out_count:]]
    try:
        tasks = synthetic_tasks(settings, TUNED, rng)
        tokenizer = Tokenizer.train(_sample(real, tasks, settings, rng), settings.vocabulary)
    except ValueError as error:
        raise CorpusError(f"{name}: {error}") from None

    rows = {task: _text_rows(task, real, held_out, tokenizer, settings, name) for task in text_tasks.TEXT_TASKS}
    for task in tasks:
        parts = (task.questions, task.exercises)
        rows[task.name] = [
            row for part in parts for row in _rows(part, len(part), tokenizer, settings, name, task.name)
        ]
    asked = settings.questions_per_task
    streams = _encode(tokenizer, real)
    per_task = _tokens(streams) * settings.synthetic_share / (1 - settings.synthetic_share) / len(tasks)
    for task in tasks:
        streams += _training(task, per_task, tokenizer, rng)
    return Corpus(
        train=np.concatenate([streams[i] for i in rng.permutation(len(streams)).tolist()]),
        held_out=np.concatenate(_encode(tokenizer, held_out)),
        questions=gather([(task, of_task[:asked]) for task, of_task in rows.items() if of_task]),
        exercises=gather([(task, rows[task][asked:]) for task in TUNED if rows[task]]),
        settings=settings,
        seed=seed,
        tokenizer=tokenizer.json,
    )


def tiny(seed: int, settings: Settings | None = None) -> Corpus:
    """Makes a small corpus of generated sentences with all tasks and about 100,000 tokens, for tests."""
    rng = np.random.default_rng(seed)

    def pick(words: Sequence[str]) -> str:
        return words[int(rng.integers(len(words)))]

    documents = []
    for _ in range(800):
        sight = f"a {pick(COLOURS)} {pick(BEASTS)} near {pick(TOWNS)} before the {pick(EVENTS)}"
        documents.append(text_tasks.prose(f"{pick(FIRST)} the {pick(LAST)} saw {sight}"))
        event = f"after the {pick(EVENTS)} comes the {pick(EVENTS)} of {pick(TOWNS)}"
        documents.append(text_tasks.verse(f"and {pick(FIRST)} said unto {pick(FIRST)}, {event}"))
        word = pick(BEASTS)[:3] + pick(TOWNS)[:4] + pick(EVENTS)[-3:]
        meaning = f"a {pick(COLOURS)} {pick(BEASTS)} that is seen in a {pick(EVENTS)} near {pick(TOWNS)}"
        documents.append(text_tasks.definition(word, meaning))
        word = pick(TOWNS)[:3] + pick(BEASTS)[:2] + pick(EVENTS)[-2:]
        meaning = f"found in {pick(TOWNS)} after {pick(EVENTS)} or {pick(EVENTS)}"
        documents.append(text_tasks.hypernym(word, f"{pick(COLOURS)} {pick(BEASTS)} of {pick(TOWNS)}", meaning))
    settings = settings or Settings(
        questions_per_task=16, exercises_per_task=16, held_out=0.1, facts=60, codes=60, rules=32, maps=16
    )
    return build(documents, settings, seed, name="the generated text")


def _text_files(folder: str | Path) -> list[Path]:
    files = sorted(path for path in Path(folder).rglob("*.txt") if path.is_file())
    if not files:
        raise CorpusError(f"{folder}: found no file whose name ends with .txt, expected at least one")
    return files


def _sample(
    real: Sequence[Document], tasks: Sequence[SyntheticTask], settings: Settings, rng: np.random.Generator
) -> list[str]:
    """Selects texts to train the encoding, with about the shares of the training text."""
    share = settings.synthetic_share
    characters = min(SAMPLE, sum(len(document.text) for document in real) / (1 - share))
    count = int(characters * share / len(tasks) / TYPICAL) + 1
    texts = [document.text for task in tasks for document in task.training(count, rng)]
    left = (1 - share) * characters
    for i in rng.permutation(len(real)).tolist():
        if left <= 0:
            break
        texts.append(real[i].text)
        left -= len(real[i].text)
    return texts


def _text_rows(
    task: str, real: list[Document], held_out: list[Document], tokenizer: Tokenizer, settings: Settings, name: str
) -> list[Row]:
    """Makes a task's questions and then its exercises, if the held-out documents have the task.

    They come from held-out documents that share no key with training or with each other.
    """
    used = {key for document in real for key in document.keys}
    documents = []
    for document in held_out:
        if document.task == task and used.isdisjoint(document.keys):
            documents.append(document)
            used.update(document.keys)
    if not any(document.task == task for document in held_out):
        return []
    count = settings.questions_per_task + (settings.exercises_per_task if task in TUNED else 0)
    return _rows(documents, count, tokenizer, settings, name, task)


def _rows(
    documents: Sequence[Document], count: int, tokenizer: Tokenizer, settings: Settings, name: str, task: str
) -> list[Row]:
    """Makes the first `count` questions that fit the context; raises CorpusError if there are too few."""
    candidates = (ask(document, tokenizer, settings.context, settings.scored) for document in documents)
    rows = list(itertools.islice(filter(None, candidates), count))
    if len(rows) < count:
        raise CorpusError(
            f"{name}: found {len(rows)} questions for task {task!r} in {len(documents)} held-out documents, expected"
            f" {count}: more text, a larger held_out, a larger context or fewer questions_per_task are needed"
        )
    return rows


def _training(task: SyntheticTask, count: float, tokenizer: Tokenizer, rng: np.random.Generator) -> list[np.ndarray]:
    """Encodes documents of a synthetic task, with `count` tokens in total."""
    streams: list[np.ndarray] = []
    missing = count
    while missing > 0:
        encoded = _encode(tokenizer, task.training(int(missing / 10) + 100, rng))
        ends = np.cumsum([len(document) for document in encoded])
        streams += encoded[: int(np.searchsorted(ends, missing)) + 1]
        missing = count - _tokens(streams)
    return streams


def _encode(tokenizer: Tokenizer, documents: Sequence[Document]) -> list[np.ndarray]:
    return list(tokenizer.encode(document.text for document in documents))


def _tokens(streams: Sequence[np.ndarray]) -> int:
    return sum(map(len, streams))
