"""Log-likelihoods and log pass@k that keep their digits (and their derivatives') over the whole domain.

Differences of log-gammas lose everything when taken after the log-gammas are rounded. Every function here therefore
differences *first*, on paper: what is evaluated is a sum of log1p terms of one sign plus a small Stirling remainder.
All of it is elementary arithmetic, so automatic differentiation of any order stays elementary (no polygamma), and
each `where` feeds its unused branch a harmless value, so no derivative meets 0 * inf.

Functions are elementwise; integers are promoted to the ambient float type, floats keep theirs.
"""

import math

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from t2jax.numerics.log_gamma_square import STIRLING, log_gamma_square
from t2jax.typing import Array, ArrayLike

__all__ = [
    "inverse_power",
    "log_beta_binomial",
    "log_binomial",
    "log_fail_at_k_beta",
    "log_pass_at_k",
    "log_pass_at_k_beta",
    "log_pass_at_k_from_counts",
    "pass_at_k_beta",
    "pass_at_k_from_counts",
]

SHIFT = 8  # from here on, what Stirling's series leaves out is below 1e-15; smaller arguments are first raised by it
HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


def inverse_power(x: ArrayLike, exponent: ArrayLike) -> Array:
    """x^-exponent for x > 0, as exp(-exponent·log x): the term of every scaling law.

    A third of the time of `x**-exponent`, whose special cases at x <= 0 also double the work of its derivatives.
    Relative error about exponent·log(x)·eps: 1e-15 in float64, 1e-6 in float32. Example: `inverse_power(1e9, 0.34)`.
    """
    return jnp.exp(-jnp.asarray(exponent) * jnp.log(x))


def log_pass_at_k(p: ArrayLike, k: ArrayLike) -> Array:
    """Log probability that at least one of k independent tries succeeds: log(1 - (1-p)^k).

    Args:
        p: success probability of one try, in [0, 1]. Tiny p (1e-300 in float64) keeps its digits; p = 0 gives -inf,
            and NaN as the derivative in k there.
        k: number of tries, real, >= 1.

    Accuracy: relative error of pass@k about 1e-14 (float64) or 1e-5 (float32).
    Source: pass@k of Chen et al. 2021 (arXiv:2107.03374, section 2.1) for a known p.
    Example: `log_pass_at_k(0.5, 2.0)` is log(0.75).
    """
    p, k = _floats(p, k)
    small = p <= 0.5  # beyond it 1-p is exact, and a power (unlike a log) is differentiable at p = 1
    by_log = _log1mexp(-k * jnp.log1p(-jnp.where(small, p, 0.5)))
    by_power = jnp.log1p(-(jnp.where(small, 0.5, 1 - p) ** k))
    return jnp.where(small, by_log, by_power)


def log_fail_at_k_beta(a: ArrayLike, b: ArrayLike, k: ArrayLike) -> Array:
    """Log probability that k tries all fail, for a success rate drawn from Beta(a, b): log B(a,b+k) - log B(a,b) <= 0.

    Args:
        a: first parameter of the Beta distribution, > 0.
        b: second parameter of the Beta distribution, > 0.
        k: number of tries, real, >= 1.

    Accuracy: for a in [1e-6, 1e6], b in [1e-6, 1e8], k in [1, 1e9], relative error below 1e-13 (float64) or 1e-5
    (float32), also where the result is tiny; first derivatives in a, b and k below 1e-11 (float64).
    Source: E[(1-p)^k] for p ~ Beta(a, b).
    Example: `log_fail_at_k_beta(1.0, 1.0, 3.0)` is log(1/4).
    """
    return -log_gamma_square(*_floats(b, a, k))


def log_pass_at_k_beta(a: ArrayLike, b: ArrayLike, k: ArrayLike) -> Array:
    """Log of the mean pass@k over questions whose success rates follow Beta(a, b): log(1 - B(a,b+k)/B(a,b)).

    Args:
        a: first parameter of the Beta distribution, > 0.
        b: second parameter of the Beta distribution, > 0.
        k: number of tries, real, >= 1.

    Accuracy: as `log_fail_at_k_beta`, for pass@k itself and for the derivatives of its log. Reverse-mode derivatives
    underflow early, where the fail probability is below 1e-280 (float64).
    Source: 1 - E[(1-p)^k] for p ~ Beta(a, b).
    Example: `log_pass_at_k_beta(1.0, 3.0, 1.0)` is log(a/(a+b)) = log(1/4).
    """
    return _log1mexp(log_gamma_square(*_floats(b, a, k)))


def pass_at_k_beta(a: ArrayLike, b: ArrayLike, k: ArrayLike) -> Array:
    """Mean pass@k over questions whose success rates follow Beta(a, b): the exponential of `log_pass_at_k_beta`.

    Example: `pass_at_k_beta(1.0, 1.0, 3.0)` is 3/4.
    """
    return jnp.exp(log_pass_at_k_beta(a, b, k))


