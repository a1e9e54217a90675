"""Result files of each tool give exactly the counts that stand in them, and what they cannot give is said."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import t2jax as t2
from experiments.shared import result_files
from experiments.shared.result_files import CASES, COUNTS, write_json

CASE = {case.name: case for case in CASES}
FORMATS = Path(os.environ.get("T2JAX_DATA", "/nowhere")).parent / "formats"


def rows_of(frame: pd.DataFrame, columns: tuple[str, ...]) -> list[tuple]:
    return list(frame[list(columns)].itertuples(index=False, name=None))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_folder_of_each_tool_gives_its_rows(case, tmp_path):
    case.write(tmp_path / "results")
    results = t2.read_results(tmp_path / "results", **case.options)
    assert results.kind == case.kind
    for row, expected in zip(rows_of(results.frame, case.columns), case.rows, strict=True):
        for cell, wanted in zip(row, expected, strict=True):
            assert cell == (wanted if isinstance(wanted, str) else pytest.approx(wanted, rel=1e-14, abs=0))


@pytest.mark.skipif(not FORMATS.is_dir(), reason="the folder formats is not beside T2JAX_DATA")
@pytest.mark.parametrize(
    ("folder", "options", "expected"),
    [
        ("lm_eval", {}, [(1, 1), (1, 0), (1, 0)]),
        ("lm_eval", {"answer_pattern": "#### (.*)"}, [(4, 3), (4, 1), (4, 0)]),
        ("evalplus", {}, [(4, 2), (4, 0), (4, 1), (4, 0)]),
        ("evalplus_legacy", {}, [(4, 2), (4, 0), (4, 1), (4, 0)]),
        ("monkeys", {}, [(4, 3), (4, 1)]),
        ("inspect", {}, [(4, 3), (4, 1)]),
    ],
)
def test_the_files_from_outside_give_their_counts(folder, options, expected):
    assert rows_of(t2.read_results(FORMATS / folder, **options).frame, ("trials", "correct")) == expected


def test_answers_of_a_log_are_kept_unless_they_contradict_their_verdicts(tmp_path):
    log = result_files.inspect_log()
    write_json(tmp_path / "log.json", log)  # the answer 4 to every sample, right or wrong
    results = t2.read_results(tmp_path)
    assert "right_answers" not in results.frame
    assert any("'4' is both right and wrong in question '1' (2 of 2 questions" in note for note in results.notes)
    for sample in log["samples"]:
        sample["scores"]["match"]["answer"] = "4" if sample["scores"]["match"]["value"] == "C" else None
    write_json(tmp_path / "log.json", log)
    frame = t2.read_results(tmp_path).frame
    assert frame["right_answers"].tolist() == ['{"4":3}', '{"4":1}']
    assert frame["wrong_answers"].tolist() == ['{"":1}', '{"":3}']


def test_answers_of_other_tools_are_kept(tmp_path):
    """Of 0.yaml `#### 4` is right three times of four; rows of Every Eval Ever name the final answer of each sample."""
    CASE["monkeys"].write(tmp_path / "monkeys")
    frame = t2.read_results(tmp_path / "monkeys", answer_pattern=r"#### (\d+)").frame
    assert frame["right_answers"].tolist() == ['{"4":3}', '{"7":1}']
    assert frame["wrong_answers"].tolist() == ['{"5":1}', '{"1":1,"2":1,"3":1}']
    CASE["every-eval-ever"].write(tmp_path / "rows")
    file = tmp_path / "rows" / "instances.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    for number, line in enumerate(lines):
        answer = "4" if line["evaluation"]["is_correct"] else f"{number}0"
        extracted = {"turn_idx": 0, "source": "output.raw", "extraction_method": "regex"}
        draft, final = extracted | {"is_terminal": False}, extracted | {"is_terminal": True}
        line["answer_attribution"] = [draft | {"extracted_value": "0"}, final | {"extracted_value": answer}]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    frame = t2.read_results(tmp_path / "rows").frame
    assert frame["right_answers"].tolist() == ['{"4":2}', "{}"]
    assert frame["wrong_answers"].tolist() == ['{"10":1}', '{"30":1,"40":1,"50":1}']


def test_several_tools_of_counts_come_together(tmp_path):
    for name in ("evalplus", "inspect", "lm-eval"):
        CASE[name].write(tmp_path / name)
    results = t2.read_results(*(tmp_path / name for name in ("evalplus", "inspect", "lm-eval")))
    assert sorted(results.tools) == ["EvalPlus", "inspect_ai", "lm-evaluation-harness"]
    expected = [row for name in ("evalplus", "inspect", "lm-eval") for row in CASE[name].rows]
    assert sorted(rows_of(results.frame, COUNTS)) == sorted(expected)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("bigcode", {}, "and not which of the 4 samples of a question were right, so it gives no counts"),
        ("lm-eval", {}, "4 responses a document but one filtered answer, so exact_match counts one trial"),
        ("lm-eval-old", {}, "gives scores of tasks and no counts; the size of the model is not in the file"),
        ("monkeys", {}, "do not name the model, so it has the name of the folder"),
        ("wandb", {}, "give the tokens of a step as batch_tokens (--batch-tokens)"),
        ("every-eval-ever", {}, "nothing in the file says how many rows there should be"),
    ],
)
def test_what_a_file_leaves_open_is_a_note(name, options, message, tmp_path):
    CASE[name].write(tmp_path)
    results = t2.read_results(tmp_path, **options)
    assert any(message in note for note in results.notes)
    assert all(note in repr(results) for note in results.notes)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("nanochat", {}, r"bits per byte.*give bytes_per_token \(--bytes-per-token\)"),
        ("nanochat", {"bytes_per_token": 4.0}, r"num_scaling_params and num_params; say which is N"),
        ("inspect", {"metric": "includes"}, r"found no 'includes', expected it beside \['match'\]"),
        ("lm-eval", {"metric": "acc"}, r"found exact_match,strict-match, expected one that is 'acc'"),
        ("lm-eval", {"answer_pattern": "("}, r"answer_pattern: found '\(', expected a regular expression"),
        ("lm-eval", {"answer_pattern": "boxed"}, r"target: found '#### 4', expected a match of the pattern 'boxed'"),
        ("wandb", {"metric": "eval/loss"}, r"found train/loss, expected 'eval/loss'"),
        ("wandb", {"batch_tokens": 0.0}, r"batch_tokens: found 0, expected a number > 0"),
        ("wandb", {"params": 1e8}, r"found 2 models, but one number of params"),
        ("evalplus", {"params": -1.0}, r"found -1 params, expected a number > 0"),
        ("evalplus", {"units": {"params": "M"}}, "units are given without models"),
    ],
)
def test_what_is_not_clear_is_asked(name, options, message, tmp_path):
    CASE[name].write(tmp_path)
    with pytest.raises(t2.TableError, match=message):
        t2.read_results(tmp_path, **options)


def test_pass_at_k_beyond_the_samples_is_refused(tmp_path):
    content = {"humaneval": {"pass@5": 1.0}, "config": {"n_samples": 2, "model": "acme/tiny"}}
    write_json(tmp_path / "evaluation_results.json", content)
    with pytest.raises(t2.TableError, match="pass@5 of 2 samples is undefined, expected k from 1 to 2"):
        t2.read_results(tmp_path)


def test_counts_that_contradict_the_file_are_refused(tmp_path):
    """The mean of a file, its number of documents and its epochs must be those of its samples."""
    CASE["evalplus"].write(tmp_path)
    path = next(tmp_path.glob("*.json"))
    whole = path.read_text()
    path.write_text(whole.replace('"pass@1": 0.25', '"pass@1": 0.5'))
    with pytest.raises(t2.TableError, match=r"found 0.5, expected 0.25, the mean of the 2 questions"):
        t2.read_results(path)
    path.write_text(whole.replace('"base_status": "timeout"', '"base_status": "pass"', 1))
    with pytest.raises(t2.TableError, match=r"found 0.25, expected 0.375"):
        t2.read_results(path)


def test_a_samples_file_without_its_last_line_is_refused(tmp_path):
    CASE["lm-eval"].write(tmp_path)
    (samples,) = tmp_path.rglob("*.jsonl")
    samples.write_text("".join(samples.read_text().splitlines(keepends=True)[:2]))
    with pytest.raises(t2.TableError, match="effective: found 3, expected 2, the documents of its samples file"):
        t2.read_results(samples)  # the results beside it are read too


def test_a_log_that_was_cancelled_is_refused(tmp_path):
    write_json(tmp_path / "log.json", {**result_files.inspect_log(), "status": "cancelled"})
    with pytest.raises(t2.TableError, match="status: found 'cancelled', expected success"):
        t2.read_results(tmp_path)


def test_half_right_is_no_count(tmp_path):
    log = result_files.inspect_log()
    log["samples"][3]["scores"]["match"]["value"] = 0.5
    write_json(tmp_path / "log.json", log)
    with pytest.raises(t2.TableError, match=r"samples\[3\], scores, match, value: found 0.5, expected 0 or 1"):
        t2.read_results(tmp_path)


def test_a_share_of_right_samples_is_their_count(tmp_path):
    """HumanEval of lm-evaluation-harness: pass@1 of a document with eight predictions is a share of eighths."""
    line = {"doc_id": 0, "target": "t", "resps": [["a"] * 8], "filtered_resps": [["a"] * 8], "filter": "create_test"}
    lines = [{**line, "doc_id": i, "metrics": ["pass@1"], "pass@1": right / 8} for i, right in enumerate((0, 3, 8))]
    path = tmp_path / "acme__tiny" / f"samples_humaneval_{result_files.DATE}.jsonl"
    path.parent.mkdir()
    path.write_text("\n".join(map(json.dumps, lines)))
    results = t2.read_results(path)
    assert rows_of(results.frame, COUNTS) == [
        ("acme/tiny", "humaneval", str(i), 8, right) for i, right in enumerate((0, 3, 8))
    ]
    assert "there is no results file of the same date beside it" in results.notes[0]


def test_two_filters_are_a_question(tmp_path):
    CASE["lm-eval"].write(tmp_path)
    (samples,) = tmp_path.rglob("*.jsonl")
    lines = [json.loads(line) for line in samples.read_text().splitlines()]
    lines += [{**line, "filter": "flexible-extract", "exact_match": 0.0} for line in lines]
    samples.write_text("\n".join(map(json.dumps, lines)))
    with pytest.raises(t2.TableError, match="strict-match, exact_match,flexible-extract, expected one of them"):
        t2.read_results(tmp_path)
    results = t2.read_results(tmp_path, metric="strict-match")
    assert rows_of(results.frame, COUNTS) == CASE["lm-eval"].rows


def test_the_same_question_twice_is_refused(tmp_path):
    for temperature in ("0.2", "0.8"):
        result_files.write_evalplus(tmp_path, f"acme--tiny_vllm_temp_{temperature}.eval_results.json")
    with pytest.raises(t2.TableError, match="question=HumanEval/0 more than once"):
        t2.read_results(tmp_path)
    assert len(t2.read_results(tmp_path / "acme--tiny_vllm_temp_0.2.eval_results.json").frame) == 4


def test_a_file_of_no_tool_is_named(tmp_path):
    CASE["evalplus"].write(tmp_path)
    write_json(tmp_path / "settings.json", {"a": 1})
    assert any("settings.json: not a file of a known tool" in note for note in t2.read_results(tmp_path).notes)
    with pytest.raises(t2.TableError, match=r"settings.json: not a file of a known tool \(lm-evaluation-harness,"):
        t2.read_results(tmp_path / "settings.json")
    with pytest.raises(t2.TableError, match="there is no such file or folder"):
        t2.read_results(tmp_path / "nothing")


def test_sizes_come_from_the_table_of_models_first(tmp_path):
    CASE["lm-eval"].write(tmp_path / "results")
    models = tmp_path / "models.csv"
    models.write_text("model,params,tokens\nacme__Tiny-160m,160,300\nother,1,1\n")
    results = t2.read_results(tmp_path / "results", models=models, units={"params": "M", "tokens": "B"})
    assert set(rows_of(results.frame, ("params", "tokens"))) == {(160e6, 300e9)}
    assert "params of acme/tiny-160m: 1.6e+08 as given, not 1.62323e+08 as in its file" in results.notes
    table = results.table()
    np.testing.assert_array_equal(table["correct"], [1, 0, 0])
    models.write_text("model,params,tokens\nother,1e8,1e9\n")
    with pytest.raises(t2.TableError, match="found 'other', expected one row for the model 'acme/tiny-160m'"):
        t2.read_results(tmp_path / "results", models=models)


def test_tokens_of_a_revision_are_its_steps_times_the_tokens_of_a_step(tmp_path):
    CASE["lm-eval"].write(tmp_path)
    frame = t2.read_results(tmp_path, batch_tokens=2_097_152).frame
    assert set(rows_of(frame, ("params", "step", "tokens"))) == {(162_322_944, 113_000, 113_000 * 2_097_152)}


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "parquet"])
def test_counts_with_sizes_are_a_table(suffix, tmp_path):
    CASE["inspect"].write(tmp_path / "logs")
    results = t2.read_results(tmp_path / "logs", params=1e8, tokens=2e9)
    results.save(tmp_path / f"counts.{suffix}")
    table = t2.read_table(tmp_path / f"counts.{suffix}")
    assert table.columns == (*COUNTS, "params", "tokens")
    assert table["correct"].tolist() == [3, 1] and table["model"].tolist() == ["hf/acme/tiny-160m"] * 2


def test_counts_without_sizes_are_written_but_are_no_table(tmp_path):
    CASE["inspect"].write(tmp_path / "logs")
    results = t2.read_results(tmp_path / "logs")
    assert results.unknown_sizes == ("params", "tokens")
    results.save(tmp_path / "counts.csv")
    assert (tmp_path / "counts.csv").read_text().splitlines()[:2] == [",".join(COUNTS), "hf/acme/tiny-160m,gsm8k,1,4,3"]
    with pytest.raises(t2.TableError, match="params and tokens of the models are not known"):
        results.table()
