"""Comparison and audit: rows left out, groups, criteria, cross-validation, extrapolation with bands, and influence."""

from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest
from scipy.optimize import least_squares
from scipy.stats import betabinom, norm
from scipy.stats import t as student

import t2jax as t2
from t2jax.evaluation import extrapolation as audit
from t2jax.evaluation.convex_hull import decades_outside
from t2jax.evaluation.cross_validation import cross_validate
from t2jax.evaluation.errors import Errors, refuse_different_responses
from t2jax.evaluation.extrapolation import Cut, extrapolate
from t2jax.evaluation.held_out import NoFit, fit_without, fitted_rows, groups, left_out
from t2jax.evaluation.leave_groups_out import NoOptimum, influence
from t2jax.evaluation.predictive_band import leverage
from t2jax.fitting.problem import prepare
from t2jax.laws.loss.chinchilla import Chinchilla
from t2jax.laws.pass_at_k.t2_pass_k import T2PassK
from t2jax.laws.predict import predict

KEY = jax.random.key(0)
NOISE = t2.noise.Gaussian("log")
TRUE = Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
N, D = 10 ** np.random.default_rng(0).uniform([[7.0], [9.0]], [[10.0], [12.0]], (2, 40))
"""40 rows, the same in every test, so that fits, bands and optima compile once."""
EXACT = 1.8 + 480.0 * N**-0.35 + 2100.0 * D**-0.37


def simulated(seed: int, sigma: float = 0.01, **columns: Any) -> t2.Table:
    loss = EXACT * np.exp(sigma * np.random.default_rng(seed).normal(size=40))
    return t2.Table.from_columns(params=N, tokens=D, loss=loss, **columns)


def log_loss(u: np.ndarray, n: np.ndarray = N, d: np.ndarray = D) -> np.ndarray:
    """Of Chinchilla's law whose parameters have the logs u."""
    value = np.exp(u)
    return np.log(value[0] + value[1] * n ** -value[3] + value[2] * d ** -value[4])


@pytest.fixture(scope="module")
def table():
    return simulated(1)


@pytest.fixture(scope="module")
def above(table):
    return Cut.middle(table).above(table)


@pytest.fixture(scope="module")
def without(table, above):
    return fit_without(Chinchilla, table, above, key=KEY, noise=NOISE)


@pytest.fixture(scope="module")
def audited(table):
    return extrapolate(Chinchilla, table, Cut.middle(table), key=KEY, noise=NOISE, draws=200)


def test_rows_left_out_do_not_matter(table, above, without):
    """The fit is SciPy's least squares on the other rows, and stays so whatever the left-out rows measured."""
    below = ~above
    start = np.log(list(TRUE.values().values()))
    other = least_squares(
        lambda u: log_loss(u, N[below], D[below]) - np.log(table["loss"][below]),
        start,
        xtol=1e-15,
        ftol=1e-15,
        gtol=1e-15,
    )
    np.testing.assert_allclose(predict(without.law, table), np.exp(log_loss(other.x)), rtol=1e-6)
    doubled = table.with_columns(loss=np.where(above, 2 * table["loss"], table["loss"]))
    again = fit_without(Chinchilla, doubled, above, key=KEY, noise=NOISE)
    for name, value in without.law.values().items():
        assert again.law.values()[name] == pytest.approx(value, rel=1e-6), name
    assert fitted_rows(left_out(table, above)).tolist() == below.tolist()
    with pytest.raises(t2.TableError, match=r"4 of 40 rows are left to fit, but Chinchilla needs at least 5"):
        fit_without(Chinchilla, table, np.arange(40) >= 4, key=KEY, noise=NOISE)


def test_rows_left_out_do_not_choose_what_the_others_leave_open(table, above):
    """One token count below the cut leaves B and β open: the left-out rows, dealt anew, may not decide them."""
    same_length = table.with_columns(tokens=np.where(above, D, 1e10))
    dealt = same_length["loss"].copy()
    dealt[above] = dealt[above][::-1]
    first, second = (
        fit_without(Chinchilla, changed, above, key=KEY, noise=NOISE)
        for changed in (same_length, same_length.with_columns(loss=dealt))
    )
    assert {"B", "beta"} <= set(first.undetermined)
    assert second.law.beta == pytest.approx(first.law.beta, rel=1e-3)


