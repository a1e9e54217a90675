"""Small result files of evaluation tools, with the counts that each must give, written out by hand."""

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

DATE = "2026-11-20T10-11-12.123456"


@dataclass(frozen=True)
class Case:
    """Files of one tool.

    Attributes:
        name: Name of the tool or of its variant.
        write: Writes the files into a folder.
        kind: The kind of rows.
        columns: The columns to compare.
        rows: The rows that must come out, in order.
        options: Arguments of `read_results`.
    """

    name: str
    write: Callable[[Path], None]
    kind: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    options: dict[str, Any] = field(default_factory=dict)


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")


STATUSES = {
    "HumanEval/0": [("pass", "pass"), ("pass", "fail"), ("fail", "pass"), ("timeout", "fail")],
    "HumanEval/1": [("fail", "fail")] * 4,
}
"""Base and plus status of each sample: base 2 of 4, and 1 of 4 that passes both; nothing of the second question."""


def write_evalplus(folder: Path, name: str = "acme--tiny_vllm_temp_0.8.eval_results.json") -> None:
    questions = {
        question: [
            {"task_id": question, "solution": "def f(): ...", "base_status": base, "plus_status": plus}
            for base, plus in samples
        ]
        for question, samples in STATUSES.items()
    }
    means = {"base": {"pass@1": 0.25}, "plus": {"pass@1": 0.125}}
    write_json(folder / name, {"date": "2026", "hash": "fe58b6f", "eval": questions, "pass_at_k": means})


def write_evalplus_legacy(folder: Path) -> None:
    questions = {
        question: {
            "nfiles": len(samples),
            "base": [[base, [base == "pass"]] for base, _ in samples],
            "plus": [[plus, [plus == "pass"]] for _, plus in samples],
        }
        for question, samples in STATUSES.items()
    }
    write_json(folder / "tiny_temp_0.8" / "eval_results.json", {"date": "2023", "hash": "aa11", "eval": questions})


RESPONSES = (["#### 4", "#### 5", "#### 4", "#### 4"], ["#### 1", "#### 2", "#### 7", "#### 3"], ["#### 0"] * 4)
TARGETS = ("#### 4", "#### 7", "#### 9")


def write_lm_eval(folder: Path) -> None:
    """Three documents with four responses each; the filter keeps the first, which is right once."""
    folder = folder / "acme__tiny-160m"
    config = {
        "model_args": "pretrained=acme/tiny-160m,revision=step113000",
        "model_num_parameters": 162322944,
        "model_revision": "step113000",
    }
    scores = {
        "alias": "gsm8k",
        "exact_match,strict-match": 1 / 3,
        "exact_match_stderr,strict-match": "N/A",
        "exact_match,flexible-extract": 0.5,
    }
    content = {
        "results": {"gsm8k": scores},
        "configs": {"gsm8k": {"repeats": 4}},
        "versions": {"gsm8k": 3.0},
        "n-samples": {"gsm8k": {"original": 1319, "effective": 3}},
        "config": config,
        "model_name": "acme/tiny-160m",
    }
    write_json(folder / f"results_{DATE}.json", content)
    lines = [
        {
            "doc_id": i,
            "target": target,
            "resps": [responses],
            "filtered_resps": [responses[0].removeprefix("#### ")],
            "filter": "strict-match",
            "metrics": ["exact_match"],
            "exact_match": float(responses[0] == target),
        }
        for i, (target, responses) in enumerate(zip(TARGETS, RESPONSES, strict=True))
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / f"samples_gsm8k_{DATE}.jsonl").write_text(text, encoding="utf-8")


def write_lm_eval_old(folder: Path) -> None:
    results = {
        "arc_easy": {"acc": 0.41, "acc_stderr": 0.0101, "acc_norm": 0.37, "acc_norm_stderr": 0.0099},
        "lambada_openai": {"ppl": 24.5, "ppl_stderr": 0.79},
    }
    config = {"model": "hf-causal", "model_args": "pretrained=EleutherAI/pythia-160m,revision=step113000"}
    write_json(folder / "160m_step113000.json", {"results": results, "versions": {"arc_easy": 0}, "config": config})


def write_bigcode(folder: Path) -> None:
    config = {"n_samples": 4, "model": "acme/tiny-160m", "tasks": "humaneval"}
    write_json(folder / "evaluation_results.json", {"humaneval": {"pass@1": 0.125, "pass@2": 0.25}, "config": config})
    write_json(folder / "generations_humaneval.json", [["def a(): return 1"] * 4, ["def b(): pass"] * 4])


