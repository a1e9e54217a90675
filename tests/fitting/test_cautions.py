"""Tables in which nothing was solved, of several tasks, or at one size: what is said of them, and what is refused."""

from typing import Any

import jax
import numpy as np
import pytest

import t2jax as t2
from t2jax.fitting.cautions import few_solved, several_tasks, shared_errors, swept_setting
from t2jax.fitting.identification import Identification

KEY = jax.random.key(0)


def counts(correct: float, **columns) -> t2.Table:
    """Three models, six questions each, 20 trials a question."""
    models = np.repeat(["a", "b", "c"], 6)
    params = np.repeat([1e8, 3e8, 1e9], 6)
    questions = [f"q{i % 6}" for i in range(18)]
    shared = {"model": models, "params": params, "tokens": 200 * params, "question": questions}
    return t2.Table.from_columns(**shared, trials=20.0, correct=correct, **columns)


def test_counts_in_which_nothing_was_solved_have_no_law():
    """(1 - p)^6 = 0.05 at p = 0.393."""
    message = r"no sample of any model is right, so pass@k is 0 at every k.*below 0\.393 at 95 %, from 6 questions each"
    with pytest.raises(t2.TableError, match=message):
        t2.fit(t2.laws.T2PassK, counts(0.0), key=KEY)
    shares = t2.Table.from_columns(params=np.geomspace(1e7, 1e9, 12), tokens=1e10, samples=1.0, pass_at_k=0.0)
    with pytest.raises(t2.TableError, match=r"pass@k is 0 at every k that was measured; no law can be fitted to that"):
        t2.fit(t2.laws.T2PassK, shares, key=KEY)


def test_few_models_that_solve_anything_are_told():
    right = np.r_[np.zeros(6), np.zeros(6), [7.0, 0, 0, 1.0, 0, 0]]
    few = few_solved(counts(0.0).with_columns(correct=right), 8)
    assert few.startswith("8 of 360 samples are right, of 1 of 3 runs, for 8 parameters: such counts need not have")
    assert few_solved(counts(1.0), 8) == "" and few_solved(counts(0.0).with_columns(correct=right), 1) == ""


def test_a_fit_to_few_right_samples_says_why_it_has_no_optimum():
    """One question of one model is always right, others nearly never."""
    rng = np.random.default_rng(2)
    params, tokens = np.repeat(np.geomspace(1e7, 1e9, 4), 3), np.tile([2e9, 2e10, 2e11], 4)
    mean = np.exp(-450 * params**-0.3 - 1200 * tokens**-0.3)
    mean = 60 / 3840 * mean / mean.sum()
    right = rng.binomial(30, rng.beta(0.5 * mean[:, None], 0.5 - 0.5 * mean[:, None], (12, 128)))
    columns: Any = {"params": params, "tokens": tokens, "model": [f"m{i}" for i in range(12)]}
    columns = {name: np.repeat(column, 128) for name, column in columns.items()}
    table = t2.Table.from_columns(
        **columns, question=np.tile(np.arange(128), 12).astype(str), trials=30.0, correct=right.ravel().astype(float)
    )
    fit = t2.fit(t2.laws.T2PassK, table, key=KEY, starts=4)
    assert fit.converged or "need not have a best fit" in fit.status
    # no law can do worse than one chance for all, which is in its closure
    share = right.mean() / 30
    alike = -t2.special.log_binomial(right.ravel(), 30.0, np.log(share), np.log1p(-share)).sum()
    assert fit.objective < alike


def test_several_tasks_are_told_first():
    rng = np.random.default_rng(0)
    params, tokens = (np.tile(10 ** rng.uniform(low, low + 3, 20), 2) for low in (7.0, 9.0))
    loss = 1.8 + 480 * params**-0.35 + 2100 * tokens**-0.37 - np.repeat([0.0, 0.7], 20)
    table = t2.Table.from_columns(params=params, tokens=tokens, loss=loss, task=np.repeat(["web", "code"], 20))
    fit = t2.fit(t2.laws.Chinchilla, table, key=KEY)
    assert fit.status.startswith("the rows are of 2 tasks (web, code) and one law was fitted to all of them: keep the")
    assert several_tasks(table.where(task="web")) == "" and several_tasks(counts(1.0)) == ""
    assert several_tasks(counts(1.0, task=[f"t{i}" for i in range(18)])).startswith(
        "the rows are of 18 tasks (t0, t1, t2, t3, t4, ...)"
    )


