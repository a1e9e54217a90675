"""Samples of lm-evaluation-harness: one line per document and filter."""

from collections import Counter
from collections.abc import Sequence

from t2jax.results.documents import Document
from t2jax.results.part import Part
from t2jax.results.record import QuestionCount, ReadOptions, Tally
from t2jax.results.votes import last_match
from t2jax.tables.place import TableError

NO_FILTER = "none"
SHARES = ("pass@1", "pass_at_1")
"""Metrics that are the share of right samples of a document."""


def read_samples(
    document: Document, task: str, model: str, result: Document | None, options: ReadOptions
) -> tuple[list[QuestionCount], list[str]]:
    """Reads the counts of each document, by the reported metric or scored again with a pattern."""
    by_filter: dict[str, list[Part]] = {}
    for row in document.rows:
        name = row["filter"].text() if row.has("filter") else NO_FILTER
        by_filter.setdefault(name, []).append(row)
    if options.answer_pattern is not None:
        rows = next(iter(by_filter.values()))  # responses do not differ between filters
        _check_documents(document, task, rows, result)
        tally = Tally()
        for row in rows:
            _score_again(row, options.answer_pattern, tally)
        notes = [f"task {task!r}: each response was scored again with the pattern {options.answer_pattern!r}"]
        return tally.rows(model, task), [*notes, *filter(None, [tally.contradictions()])]
    metric, chosen = _metric(by_filter, options, document)
    rows = by_filter[chosen]
    counts = [_reported(row, metric) for row in rows]
    notes = _notes(task, metric, rows, counts)
    questions = _check_documents(document, task, rows, result)
    if result is not None:
        _check_mean(result, task, f"{metric},{chosen}", sum(c / n for n, c in counts) / len(counts))
    records = [QuestionCount(model, task, name, n, c) for name, (n, c) in zip(questions, counts, strict=True)]
    return records, notes


def _metric(by_filter: dict[str, list[Part]], options: ReadOptions, document: Document) -> tuple[str, str]:
    """Returns the metric and the filter to read. It raises TableError where there are several and none is chosen."""
    choices = [f"{metric},{name}" for name, rows in by_filter.items() for metric in _metrics_of(rows[0])]
    wanted = options.metric
    fitting = [key for key in choices if wanted is None or wanted in (key, *key.split(","))]
    if len(fitting) != 1:
        listed = ", ".join(choices) or "no metric"
        choice = "one of them" if wanted is None else f"one that is {wanted!r}"
        raise TableError(
            f"{document.path}: found {listed}, expected {choice}; choose METRIC,FILTER with metric (--metric)"
        )
    metric, _, chosen = fitting[0].partition(",")
    return metric, chosen


def _metrics_of(row: Part) -> list[str]:
    if row.has("metrics"):
        return [part.text() for part in row["metrics"].items()]
    others = [
        "doc_id",
        "doc",
        "target",
        "arguments",
        "resps",
        "filtered_resps",
        "filter",
        "doc_hash",
        "prompt_hash",
        "target_hash",
    ]
    return [name for name in row.mapping() if name not in others]


def _reported(row: Part, metric: str) -> tuple[int, int]:
    """Returns trials and right ones: one trial a document, or the samples behind a share of right ones."""
    filtered = row["filtered_resps"].items()
    if metric in SHARES and len(filtered) == 1 and isinstance(filtered[0].value, list) and filtered[0].value:
        n, share = len(filtered[0].value), row[metric].number()
        if not 0 <= share <= 1 or abs(share * n - round(share * n)) > 1e-6 * n:
            row[metric].refuse(f"a share of {n} samples")
        return n, round(share * n)
    return 1, row[metric].zero_or_one()


def _notes(task: str, metric: str, rows: Sequence[Part], counts: Sequence[tuple[int, int]]) -> list[str]:
    responses = len(_responses(rows[0]))
    if responses == 1 or counts[0][0] > 1:
        return []
    return [
        f"task {task!r}: {responses} responses a document but one filtered answer, so {metric} counts one trial"
        " a document; to score every response, give a pattern of the answer as answer_pattern (--answer-pattern)"
    ]


def _responses(row: Part) -> list[Part]:
    """Returns the responses of a document to one request, or of its first request."""
    requests = row["resps"].items()
    if not requests or not requests[0].items():
        row["resps"].refuse("at least one response")
    return requests[0].items()


def _check_documents(document: Document, task: str, rows: Sequence[Part], result: Document | None) -> list[str]:
    """Returns the name of each document. It raises TableError where one is repeated, or their number is another."""
    questions = [_question(row) for row in rows]
    question, times = Counter(questions).most_common(1)[0]
    if times > 1:
        raise TableError(f"{document.path}: found document {question} {times} times, expected once for each filter")
    if result is not None:
        _check_number(result, task, rows)
    return questions


def _question(row: Part) -> str:
    return str(row["doc_id"].whole())


def _score_again(row: Part, pattern: str, tally: Tally) -> None:
    """Compares the last match in each response with the last in the target, and adds each to the tally."""
    target = last_match(pattern, row["target"].text())
    if target is None:
        row["target"].refuse(f"a match of the pattern {pattern!r}")
    if len(row["resps"].items()) != 1:
        row["resps"].refuse("responses to one request, because choices cannot be scored with a pattern")
    for response in _responses(row):
        if not isinstance(response.value, str):
            response.refuse("the text of a response")
        answer = last_match(pattern, response.value)
        tally.add(_question(row), int(answer == target), answer or "")


def _check_number(result: Document, task: str, rows: Sequence[Part]) -> None:
    """Compares the documents and their responses with the numbers in the results file."""
    numbers = result.content.get("n-samples")
    if numbers.value is not None and numbers.has(task):
        documents = numbers[task].get("effective")
        if documents.value is not None and documents.whole() != len(rows):
            documents.refuse(f"{len(rows)}, the documents of its samples file; is that file whole?")
    configs = result.content.get("configs")
    repeats = configs[task].get("repeats") if configs.value is not None and configs.has(task) else None
    if repeats is None or repeats.value is None:
        return
    for row in rows:
        if len(_responses(row)) != repeats.whole():
            row["resps"].refuse(f"{repeats.whole()} responses, the repeats in {result.path.name}")


def _check_mean(result: Document, task: str, key: str, mean: float) -> None:
    """Compares the mean over documents with the score in the results file, where it has one."""
    scores = result.content["results"]
    if not scores.has(task) or not scores[task].has(key):
        return
    if abs(scores[task][key].number() - mean) > 1e-6:
        scores[task][key].refuse(f"{mean:.6g}, the mean of the samples; are both files whole?")