def test_groups():
    """Budgets that are equal within 2 % stay together, also at a power of ten; spread ones do not all hang together."""
    flops = np.array([1e18, 0.99e18, 1.01e18, 1e20, 1.015e20, 1e19])
    n = np.array([1e7, 2e7, 3e7, 1.01e7, 2e7, 1e8])
    table = t2.Table.from_columns(params=n, tokens=flops / (6 * n))
    assert groups(table, "budget").tolist() == [0, 0, 0, 2, 2, 1]
    assert groups(table, "size").tolist() == [0, 1, 2, 0, 1, 3]
    assert groups(table, "size", within=0.005).tolist() == [0, 2, 3, 1, 2, 4]
    assert groups(table, "run").tolist() == list(range(6))
    spread = t2.Table.from_columns(params=1e8, tokens=np.geomspace(1e9, 1e10, 200))
    counts = np.bincount(groups(spread, "budget"))
    assert len(counts) >= 10 and counts.sum() == 200
    assert max(np.ptp(np.log(spread["tokens"][groups(spread, "budget") == i])) for i in range(10)) <= np.log(1.25)
    with pytest.raises(ValueError, match="by 'run', 'size' or 'budget', not 'seed'"):
        groups(table, "seed")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="within must be a share above 0"):
        groups(table, "size", within=0.0)


def test_errors():
    """Errors of +10 %, -20 %, 0 and +30 %."""
    errors = Errors.of(np.array([1.1, 1.6, 3.0, 5.2]), np.array([1.0, 2.0, 3.0, 4.0]))
    assert errors.rows == 4
    assert (errors.mean_absolute, errors.bias) == (pytest.approx(0.15), pytest.approx(0.05))
    assert (errors.median, errors.largest) == (pytest.approx(0.15), pytest.approx(0.3))
    assert str(errors) == "mean 15 %, median 15 %, largest 30 %, bias +5 % (4 rows)"
    with pytest.raises(ValueError, match="no row to compare"):
        Errors.of(np.ones(0), np.ones(0))


