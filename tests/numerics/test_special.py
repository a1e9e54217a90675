"""log pass@k and count likelihoods against mpmath, exact fractions and closed forms."""

import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from t2jax.numerics import special

POINTS = 10_000
EDGE_P = 1e-280  # below this fail probability, products inside reverse mode may underflow before the derivative does


@pytest.fixture
def x64():
    with jax.enable_x64(True):
        yield


@pytest.fixture(autouse=True, scope="module")
def fifty_digits():
    with mpmath.workdps(50):
        yield


@pytest.fixture(scope="module")
def grid():
    rng = np.random.default_rng(0)
    return 10 ** rng.uniform(-6, 6, POINTS), 10 ** rng.uniform(-6, 8, POINTS), 10 ** rng.uniform(0, 9, POINTS)


@pytest.fixture(scope="module")
def exact(grid):
    """At every grid point: log of the fail probability, pass@k, and d log pass@k / d(a, b, k)."""
    return [(*_mp_beta(*point), *_mp_beta_gradient(*point)) for point in zip(*grid, strict=True)]


def _mp_beta(a, b, k):
    a, b, k = (mpmath.mpf(float(x)) for x in (a, b, k))
    lg = mpmath.loggamma
    log_fail = lg(b + k) - lg(a + b + k) - lg(b) + lg(a + b)
    return log_fail, -mpmath.expm1(log_fail)


def _mp_beta_gradient(a, b, k):
    log_fail, pass_ = _mp_beta(a, b, k)
    a, b, k = (mpmath.mpf(float(x)) for x in (a, b, k))
    both, top, fails, start = (mpmath.psi(0, x) for x in (a + b + k, a + b, b + k, b))
    slope = -mpmath.exp(log_fail) / pass_
    return slope * (top - both), slope * (fails - both - start + top), slope * (fails - both)


def _mp_beta_binomial(c, n, a, b):
    """The log-likelihood, its gradient (a, b) and its Hessian (aa, ab, bb)."""
    c, n, a, b = (mpmath.mpf(float(x)) for x in (c, n, a, b))
    lg, psi = mpmath.loggamma, mpmath.psi
    value = lg(n + 1) - lg(c + 1) - lg(n - c + 1) + lg(c + a) + lg(n - c + b) - lg(n + a + b)
    value += lg(a + b) - lg(a) - lg(b)
    by_a, by_b, by_sum = ([psi(i, x + m) - psi(i, x) for i in (0, 1)] for x, m in ((a, c), (b, n - c), (a + b, n)))
    return value, by_a[0] - by_sum[0], by_b[0] - by_sum[0], by_a[1] - by_sum[1], -by_sum[1], by_b[1] - by_sum[1]


def _errors(values, truths, floor=1e-300):
    """Relative errors; 0 where the truth is below the floor."""
    return np.array(
        [
            float(abs(mpmath.mpf(float(v)) - t) / abs(t)) if abs(t) > floor else 0.0
            for v, t in zip(np.asarray(values), truths, strict=True)
        ]
    )


def test_pass_and_fail_of_beta_match_mpmath(x64, grid, exact):
    log_fail, pass_ = [row[0] for row in exact], [row[1] for row in exact]
    assert _errors(special.pass_at_k_beta(*grid), pass_).max() < 1e-13
    assert _errors(np.exp(special.log_pass_at_k_beta(*grid)), pass_).max() < 1e-13
    assert _errors(special.log_fail_at_k_beta(*grid), log_fail).max() < 1e-13


def test_gradients_of_beta_match_mpmath(x64, grid, exact):
    forward = jax.jit(jax.vmap(jax.jacfwd(special.log_pass_at_k_beta, (0, 1, 2))))(*grid)
    reverse = jax.jit(jax.vmap(jax.grad(special.log_pass_at_k_beta, (0, 1, 2))))(*grid)
    plain = jax.jit(jax.vmap(jax.grad(special.pass_at_k_beta, (0, 1, 2))))(*grid)
    log_edge = math.log(EDGE_P)
    for i in range(3):
        truth = [row[2 + i] for row in exact]
        away = [row[2 + i] * (row[0] > log_edge) for row in exact]
        assert _errors(forward[i], truth).max() < 1e-11
        assert _errors(reverse[i], away).max() < 1e-11
        assert _errors(plain[i], [t * row[1] for t, row in zip(away, exact, strict=True)]).max() < 1e-11