def test_one_size_determines_a_sum_and_the_status_names_the_remedy():
    """1.9 + 900 D^-.33 at one N: the sum of E and A/N^alpha is 1.9, and with A held at zero E is."""
    tokens = np.geomspace(2e8, 2e11, 12)
    table = t2.Table.from_columns(params=1.2e8, tokens=tokens, loss=1.9 + 900 * tokens**-0.33)
    fit = t2.fit(t2.laws.Chinchilla, table, key=KEY)
    assert {"E"} <= set(fit.undetermined) <= {"E", "A", "alpha"}
    assert fit.status.startswith("the rows do not determine E")
    lines = repr(t2.bootstrap(fit, table, draws=20, key=KEY)).splitlines()
    shown = {line.split()[0]: line for line in lines[1:]}
    assert all("undetermined" in shown[name] for name in fit.undetermined) and "to" in shown["B"]
    assert (
        "they determine only the sum, E + A/N^alpha = 1.9; to fit it as E alone, fix the others: --fixed A=0 "
        in fit.status
    )
    remedy = fit.status.partition("--fixed ")[2].split(";")[0].split()
    fixed = {name: float(value) for name, _, value in (pair.partition("=") for pair in remedy)}
    again = t2.fit(t2.laws.Chinchilla, table, key=KEY, fixed=fixed)
    assert again.converged and again.undetermined == ()
    assert (again.law.E, again.law.B, again.law.beta) == pytest.approx((1.9, 900, 0.33), rel=1e-6)


def test_runs_are_drawn_where_a_model_repeats():
    """Checkpoints of seven runs, each run off by its own error, seed 50 of a simulation: rows give bands too narrow."""
    rng = np.random.default_rng(50)
    rows = []
    for i, n in enumerate(np.geomspace(2e7, 2e9, 7)):
        off = 0.003 * rng.standard_normal()
        for d in np.geomspace(1e9, 5e10, 20):
            exact = 1.9 + 300 * n**-0.33 + 900 * d**-0.36
            rows.append((f"m{i}", n, d, exact * np.exp(off + 0.0005 * rng.standard_normal())))
    columns = dict(zip(("model", "params", "tokens", "loss"), map(list, zip(*rows, strict=True)), strict=True))
    table = t2.Table.from_columns(**columns)
    fit = t2.fit(t2.laws.Chinchilla, table, key=KEY)
    drawn, rows = (t2.bootstrap(fit, table, draws=40, key=KEY, over=over) for over in (None, "rows"))
    assert drawn.resampled == "runs" and "over runs converged" in drawn.status
    wide, narrow = (np.ptp(np.quantile(boot.laws.alpha, [0.05, 0.95])) for boot in (drawn, rows))
    assert wide > 2 * narrow
    low, high = np.quantile(drawn.laws.alpha, [0.05, 0.95])
    assert low < 0.33 < high


@pytest.mark.parametrize(("error", "factor"), [(np.log(30.0), "30"), (800.0, "more than a million")])
def test_the_factor_of_a_loose_parameter(error, factor):
    """A standard error of 800 in logs is no number as a factor."""
    loose = Identification(1, {"A": float(error)}, (), ("A",), {})
    assert loose.sentence == f"the rows determine A only within a factor of {factor}"


@pytest.mark.parametrize(("rows", "warned"), [(5, True), (7, True), (8, False)])
def test_few_rows_leave_nothing_to_estimate_errors_from(rows, warned):
    """Five rows for five parameters are met exactly, and no resample can tell how far that is from the truth."""
    rng = np.random.default_rng(1)
    params, tokens = 10 ** rng.uniform(7, 9.5, rows), 10 ** rng.uniform(9, 11, rows)
    law = t2.laws.Chinchilla(E=1.7, A=400.0, B=1800.0, alpha=0.34, beta=0.36)
    places: Any = {"params": params, "tokens": tokens}
    loss = np.asarray(law.predict(places)) * np.exp(0.01 * rng.standard_normal(rows))
    fit = t2.fit(t2.laws.Chinchilla, t2.Table.from_columns(**places, loss=loss), key=KEY)
    message = f"{rows} rows for 5 parameters leave too little to estimate errors from"
    assert fit.status.startswith(message) == warned and bool(fit.no_errors) == warned