def log_pass_at_k_from_counts(n: ArrayLike, c: ArrayLike, k: ArrayLike) -> Array:
    """Log of `pass_at_k_from_counts` (-inf at c = 0), with its arguments, errors and accuracy.

    Example: `log_pass_at_k_from_counts(4, 1, 2)` is log(1/2).
    """
    if not any(isinstance(x, Tracer) for x in (n, c, k)):
        _check_counts(np.asarray(n), np.asarray(c), np.asarray(k))
    n, c, k = _floats(n, c, k)
    z = n - c - k + 1  # C(n-c,k)/C(n,k) is the all-fail probability of Beta(c, z): the same difference of lgammas
    interior = (c > 0) & (z > 0)
    log_pass = _log1mexp(log_gamma_square(*(jnp.where(interior, x, 1) for x in (z, c, k))))
    log_pass = jnp.where(interior, log_pass, jnp.where(c > 0, 0.0, -jnp.inf))
    return jnp.where((k >= 1) & (k <= n) & (c >= 0) & (c <= n), log_pass, jnp.nan)


def pass_at_k_from_counts(n: ArrayLike, c: ArrayLike, k: ArrayLike) -> Array:
    """Unbiased estimate of pass@k from c successes among n samples: 1 - C(n-c, k)/C(n, k).

    Exactly 0 at c = 0 and exactly 1 where fewer than k samples failed.

    Args:
        n: samples drawn, whole number (exact up to 2^24 in float32, 2^53 in float64).
        c: samples that succeeded, whole number, 0 <= c <= n.
        k: tries, whole number, 1 <= k <= n. The estimator does not exist beyond n; `pass_at_k_beta` extrapolates.

    Raises:
        ValueError: an entry breaks these bounds. Traced inputs (jit, vmap, grad) have no values to look at, so
            nothing can be raised there: such entries give NaN.

    Accuracy: relative error about 1e-14 (float64) or 1e-5 (float32), n in the millions included.
    Source: Chen et al. 2021 (arXiv:2107.03374), equation 1.
    Example: `pass_at_k_from_counts(4, 1, 2)` is 1/2.
    """
    return jnp.exp(log_pass_at_k_from_counts(n, c, k))


def log_beta_binomial(c: ArrayLike, n: ArrayLike, a: ArrayLike, b: ArrayLike) -> Array:
    """Log-likelihood of c successes in n tries at a rate drawn from Beta(a, b): log [C(n,c) B(a+c, b+n-c) / B(a,b)].

    Args:
        c: successes, whole number, 0 <= c <= n (NaN outside).
        n: tries, whole number (exact up to 2^24 in float32, 2^53 in float64).
        a: first parameter of the Beta distribution, > 0.
        b: second parameter of the Beta distribution, > 0.

    Accuracy: for n up to 1e7 and a, b in [1e-6, 1e6], absolute error below 1e-12 max(1, |x|) in float64, for the
    value x and for its first and second derivatives in log a and log b, which are always finite; 1e-5 in float32 for
    the value. Derivatives in c and n are not meaningful.
    Source: Skellam 1948 (J. R. Stat. Soc. B 10, 257); split into Stirling remainders and deviances as Loader 2000
    ("Fast and accurate computation of binomial probabilities") does for the binomial.
    Example: `log_beta_binomial(2, 5, 1.0, 1.0)` is log(1/6): uniform on 0..5.
    """
    c, n, a, b = _floats(c, n, a, b)
    d, s = n - c, a + b
    # With m the pooled rate (a+c)/(s+n), the x log x parts of all nine log-gammas combine into
    # sum x log(expected/x) over x = c, d, a, b, where expected = n m, n (1-m), s m, s (1-m) and expected - x = +-e.
    e = (a * d - b * c) / (s + n)
    m, q = (a + c) / (s + n), (b + d) / (s + n)
    main = _times_log_ratio(c, n * m, e) + _times_log_ratio(d, n * q, -e)
    main = main + _times_log_ratio(a, s * m, -e) + _times_log_ratio(b, s * q, e)
    rest = _choose_rest(n, c, d) + _rise_rest(a, c) + _rise_rest(b, d) - _rise_rest(s, n)
    return jnp.where((c >= 0) & (d >= 0), main + rest, jnp.nan)


