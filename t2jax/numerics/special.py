"""Log-likelihoods and log pass@k that keep their digits over the whole domain, as do their derivatives.

A difference of log-gammas loses all its digits if the log-gammas are rounded first. Every function here takes the
difference on paper instead: it evaluates a sum of log1p terms of one sign and a small Stirling remainder.
All of it is elementary arithmetic, so derivatives of any order are elementary too (no polygamma).
Each `where` gives its unused branch a harmless value, so no derivative meets 0 * inf.

Functions are elementwise. Integers become the default float type, and floats keep theirs.
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
    "representable",
]

SHIFT = 8  # from 8 on Stirling's series has an error below 1e-15, so smaller arguments are first raised by 8
LEAST, MOST = -0.235, 0.245  # powers of the largest float, between which 1/s² of s = a k/(a + b) is a number
HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


def inverse_power(x: ArrayLike, exponent: ArrayLike) -> Array:
    """Computes x^-exponent for x > 0 as exp(-exponent·log x), the term of every scaling law.

    It takes a third of the time of `x**-exponent`, whose special cases at x <= 0 also double the work of derivatives.

    Args:
        x: Positive numbers, such as params or tokens.
        exponent: Exponent, in a shape that broadcasts with `x`.

    Returns:
        The power. Its relative error is about exponent·log(x)·eps: 1e-15 in float64, 1e-6 in float32.

    Examples:
        >>> round(float(t2.special.inverse_power(1e9, 0.34)), 6)
        0.000871
    """
    return jnp.exp(-jnp.asarray(exponent) * jnp.log(x))


def log_pass_at_k(p: ArrayLike, k: ArrayLike) -> Array:
    """Computes the log probability that at least one of k independent samples succeeds: log(1 - (1-p)^k).

    This is pass@k of Chen et al. 2021 (arXiv:2107.03374, section 2.1) for a known p.

    Args:
        p: Success probability of one sample, in [0, 1]. Tiny p (1e-300 in float64) keeps its digits.
            At p = 0 the result is -inf, and the derivative in k is NaN.
        k: Number of samples, real, >= 1.

    Returns:
        Log pass@k. The relative error of pass@k is about 1e-14 (float64) or 1e-5 (float32).

    Examples:
        >>> round(float(t2.special.log_pass_at_k(0.5, 2.0)), 4)  # log(3/4)
        -0.2877
    """
    p, k = _floats(p, k)
    small = p <= 0.5  # beyond it 1-p is exact, and a power (unlike a log) is differentiable at p = 1
    by_log = _log1mexp(-k * jnp.log1p(-jnp.where(small, p, 0.5)))
    by_power = jnp.log1p(-(jnp.where(small, 0.5, 1 - p) ** k))
    return jnp.where(small, by_log, by_power)


def log_fail_at_k_beta(a: ArrayLike, b: ArrayLike, k: ArrayLike) -> Array:
    """Computes the log probability that k samples all fail, for a success rate drawn from Beta(a, b).

    The probability is E[(1-p)^k] = B(a, b+k) / B(a, b) for p ~ Beta(a, b).

    Args:
        a: First parameter of the Beta distribution, > 0.
        b: Second parameter of the Beta distribution, > 0.
        k: Number of samples, real, >= 1.

    Returns:
        Log of the probability, <= 0. For a in [1e-6, 1e6], b in [1e-6, 1e8] and k in [1, 1e9] it keeps its digits, also
        if it is tiny: the relative error is below 1e-13 (float64) or 1e-5 (float32).
        First derivatives in a, b and k have relative errors below 1e-11 (float64).

    Examples:
        >>> round(float(t2.special.log_fail_at_k_beta(1.0, 1.0, 3.0)), 4)  # log(1/4)
        -1.3863
    """
    return -log_gamma_square(*_floats(b, a, k))


def log_pass_at_k_beta(a: ArrayLike, b: ArrayLike, k: ArrayLike) -> Array:
    """Computes the log of the mean pass@k over questions whose success rates follow Beta(a, b).

    The mean is 1 - E[(1-p)^k] = 1 - B(a, b+k) / B(a, b).

    Args:
        a: First parameter of the Beta distribution, > 0.
        b: Second parameter of the Beta distribution, > 0.
        k: Number of samples, real, >= 1.

    Returns:
        Log of the mean pass@k. Pass@k, and the derivatives of its log, are as accurate as `log_fail_at_k_beta`.
        Reverse-mode derivatives underflow if the fail probability is below 1e-280 (float64).
        Derivatives are finite from 1e-150 to 1e150. Below 1e-72 and above 3e75 the parameters are bounded (float64).

    Examples:
        >>> round(float(t2.special.log_pass_at_k_beta(1.0, 3.0, 1.0)), 4)  # log(a/(a+b)) = log(1/4)
        -1.3863
    """
    a, b, k = _floats(a, b, k)
    a, b = representable(a, b)
    return _log1mexp(log_gamma_square(b, a, k))


def pass_at_k_beta(a: ArrayLike, b: ArrayLike, k: ArrayLike) -> Array:
    """Computes the mean pass@k over questions whose success rates follow Beta(a, b).

    Args:
        a: First parameter of the Beta distribution, > 0.
        b: Second parameter of the Beta distribution, > 0.
        k: Number of samples, real, >= 1.

    Returns:
        Mean pass@k, the exponential of `log_pass_at_k_beta`.

    Examples:
        >>> round(float(t2.special.pass_at_k_beta(1.0, 1.0, 3.0)), 4)
        0.75
    """
    return jnp.exp(log_pass_at_k_beta(a, b, k))


def log_pass_at_k_from_counts(n: ArrayLike, c: ArrayLike, k: ArrayLike) -> Array:
    """Estimates log pass@k from c successes among n samples, as `pass_at_k_from_counts` does for pass@k.

    Args:
        n: Samples drawn, whole number (exact up to 2^24 in float32, 2^53 in float64).
        c: Samples that succeeded, whole number, 0 <= c <= n.
        k: Number of samples allowed, whole number, 1 <= k <= n. The estimator does not exist beyond n;
            `pass_at_k_beta` extrapolates.

    Returns:
        Log of the unbiased estimate of pass@k: -inf at c = 0.

    Raises:
        ValueError: An entry breaks these bounds. Traced inputs (jit, vmap, grad) have no values to check, so such
            entries give NaN.

    Examples:
        >>> round(float(t2.special.log_pass_at_k_from_counts(4, 1, 2)), 4)  # log(1/2)
        -0.6931
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
    """Estimates pass@k without bias from c successes among n samples: 1 - C(n-c, k)/C(n, k).

    The estimator is equation 1 of Chen et al. 2021 (arXiv:2107.03374).

    Args:
        n: Samples drawn, whole number (exact up to 2^24 in float32, 2^53 in float64).
        c: Samples that succeeded, whole number, 0 <= c <= n.
        k: Number of samples allowed, whole number, 1 <= k <= n. The estimator does not exist beyond n;
            `pass_at_k_beta` extrapolates.

    Returns:
        The estimate. It is exactly 0 at c = 0, and exactly 1 if fewer than k samples failed.
        Its relative error is about 1e-14 (float64) or 1e-5 (float32), also for n in the millions.

    Raises:
        ValueError: An entry breaks these bounds. Traced inputs (jit, vmap, grad) have no values to check, so such
            entries give NaN.

    Examples:
        >>> round(float(t2.special.pass_at_k_from_counts(4, 1, 2)), 4)
        0.5
    """
    return jnp.exp(log_pass_at_k_from_counts(n, c, k))


