"""inspect_ai: JSON logs, and `.eval` logs, which are a zip of the same."""

from collections.abc import Sequence

from t2jax.results.documents import Document
from t2jax.results.part import Part
from t2jax.results.record import Reading, ReadOptions, Tally
from t2jax.tables.place import TableError

TOOL = "inspect_ai"
LETTERS = {"C": 1, "I": 0, "N": 0}
"""Correct, incorrect and no answer, as inspect_ai converts them to numbers."""


def recognises(document: Document) -> bool:
    """Checks that a file has the head of a log."""
    content = document.content
    return content.has("eval", "status") and content["eval"].has("task", "model")


def read(documents: Sequence[Document], options: ReadOptions) -> Reading:
    """Reads the counts of each question, whose trials are the epochs of its id."""
    rows, notes = [], []
    for document in documents:
        content = document.content
        head = content["eval"]
        if content["status"].text() != "success":
            content["status"].refuse("success, because other logs are not complete")
        samples = content["samples"].items() if content.has("samples") else []
        if not samples:
            raise TableError(f"{document.path}: the log has no samples, expected them for counts of questions")
        scorer = options.metric or _scorer(samples[0])
        tally, seen = Tally(), set()
        for sample in samples:
            key = sample["id"].identifier(), sample["epoch"].whole()
            if key in seen:
                raise TableError(f"{sample.place}: repeats epoch {key[1]} of sample {key[0]!r}, expected each once")
            seen.add(key)
            score = sample["scores"][scorer]
            tally.add(key[0], _right(score["value"]), _answer(score))
        _check_totals(content, tally, scorer)
        notes += [f"{document.path}: {sentence}"] if (sentence := tally.contradictions()) else []
        rows += tally.rows(options.model or head["model"].text(), options.task or head["task"].text())
    return Reading(TOOL, rows, notes)


def _scorer(sample: Part) -> str:
    scorers = list(sample["scores"].mapping())
    if len(scorers) != 1:
        listed = ", ".join(scorers) or "none"
        raise TableError(f"{sample.place}: found the scorers {listed}, expected one; choose it with metric (--metric)")
    return scorers[0]


def _right(value: Part) -> int:
    if isinstance(value.value, str):
        if value.value not in LETTERS:
            value.refuse("C, I, N or a number 0 or 1, because only a sample that is right or wrong can be counted")
        return LETTERS[value.value]
    return value.zero_or_one()


def _answer(score: Part) -> str | None:
    """Returns the answer that was scored, empty for a sample without one, None where the log does not have answers."""
    if not score.has("answer"):
        return None
    answer = score["answer"].value
    return answer if isinstance(answer, str) else "" if answer is None else str(answer)


def _check_totals(content: Part, tally: Tally, scorer: str) -> None:
    """Compares the counts with the log's epochs, its number of samples and its own accuracy."""
    total, right = sum(tally.trials.values()), sum(tally.correct.values())
    config = content["eval"].get("config")
    epochs = config.get("epochs") if config.value is not None else config
    for question, n in tally.trials.items():
        if epochs.value is not None and n != epochs.whole():
            epochs.refuse(f"{n}, the epochs of sample {question!r}; is the log whole?")
    results = content.get("results")
    if results.value is None:
        return
    stated = results.get("total_samples")
    if stated.value is not None and stated.whole() != total:
        stated.refuse(f"{total}, the number of samples in the log; is it whole?")
    scores = results.get("scores")
    for score in scores.items() if scores.value is not None else []:
        if score.get("name").value != scorer or score.get("reducer").value not in (None, "mean"):
            continue
        accuracy = score["metrics"].get("accuracy")
        if accuracy.value is not None and abs(accuracy["value"].number() - right / total) > 1e-6:
            accuracy["value"].refuse(f"{right / total:.6g}, the share of right samples; is the log whole?")