def write_monkeys(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i, key in ((0, "is_corrects"), (1, "is_correct")):  # the key of the code, and that of its README
        right = [response == TARGETS[i] for response in RESPONSES[i]]
        content = {"question": f"q{i}", "samples": RESPONSES[i], "gt_answer": TARGETS[i], key: right}
        (folder / f"{i}.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def inspect_log() -> dict[str, Any]:
    verdicts = {1: "CICC", 2: "IICI"}
    samples = [
        {"id": name, "epoch": epoch, "scores": {"match": {"value": value, "answer": "4"}}}
        for name, values in verdicts.items()
        for epoch, value in enumerate(values, 1)
    ]
    score = {"name": "match", "reducer": "mean", "metrics": {"accuracy": {"value": 0.5}}}
    return {
        "version": 2,
        "status": "success",
        "eval": {"task": "gsm8k", "model": "hf/acme/tiny-160m", "config": {"epochs": 4}},
        "results": {"total_samples": 8, "completed_samples": 8, "scores": [score]},
        "samples": samples,
    }


def write_inspect(folder: Path) -> None:
    write_json(folder / "2026_gsm8k_AbCd.json", inspect_log())


def write_inspect_zip(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    log = inspect_log()
    with zipfile.ZipFile(folder / "2026_gsm8k_AbCd.eval", "w", zipfile.ZIP_DEFLATED) as archive:
        for sample in log.pop("samples"):
            archive.writestr(f"samples/{sample['id']}_epoch_{sample['epoch']}.json", json.dumps(sample))
        archive.writestr("header.json", json.dumps(log))


def write_every_eval_ever(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        {
            "schema_version": "0.3.0",
            "evaluation_id": "e1",
            "model_id": "acme/tiny-160m",
            "evaluation_name": "gsm8k",
            "sample_id": name,
            "evaluation": {"score": float(right), "is_correct": bool(right)},
        }
        for name, verdicts in {"q0": (1, 0, 1), "q1": (0, 0, 0)}.items()
        for right in verdicts
    ]
    (folder / "instances.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def write_text(name: str, text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")

    return write


WANDB = """"Step","N124M - a - train/loss","N124M - a - train/loss__MIN","N355M - train/loss","N355M - train/loss__MAX"
"1000","4.10","4.10","",""
"1001","","","3.92","3.92"
"19072","3.29","3.29","3.00","3.00"
"""
OLMO = """_step,throughput/total_tokens,eval/c4_en-validation/CrossEntropyLoss,eval/downstream/hellaswag_len_norm
5000,1966080000,3.402,0.291
9680,3806330880,3.271,0.302
"""
NANOCHAT = """flops_budget,depth,num_params,num_scaling_params,tokens_trained,val_bpb,core_score
1e18,10,135000000,62000000,2569011200,0.9312,0.1012
1e18,14,277000000,135000000,1153433600,0.9205,0.1101
"""
COUNTS = ("model", "task", "question", "trials", "correct")
PLUS = [
    ("humaneval", "HumanEval/0", 4, 2),
    ("humaneval", "HumanEval/1", 4, 0),
    ("humaneval+", "HumanEval/0", 4, 1),
    ("humaneval+", "HumanEval/1", 4, 0),
]
FILTERED = [("acme/tiny-160m", "gsm8k", "0", 1, 1), *(("acme/tiny-160m", "gsm8k", name, 1, 0) for name in "12")]
RESCORED = [("acme/tiny-160m", "gsm8k", name, 4, right) for name, right in (("0", 3), ("1", 1), ("2", 0))]
INSPECTED = [("hf/acme/tiny-160m", "gsm8k", "1", 4, 3), ("hf/acme/tiny-160m", "gsm8k", "2", 4, 1)]
SCORES = [
    ("arc_easy", "acc", 0.41, 0.0101),
    ("arc_easy", "acc_norm", 0.37, 0.0099),
    ("lambada_openai", "ppl", 24.5, 0.79),
]
BYTES = {"bytes_per_token": 4.3, "params_column": "num_params"}
NATS = 0.693147180559945 * 4.3
CASES = (
    Case("evalplus", write_evalplus, "counts", COUNTS, [("acme/tiny", *row) for row in PLUS]),
    Case("evalplus-legacy", write_evalplus_legacy, "counts", COUNTS, [("tiny", *row) for row in PLUS]),
    Case("lm-eval", write_lm_eval, "counts", COUNTS, FILTERED),
    Case("lm-eval-again", write_lm_eval, "counts", COUNTS, RESCORED, {"answer_pattern": r"#### (-?\d+)"}),
    Case("lm-eval-old", write_lm_eval_old, "scores", ("task", "metric", "value", "stderr"), SCORES),
    Case("bigcode", write_bigcode, "pass_at_k", ("samples", "pass_at_k"), [(1, 0.125), (2, 0.25)]),
    Case("monkeys", write_monkeys, "counts", COUNTS[2:], [("0", 4, 3), ("1", 4, 1)]),
    Case("inspect", write_inspect, "counts", COUNTS, INSPECTED),
    Case("inspect-zip", write_inspect_zip, "counts", COUNTS, INSPECTED),
    Case(
        "every-eval-ever",
        write_every_eval_ever,
        "counts",
        ("question", "trials", "correct"),
        [("q0", 3, 2), ("q1", 3, 0)],
    ),
    Case(
        "wandb",
        write_text("wandb_export.csv", WANDB),
        "losses",
        ("model", "loss", "tokens", "step"),
        [("N124M - a", 3.29, 9.536e9, 19072), ("N355M", 3.0, 9.536e9, 19072)],
        {"batch_tokens": 500_000},
    ),
    Case(
        "olmo-ladder",
        write_text("190M-1xC.csv", OLMO),
        "losses",
        ("model", "loss", "tokens"),
        [("190M-1xC", 3.271, 3806330880)],
    ),
    Case(
        "nanochat",
        write_text("results.csv", NANOCHAT),
        "losses",
        ("model", "loss", "params", "tokens"),
        [("d10-1e18", 0.9312 * NATS, 135e6, 2569011200), ("d14-1e18", 0.9205 * NATS, 277e6, 1153433600)],
        BYTES,
    ),
)
