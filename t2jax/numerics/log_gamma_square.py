"""The second difference of the log-gamma function, with closed-form derivatives."""

import jax
import jax.numpy as jnp

from t2jax.numerics.partials import with_derivatives
from t2jax.typing import Array

# Stirling's remainder lgamma(z) - [(z - 1/2) log z - z + log(2 pi)/2] = sum_n STIRLING[n] z^-(2n+1) (DLMF 5.11.1).
STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
# From SHIFT on, four terms leave less than 1e-14; smaller arguments are first raised by SHIFT.
SHIFT = 16
# log z - 1/(2z) - digamma(z) = sum_n DIGAMMA[n] z^-2(n+1) (DLMF 5.11.2)
DIGAMMA = (1 / 12, -1 / 120, 1 / 252, -1 / 240)
# trigamma(z) - 1/z - 1/(2z^2) = sum_n TRIGAMMA[n] z^-(2n+3), the derivative of that
TRIGAMMA = (1 / 6, -1 / 30, 1 / 42, -1 / 30)


def log_gamma_square(z: Array, a: Array, k: Array) -> Array:
    """Computes lgamma(z+a+k) - lgamma(z+a) - lgamma(z+k) + lgamma(z) >= 0.

    The relative error is small unless k is much below 1.
    """
    return _log_gamma_square(*jnp.broadcast_arrays(z, a, k))


def _value(z: Array, a: Array, k: Array) -> Array:
    # lgamma(z) = lgamma(z+1) - log z, SHIFT times: all terms are positive
    total = _sum_of_shifts(lambda y: _log_square(y, a, k), z)
    z = z + SHIFT
    main = a * jnp.log1p(k / (z + a)) + k * jnp.log1p(a / (z + k)) - (z - 0.5) * _log_square(z, a, k)
    at_z, at_z_plus_k = _remainder_slope(jnp.stack([z, z + k]), jnp.stack([a, a]))
    return total + main + a * (at_z - at_z_plus_k)


def _slope_in_z(z: Array, a: Array, k: Array) -> Array:
    """Computes digamma(z+a+k) - digamma(z+a) - digamma(z+k) + digamma(z) <= 0."""

    def term(y: Array) -> Array:  # 1/y - 1/(y+a) - 1/(y+k) + 1/(y+a+k)
        return (a / (y + a)) * (k / (y + k)) * (1 / y + 1 / (y + a + k))

    total = _sum_of_shifts(term, z)
    z = z + SHIFT
    at_z, at_z_plus_k = _digamma_slope(jnp.stack([z, z + k]), jnp.stack([a, a]))
    return -(total + _log_square(z, a, k) + 0.5 * term(z) + a * (at_z - at_z_plus_k))


def _digamma_rise(x: Array, m: Array) -> Array:
    """Computes digamma(x+m) - digamma(x) >= 0."""
    total = _sum_of_shifts(lambda y: m / (y + m) / y, x)
    x = x + SHIFT
    return total + jnp.log1p(m / x) + 0.5 * m / (x + m) / x + m * _digamma_slope(x, m)


def _trigamma_fall(x: Array, m: Array) -> Array:
    """Computes trigamma(x) - trigamma(x+m) >= 0."""
    total = _sum_of_shifts(lambda y: m / (y + m) / y * (1 / y + 1 / (y + m)), x)
    x = x + SHIFT
    w, v = 1 / x, 1 / (x + m)
    third, fifth, seventh, ninth = _odd_quotients(w, v)
    series = TRIGAMMA[0] * third + TRIGAMMA[1] * fifth + TRIGAMMA[2] * seventh + TRIGAMMA[3] * ninth
    return total + m * w * v * (1 + 0.5 * (w + v) + series)


def _trigamma(x: Array) -> Array:
    """Computes trigamma(x) for x > 0."""
    total = _sum_of_shifts(lambda y: 1 / y / y, x)
    w = 1 / (x + SHIFT)
    w2 = w * w
    series = TRIGAMMA[0] + w2 * (TRIGAMMA[1] + w2 * (TRIGAMMA[2] + w2 * TRIGAMMA[3]))
    return total + w * (1 + w * (0.5 + w * series))


def _sum_of_shifts(term, z: Array) -> Array:
    """Sums term(z + j) over j < SHIFT. The terms are mapped, because unrolled code compiles slowly."""
    return jax.vmap(lambda j: term(z + j))(jnp.arange(SHIFT, dtype=z.dtype)).sum(0)


def _log_square(z: Array, a: Array, k: Array) -> Array:
    """Computes log [(z+a)(z+k) / (z (z+a+k))] = log1p(ak / (z (z+a+k)))."""
    # In this order of the two numbers no partial derivative is a difference of nearly equal terms, nor overflows.
    high, low = jnp.where(a > k, a, k) / z, jnp.where(a > k, k, a) / z
    return jnp.log1p(low / (1 + (1 + low) / high))


def _remainder_slope(z: Array, a: Array) -> Array:
    """Computes [R(z) - R(z+a)] / a for Stirling's remainder R and z >= SHIFT.

    No division by a is needed, so a may be tiny.
    """
    w, v = 1 / z, 1 / (z + a)
    third, fifth, seventh, _ = _odd_quotients(w, v)
    return w * v * (STIRLING[0] + STIRLING[1] * third + STIRLING[2] * fifth + STIRLING[3] * seventh)


def _odd_quotients(w: Array, v: Array) -> tuple[Array, Array, Array, Array]:
    """Computes (w^m - v^m) / (w - v) for m = 3, 5, 7, 9, as polynomials in (w + v)^2 and w v."""
    t, p = (w + v) ** 2, w * v
    third, fifth = t - p, t * (t - 3 * p) + p * p
    seventh = t * (t * (t - 5 * p) + 6 * p * p) - p * p * p
    ninth = t * (t * (t * (t - 7 * p) + 15 * p * p) - 10 * p * p * p) + p * p * p * p
    return third, fifth, seventh, ninth


def _digamma_slope(z: Array, a: Array) -> Array:
    """Computes [Q(z) - Q(z+a)] / a for Q(z) = log z - 1/(2z) - digamma(z), z >= SHIFT, without a division."""
    w, v = 1 / z, 1 / (z + a)
    p, q = w * v, w * w + v * v
    # (w^m - v^m) / (w - v) for m = 2, 4, 6, 8 is (w + v) times 1, q, q^2 - p^2 and q (q^2 - 2 p^2)
    series = DIGAMMA[0] + q * (DIGAMMA[1] + DIGAMMA[3] * (q * q - 2 * p * p)) + DIGAMMA[2] * (q * q - p * p)
    return p * (w + v) * series


_digamma_rise_with_derivatives = with_derivatives(
    _digamma_rise, (lambda x, m: -_trigamma_fall(x, m), lambda x, m: _trigamma(x + m))
)


def _curvature_in_z(z: Array, a: Array, k: Array) -> Array:
    """Computes the derivative of `_slope_in_z` in z by forward differentiation."""
    return jax.jvp(lambda z: _slope_in_z(z, a, k), (z,), (jnp.ones_like(z),))[1]


_slope_with_derivatives = with_derivatives(
    _slope_in_z,
    (_curvature_in_z, lambda z, a, k: -_trigamma_fall(z + a, k), lambda z, a, k: -_trigamma_fall(z + k, a)),
)
_log_gamma_square = with_derivatives(
    _value,
    (
        _slope_with_derivatives,
        lambda z, a, k: _digamma_rise_with_derivatives(z + a, k),
        lambda z, a, k: _digamma_rise_with_derivatives(z + k, a),
    ),
)
