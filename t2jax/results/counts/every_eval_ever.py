"""Every Eval Ever: instance rows, into which inspect_ai, lm-evaluation-harness and HELM are converted."""

from collections.abc import Sequence

from t2jax.results.documents import Document
from t2jax.results.part import Part
from t2jax.results.record import Reading, ReadOptions, Tally
from t2jax.tables.place import TableError

TOOL = "Every Eval Ever"
KEYS = ("evaluation_id", "model_id", "evaluation_name", "sample_id", "evaluation")


def recognises(document: Document) -> bool:
    """Checks that a file has instance rows, or the aggregate scores beside them."""
    rows = document.rows
    return (bool(rows) and rows[0].has(*KEYS)) or _aggregate(document)


def read(documents: Sequence[Document], options: ReadOptions) -> Reading:
    """Reads the counts of each question, whose trials are the rows of its sample_id."""
    tallies: dict[tuple[str, str], Tally] = {}
    notes = []
    for document in documents:
        if _aggregate(document):
            notes.append(f"{document.path}: aggregate scores are not read, but the instance rows beside them")
            continue
        for row in document.rows:
            name = options.model or row["model_id"].text(), options.task or row["evaluation_name"].text()
            tally = tallies.setdefault(name, Tally())
            tally.add(row["sample_id"].identifier(), _right(row["evaluation"]), _answer(row))
        _refuse_repetition(document)
        notes.append(f"{document.path}: nothing in the file says how many rows there should be")
    notes += [f"{name}, {task}: {text}" for (name, task), tally in tallies.items() if (text := tally.contradictions())]
    rows = [row for name, tally in tallies.items() for row in tally.rows(*name)]
    return Reading(TOOL, rows, notes)


def _refuse_repetition(document: Document) -> None:
    """Raises TableError for a file of several questions that was written twice, one copy after the other."""
    values = [row.value for row in document.rows]
    half = len(values) // 2
    if len({str(value["sample_id"]) for value in values}) > 1 and values[:half] == values[half:]:
        raise TableError(f"{document.path}: the second half of the {2 * half} rows repeats the first, expected it once")


def _right(evaluation: Part) -> int:
    """Returns the verdict. It raises TableError where the score of a sample contradicts it."""
    right, score = evaluation["is_correct"].boolean(), evaluation["score"].number()
    if score in (0.0, 1.0) and score != right:
        raise TableError(f"{evaluation.place}: the score {score:g} contradicts is_correct, expected both to agree")
    return int(right)


def _answer(row: Part) -> str | None:
    """Returns the final answer, empty where the sample has none, None where the row does not have answers."""
    extracted = row.get("answer_attribution")
    if not extracted.value:
        return None
    final = [part for part in extracted.items() if part["is_terminal"].boolean()]
    return final[-1]["extracted_value"].text() if final else ""


def _aggregate(document: Document) -> bool:
    return document.content.has("schema_version", "evaluation_id", "evaluation_results")
