"""Making a corpus: real documents are split and asked about, made-up tasks added, all of it encoded and shuffled."""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from t2jax.testbed.text import text_tasks
from t2jax.testbed.text.archive import Corpus, CorpusError, Settings
from t2jax.testbed.text.questions import MOST_SCORED, Document, ask, gather
from t2jax.testbed.text.synthetic_tasks import SyntheticTask, synthetic_tasks
from t2jax.testbed.text.tokenizer import Tokenizer
from t2jax.testbed.text.words import BEASTS, COLOURS, EVENTS, FIRST, LAST, TOWNS

__all__ = ["Corpus", "CorpusError", "Settings", "Source", "build", "from_folder", "text_source", "tiny"]

SAMPLE = 6_000_000  # characters that the encoding is trained on
TYPICAL = 30  # characters of a made-up document, about
BLANK_LINE = re.compile(r"\n\s*\n")

Row = tuple[np.ndarray, np.ndarray]  # tokens and answer of one question


@dataclass(frozen=True)
class Source:
    """What a corpus is made from, as a name that changes with it, and how it is made."""

    name: str
    make: Callable[[], Corpus]


def text_source(folder: str | Path, settings: Settings, seed: int) -> Source:
    """What `from_folder` reads; its name is a hash over the files' names below the folder and their bytes.

    Raises: CorpusError for a folder without .txt files.
    """
    digest = hashlib.sha256()
    for file in _text_files(folder):
        name, data = file.relative_to(folder).as_posix().encode(), file.read_bytes()
        digest.update(f"{len(name)} {len(data)} ".encode())  # where a name and a text end
        digest.update(name)
        digest.update(data)
    return Source(f"text {digest.hexdigest()}", lambda: from_folder(folder, settings, seed))


def from_folder(folder: str | Path, settings: Settings, seed: int) -> Corpus:
    """A corpus from all .txt files of a folder and those below it, whose paragraphs are the documents.

    Its tasks are the last word of a paragraph (`final_word`) and the four made-up ones.
    Raises: CorpusError for a folder without such files, a file that is not UTF-8, or too little text.
    """
    documents = []
    for file in _text_files(folder):
        data = file.read_bytes()
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            found = f"byte 0x{error.object[error.start]:02x} at offset {data.find(error.object) + error.start}"
            raise CorpusError(f"{file}: found {found}, expected text in UTF-8") from None
        documents += [text_tasks.prose(paragraph) for paragraph in BLANK_LINE.split(text)]
    return build(documents, settings, seed, name=str(folder))


def build(documents: Sequence[Document], settings: Settings, seed: int, name: str = "the text") -> Corpus:
    """A corpus from real documents, to which the made-up tasks are added.

    Repeated documents are taken once. Args: `name` stands for the text in messages.
    Raises: CorpusError where there is too little text for the encoding or the questions.
    """
    rng = np.random.default_rng(seed)
    distinct = list({document.text: document for document in documents if document.text}.values())
    order = rng.permutation(len(distinct)).tolist()
    held_count = round(settings.held_out * len(distinct))
    held, real = [distinct[i] for i in order[:held_count]], [distinct[i] for i in order[held_count:]]
    try:
        tasks = synthetic_tasks(settings.facts, settings.questions_per_task, rng)
        tokenizer = Tokenizer.train(_sample(real, tasks, settings, rng), settings.vocabulary)
    except ValueError as error:
        raise CorpusError(f"{name}: {error}") from None

    asked = {task: _text_questions(task, real, held, tokenizer, settings, name) for task in text_tasks.TEXT_TASKS}
    asked |= {task.name: _rows(task.questions, tokenizer, settings, name, task.name) for task in tasks}
    streams = _encode(tokenizer, real)
    per_task = _tokens(streams) * settings.synthetic_share / (1 - settings.synthetic_share) / len(tasks)
    for task in tasks:
        streams += _training(task, per_task, tokenizer, rng)
    return Corpus(
        train=np.concatenate([streams[i] for i in rng.permutation(len(streams)).tolist()]),
        held_out=np.concatenate(_encode(tokenizer, held)),
        questions=gather([(task, rows) for task, rows in asked.items() if rows]),
        settings=settings,
        seed=seed,
        tokenizer=tokenizer.json,
    )


