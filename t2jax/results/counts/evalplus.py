"""EvalPlus: `*.eval_results.json`, and `eval_results.json` of versions before 0.3."""

import re
from collections.abc import Sequence

from t2jax.results.documents import Document
from t2jax.results.part import Part
from t2jax.results.record import QuestionCount, Reading, ReadOptions
from t2jax.tables.place import TableError

TOOL = "EvalPlus"
STATUSES = ("pass", "fail", "timeout", None)
TASKS = {"humaneval": "humaneval", "mbpp": "mbpp"}
CLOSE = 1e-6
"""Largest difference between a mean of the counts and the pass@1 in the file."""


def recognises(document: Document) -> bool:
    """Checks that a file has the results of questions by their task_id, or the samples that they were made from."""
    return document.content.has("eval", "hash") or _are_samples(document)


def read(documents: Sequence[Document], options: ReadOptions) -> Reading:
    """Reads counts: *base*, and under the task's name with a plus those that pass base and plus tests."""
    rows, notes = [], []
    for document in documents:
        if _are_samples(document):
            notes.append(f"{document.path}: the generated samples, without a result, are not read")
            continue
        records, remarks = _read_file(document, options)
        rows += records
        notes += remarks
    return Reading(TOOL, rows, notes)


def _are_samples(document: Document) -> bool:
    rows = document.rows
    return bool(rows) and all(row.has("task_id") and (row.has("solution") or row.has("completion")) for row in rows)


def _read_file(document: Document, options: ReadOptions) -> tuple[list[QuestionCount], list[str]]:
    content = document.content
    model = options.model or _model_of(document)
    base, plus, notes, missing = [], [], [], 0
    for question, part in content["eval"].entries():
        samples = _legacy_samples(part) if isinstance(part.value, dict) else _samples(part, question)
        task = options.task or _task_of(question, part)
        passed = [first == "pass" for first, _ in samples]
        both = [first == second == "pass" for first, second in samples]
        missing += sum(first is None for first, _ in samples)
        base.append(QuestionCount(model, task, question, len(samples), sum(passed)))
        if any(second is not None for _, second in samples):
            plus.append(QuestionCount(model, f"{task}+", question, len(samples), sum(both)))
            missing += sum(second is None for _, second in samples)
    if not base:
        content["eval"].refuse("at least one question")
    if plus and len(plus) < len(base):
        raise TableError(f"{document.path}: {len(plus)} of {len(base)} questions have plus tests, expected all or none")
    if not plus:
        notes.append(f"{document.path}: only base tests were run, so there are no counts with a plus")
    if missing:
        notes.append(f"{document.path}: {missing} tests have no status, and EvalPlus counts them as not passed")
    for name, counts in (("base", base), ("plus", plus)):
        _check_mean(content, name, counts)
    return [*base, *plus], notes


def _samples(part: Part, question: str) -> list[tuple[str | None, str | None]]:
    """Returns the base and plus status of each sample."""
    samples = part.items()
    if not samples:
        part.refuse("at least one sample")
    for sample in samples:
        if sample["task_id"].text() != question:
            sample["task_id"].refuse(f"{question!r}, whose sample it is")
    return [(_status(sample["base_status"]), _status(sample["plus_status"])) for sample in samples]


def _legacy_samples(part: Part) -> list[tuple[str | None, str | None]]:
    """Returns the same of versions before 0.3, where each sample is a list of its status and details."""
    count = part["nfiles" if part.has("nfiles") else "files"]
    number = len(count.items()) if isinstance(count.value, list) else count.whole()
    columns = []
    for name in ("base", "plus"):
        samples = part.get(name)
        if name == "plus" and samples.value is None:
            columns.append([None] * number)
            continue
        statuses = [_legacy_status(sample) for sample in samples.items()]
        if name == "plus" and not statuses:
            statuses = [None] * number
        if len(statuses) != number or not number:
            raise TableError(
                f"{samples.place}: found {len(statuses)} samples, expected {number} >= 1, as {count.place}"
            )
        columns.append(statuses)
    return list(zip(*columns, strict=True))


def _legacy_status(sample: Part) -> str | None:
    pair = sample.items()
    if len(pair) != 2:
        sample.refuse("a status and its details")
    return _status(pair[0])


def _status(part: Part) -> str | None:
    if part.value == "success":  # of the first versions
        return "pass"
    if not (part.value is None or isinstance(part.value, str)) or part.value not in STATUSES:
        part.refuse("pass, fail, timeout or null")
    return part.value


def _check_mean(content: Part, name: str, counts: Sequence[QuestionCount]) -> None:
    """Compares the mean over questions with the file's own pass@1, where it has one."""
    if not content.has("pass_at_k") or not counts:
        return
    means = content["pass_at_k"]
    if name not in means.mapping() or "pass@1" not in means[name].mapping():
        return
    stated, mean = means[name]["pass@1"], sum(row.correct / row.trials for row in counts) / len(counts)
    if abs(stated.number() - mean) > CLOSE:
        stated.refuse(f"{mean:.6g}, the mean of the {len(counts)} questions; is the file whole?")


def _task_of(question: str, part: Part) -> str:
    prefix = question.partition("/")[0].casefold()
    if prefix not in TASKS:
        raise TableError(
            f"{part.place}: found question {question[:60]!r}, expected HumanEval/... or Mbpp/...; give task"
        )
    return TASKS[prefix]


def _model_of(document: Document) -> str:
    """Returns the model that the file's name gives, or its folder's where the file has a name of no model."""
    stem = re.sub(r"[._]?eval_results\.json$", "", document.path.name)
    name = re.sub(r"_(vllm|hf|openai|anthropic|google|bedrock|ollama|gptqmodel)?_?temp_[\d.]+$", "", stem)
    if not name:
        name = re.sub(r"_temp_[\d.]+$", "", document.path.absolute().parent.name)
    return name.replace("--", "/")