def sweep(pairs: int, *, repeats: int = 5, noise: float = 0.003, bend: float = 0.06) -> dict[str, Any]:
    """Pairs of sizes, each at learning rates whose losses lie on a parabola, and what a law through the middle says."""
    rng = np.random.default_rng(11)
    params, tokens = (np.repeat(10 ** rng.uniform(low, low + 2.5, pairs), repeats) for low in (7.3, 9.0))
    step = np.tile(np.arange(repeats) - repeats // 2, pairs)
    exact = 1.8 + 470 * params**-0.345 + 2000 * tokens**-0.365
    loss = (exact + bend * step**2) * np.exp(noise * rng.standard_normal(len(params)))
    return {"params": params, "tokens": tokens, "lr": 1e-3 * 2.0**step, "loss": loss, "middle": exact + bend}


def swept(columns: dict[str, Any], *, without: str = "") -> str:
    """The sentence on a table with some of the columns."""
    middle = columns["middle"]
    table = t2.Table.from_columns(**{name: columns[name] for name in columns if name not in ("middle", without)})
    return swept_setting(t2.laws.Chinchilla, table, table["loss"], middle)


def test_a_sweep_of_learning_rates_is_told_and_its_best_rows_are_the_law():
    """Without a sweep the law has E = 1.8; through the middle of rows that differ by 0.24 nats it has 1.86."""
    columns = sweep(36)
    table = t2.Table.from_columns(**{name: columns[name] for name in ("params", "tokens", "lr", "loss")})
    fit = t2.fit(t2.laws.Chinchilla, table, key=KEY)
    message = "36 pairs of (params, tokens) have several rows, which differ by "
    assert fit.status.startswith(message) and "(lr varies inside a pair): keep the best row of each" in fit.status
    spread = float(fit.status.removeprefix(message).partition(" ")[0])
    lowest, highest = (table["loss"].reshape(36, 5).min(1), table["loss"].reshape(36, 5).max(1))
    assert spread == pytest.approx(100 * np.median(highest / lowest - 1), rel=0.05)
    best = table.keep_lowest("loss")
    assert len(best) == 36 and np.array_equal(best["loss"], lowest)
    best_fit = t2.fit(t2.laws.Chinchilla, best, key=KEY)
    assert best_fit.status.startswith("converged: ")
    assert abs(best_fit.law.E - 1.8) < abs(fit.law.E - 1.8)


def test_seeds_are_no_sweep_and_few_pairs_need_the_column():
    """Chance moves the means of rows too. With six pairs of five only the column tells."""
    assert swept(sweep(36, bend=0.0, noise=0.02)) == ""
    assert swept(sweep(36), without="lr").endswith(
        "(no other column tells them apart): keep the best row of each (table.keep_lowest('loss'), --keep-best)"
    )
    assert "lr varies inside a pair" in swept(sweep(6, noise=0.02))
    assert swept(sweep(6, noise=0.02), without="lr") == ""
    assert swept(sweep(36, repeats=1)) == ""


def test_another_measurement_is_no_setting():
    """Bits per byte follow the loss of every seed, but no value of theirs returns, so they explain nothing."""
    columns = sweep(36, bend=0.0, noise=0.02)
    assert swept({**columns, "bits": columns["loss"] / np.log(2)}) == ""


def test_one_loss_throughout_shows_no_errors():
    params = np.geomspace(1e7, 1e9, 20)
    table = t2.Table.from_columns(params=params, tokens=20 * params * np.tile([1, 3], 10), loss=2.5)
    fit = t2.fit(t2.laws.Chinchilla, table, key=KEY)
    message = "loss is 2.5 in all 20 rows, so these show neither effects of N or D nor errors"
    assert fit.no_errors == message and fit.status.startswith(message)


@pytest.mark.parametrize(
    ("runs", "over", "message"),
    [
        (3, "rows", "12 rows are of 3 runs: rows of one run share errors, and fewer than 5 runs do not show them"),
        (3, "runs", "12 rows are of 3 runs: rows of one run share errors, and fewer than 5 runs do not show them"),
        (6, "rows", "12 rows are of 6 runs: rows of one run share errors, so intervals over rows are too narrow"),
        (6, "runs", ""),
        (6, "simulated tables", "12 rows are of 6 runs: rows of one run share errors, so intervals over simulated"),
        (12, "rows", ""),
    ],
)
def test_errors_that_rows_of_a_run_share(runs, over, message):
    """Checkpoints share their run's error, which resampled rows do not show, and few runs neither."""
    model = [f"m{i % runs}" for i in range(12)]
    table = t2.Table.from_columns(model=model, params=1e8, tokens=np.geomspace(1e9, 1e11, 12), loss=2.5)
    result = shared_errors(table, over)
    assert result.startswith(message) if message else result == ""


def test_the_bootstrap_tells_what_it_cannot_see():
    """Four runs, so the default takes rows, and the status says first that its intervals are too narrow."""
    params, tokens = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e9, 4), np.geomspace(1e9, 1e11, 6)))
    errors = np.exp(0.003 * np.random.default_rng(4).standard_normal(24))
    loss = (1.9 + 300 * params**-0.33 + 900 * tokens**-0.36) * errors
    models = [f"{size:.3g}" for size in params]
    table = t2.Table.from_columns(model=models, params=params, tokens=tokens, loss=loss)
    fit = t2.fit(t2.laws.Chinchilla, table, key=KEY)
    boot = t2.bootstrap(fit, table, draws=8, key=KEY)
    assert boot.resampled == "rows" and boot.status.startswith("24 rows are of 4 runs: rows of one run share errors")
    assert t2.parametric_bootstrap(fit, table, draws=8, key=KEY).caution == boot.caution


def test_questions_of_one_model_share_no_error():
    assert shared_errors(counts(1.0).where(model="a"), "rows") == ""