def representable(a: ArrayLike, b: ArrayLike) -> tuple[Array, Array]:
    """Bounds the parameters of a Beta, so that squares of their ratios and inverses are numbers.

    Both shrink by one factor where the larger is too large. The mean stays, and such rates are equal to rounding.

    Args:
        a: First parameter of the Beta distribution, >= 0.
        b: Second parameter of the Beta distribution, >= 0.

    Returns:
        The parameters, unchanged from 1e-72 to 3e75 in float64 and from 1e-9 to 3e9 in float32.

    Examples:
        >>> [float(f"{x:.3g}") for x in t2.special.representable(0.5, 2.0)]
        [0.5, 2.0]
    """
    a, b = _floats(a, b)
    most = jnp.finfo(a.dtype).max
    shrink = jnp.minimum(1.0, most**MOST / jnp.maximum(jnp.maximum(a, b), 1.0))
    return jnp.maximum(a * shrink, most**LEAST), jnp.maximum(b * shrink, most**LEAST)


def log_beta_binomial(c: ArrayLike, n: ArrayLike, a: ArrayLike, b: ArrayLike) -> Array:
    """Computes the log-likelihood of c successes in n samples at a rate drawn from Beta(a, b).

    The likelihood is C(n, c) B(a+c, b+n-c) / B(a, b) (Skellam 1948, J. R. Stat. Soc. B 10, 257).
    It is split into Stirling remainders and deviances, as the binomial is by Loader 2000 ("Fast and accurate
    computation of binomial probabilities").

    Args:
        c: Successes, whole number, 0 <= c <= n (NaN outside).
        n: Samples, whole number (exact up to 2^24 in float32, 2^53 in float64).
        a: First parameter of the Beta distribution, > 0.
        b: Second parameter of the Beta distribution, > 0.

    Returns:
        Log-likelihood x. For n up to 1e7 and a, b in [1e-6, 1e6] its absolute error is below 1e-12 max(1, |x|) in
        float64.
        The same bound holds for first and second derivatives in log a and log b. They are finite from 1e-150 to 1e150:
        below 1e-72 and above 3e75 the parameters are bounded, at the same mean (in float32 1e-9 and 3e9).
        In float32 the error of the value is below 1e-5. Derivatives in c and n are not meaningful.

    Examples:
        >>> round(float(t2.special.log_beta_binomial(2, 5, 1.0, 1.0)), 4)  # log(1/6): uniform on 0, ..., 5
        -1.7918
    """
    c, n, a, b = _floats(c, n, a, b)
    a, b = representable(a, b)
    d, s = n - c, a + b
    # With m the pooled rate (a+c)/(s+n), the x log x parts of all nine log-gammas combine into
    # sum x log(expected/x) over x = c, d, a, b, where expected = n m, n (1-m), s m, s (1-m) and expected - x = +-e.
    e = (a * d - b * c) / (s + n)
    m, q = (a + c) / (s + n), (b + d) / (s + n)
    main = _times_log_ratio(c, n * m, e) + _times_log_ratio(d, n * q, -e)
    main = main + _times_log_ratio(a, s * m, -e) + _times_log_ratio(b, s * q, e)
    remainder = _choose_remainder(n, c, d) + _rise_remainder(a, c) + _rise_remainder(b, d) - _rise_remainder(s, n)
    return jnp.where((c >= 0) & (d >= 0), main + remainder, jnp.nan)