def log_binomial(c: ArrayLike, n: ArrayLike, log_p: ArrayLike, log_1mp: ArrayLike) -> Array:
    """Log-likelihood of c successes in n independent tries: log C(n,c) + c log p + (n-c) log(1-p).

    Args:
        c: successes, whole number, 0 <= c <= n (NaN outside).
        n: tries, whole number (exact up to 2^24 in float32, 2^53 in float64).
        log_p: log p, <= 0. It may be -inf: 0 log 0 counts as 0, and c > 0 at p = 0 gives -inf.
        log_1mp: log(1-p), <= 0. It is an argument because only the caller knows both without rounding.

    Accuracy: 1e-15 (|c log_p| + |(n-c) log_1mp|) + 1e-13 in float64: what rounding the inputs costs, and little more.
    Source: Loader 2000 ("Fast and accurate computation of binomial probabilities").
    Example: `log_binomial(0, 5, -jnp.inf, 0.0)` is 0.
    """
    c, n, log_p, log_1mp = _floats(c, n, log_p, log_1mp)
    d = n - c
    by_rate = _times_log_relative(c, log_p, d) + _times_log_relative(d, log_1mp, c)
    return jnp.where((c >= 0) & (d >= 0), by_rate + _choose_rest(n, c, d), jnp.nan)


def _floats(*xs: ArrayLike) -> list[Array]:
    dtype = jnp.result_type(*xs, 0.0)
    return [jnp.asarray(x, dtype) for x in xs]


def _log1mexp(s: Array) -> Array:
    """log(1 - exp(-s)) for s >= 0 (Mächler 2012, equation 7, whose two branches also keep the derivative's digits)."""
    small = s < math.log(2)
    near = jnp.log(-jnp.expm1(-jnp.where(small, s, 1)))
    return jnp.where(small, near, jnp.log1p(-jnp.exp(-jnp.where(small, 1, s))))


def _stirling_rest(x: Array) -> Array:
    """lgamma(x) - (x log x - x) for x > 0."""
    y = x + SHIFT
    w = 1 / y
    series = jnp.zeros_like(w)
    for coefficient in reversed(STIRLING):
        series = coefficient + w * w * series
    # rise = product of (x+j)/y over j < SHIFT, so that lgamma(y) - lgamma(x) = log(rise) + SHIFT log(y); in pairs
    # (x+j) (x+SHIFT-1-j) = x (x+SHIFT-1) + j (SHIFT-1-j), which halves the graph that automatic differentiation sees.
    first, w2 = x * w * ((x + SHIFT - 1) * w), w * w
    rise = first
    for j in range(1, SHIFT // 2):
        rise = rise * (first + j * (SHIFT - 1 - j) * w2)
    return x * jnp.log1p(SHIFT / x) - SHIFT - jnp.log(rise) - 0.5 * jnp.log(y) + HALF_LOG_2PI + w * series


def _choose_rest(n: Array, c: Array, d: Array) -> Array:
    """log C(n, c) without its x log x parts, d = n - c: each factorial is lgamma(x+1) = lgamma(x) + log x, 0! = 1."""

    def factorial_rest(x: Array) -> Array:
        safe = jnp.where(x > 0, x, 1)
        return jnp.where(x > 0, _stirling_rest(safe) + jnp.log(safe), 0)

    return factorial_rest(n) - factorial_rest(c) - factorial_rest(d)


def _rise_rest(x: Array, m: Array) -> Array:
    """lgamma(x+m) - lgamma(x) without its x log x parts; exactly 0 at m = 0, where 1/x^2 terms would have to cancel."""
    return jnp.where(m > 0, _stirling_rest(x + m) - _stirling_rest(x), 0)


def _times_log_ratio(x: Array, expected: Array, excess: Array) -> Array:
    """x log(expected / x), given also excess = expected - x without its rounding; 0 at x = 0."""
    safe = jnp.where(x > 0, x, 1)
    near = jnp.abs(excess) < 0.5 * safe
    ratio = jnp.where((x > 0) & ~near, expected, safe) / safe
    return x * jnp.where(near, jnp.log1p(jnp.where(near, excess, 0) / safe), jnp.log(ratio))


def _times_log_relative(x: Array, log_rate: Array, others: Array) -> Array:
    """x [log_rate - log(x / (x + others))]; 0 at x = 0 whatever the rate."""
    used = x > 0
    share = -jnp.log1p(others / jnp.where(used, x, 1))
    return jnp.where(used, x, 0) * (jnp.where(used, log_rate, 0) - share)


def _check_counts(n: np.ndarray, c: np.ndarray, k: np.ndarray) -> None:
    n, c, k = np.broadcast_arrays(n, c, k)
    for bad, message in (
        (~(k >= 1), "k={k} is less than one try"),
        (~(k <= n), "k={k} is more than the n={n} samples drawn{at}; fit a distribution of rates to extrapolate"),
        (~(c >= 0), "c={c} successes is less than none"),
        (~(c <= n), "c={c} successes is more than the n={n} samples drawn"),
    ):
        if bad.any():
            i = tuple(int(j) for j in np.argwhere(bad)[0])
            at = f" (entry {i[0] if len(i) == 1 else i})" if i else ""
            text = message if "{at}" in message else message + "{at}"
            raise ValueError(text.format(n=n[i], c=c[i], k=k[i], at=at))