def test_second_derivatives_of_beta_match_mpmath(x64, grid):
    some = [x[:200] for x in grid]
    hessian = jax.jit(jax.vmap(jax.hessian(special.log_pass_at_k_beta, (0, 1, 2))))(*some)
    hessian = np.array(hessian)
    for i, (a, b, k) in enumerate(zip(*some, strict=True)):
        log_fail, pass_ = _mp_beta(a, b, k)
        if log_fail < math.log(EDGE_P):
            continue
        g = _mp_beta_gradient(a, b, k)
        a, b, k = map(mpmath.mpf, (a, b, k))
        both, top, fails, start = (mpmath.psi(1, x) for x in (a + b + k, a + b, b + k, b))
        second = [[top - both, top - both, -both], [0, fails - both - start + top, fails - both], [0, 0, fails - both]]
        slope = -mpmath.exp(log_fail) / pass_
        for row in range(3):
            for column in range(row, 3):
                # d2 log(1 - e^r) = slope r_ij - (1/e^r) (slope r_i) (slope r_j)
                truth = slope * second[row][column] - g[row] * g[column] * mpmath.exp(-log_fail)
                scale = abs(slope * second[row][column]) + abs(g[row] * g[column] * mpmath.exp(-log_fail))
                assert abs(float(hessian[row, column, i]) - truth) <= 1e-9 * scale, (a, b, k, row, column)


def test_beta_in_float32_matches_mpmath(grid):
    single = [x.astype(np.float32) for x in grid]
    result = special.pass_at_k_beta(*single)
    assert result.dtype == jnp.float32
    assert _errors(result, [_mp_beta(*point)[1] for point in zip(*single, strict=True)]).max() < 1e-5


def test_beta_closed_forms(x64, grid):
    a, b, k = grid
    np.testing.assert_allclose(special.log_pass_at_k_beta(a, b, 1.0), -np.log1p(b / a), rtol=1e-13)
    np.testing.assert_allclose(special.log_fail_at_k_beta(1.0, b, k), -np.log1p(k / b), rtol=1e-13)
    swapped = special.log_fail_at_k_beta(k, b, np.maximum(a, 1))  # the integral is symmetric in a and k
    np.testing.assert_allclose(special.log_fail_at_k_beta(np.maximum(a, 1), b, k), swapped, rtol=1e-13)
    ladder = special.log_pass_at_k_beta(0.3, 40.0, np.geomspace(1, 1e9, 400))
    assert np.all(np.diff(ladder) > 0)


def test_log_pass_at_k_matches_mpmath(x64):
    rng = np.random.default_rng(1)
    p = np.r_[10 ** rng.uniform(-300, 0, 500), 10 ** rng.uniform(-9, 0, 500), rng.uniform(0, 1, 500)]
    k = 10 ** rng.uniform(0, 9, p.size)
    by_p, by_k = jax.jit(jax.vmap(jax.grad(special.log_pass_at_k, (0, 1))))(p, k)
    truths = []
    for x, y in zip(p, k, strict=True):
        x, y = mpmath.mpf(x), mpmath.mpf(y)
        log_fail = y * mpmath.log1p(-x)
        slope = -mpmath.exp(log_fail) / mpmath.expm1(log_fail)
        edge = log_fail > math.log(EDGE_P)
        log_pass = mpmath.log(-mpmath.expm1(log_fail)) if log_fail > -50 else -mpmath.exp(log_fail)
        truths.append((log_pass * edge, edge * slope * y / (1 - x), -edge * slope * mpmath.log1p(-x)))
    for values, truth in zip((special.log_pass_at_k(p, k), by_p, by_k), zip(*truths, strict=True), strict=True):
        assert _errors(values, truth).max() < 1e-11