def log_binomial(c: ArrayLike, n: ArrayLike, log_p: ArrayLike, log_1mp: ArrayLike) -> Array:
    """Computes the log-likelihood of c successes in n independent samples: log C(n, c) + c log p + (n-c) log(1-p).

    The computation follows Loader 2000 ("Fast and accurate computation of binomial probabilities").

    Args:
        c: Successes, whole number, 0 <= c <= n (NaN outside).
        n: Samples, whole number (exact up to 2^24 in float32, 2^53 in float64).
        log_p: Value of log p, <= 0. It may be -inf: 0 log 0 counts as 0, and c > 0 at p = 0 gives -inf.
        log_1mp: Value of log(1-p), <= 0. It is an argument because only the caller has both logs without rounding.

    Returns:
        Log-likelihood. In float64 its error is 1e-15 (|c log_p| + |(n-c) log_1mp|) + 1e-13, little more than the effect
        of rounded inputs.

    Examples:
        >>> round(float(t2.special.log_binomial(1, 2, np.log(0.5), np.log(0.5))), 4)  # log(1/2)
        -0.6931
    """
    c, n, log_p, log_1mp = _floats(c, n, log_p, log_1mp)
    d = n - c
    by_rate = _times_log_relative(c, log_p, d) + _times_log_relative(d, log_1mp, c)
    return jnp.where((c >= 0) & (d >= 0), by_rate + _choose_remainder(n, c, d), jnp.nan)


