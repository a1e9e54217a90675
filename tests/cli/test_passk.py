"""`t2jax import` and `t2jax passk`: from result files to pass@k, and what cannot be known is said."""

from fractions import Fraction
from math import comb

import numpy as np
import pandas as pd
import pytest

from experiments.shared import result_files
from t2jax import cli
from tests.helpers.json_answers import checked_answer

pytestmark = pytest.mark.usefixtures("settings_alone")


def run(*args: object) -> int:
    return cli.command([str(arg) for arg in args])


def answer_of(capsys, *args: object) -> dict:
    assert run(*args, "--json") == 0
    return checked_answer(capsys.readouterr().out)


@pytest.fixture
def counts(tmp_path):
    """Two models on 40 questions of 8 samples, the second with one more right where there is room."""
    first = [min(i // 5, 8) for i in range(40)]
    rows = {
        "model": ["a"] * 40 + ["b"] * 40,
        "task": "math",
        "question": [f"q{i}" for i in range(40)] * 2,
        "trials": 8,
        "correct": first + [min(c + 1, 8) for c in first],
    }
    pd.DataFrame(rows).to_csv(tmp_path / "counts.csv", index=False)
    return tmp_path / "counts.csv"


def test_pass_at_k_of_each_model_is_the_exact_mean(counts, tmp_path, capsys):
    answer = answer_of(capsys, "passk", counts, "--k", 1, 3, 8, "-o", tmp_path / "out")
    cells = {(cell["model"], cell["quantity"], cell["k"]): cell for cell in answer["cells"]}
    for k in (1, 3, 8):
        fails = [Fraction(comb(8 - i // 5, k), comb(8, k)) for i in range(40)]
        powers = [Fraction(comb(i // 5, k), comb(8, k)) for i in range(40)]
        assert cells["a", "pass@k", k]["value"] == pytest.approx(float(1 - sum(fails) / 40), rel=1e-12)
        assert cells["a", "pass^k", k]["value"] == pytest.approx(float(sum(powers) / 40), rel=1e-12, abs=1e-14)
        assert cells["a", "pass@k", k]["rests_on"] == "counts"
    written = pd.read_csv(tmp_path / "out" / "passk.csv")
    np.testing.assert_allclose(written["value"], [cell["value"] for cell in answer["cells"]], rtol=1e-14)
    assert answer["files"] == ["passk.csv"] and answer["differences"] == []


def test_a_paired_comparison_and_a_target(counts, tmp_path, capsys):
    args = ["passk", counts, "--k", 1, 100, "--compare", "b", "a", "--target", 0.8, "-o", tmp_path / "out"]
    answer = answer_of(capsys, *args)
    (line,) = answer["differences"]
    assert (line["first"], line["second"], line["k"], line["questions"]) == ("b", "a", 1, 40)
    assert line["value"] == pytest.approx(1 / 8) and line["low"] <= line["value"] <= line["high"]
    assert any("k = 100 is beyond the 8 samples of a question" in status for status in answer["statuses"])
    (of_b,) = [target for target in answer["targets"] if target["model"] == "b"]
    assert of_b["k"] == 3 and of_b["status"] == "reached within the 8 samples a question"


def test_k_beyond_the_samples_is_a_forecast(counts, tmp_path, capsys):
    assert run("passk", counts, "--k", 8, 100, "--where", "model=a", "-o", tmp_path / "out") == 0
    printed = capsys.readouterr().out
    assert "beyond the 8 samples of a question pass@k is undefined; the forecast rests on a Beta" in printed
    (line,) = [line for line in printed.splitlines() if line.startswith("k = 100")]
    assert "beta forecast" in line
    answer = answer_of(capsys, "passk", counts, "--k", 8, 9, 100, "--where", "model=b", "-o", tmp_path / "again")
    every = {cell["k"]: cell for cell in answer["cells"] if cell["quantity"] == "pass^k"}
    assert every[8]["value"] >= every[9]["value"] > every[100]["value"] > 0
    assert every[9]["rests_on"] == "beta forecast" and every[100]["low"] < every[100]["value"] < every[100]["high"]


def test_one_greedy_sample_a_question_gives_bounds_only(tmp_path, capsys):
    """50 of 164: pass@1 is 0.305, and pass@10 lies between it and 1 - 0.695^10 = 0.974, widened by their interval."""
    rows = {"question": range(164), "trials": 1, "correct": [1] * 50 + [0] * 114}
    pd.DataFrame(rows).to_csv(tmp_path / "greedy.csv", index=False)
    answer = answer_of(capsys, "passk", tmp_path / "greedy.csv", "--k", 1, 10, "-o", tmp_path / "out")
    cells = {(cell["quantity"], cell["k"]): cell for cell in answer["cells"]}
    assert cells["pass@k", 1]["value"] == pytest.approx(50 / 164)
    at_ten = cells["pass@k", 10]
    assert (at_ten["value"], at_ten["rests_on"]) == (None, "prior")
    assert at_ten["low"] == cells["pass@k", 1]["low"] < 50 / 164
    assert at_ten["high"] == pytest.approx(1 - (1 - cells["pass@k", 1]["high"]) ** 10) and at_ten["high"] > 0.973
    assert "one sample a question says pass@1 and nothing of larger k" in answer["statuses"][0]
    assert cells["pass^k", 10]["high"] == cells["pass@k", 1]["high"]
    assert cells["pass^k", 10]["low"] == pytest.approx(cells["pass@k", 1]["low"] ** 10)


def test_a_question_of_one_sample_beside_longer_ones_leaves_a_forecast(tmp_path, capsys):
    rows = {"question": range(50), "trials": [200] * 49 + [1], "correct": [*range(2, 198, 4), 0]}
    pd.DataFrame(rows).to_csv(tmp_path / "mix.csv", index=False)
    answer = answer_of(capsys, "passk", tmp_path / "mix.csv", "--k", 10, "-o", tmp_path / "out")
    cells = {cell["quantity"]: cell["value"] for cell in answer["cells"] if cell["rests_on"] == "beta forecast"}
    assert cells["pass@k"] == pytest.approx(10 / 11, abs=0.03)  # chances are even in (0, 1)
    assert cells["pass^k"] == pytest.approx(1 / 11, abs=0.03)
    assert "of the question with the fewest (1 of 50 have so few)" in answer["statuses"][0]


def test_nothing_solved_rests_on_the_prior(tmp_path, capsys):
    pd.DataFrame({"question": range(20), "trials": 2, "correct": 0}).to_csv(tmp_path / "zero.csv", index=False)
    args = ["passk", tmp_path / "zero.csv", "--k", 10**21, "--target", 0.5]
    answer = answer_of(capsys, *args, "-o", tmp_path / "out")
    assert answer["cells"][0]["rests_on"] == "prior"
    assert "rests on the prior" in answer["statuses"][0] and "not on the counts" in answer["targets"][0]["status"]
    assert run(*args, "-o", tmp_path / "again") == 0
    assert "\nk = 1e+21 " in capsys.readouterr().out


def test_one_question_has_no_interval(tmp_path, capsys):
    (tmp_path / "one.csv").write_text("question,trials,correct\nq,4,1\n")
    assert run("passk", tmp_path / "one.csv", "--k", 2, 9, "--target", 0.5, "-o", tmp_path / "out") == 0
    printed = capsys.readouterr().out
    assert "1 question, 1 solved, 4 samples of each" in printed and "0.5 (no interval)" in printed
    assert "one question: an interval over questions needs at least two" in printed
    assert "pass@k of 0.5: k = 2; reached within the 4 samples a question" in printed


def test_a_total_over_problems_is_no_count_of_samples(tmp_path, capsys):
    (tmp_path / "total.csv").write_text("model,trials,correct\na,164,50\n")
    assert run("passk", tmp_path / "total.csv", "-o", tmp_path / "out") == 1
    assert "50 of 164 problems solved once are 164 rows of one trial" in capsys.readouterr().err


def test_answers_of_samples_give_maj_at_k(tmp_path, capsys):
    """Answers 4 4 4 7: of the six pairs three agree on 4 and three tie, so maj@2 is (3 + 3/2)/6."""
    rows = {"question": "q", "answer": [4, 4, 4, 7], "correct": [1, 1, 1, 0]}
    pd.DataFrame(rows).to_csv(tmp_path / "samples.csv", index=False)
    answer = answer_of(capsys, "passk", tmp_path / "samples.csv", "--k", 2, "-o", tmp_path / "out")
    values = {cell["quantity"]: cell["value"] for cell in answer["cells"]}
    assert values == {"pass@k": 1.0, "pass^k": pytest.approx(0.5), "maj@k": pytest.approx(0.75)}


def test_answers_of_result_files_are_kept(tmp_path, capsys):
    """Responses 4 5 4 4, 1 2 7 3 and four times 0 to the targets 4, 7 and 9: maj@4 is 1, 1/4 and 0."""
    result_files.write_lm_eval(tmp_path / "results")
    out = tmp_path / "counts.csv"
    answer = answer_of(capsys, "import", tmp_path / "results", "--answer-pattern", r"#### (-?\d+)", "-o", out)
    assert "right_answers" in answer["columns"]
    rows = pd.read_csv(out)
    assert rows["right_answers"].tolist() == ['{"4":3}', '{"7":1}', "{}"]
    assert rows["wrong_answers"].tolist() == ['{"5":1}', '{"1":1,"2":1,"3":1}', '{"0":4}']
    answer = answer_of(capsys, "passk", out, "--k", 1, 4, "-o", tmp_path / "out")
    cells = {(cell["quantity"], cell["k"]): cell["value"] for cell in answer["cells"]}
    assert cells["maj@k", 4] == pytest.approx((1 + 1 / 4) / 3)
    assert [cells["maj@k", 1], cells["pass@k", 1]] == pytest.approx([1 / 3, 1 / 3])
    rows.assign(wrong_answers=['{"5":2}', "{}", "{}"]).to_csv(out, index=False)
    assert run("passk", out, "-o", tmp_path / "out") == 1
    assert "line 2: the votes are of 5 samples, 3 of them right, expected 4 and 3" in capsys.readouterr().err
    rows.assign(wrong_answers="5 5").to_csv(out, index=False)
    assert run("passk", out, "-o", tmp_path / "out") == 1
    assert "column 'wrong_answers': found '5 5', expected a JSON object of answers" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--k", 0], "--k: found 0, expected whole numbers >= 1"),
        (["--target", 80], "--target: found 80, expected a number between 0 and 1"),
        (["--level", 90], "--level: found 90"),
        (["--draws", 1], "--draws: found 1, expected at least 100"),
        (["--compare", "a", "c"], "--compare: found no model 'c'"),
        (["--where", "size=1"], "column 'size', needed by --where, is missing"),
        (["--where", "model=c"], "no row has model=c (--where), expected at least one"),
    ],
)
def test_wrong_options_are_one_sentence(args, message, counts, tmp_path, capsys):
    assert run("passk", counts, *args, "-o", tmp_path / "out") == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("question,trials,correct\nq,4,5\n", "line 2, column 'correct': found '5', expected no more than the trials"),
        ("question,trials,correct\nq,4,1\nq,4,1\n", "line 3: question 'q' of the model is repeated"),
        ("question,trials,correct\nq,4.5,1\n", "line 2, column 'trials': found '4.5', expected a whole number"),
        ("question,N,c\nq,4,1\n", "column 'trials' is missing, expected counts; columns there: question, N, c"),
        ("q,n,trials,correct\na,4,4,1\n", "found one row of 1 of 4 and no column 'question'"),
        ("question,answer,correct\nq,4,2\n", "column 'correct': found '2', expected 0 or 1"),
        ("answer,correct\n4,1\n", "column 'question' is missing"),
    ],
)
def test_wrong_counts_are_one_sentence(text, message, tmp_path, capsys):
    (tmp_path / "counts.csv").write_text(text)
    assert run("passk", tmp_path / "counts.csv", "-o", tmp_path / "out") == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text", "options"),
    [
        ("a.csv", "question,n,c\nq,4,1\nr,4,3\n", ()),
        ("a.csv", "task_id,num_trials,num_correct\nq,4,1\nr,4,3\n", ()),
        ("a.tsv", "problem\tn_trials\tn_correct\nq\t4\t1\nr\t4\t3\n", ()),
        (
            "a.csv",
            "question|drawn|passed\nq|4|1\nr|4|3\n",
            ("--columns", "drawn=trials", "passed=correct", "--sep", "|"),
        ),
        ("a.jsonl", '{"question": "q", "n": 4, "c": 1}\n{"question": "r", "n": 4, "c": 3}\n', ()),
        ("a.csv", "question,n,c,total_params,active_params\nq,4,1,2,1\nr,4,3,2,1\n", ()),
        ("a.csv", "question;n;c\nq;0,004;0,001\nr;0,004;0,003\n", ("--decimal", ",", "--units", "n=K", "c=K")),
        ("a.csv", "question,n,c\nq\u00e9,4,1\nr,4,3\n", ("--encoding", "cp1252")),
    ],
)
def test_counts_under_other_names_and_in_other_files(name, text, options, tmp_path, capsys):
    """pass@1 is the mean of 1/4 and 3/4, and pass@2 that of 1/2 and 1."""
    (tmp_path / name).write_text(text, encoding="cp1252")
    answer = answer_of(capsys, "passk", tmp_path / name, "--k", 1, 2, *options, "-o", tmp_path / "out")
    values = [cell["value"] for cell in answer["cells"] if cell["quantity"] == "pass@k"]
    assert values == pytest.approx([0.5, 0.75], rel=1e-12)


def write_five_models(folder, questions=30, n=8):
    """EvalPlus files of five models whose chances rise with their size, and the table of their sizes."""
    draw = np.random.default_rng(0)
    hard = draw.uniform(-4, 2, questions)
    sizes = [(f"acme/m{i}", 1e8 * 3**i, 2e9 * 3**i) for i in range(5)]
    for i, (name, _, _) in enumerate(sizes):
        chance = 1 / (1 + np.exp(hard - 1.2 * i + 2))
        content = {}
        for question, p in enumerate(chance):
            base = draw.uniform(size=n) < p
            plus = base & (draw.uniform(size=n) < 0.8)
            content[f"HumanEval/{question}"] = [
                {
                    "task_id": f"HumanEval/{question}",
                    "base_status": "pass" if passed else "fail",
                    "plus_status": "pass" if both else "fail",
                }
                for passed, both in zip(base, plus, strict=True)
            ]
        file = folder / f"{name.replace('/', '--')}_vllm_temp_0.8.eval_results.json"
        result_files.write_json(file, {"date": "2026", "hash": "0", "eval": content})
    table = pd.DataFrame(sizes, columns=["model", "params", "tokens"])
    table.to_csv(folder.parent / "models.csv", index=False)


def test_five_models_of_evalplus_come_to_a_table_that_a_fit_reads(tmp_path, capsys):
    write_five_models(tmp_path / "evalplus")
    counts = tmp_path / "counts.parquet"
    answer = answer_of(capsys, "import", tmp_path / "evalplus", "--models", tmp_path / "models.csv", "-o", counts)
    assert (answer["rows"], answer["models"]) == (300, [f"acme/m{i}" for i in range(5)])
    assert answer["tasks"] == ["humaneval", "humaneval+"] and answer["unknown_sizes"] == []
    from t2jax.tables.read import read_table

    table = read_table(counts).where(task="humaneval")
    assert len(table) == 150 and set(table["params"]) == {1e8 * 3**i for i in range(5)}
    answer = answer_of(capsys, "passk", counts, "--k", 1, "--where", "task=humaneval", "-o", tmp_path / "passk")
    means = [cell["value"] for cell in answer["cells"] if cell["quantity"] == "pass@k"]
    frame = table.to_frame()
    expected = [np.mean(rows["correct"] / rows["trials"]) for _, rows in frame.groupby("model", sort=False)]
    np.testing.assert_allclose(means, expected, rtol=1e-12)


def test_import_prints_what_comes_next(tmp_path, capsys):
    write_five_models(tmp_path / "evalplus", questions=2)
    assert run("import", tmp_path / "evalplus", "-o", tmp_path / "counts.csv", "--json") == 0
    printed = capsys.readouterr()
    messages, answer = printed.err, checked_answer(printed.out)
    assert (answer["kind"], answer["rows"], len(answer["models"])) == ("counts", 20, 5)
    assert "20 rows of counts, 5 models, 2 tasks, from 5 files of EvalPlus" in messages
    assert "params and tokens of the models are not known; a fit needs --models models.csv" in messages
    assert f"t2jax passk {tmp_path / 'counts.csv'}" in messages and "t2jax fit" not in messages
    args = ["--models", tmp_path / "models.csv", "--units", "params=1", "-o", tmp_path / "counts.csv"]
    assert run("import", tmp_path / "evalplus", *args) == 0
    assert "--law t2-pass-k --where task=humaneval" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["-o", "counts.txt"], "counts.txt: found suffix '.txt', expected .csv or .csv.gz or .parquet"),
        (["-o", "counts.csv", "--units", "params"], "--units: found 'params', expected COLUMN=UNIT"),
        (["-o", "counts.csv", "--metric", "x", "--params", "1e8"], "found 5 models, but one number of params"),
        (["-o", "counts.csv", "--models", "none.csv"], "none.csv: cannot be read"),
    ],
)
def test_import_refuses_in_one_sentence(args, message, tmp_path, capsys, monkeypatch):
    write_five_models(tmp_path / "evalplus", questions=2)
    monkeypatch.chdir(tmp_path)
    assert run("import", tmp_path / "evalplus", *args) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "counts.csv").exists()


