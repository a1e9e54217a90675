"""lm-evaluation-harness: `results_<date>.json` with `samples_<task>_<date>.jsonl`, and the results of before 2024."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from t2jax.results.counts.lm_eval_samples import read_samples
from t2jax.results.documents import Document, load_document
from t2jax.results.part import Part
from t2jax.results.record import Reading, ReadOptions, Row, Score
from t2jax.tables.place import TableError

TOOL = "lm-evaluation-harness"
SAMPLES = re.compile(r"samples_(?P<task>.+)_(?P<date>\d{4}-\d\d-\d\dT[^/]*)\.jsonl")


@dataclass(frozen=True)
class Evaluated:
    """The model that a results file is about.

    Attributes:
        name: Its name.
        params: Number of parameters with embeddings, where the file says it.
        step: Training step, where the revision is one.
        tokens: Training tokens, where the tokens of a step are given.
    """

    name: str
    params: float | None = None
    step: float | None = None
    tokens: float | None = None


def recognises(document: Document) -> bool:
    """Checks that a file has the results of tasks, or the samples of one."""
    content = document.content
    if content.has("results", "config") and isinstance(content["results"].value, dict):
        return content.has("versions") or content.has("configs")
    rows = document.rows
    named = SAMPLES.fullmatch(document.path.name) is not None
    return bool(rows) and (named or rows[0].has("doc_id", "resps", "filtered_resps"))


def read(documents: Sequence[Document], options: ReadOptions) -> Reading:
    """Reads the counts of samples where samples were logged, and else the scores of each task."""
    results = {document.path.absolute(): document for document in documents if not document.rows}
    samples = [document for document in documents if document.rows]
    rows: list[Row] = []
    notes: list[str] = []
    sampled: set[tuple[Path, str]] = set()
    for document in samples:
        place = _results_beside(document.path)
        if place is not None and place not in results and place.exists():
            results[place] = load_document(place)
        result = results.get(place) if place is not None else None
        task = _task_of(document, options)
        model, remarks = _model_of_samples(document, result, options)
        notes += remarks
        counts, remarks = read_samples(document, task, model.name, result, options)
        rows += [_with_model(row, model) for row in counts]
        notes += remarks
        if place is not None and result is not None:
            sampled.add((place, task))
    if options.answer_pattern is not None and not samples:
        raise TableError(f"{documents[0].path}: no samples were logged, so there are no responses to score again")
    with_samples = {place for place, _ in sampled}
    for place, document in results.items():
        tasks = list(document.content["results"].mapping())
        without = [task for task in tasks if (place, task) not in sampled]
        if place in with_samples:
            if without:
                notes.append(f"{document.path}: no samples were logged of {', '.join(without)}, so they have no counts")
            continue
        scores, remarks = _scores(document, options)
        rows += scores
        notes += remarks
    return Reading(TOOL, rows, list(dict.fromkeys(notes)))


def _with_model(row: Row, model: Evaluated) -> Row:
    return type(row)(**{**vars(row), "params": model.params, "step": model.step, "tokens": model.tokens})


def _results_beside(path: Path) -> Path | None:
    """Returns where the results of a samples file are, None for a file of another name."""
    match = SAMPLES.fullmatch(path.name)
    return path.absolute().with_name(f"results_{match['date']}.json") if match else None


def _task_of(document: Document, options: ReadOptions) -> str:
    match = SAMPLES.fullmatch(document.path.name)
    if options.task:
        return options.task
    if match is None:
        raise TableError(f"{document.path}: the name does not say the task, as samples_TASK_DATE.jsonl does; give task")
    return match["task"]


def _model_of_samples(
    document: Document, result: Document | None, options: ReadOptions
) -> tuple[Evaluated, tuple[str, ...]]:
    if result is not None:
        return _model(result.content, options), ()
    name = options.model or document.path.absolute().parent.name.replace("__", "/")
    note = (
        f"{document.path}: there is no results file of the same date beside it, so the model is named after the folder,"
        f" {name!r}, and nothing says how many documents there should be"
    )
    return Evaluated(name), (note,)


def _model(content: Part, options: ReadOptions) -> Evaluated:
    """Returns the model of a results file: its name, size and step, where the file says them."""
    config = content["config"]
    arguments = config.get("model_args").value
    model_arguments = (
        _arguments(arguments) if isinstance(arguments, str) else arguments if isinstance(arguments, dict) else {}
    )
    names = (
        options.model,
        content.get("model_name").value,
        model_arguments.get("pretrained"),
        model_arguments.get("model"),
    )
    name = next((name for name in names if isinstance(name, str) and name.strip()), None)
    if name is None:
        config.refuse("model_args with pretrained=NAME; give model")
    params = config.get("model_num_parameters")
    size = params.whole() if params.value is not None and params.value != -1 else None  # -1 where it is unknown
    if size == 0:
        params.refuse("a number of parameters > 0")
    revision = str(model_arguments.get("revision") or config.get("model_revision").value or "")
    match = re.fullmatch(r"step(\d{1,12})", revision)
    step = float(match[1]) if match else None
    tokens = step * options.batch_tokens if step and options.batch_tokens else None
    return Evaluated(name, size, step, tokens)


def _arguments(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(","))
    return {key.strip(): value.strip() for key, _, value in pairs}


def _scores(document: Document, options: ReadOptions) -> tuple[list[Score], list[str]]:
    """Reads each metric of each task with its standard error."""
    content = document.content
    model = _model(content, options)
    rows = []
    for task, part in content["results"].entries():
        metrics = part.mapping()
        for key in _metrics(metrics):
            if options.metric in (None, key, key.partition(",")[0]):
                name, comma, chosen = key.partition(",")
                stderr_name = f"{name}_stderr{comma}{chosen}"
                stderr = part.get(stderr_name)
                unknown = stderr.value == "N/A" or (stderr.value is None and not part.has(stderr_name))
                error = None if unknown else stderr.number()
                if error is not None and error < 0:
                    stderr.refuse("a standard error >= 0")
                score = part[key].number()
                if _out_of_range(name, score):
                    part[key].refuse(f"a value that {name} can have")
                size = {"params": model.params, "step": model.step, "tokens": model.tokens}
                rows.append(Score(model.name, options.task or task, key, score, error, **size))
    if not rows:
        wanted = "a metric" if options.metric is None else f"the metric {options.metric!r}"
        raise TableError(f"{document.path}: found no score, expected {wanted} of at least one task")
    note = f"{document.path}: no samples were logged (--log_samples), so it gives scores of tasks and no counts"
    if model.params is None:
        note += "; the size of the model is not in the file"
    return rows, [note]


def _out_of_range(metric: str, score: float) -> bool:
    """Checks a share, or a perplexity; other metrics may have any value."""
    if metric in ("acc", "acc_norm", "exact_match", "em", "f1"):
        return not 0 <= score <= 1
    return bool({"ppl", "perplexity"} & set(metric.split("_"))) and score < 1


def _metrics(names: Iterable[str]) -> list[str]:
    """Returns the names of metrics among the names of a task, in order."""
    others = ("alias", "name", "sample_len", "samples", "sample_count")
    return [name for name in names if name.strip() and name not in others and "_stderr" not in name]