def test_log_pass_at_k_at_the_ends(x64):
    np.testing.assert_array_equal(special.log_pass_at_k(np.array([0.0, 1.0]), 7.0), [-np.inf, 0.0])
    np.testing.assert_allclose(special.log_pass_at_k(1e-300, 1e9), math.log(1e-300) + math.log(1e9), rtol=1e-15)
    np.testing.assert_allclose(special.log_pass_at_k(np.array([0.2, 0.9]), 1.0), np.log([0.2, 0.9]), rtol=1e-14)
    # d/dp log(1 - (1-p)^k) at p = 1: 1 for k = 1, 0 for k = 3; the second derivative at k = 2 is -2 (of 1 - q^2)
    assert [float(jax.grad(special.log_pass_at_k)(1.0, k)) for k in (1.0, 3.0)] == [1.0, 0.0]
    np.testing.assert_allclose(jax.jit(jax.hessian(special.log_pass_at_k))(1.0, 2.0), -2.0, rtol=1e-14)


def test_counts_match_exact_fractions(x64):
    cases = [(n, c, k) for n in range(1, 13) for c in range(n + 1) for k in range(1, n + 1)]
    result = special.pass_at_k_from_counts(*np.array(cases).T)
    exact = [float(1 - Fraction(math.comb(n - c, k), math.comb(n, k))) for n, c, k in cases]
    np.testing.assert_allclose(result, exact, rtol=1e-14, atol=0)
    certain = np.array([n - c < k for n, c, k in cases])
    assert np.all(np.asarray(result)[certain] == 1)
    assert np.all(np.asarray(result)[[c == 0 for _, c, _ in cases]] == 0)


@pytest.mark.parametrize(("enabled", "tolerance"), [(True, 1e-13), (False, 1e-5)])
def test_counts_in_the_millions_match_mpmath(enabled, tolerance):
    rng = np.random.default_rng(2)
    n = rng.integers(10**5, 8 * 10**6, 600)
    c = np.maximum(1, (n * 10 ** rng.uniform(-7, 0, n.size)).astype(int))
    k = np.maximum(1, (n * 10 ** rng.uniform(-7, 0, n.size)).astype(int))
    c[:20], k[20:40] = n[:20] - k[:20], n[20:40] - 1
    truths = []
    for total, good, tries in zip(n.tolist(), c.tolist(), k.tolist(), strict=True):
        lg, bad = mpmath.loggamma, total - good
        if bad < tries:
            truths.append(mpmath.mpf(1))
            continue
        log_fail = lg(bad + 1) - lg(bad - tries + 1) - lg(total + 1) + lg(total - tries + 1)
        truths.append(-mpmath.expm1(log_fail))
    with jax.enable_x64(enabled):
        assert _errors(special.pass_at_k_from_counts(n, c, k), truths).max() < tolerance
        assert _errors(jnp.exp(special.log_pass_at_k_from_counts(n, c, k)), truths).max() < tolerance


def test_counts_name_the_bad_entry():
    n = np.array([128, 300, 300, 128])
    with pytest.raises(ValueError, match=r"^k=200 is more than the n=128 samples drawn \(entry 3\)"):
        special.pass_at_k_from_counts(n, 5, np.array([1, 200, 200, 200]))
    with pytest.raises(ValueError, match=r"c=9 successes is more than the n=8 samples drawn \(entry \(0, 1\)\)"):
        special.pass_at_k_from_counts(8, np.array([[1, 9]]), 1)
    with pytest.raises(ValueError, match=r"c=-1 successes is less than none$"):
        special.pass_at_k_from_counts(8, -1, 1)
    with pytest.raises(ValueError, match="k=0 is less than one try"):
        special.log_pass_at_k_from_counts(8, 1, jnp.array(0))
    with pytest.raises(ValueError, match="c=nan"):
        special.pass_at_k_from_counts(8, np.nan, 1)
    traced = jax.jit(special.pass_at_k_from_counts)(n, 5, np.array([1, 200, 0, 200]))
    np.testing.assert_array_equal(np.isnan(traced), [False, False, True, True])