def test_sizes_of_models_may_have_suffixes(tmp_path, capsys):
    write_five_models(tmp_path / "evalplus", questions=2)
    table = [f"acme/m{i},{70 * 2**i}M,{i + 1}.5B" for i in range(5)]
    (tmp_path / "models.csv").write_text("\n".join(["model,params,tokens", *table]))
    out = tmp_path / "counts.csv"
    answer_of(capsys, "import", tmp_path / "evalplus", "--models", tmp_path / "models.csv", "-o", out)
    rows = pd.read_csv(out).drop_duplicates("model").sort_values("params")
    assert rows["params"].tolist() == [7e7, 1.4e8, 2.8e8, 5.6e8, 1.12e9]
    assert rows["tokens"].tolist() == [1.5e9, 2.5e9, 3.5e9, 4.5e9, 5.5e9]
    file = next((tmp_path / "evalplus").glob("acme--m0*"))
    answer_of(capsys, "import", file, "--params", "70M", "--tokens", "3e9", "-o", out)
    rows = pd.read_csv(out)
    assert set(rows["params"]) == {7e7} and set(rows["tokens"]) == {3e9}
    assert run("import", file, "--params", "70X", "-o", out) == 1
    assert "--params: found '70X', expected a number such as 7e7 or 70M" in capsys.readouterr().err