def test_criteria_in_closed_form(table):
    """With σ² at the mean square S/n of logs, -2 log L = n (log 2πS/n + 1) + 2 Σ log y; 20 runs of two rows each."""
    paired = table.with_columns(model=[str(i // 2) for i in range(40)])
    fit = t2.fit(Chinchilla, paired, key=KEY, noise=NOISE)
    residual = np.log(predict(fit.law, paired) / paired["loss"])
    minus_two = 40 * (np.log(2 * np.pi * np.mean(residual**2)) + 1) + 2 * np.sum(np.log(paired["loss"]))
    result = t2.evaluation.criteria(fit, paired)
    assert (result.parameters, result.runs) == (6, 20)
    assert result.log_likelihood == pytest.approx(-0.5 * minus_two, rel=1e-9)
    assert result.aic == pytest.approx(minus_two + 12, rel=1e-9)
    assert result.aicc == pytest.approx(minus_two + 12 + 84 / 13, rel=1e-9)
    assert result.bic == pytest.approx(minus_two + 6 * np.log(20), rel=1e-9)
    assert replace(result, runs=7).aicc == np.inf
    first, *lines = repr(result).splitlines()
    assert first == "Criteria: 6 parameters, 20 runs (lower is better)"
    assert lines[0] == f"  AIC               {result.aic:.2f}" and len(lines) == 4
    scores = t2.evaluation.log_scores(fit, paired)
    normal = norm.logpdf(residual, scale=np.sqrt(np.mean(residual**2)))
    np.testing.assert_allclose(scores, normal - np.log(paired["loss"]), rtol=1e-9)
    problem, _ = prepare(Chinchilla, paired, t2.noise.StudentT(), {})
    heavy = replace(fit, problem=problem, noise_values={"sigma": 0.008})  # as if it were the optimum
    tails = student.logpdf(residual, 4, scale=0.008) - np.log(paired["loss"])
    np.testing.assert_allclose(t2.evaluation.log_scores(heavy, paired), tails, rtol=1e-9)
    assert t2.evaluation.criteria(heavy, paired).parameters == 6
    robust = replace(fit, problem=replace(fit.problem, noise=t2.noise.Huber()))
    with pytest.raises(ValueError, match=r"Huber is a penalty without a likelihood.*noise\.StudentT"):
        t2.evaluation.criteria(robust, paired)
    with pytest.raises(ValueError, match=r"chinchilla: there is no fit to score \(failed\)"):
        t2.evaluation.log_scores(replace(fit, converged=False, status="failed"), paired)


def test_counts_have_log_scores(without):
    law = T2PassK(
        E=0.0, A=80.0, B=2e3, alpha=0.35, beta=0.5, theta0=1.4, theta1=1.0, theta2=0.9, theta3=-0.5, theta4=0.5
    )
    n, d = np.repeat([1e7, 1e8], 8), np.repeat([1e9, 1e10], 8)
    correct = np.tile([0.0, 1.0, 3.0, 10.0, 0.0, 2.0, 40.0, 50.0], 2)
    columns = {"params": n, "tokens": d, "trials": 50.0, "correct": correct, "question": [str(i) for i in range(16)]}
    table = t2.Table.from_columns(**columns)
    problem, _ = prepare(T2PassK, table, t2.noise.BetaBinomial(), {})
    with jax.enable_x64(True):
        a, b = (np.asarray(x) for x in law.questions(n, d))
    fit = replace(without, law=law, problem=problem, noise_values={})
    np.testing.assert_allclose(t2.evaluation.log_scores(fit, table), betabinom.logpmf(correct, 50, a, b), rtol=1e-7)
    with pytest.raises(ValueError, match="chinchilla predicts 'loss' and t2-pass-k predicts 'pass_at_k'"):
        refuse_different_responses([Chinchilla, T2PassK], table)


def test_cross_validation_predicts_rows_it_has_not_seen(table):
    """Pairs of rows are runs: each is predicted alike whatever it measured, and worse than where it was fitted."""
    paired = table.with_columns(model=[str(i // 2) for i in range(40)])
    result = cross_validate(Chinchilla, paired, key=KEY, folds=5, noise=NOISE)
    assert (result.groups, result.folds, result.failed) == (20, 5, 0)
    assert result.status.startswith("5 of 5 fits converged, each without a part of the 20 runs; ")
    outer = int((result.outside > 0).sum())
    assert f"{outer} of 40 rows lie outside the convex hull" in result.status and 4 <= outer <= 30
    first, *lines = repr(result).splitlines()
    assert first == "CrossValidation: 5 of 5 fits converged, each without a part of the 20 runs"
    assert lines[1:3] == ["  law               chinchilla", f"  error             {result.errors}"] and lines[
        3
    ].startswith("  log score")
    assert result.predicted is not None and result.errors is not None and result.log_score is not None
    mine = np.asarray(jax.random.permutation(KEY, 20)) % 5 == 2
    out = np.repeat(mine, 2)
    wrong = paired.with_columns(loss=np.where(out, 1.5 * paired["loss"], paired["loss"]))
    again = cross_validate(Chinchilla, wrong, key=KEY, folds=5, noise=NOISE)
    assert again.predicted is not None and again.errors is not None
    np.testing.assert_allclose(again.predicted[out], result.predicted[out], rtol=1e-7)
    assert np.max(np.abs(again.predicted[~out] / result.predicted[~out] - 1)) > 1e-3
    fit = t2.fit(Chinchilla, paired, key=KEY, noise=NOISE)
    assert result.errors.mean_absolute > Errors.of(predict(fit.law, paired), paired["loss"]).mean_absolute
    # about the expected log density of a normal error of 1 %, -log(0.01 √2πe) - log y, and less than in the fitted rows
    expected = 3.19 - np.mean(np.log(paired["loss"]))
    assert expected - 0.3 < result.log_score < t2.evaluation.log_scores(fit, paired).mean() < expected + 0.3
    with pytest.raises(ValueError, match="found 1 folds, but cross-validation needs at least two"):
        cross_validate(Chinchilla, table, key=KEY, folds=1)
    ray = t2.Table.from_columns(params=N, tokens=1e18 / N, loss=2.0 + N**-0.3)
    with pytest.raises(ValueError, match="one budget only, but cross-validation needs at least two"):
        cross_validate(Chinchilla, ray, key=KEY, by="budget")


def test_a_fold_that_fails_is_told(table, monkeypatch):
    fits = []

    def failing(*args, **options):
        fit = fit_without(*args, **options)
        fits.append(fit)
        return replace(fit, converged=len(fits) != 2)

    monkeypatch.setattr("t2jax.evaluation.cross_validation.fit_without", failing)
    result = cross_validate(Chinchilla, table, key=KEY, folds=4, noise=NOISE)
    assert result.status.startswith(
        "3 of 4 fits converged, each without a part of the 40 runs; rows of the other fits are left out; "
    )
    assert result.errors is not None and result.errors.rows == 30
    monkeypatch.setattr(
        "t2jax.evaluation.cross_validation.fit_without", lambda *_, **__: replace(fits[0], converged=False)
    )
    with pytest.raises(NoFit, match="none of the 4 fits of the cross-validation by run reached an optimum"):
        cross_validate(Chinchilla, table, key=KEY, folds=4, noise=NOISE)


def test_cuts(table):
    n, d = np.array([1e7, 1e8, 1e9]), np.array([1e9, 1e10, 1e10])
    small = t2.Table.from_columns(params=n, tokens=d)
    middle = Cut.middle(small)
    assert middle.value == pytest.approx(6 * np.sqrt(1e16 * 1e19)) and str(middle) == "1.897e+18 FLOPs"
    assert middle.above(small).tolist() == [False, True, True]
    assert Cut("tokens_per_param", 50.0).above(small).tolist() == [True, True, False]
    assert Cut.middle(small, "tokens_per_param").value == pytest.approx(np.sqrt(1000))
    with pytest.raises(ValueError, match=r"all 40 rows are at or below the cut at 1e\+30 FLOPs, expected one between"):
        extrapolate(Chinchilla, table, Cut("compute", 1e30), key=KEY)
    with pytest.raises(ValueError, match="all 3 rows are above the cut at 1 tokens per parameter"):
        Cut("tokens_per_param", 1.0).above(small)
    many = small.with_columns(samples=[1.0, 4.0, 16.0])
    assert Cut("samples", 4.0).above(many).tolist() == [False, False, True] and Cut.middle(many, "samples").value == 4.0
    with pytest.raises(t2.TableError, match="column 'samples', needed by a cut in samples, is missing"):
        Cut("samples", 4.0).above(small)
    with pytest.raises(ValueError, match="must be positive and finite, not -1"):
        Cut("compute", -1.0)
    with pytest.raises(
        ValueError, match="in 'compute', 'params', 'tokens', 'tokens_per_param', 'samples', not 'flops'"
    ):
        Cut("flops", 1.0)  # pyright: ignore[reportArgumentType]


def test_exact_data_are_extrapolated_exactly():
    """Without noise the law comes back to 1e-6 from the cheaper half alone, and predicts the dearer half to 1e-8."""
    table = t2.Table.from_columns(params=N, tokens=D, loss=EXACT)
    for quantity in ("compute", "tokens_per_param"):
        out = Cut.middle(table, quantity).above(table)
        fit = fit_without(Chinchilla, table, out, key=KEY, noise=NOISE)
        assert fit.converged and 5 <= out.sum() <= 35
        for name, value in TRUE.values().items():
            assert fit.law.values()[name] == pytest.approx(value, rel=1e-6), name
        assert Errors.of(predict(fit.law, table)[out], EXACT[out]).largest < 1e-8


def test_a_law_of_samples_alone_is_extrapolated_in_them():
    """A power law in k of one run, from k up to 16 to 256 times that."""
    k = 2.0 ** np.arange(13)
    rows = t2.Table.from_columns(params=1e8, tokens=1e10, samples=k, neg_log_pass=3.0 * k**-0.4)
    result = extrapolate(t2.laws.PowerLawK, rows, Cut("samples", 16.0), key=KEY, draws=8)
    assert result.held_out.sum() == 8 and result.ratio.max() == 256.0
    assert result.beyond.largest < 1e-8 and (result.outside[result.held_out] > 0).all()


def test_extrapolation_says_what_it_did(table, above, without, audited):
    assert audited.held_out.tolist() == above.tolist()
    np.testing.assert_allclose(audited.predicted, predict(without.law, table), rtol=1e-7)  # from another key
    assert audited.beyond == Errors.of(audited.predicted[above], table["loss"][above])
    assert audited.below.rows + audited.beyond.rows == 40
    assert audited.ratio[~above].max() == 1 and audited.ratio[above].min() > 1
    assert np.all((audited.low < audited.predicted) & (audited.predicted < audited.high))
    hull = decades_outside(Chinchilla, table, ~above)
    assert np.array_equal(audited.outside, hull) and np.all(hull[~above] == 0)
    assert f"fitted to {np.sum(~above)} rows up to {audited.cut}: converged" in audited.status
    assert np.all(hull[above] > 0)  # compute is a plane in log N and log D
    (most_n, most_d) = (1.01 * x[~above].max() for x in (N, D))
    ranges = (most_n >= N) & (most_d >= D)
    assert audited.in_ranges[above].tolist() == ranges[above].tolist() and 0 < np.sum(~ranges) < above.sum()
    assert f"{above.sum()} of {above.sum()} predictions lie outside the convex hull of these" in audited.status
    assert f"at most, {np.sum(~ranges[above])} of them beyond the range of N or D" in audited.status
    first, *lines = repr(audited).splitlines()
    assert first == f"Extrapolation: fitted to {np.sum(~above)} rows up to {audited.cut}: {audited.fit.status}"
    assert f"  fitted rows       {audited.below}" in lines and f"  held-out rows     {audited.beyond}" in lines
    assert f"  coverage          {100 * audited.coverage:.3g} % of held-out rows in their 90 % band" in lines
    assert audited.log_score == pytest.approx(
        t2.evaluation.log_scores(audited.fit, left_out(table, above))[above].mean()
    )
    steps = audited.curve(4)
    assert sum(step.errors.rows for step in steps) == above.sum()
    weighted = sum(step.errors.rows * step.errors.bias for step in steps) / above.sum()
    assert weighted == pytest.approx(audited.beyond.bias)
    assert steps[-1].high == pytest.approx(audited.ratio.max())
    assert sum(step.errors.rows * step.coverage for step in steps) == pytest.approx(audited.coverage * above.sum())
    # budgets that double lie on the steps' edges: each belongs to the step that it ends
    doubling = np.where(above, 2.0 ** (1 + np.arange(40) % 3), 0.5)
    rows = [int(np.sum(doubling[above] == 2.0**i)) for i in (1, 2, 3)]
    assert [step.errors.rows for step in replace(audited, ratio=doubling).curve(3)] == rows
    with pytest.raises(ValueError, match="at least one step, not 0"):
        audited.curve(0)


def test_bands_hold_the_measurements_they_should(table, above):
    """90 % of held-out measurements, over 25 tables of 1 % noise; the spread of measurements alone holds fewer.

    One table's share has a deviation of 0.14 (its rows share a fit), so the mean errs by 0.028; over 100 tables it was
    0.920, for in small samples bands come out a little wide. The true σ alone, without the law's own error, holds far
    fewer.
    """
    covered, narrow = [], []
    for seed in range(25):
        table = simulated(100 + seed)
        result = extrapolate(Chinchilla, table, Cut.middle(table), key=jax.random.key(seed), noise=NOISE, draws=200)
        covered.append(result.coverage)
        error = np.log(result.observed / result.predicted)[above]
        narrow.append(np.mean(np.abs(error) <= 1.645 * 0.01))
    assert 0.82 < np.mean(covered) < 0.99
    assert np.mean(narrow) < np.mean(covered) - 0.1


def test_leverage_is_the_hat_matrix(table, above, without):
    """Its diagonal by finite differences of the logs, zero where rows were left out, and the rank as its sum."""
    result = leverage(without, left_out(table, above))
    u = np.log(list(without.law.values().values()))
    jacobian = np.stack([(log_loss(u + h) - log_loss(u - h)) / 2e-5 for h in 1e-5 * np.eye(5)], axis=1)[~above]
    jacobian /= np.linalg.norm(jacobian, axis=0)
    hat = jacobian @ np.linalg.pinv(jacobian)
    np.testing.assert_allclose(result[~above], np.diag(hat), rtol=1e-4)
    assert np.all(result[above] == 0) and result.sum() == pytest.approx(5.0)


def test_bands_draw_runs_again_where_models_have_many_rows(audited):
    """As `t2.bootstrap`: ten models of four rows; without a column `model` each row is a run."""
    assert "draws over rows converged" in audited.draws
    model, params = (np.repeat(values, 4) for values in ([f"m{i}" for i in range(10)], np.geomspace(1e7, 1e10, 10)))
    loss = (1.8 + 480.0 * params**-0.35 + 2100.0 * D**-0.37) * np.exp(0.01 * np.random.default_rng(1).normal(size=40))
    table = t2.Table.from_columns(model=model, params=params, tokens=D, loss=loss)
    result = extrapolate(Chinchilla, table, Cut.middle(table), key=KEY, noise=NOISE, draws=10)
    assert "draws over runs converged" in result.draws


def test_a_fit_that_fails_or_leaves_values_open_is_told(table, above, audited, monkeypatch):
    failed = replace(audited.fit, converged=False, status="not converged: for the test")
    monkeypatch.setattr(audit, "fit_without", lambda *_, **__: failed)
    with pytest.raises(NoFit, match=r"chinchilla: the fit below the cut at .* failed \(not converged: for the test"):
        extrapolate(Chinchilla, table, Cut.middle(table), key=KEY, noise=NOISE)
    open_ended = replace(audited.fit, identification=replace(audited.fit.identification, flat=("B", "beta")))
    assert "rest on values that the fitted rows do not determine" in replace(audited, fit=open_ended).status


def test_influence_is_the_refit_optimum_over_the_optimum():
    """Four budgets, nearly equal within, the last one tilted in N: N* by the closed form, that budget first."""
    budget = np.repeat(np.geomspace(1e18, 1e21, 4), 10)
    n = np.tile(np.geomspace(0.2, 5.0, 10), 4) * 0.1 * np.sqrt(budget)
    d = budget / (6 * n) * np.exp(0.01 * np.random.default_rng(5).normal(size=40))
    true = np.exp(log_loss(np.log([1.8, 480.0, 2100.0, 0.35, 0.37]), n, d))
    loss = (
        true
        * np.exp(0.001 * np.random.default_rng(6).normal(size=40))
        * np.where(budget == budget[-1], (n / n[-1]) ** 0.02, 1.0)
    )
    table = t2.Table.from_columns(params=n, tokens=d, loss=loss)
    result = influence(Chinchilla, table, 1e22, key=KEY, noise=NOISE)

    def optimum(law: Any) -> float:
        with jax.enable_x64(True):
            return float(law.optimum(1e22)[0])

    assert result.params == pytest.approx(optimum(result.fit.law), rel=1e-6)
    assert len(result.labels) == 4 and result.rows.tolist() == [10] * 4 and result.failed == ()
    assert result.labels[0] == f"{np.exp(np.mean(np.log(6 * n * d)[-10:])):.3g} FLOPs"
    assert np.all(np.diff(np.abs(result.change)) <= 0)
    refit = fit_without(Chinchilla, table, budget == budget[-1], key=KEY, noise=NOISE)
    assert result.change[0] == pytest.approx(np.log(optimum(refit.law) / optimum(result.fit.law)), rel=1e-5)
    assert result.status.startswith(f"N* = {result.params:.4g} at 1e+22 FLOPs, ")
    assert f"times the largest budget measured; without {result.labels[0]} it is " in result.status
    first, *lines = repr(result).splitlines()
    assert first.startswith(f"Influence: N* = {result.params:.4g} at 1e+22 FLOPs") and len(lines) == 5
    assert lines[1] == f"  without {result.labels[0]}  N* {np.expm1(result.change[0]):+.1%} (10 rows)"
    # without the run of 36 rows the other 4 are too few for a law, and that is told
    lopsided = table.with_columns(model=["a", "b", "c", "c"] + ["many"] * 36)
    result = influence(Chinchilla, lopsided, 1e22, key=KEY, by="run", noise=NOISE)
    assert (sorted(result.labels), result.failed) == (["a", "b", "c"], ("many",))
    assert result.status.endswith("no answer without many")
    with pytest.raises(ValueError, match="the table has one size only"):
        influence(Chinchilla, table.with_columns(params=1e9), 1e22, key=KEY, by="size", noise=NOISE)
    with pytest.raises(NoOptimum, match="power-law-k does not depend on N and D"):
        influence(t2.laws.PowerLawK, table, 1e22, key=KEY)
