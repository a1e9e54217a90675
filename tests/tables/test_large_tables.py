"""Tables of many rows: tallies leave the likelihood as it is, and plain text is read as csv reads it."""

from typing import Any

import jax
import mpmath
import numpy as np
import pytest

import t2jax as t2
from t2jax.fitting.problem import prepare
from t2jax.numerics.rising_sums import log_rising_sum
from t2jax.tables import tallies
from t2jax.tables.measurements import Measurements, measurements
from t2jax.tables.reading.files.text import _plain_cells, text_cells
from t2jax.working_precision import scope


def counts(models=6, questions=200, seed=0) -> t2.Table:
    rng = np.random.default_rng(seed)
    rows = models * questions
    trials = np.where(np.arange(rows) % 3 == 0, 25.0, 40.0)
    return t2.Table.from_columns(
        params=np.repeat(np.logspace(7, 9, models), questions),
        tokens=np.repeat(np.logspace(9, 11, models), questions),
        question=np.tile([f"q{i}" for i in range(questions)], models),
        samples=np.ones(rows),
        trials=trials,
        correct=rng.binomial(trials.astype(int), rng.beta(0.4, 2.0, rows)).astype(float),
    )


@pytest.fixture
def always_tallied(monkeypatch):
    monkeypatch.setattr(tallies, "LEAST_ROWS", 0)
    monkeypatch.setattr(tallies, "MOST_SLOTS", np.inf)


def test_rising_sums_against_mpmath():
    beyond, xs = np.array([[3.0, 2.0, 2.0, 0.5]] * 3), np.array([1e-6, 0.7, 1e5])

    def exact(x):
        return sum(w * mpmath.log(x + j) for j, w in enumerate(beyond[0]))

    with scope():
        value = jax.vmap(lambda x: log_rising_sum(x[None], beyond[:1])[0])
        slope = jax.vmap(jax.grad(lambda x: log_rising_sum(x[None], beyond[:1])[0]))
        bend = jax.vmap(jax.hessian(lambda x: log_rising_sum(x[None], beyond[:1])[0]))
        for order, answers in enumerate((value(xs), slope(xs), bend(xs))):
            expected = [float(mpmath.diff(exact, mpmath.mpf(x), order)) for x in xs]
            np.testing.assert_allclose(answers, expected, rtol=1e-13)


def test_tallies_leave_the_likelihood_and_its_derivatives(always_tallied):
    table, law = counts(), t2.laws.T2PassK
    problem, tallied = prepare(law, table, None, {})
    assert isinstance(tallied, tallies.Tallies) and tallied.inputs["params"].shape == (6,)
    rows = measurements(table, tuple(tallied.columns))
    with scope() as dtype:
        times = jax.random.randint(jax.random.key(0), (tallied.padded().weight.shape[0],), 0, 4).astype(dtype)

        def second_order(data: Measurements):
            def objective(u):
                return problem.objective(u, data.padded().on_device(dtype).weighted(times))

            return jax.jit(lambda u: (objective(u), jax.grad(objective)(u), jax.hessian(objective)(u)))

        of_rows, of_tallies = second_order(rows), second_order(tallied)
        for seed in range(3):
            u = jax.random.normal(jax.random.key(seed), (len(problem.names),))
            for expected, answer in zip(of_rows(u), of_tallies(u), strict=True):
                np.testing.assert_allclose(answer, expected, rtol=1e-12, atol=1e-12 * float(np.max(np.abs(expected))))


def test_a_float32_program_keeps_the_rows(always_tallied):
    _, tallied = prepare(t2.laws.T2PassK, counts(), None, {})
    with t2.precision("float32"), scope() as dtype:
        rows = tallied.on_device(dtype).weighted(jax.numpy.ones(len(tallied.weight), np.float32))
    assert "correct_beyond" not in rows and rows["correct"].dtype == np.float32


def test_only_large_tables_are_tallied():
    """1,200 rows are not; 12,000 are, and 12,000 with a thousand slots for every row are not."""
    columns = ("params", "tokens", "trials", "correct")
    assert type(tallies.tallied(counts(), columns)) is Measurements
    large = counts(questions=2000)
    assert type(tallies.tallied(large, columns)) is tallies.Tallies
    columns_of: Any = {name: large[name] for name in large.columns} | {"trials": np.full(len(large), 1e6)}
    many = t2.Table.from_columns(**columns_of)
    assert type(tallies.tallied(many, columns)) is Measurements


def test_a_bootstrap_in_chunks_is_the_bootstrap(monkeypatch):
    from t2jax.fitting import bootstrap

    rng = np.random.default_rng(0)
    n, d = np.logspace(7, 10, 30), np.logspace(9, 11, 30)[rng.permutation(30)]
    loss = (1.8 + 480 / n**0.35 + 2100 / d**0.37) * np.exp(0.01 * rng.normal(size=30))
    runs = t2.Table.from_columns(params=n, tokens=d, loss=loss)
    fixed = {"E": 1.8, "A": 480.0, "B": 2100.0}
    fit = t2.fit(t2.laws.Chinchilla, runs, key=jax.random.key(0), fixed=fixed)
    whole = t2.bootstrap(fit, runs, draws=70, key=jax.random.key(1))
    monkeypatch.setattr(bootstrap, "MEMORY", 1)
    jax.clear_caches()  # the constant is read when the program is traced
    parts = t2.bootstrap(fit, runs, draws=70, key=jax.random.key(1))
    np.testing.assert_allclose(parts.laws.alpha, whole.laws.alpha, rtol=1e-12)


@pytest.mark.parametrize(
    "text",
    ["params,tokens,loss\n1e7,2e9,3\n1e8,2e9,2.5\n", "N;D;loss\r\n1e7; 2e9;3\r\n1e8;;2,5", "a\tb\n1\t2\n", "a,a\n1,2"],
)
def test_plain_text_is_read_as_csv_reads_it(text):
    """A quotation mark around the last cell sends the same table through Python's csv."""
    lines = text.splitlines()
    separator = next(mark for mark in ";\t," if mark in text)
    head, _, last = lines[-1].rpartition(separator)
    quoted = "\n".join([*lines[:-1], f'{head}{separator}"{last}"'])
    assert _plain_cells(text, separator) is not None and _plain_cells(quoted, separator) is None
    answers = []
    for version in (text, quoted):
        try:
            raw = text_cells(version.encode(), "t.csv", separator)
            answers.append((raw.frame.to_dict("list"), np.asarray(raw.place.lines).tolist(), raw.notes))
        except t2.TableError as error:
            answers.append(str(error))
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    "text", ["a,b\n1\n2,3\n", "a,b\n1,2,3\n", "a,b\n\n1,2\n", "a,b\n,\n1,2", "a,\n1,2", "#a\na,b\n1,2"]
)
def test_other_text_is_not_plain(text):
    assert _plain_cells(text, ",") is None