def test_beta_binomial_matches_mpmath(x64):
    rng = np.random.default_rng(3)
    size = 800
    a, b = 10 ** rng.uniform(-6, 6, size), 10 ** rng.uniform(-6, 6, size)
    n = np.floor(10 ** rng.uniform(0, 7, size))
    c = np.concatenate([np.zeros(200), n[200:400], np.floor((n[400:700] + 1) * rng.uniform(size=300)), n[700:]])
    c[700:] = rng.binomial(n[700:].astype(int), rng.beta(a[700:], b[700:]))
    gradient = jax.jit(jax.vmap(jax.grad(special.log_beta_binomial, (2, 3))))(c, n, a, b)
    (aa, ab), (_, bb) = jax.jit(jax.vmap(jax.hessian(special.log_beta_binomial, (2, 3))))(c, n, a, b)
    results = [special.log_beta_binomial(c, n, a, b), *gradient, aa, ab, bb]
    exact = np.array([[float(x) for x in _mp_beta_binomial(*point)] for point in zip(c, n, a, b, strict=True)]).T
    scales = [1.0, 1 / a, 1 / b, 1 / a**2, 1 / (a * b), 1 / b**2]  # derivatives as they are in log a and log b
    for result, truth, scale in zip(results, exact, scales, strict=True):
        assert np.all(np.isfinite(result))
        assert np.max(np.abs(result - truth) / np.maximum(np.abs(truth), scale)) < 1e-12


def test_a_beta_of_one_chance_is_that_chance_however_large_its_parameters(x64):
    """At a mean of 1/4 the log-likelihood has the slope c - n/4 in log a, and the curvature -3 n/16."""

    def likelihood(log_a, log_b):
        return special.log_beta_binomial(3.0, 30.0, jnp.exp(log_a), jnp.exp(log_b))

    for power in (80, 100, 140):
        logs = power * np.log(10), power * np.log(10) + np.log(3)
        expected = special.log_binomial(3.0, 30.0, np.log(0.25), np.log(0.75))
        np.testing.assert_allclose(likelihood(*logs), expected, rtol=1e-10)
        np.testing.assert_allclose(jax.grad(likelihood, (0, 1))(*logs), [-4.5, 4.5], rtol=1e-9)
        np.testing.assert_allclose(jax.hessian(likelihood)(*logs), -5.625, rtol=1e-9)
        slope = jax.grad(lambda a, b: special.log_pass_at_k_beta(jnp.exp(a), jnp.exp(b), 2.0))(*logs)
        # pass@2 of one chance p is 1 - (1-p)², with the derivative 2 (1-p) p (1-p) in log a
        np.testing.assert_allclose(slope, 2 * 0.75 * 0.25 * 0.75 / (1 - 0.75**2), rtol=1e-9)


@pytest.mark.parametrize("enabled", [True, False])
def test_derivatives_of_beta_are_finite_over_300_decades(enabled):
    with jax.enable_x64(enabled):
        most = 150.0 if enabled else 18.0
        logs = np.log(10) * np.stack(np.meshgrid(*2 * [np.linspace(-most, most, 13)]), axis=-1).reshape(-1, 2)

        def likelihood(x, count):
            return special.log_beta_binomial(count, 30.0, jnp.exp(x[0]), jnp.exp(x[1]))

        curvature = jax.jit(jax.vmap(jax.hessian(likelihood), (0, None)))
        for count in (0.0, 3.0, 30.0):
            assert np.all(np.isfinite(curvature(jnp.asarray(logs), count)))
        hessian = jax.hessian(lambda x: special.log_pass_at_k_beta(jnp.exp(x[0]), jnp.exp(x[1]), 16.0))
        passed = jax.jit(jax.vmap(hessian))
        assert np.all(np.isfinite(passed(jnp.asarray(logs))))


def test_beta_binomial_identities(x64):
    c, likelihood = np.arange(51.0), jax.jit(special.log_beta_binomial)
    for a, b in ((1e-6, 3e-6), (0.3, 7.0), (1e5, 2e6)):
        np.testing.assert_allclose(np.exp(likelihood(c, 50.0, a, b)).sum(), 1.0, rtol=1e-12)
        np.testing.assert_allclose(likelihood(0.0, 50.0, a, b), special.log_fail_at_k_beta(a, b, 50.0), rtol=1e-9)
    np.testing.assert_allclose(likelihood(c, 50.0, 1.0, 1.0), -np.log(51), rtol=1e-13)
    assert special.log_beta_binomial(0, 0, 0.4, 2.0) == 0
    assert np.all(np.isnan(special.log_beta_binomial(np.array([-1, 6]), 5, 0.4, 2.0)))