def _floats(*xs: ArrayLike) -> list[Array]:
    """Returns the arguments as arrays of one float type."""
    dtype = jnp.result_type(*xs, 0.0)
    return [jnp.asarray(x, dtype) for x in xs]


def _log1mexp(s: Array) -> Array:
    """Computes log(1 - exp(-s)) for s >= 0 by equation 7 of Mächler 2012. Derivatives keep their digits too."""
    small = s < math.log(2)
    by_expm1 = jnp.log(-jnp.expm1(-jnp.where(small, s, 1)))
    return jnp.where(small, by_expm1, jnp.log1p(-jnp.exp(-jnp.where(small, 1, s))))


def stirling_remainder(x: Array) -> Array:
    """Computes lgamma(x) - (x log x - x) for x > 0."""
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


def _choose_remainder(n: Array, c: Array, d: Array) -> Array:
    """Computes log C(n, c) without its x log x parts. Here `d` = n - c, log x! = lgamma(x) + log x, 0! = 1."""

    def factorial_remainder(x: Array) -> Array:
        safe = jnp.where(x > 0, x, 1)
        return jnp.where(x > 0, stirling_remainder(safe) + jnp.log(safe), 0)

    return factorial_remainder(n) - factorial_remainder(c) - factorial_remainder(d)


def _rise_remainder(x: Array, m: Array) -> Array:
    """Computes lgamma(x+m) - lgamma(x) without its x log x parts.

    At m = 0 it is exactly 0, because terms in 1/x^2 would have to cancel there.
    """
    return jnp.where(m > 0, stirling_remainder(x + m) - stirling_remainder(x), 0)


def _times_log_ratio(x: Array, expected: Array, excess: Array) -> Array:
    """Computes x log(expected / x), given `excess` = expected - x without rounding. The result is 0 at x = 0."""
    safe = jnp.where(x > 0, x, 1)
    close = jnp.abs(excess) < 0.5 * safe
    ratio = jnp.where((x > 0) & ~close, expected, safe) / safe
    return x * jnp.where(close, jnp.log1p(jnp.where(close, excess, 0) / safe), jnp.log(ratio))


def _times_log_relative(x: Array, log_rate: Array, others: Array) -> Array:
    """Computes x [log_rate - log(x / (x + others))]. The result is 0 at x = 0 for any rate."""
    positive = x > 0
    share = -jnp.log1p(others / jnp.where(positive, x, 1))
    return jnp.where(positive, x, 0) * (jnp.where(positive, log_rate, 0) - share)


def _check_counts(n: np.ndarray, c: np.ndarray, k: np.ndarray) -> None:
    """Raises ValueError for the first entry of the counts that is out of bounds."""
    n, c, k = np.broadcast_arrays(n, c, k)
    for invalid, message in (
        (~(k >= 1), "k={k} is less than one try"),
        (~(k <= n), "k={k} is more than the n={n} samples drawn{at}; fit a distribution of rates to extrapolate"),
        (~(c >= 0), "c={c} successes is less than none"),
        (~(c <= n), "c={c} successes is more than the n={n} samples drawn"),
    ):
        if invalid.any():
            i = tuple(int(j) for j in np.argwhere(invalid)[0])
            at = f" (entry {i[0] if len(i) == 1 else i})" if i else ""
            text = message if "{at}" in message else message + "{at}"
            raise ValueError(text.format(n=n[i], c=c[i], k=k[i], at=at))
