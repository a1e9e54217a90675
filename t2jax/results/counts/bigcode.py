"""bigcode-evaluation-harness: `evaluation_results.json`, which has means only."""

import re
from collections.abc import Sequence

from t2jax.results.documents import Document
from t2jax.results.part import Part
from t2jax.results.record import MeanPass, Reading, ReadOptions
from t2jax.tables.place import TableError

TOOL = "bigcode-evaluation-harness"


def recognises(document: Document) -> bool:
    """Checks that a file has the tool's config beside its tasks, or lists of generations."""
    return (document.content.has("config") and document.content["config"].has("n_samples", "model")) or _generations(
        document
    )


def read(documents: Sequence[Document], options: ReadOptions) -> Reading:
    """Reads the mean pass@k of each task; the tool does not save which samples were right."""
    rows, notes = [], []
    for document in documents:
        if _generations(document):
            notes.append(f"{document.path}: the generated samples, without a result, are not read")
            continue
        config = document.content["config"]
        model, n = options.model or config["model"].text(), config["n_samples"].whole()
        for task, part in document.content.entries():
            if task != "config":
                rows += [MeanPass(model, options.task or task, k, value) for k, value in _means(part, n)]
        notes.append(
            f"{document.path}: bigcode-evaluation-harness saves the mean pass@k over questions, and not which of the"
            f" {n} samples of a question were right, so it gives no counts of questions"
        )
    return Reading(TOOL, rows, notes)


def _means(part: Part, n: int) -> list[tuple[int, float]]:
    """Returns each k and its mean pass@k. It raises TableError for a k beyond the samples of a question."""
    means = []
    for name, value in part.entries():
        match = re.fullmatch(r"pass@(\d{1,9})", name)
        if not match:
            raise TableError(f"{value.place}: found the metric {name[:60]!r}, expected pass@k")
        k = int(match[1])
        if not 1 <= k <= n:
            raise TableError(f"{value.place}: pass@{k} of {n} samples is undefined, expected k from 1 to {n}")
        if not 0 <= value.number() <= 1:
            value.refuse("a probability from 0 to 1")
        means.append((k, value.number()))
    if not means:
        part.refuse("pass@k of a task")
    return means


def _generations(document: Document) -> bool:
    lists = document.content.value
    if document.path.suffix.lower() != ".json" or not isinstance(lists, list) or not lists:
        return False
    return all(isinstance(item, list) and item and all(isinstance(text, str) for text in item) for item in lists)