def test_binomial_matches_mpmath_and_keeps_its_ends(x64):
    rng = np.random.default_rng(4)
    n = np.floor(10 ** rng.uniform(0, 7, 300))
    p = 10 ** rng.uniform(-12, -0.01, 300)
    c = np.concatenate([np.zeros(50), n[50:100], rng.binomial(n[100:].astype(int), p[100:])])
    result = special.log_binomial(c, n, np.log(p), np.log1p(-p))
    for value, good, total, rate in zip(np.asarray(result), c, n, p, strict=True):
        good, total, log_p, log_1mp = map(mpmath.mpf, (good, total, math.log(rate), math.log1p(-rate)))
        lg = mpmath.loggamma
        truth = lg(total + 1) - lg(good + 1) - lg(total - good + 1) + good * log_p + (total - good) * log_1mp
        inputs = abs(good * log_p) + abs((total - good) * log_1mp)
        assert abs(value - truth) <= 1e-15 * inputs + 1e-13
    ends = special.log_binomial(np.array([0, 5, 1]), 5, np.array([-np.inf, 0.0, -np.inf]), np.array([0.0, -np.inf, 0]))
    np.testing.assert_array_equal(ends, [0.0, 0.0, -np.inf])
    assert jax.grad(special.log_binomial, (2, 3))(0.0, 5.0, -jnp.inf, 0.0) == (0.0, 5.0)
    np.testing.assert_allclose(jax.grad(special.log_binomial, (2, 3))(2.0, 5.0, -1.0, -0.5), (2.0, 3.0), rtol=1e-15)
    assert np.isnan(special.log_binomial(6, 5, -1.0, -1.0))


FUNCTIONS = {
    "log_pass_at_k": (np.array([1e-7, 0.3, 0.8]), np.array([1.0, 4.0, 100.0])),
    "log_pass_at_k_beta": (np.array([1e-6, 0.3, 8.0]), np.array([2.0, 4.0, 1e7]), np.array([1.0, 4.0, 1e8])),
    "log_fail_at_k_beta": (np.array([1e-6, 0.3, 8.0]), np.array([2.0, 4.0, 1e7]), np.array([1.0, 4.0, 1e8])),
    "pass_at_k_beta": (np.array([1e-6, 0.3, 8.0]), np.array([2.0, 4.0, 1e7]), np.array([1.0, 4.0, 1e8])),
    "pass_at_k_from_counts": (np.array([10.0, 20.0, 30.0]), np.array([0.0, 3.0, 30.0]), np.array([2.0, 4.0, 5.0])),
    "log_pass_at_k_from_counts": (np.array([10.0, 20.0, 30.0]), np.array([1.0, 3.0, 30.0]), np.array([2.0, 4.0, 5.0])),
    "log_beta_binomial": (np.array([0.0, 3.0]), np.array([5.0, 9.0]), np.array([0.2, 9.0]), np.array([4.0, 0.1])),
    "log_binomial": (np.array([0.0, 3.0]), np.array([5.0, 9.0]), np.array([-9.0, -1.0]), np.array([-1e-4, -0.4])),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_transformations_and_dtypes(name):
    function, inputs = getattr(special, name), FUNCTIONS[name]
    eager = function(*inputs)
    assert eager.dtype == jnp.float32
    loop = [function(*map(float, point)) for point in zip(*inputs, strict=True)]
    for other in (jax.jit(function)(*inputs), jax.vmap(function)(*inputs), loop):
        np.testing.assert_allclose(other, eager, rtol=1e-5, atol=1e-6)
    with jax.enable_x64(True):
        double = jax.jit(function)(*inputs)
        assert double.dtype == jnp.float64
        np.testing.assert_allclose(double, eager, rtol=1e-5, atol=1e-5)
        assert function(*(x.astype(np.float32) for x in inputs)).dtype == jnp.float32
    assert function(*(x[1].item() for x in inputs)).dtype == jnp.float32
    assert jnp.asarray(1.0).dtype == jnp.float32  # the global setting is untouched


def test_integers_take_the_ambient_float_type():
    assert special.log_pass_at_k(1, 3).dtype == jnp.float32
    with jax.enable_x64(True):
        assert special.pass_at_k_from_counts(np.array([4, 5]), 1, 2).dtype == jnp.float64
        np.testing.assert_allclose(special.log_beta_binomial(2, 5, 1, 1), -math.log(6), rtol=1e-14)
