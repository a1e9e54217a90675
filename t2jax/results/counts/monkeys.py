"""large_language_monkeys: one YAML file per question."""

from collections.abc import Sequence
from pathlib import Path

from t2jax.results.documents import Document
from t2jax.results.part import Part
from t2jax.results.record import QuestionCount, Reading, ReadOptions, Tally
from t2jax.results.votes import last_match
from t2jax.tables.place import TableError

TOOL = "large_language_monkeys"
KEYS = ("is_corrects", "is_correct")
UNNAMED = "unnamed"


def recognises(document: Document) -> bool:
    """Checks that a file has the samples of one question, or is named after one by its number."""
    path = document.path
    return path.suffix.lower() in (".yaml", ".yml") and (document.content.has("samples") or path.stem.isdigit())


def read(documents: Sequence[Document], options: ReadOptions) -> Reading:
    """Reads the counts of each question, whose name is the file's; the model is the folder's name unless given."""
    rows: list[QuestionCount] = []
    notes: list[str] = []
    folders: dict[str, Path] = {}
    for document in documents:
        right = [part.boolean() for part in _verdicts(document).items()]
        samples = document.content["samples"].items()
        if len(right) != len(samples) or not samples:
            contents = f"{len(right)} verdicts of {len(samples)} samples"
            raise TableError(f"{document.path}: found {contents}, expected one for each of at least one sample")
        folder = document.path.absolute().parent.name
        model, task = options.model or folder, options.task or UNNAMED
        folders[model] = document.path
        tally = Tally()
        for verdict, sample in zip(right, samples, strict=True):
            tally.add(document.path.stem, int(verdict), _answer(sample, options.answer_pattern))
        notes += [f"{document.path}: {sentence}"] if (sentence := tally.contradictions()) else []
        rows += tally.rows(model, task)
    if options.model is None:
        notes.append(
            f"the files of {TOOL} do not name the model, so it has the name of the folder: {', '.join(folders)}"
        )
    if options.task is None:
        notes.append(f"the files of {TOOL} do not name the task, which is called {UNNAMED!r} unless task is given")
    return Reading(TOOL, rows, notes)


def _answer(sample: Part, pattern: str | None) -> str | None:
    """Returns the answer in a response, empty where it has none, None without a pattern."""
    return None if pattern is None else last_match(pattern, sample.text()) or ""


def _verdicts(document: Document) -> Part:
    """Returns the list of verdicts, under the key of the tool's code or of its README."""
    there = [key for key in KEYS if document.content.has(key)]
    if len(there) != 1:
        listed = " and ".join(there) or f"neither {KEYS[0]} nor {KEYS[1]}"
        raise TableError(
            f"{document.path}: found {listed}, expected one of them; was the file scored, and is it whole?"
        )
    return document.content[there[0]]