def tiny(seed: int, settings: Settings | None = None) -> Corpus:
    """A small corpus of generated sentences with all eight tasks, for tests: about 100,000 tokens, no file is read."""
    rng = np.random.default_rng(seed)

    def some(words: Sequence[str]) -> str:
        return words[int(rng.integers(len(words)))]

    documents = []
    for _ in range(800):
        seen = f"a {some(COLOURS)} {some(BEASTS)} near {some(TOWNS)} before the {some(EVENTS)}"
        documents.append(text_tasks.prose(f"{some(FIRST)} the {some(LAST)} saw {seen}"))
        came = f"after the {some(EVENTS)} comes the {some(EVENTS)} of {some(TOWNS)}"
        documents.append(text_tasks.verse(f"and {some(FIRST)} said unto {some(FIRST)}, {came}"))
        word = some(BEASTS)[:2] + some(TOWNS)[:3] + some(EVENTS)[-2:]
        meaning = f"a {some(COLOURS)} {some(BEASTS)} that is seen in a {some(EVENTS)} near {some(TOWNS)}"
        documents.append(text_tasks.definition(word, meaning))
        word = some(TOWNS)[:3] + some(BEASTS)[:2] + some(EVENTS)[-2:]
        documents.append(text_tasks.hypernym(word, some(BEASTS), f"found in {some(TOWNS)} or {some(TOWNS)}"))
    settings = settings or Settings(questions_per_task=16, held_out=0.1, facts=60)
    return build(documents, settings, seed, name="the generated text")


def _text_files(folder: str | Path) -> list[Path]:
    files = sorted(path for path in Path(folder).rglob("*.txt") if path.is_file())
    if not files:
        raise CorpusError(f"{folder}: found no file whose name ends with .txt, expected at least one")
    return files


def _sample(
    real: Sequence[Document], tasks: Sequence[SyntheticTask], settings: Settings, rng: np.random.Generator
) -> list[str]:
    """Texts for the encoding to be trained on, with about the shares of training."""
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


def _text_questions(
    task: str, real: list[Document], held: list[Document], tokenizer: Tokenizer, settings: Settings, name: str
) -> list[Row]:
    """The questions of a task from held-out documents, sharing no key with training; none if it has no documents."""
    known = {key for document in real for key in document.keys}
    of_task = [document for document in held if document.task == task]
    if not of_task:
        return []
    fresh = [document for document in of_task if known.isdisjoint(document.keys)]
    return _rows(fresh, tokenizer, settings, name, task)


def _rows(documents: Sequence[Document], tokenizer: Tokenizer, settings: Settings, name: str, task: str) -> list[Row]:
    """The first questions that fit the context. Raises: CorpusError where there are too few."""
    rows, wanted = [], settings.questions_per_task
    for document in documents:
        most = 1 + len(rows) % MOST_SCORED  # so that difficulty is spread
        if len(rows) < wanted and (row := ask(document, tokenizer, settings.context, most)):
            rows.append(row)
    if len(rows) < wanted:
        raise CorpusError(
            f"{name}: found {len(rows)} questions for task {task!r} in {len(documents)} held-out documents, expected"
            f" {wanted}: more text, a larger held_out, a larger context or fewer questions_per_task are needed"
        )
    return rows


def _training(task: SyntheticTask, wanted: float, tokenizer: Tokenizer, rng: np.random.Generator) -> list[np.ndarray]:
    """Encoded documents of a made-up task, as many as make up `wanted` tokens."""
    streams: list[np.ndarray] = []
    missing = wanted
    while missing > 0:
        drawn = _encode(tokenizer, task.training(int(missing / 10) + 100, rng))
        order = rng.permutation(len(drawn))  # they come by level
        ends = np.cumsum([len(drawn[i]) for i in order])
        streams += [drawn[i] for i in order[: int(np.searchsorted(ends, missing)) + 1]]
        missing = wanted - _tokens(streams)
    return streams


def _encode(tokenizer: Tokenizer, documents: Sequence[Document]) -> list[np.ndarray]:
    return list(tokenizer.encode(document.text for document in documents))


def _tokens(streams: Sequence[np.ndarray]) -> int:
    return sum(map(len, streams))
