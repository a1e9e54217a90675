"""Forecasts of one model's pass@k beyond the samples that were drawn: by a Beta of chances, and by a power law.

Each rests on a shape that the samples themselves cannot confirm at large k, and each docstring says how it fails.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.forecasts.counts import checked_counts, checked_samples
from t2jax.laws.arguments import check_arguments
from t2jax.laws.pass_at_k.beta_tail import BetaTail
from t2jax.numerics.bands import Band, band
from t2jax.numerics.special import log_beta_binomial, log_fail_at_k_beta
from t2jax.typing import Array, Float
from t2jax.working_precision import scope

SIDE = 41  # points along each axis of the grid of the posterior
DROP = 15.0  # in nats: below the mode by this much, density is left out (3e-7 of it)
ZOOMS = 60  # far more than any posterior needs; each at least brings the box nearer
HARDLY = 0.1  # a variance that the counts shrink by less than this share is the prior's
FEWEST_PAIRS = 16  # counts are padded to a power of two from here on, so that few shapes are compiled


@dataclass(frozen=True)
class BetaForecast:
    """The result of `forecast_beta`. samples: k. passed: posterior mean over these questions at each k, shape (k,).

    questions: band of pass@k of these questions. population: of the mean over the population that they come from.
    laws: draws of `BetaTail` from the posterior, leaves (draws,). status: in English.
    """

    samples: np.ndarray
    passed: np.ndarray
    questions: Band
    population: Band
    laws: BetaTail
    status: str


@check_arguments
def forecast_beta(
    trials: object, correct: object, samples: Sequence[float], *, key: Array, draws: int = 1000, level: float = 0.9
) -> BetaForecast:
    """Posterior of pass@k where the chances of questions are Beta(a, b): counts decide, whatever k is.

    trials, correct: whole numbers, shape (questions,); the numbers of samples may differ. samples: every k >= 1.

    The likelihood is beta-binomial, the prior that of `BetaTail`. The posterior of (log a, log b/a) is summed on a
    grid of 41 × 41 points that closes in on its mass, so it needs neither a normal shape nor a chain. Given (a, b), the
    chance of a question is Beta(a+c, b+n-c): mean and variance of the pass@k of *these* questions follow in closed
    form, and it is drawn from the Beta of that mean and variance. Over draws of (a, b) the band then holds what is not
    known of these too, unlike a plug-in of the best fit. The population is 1 - B(a, b+k)/B(a, b).

    Source: Kazdan et al. 2025 (2510.05197) for the beta-binomial forecast; there by maximum likelihood.

    How it fails: questions beyond the samples are assumed to continue the Beta that the solved ones show. Where some
    cannot be solved at all, or are of two kinds, the forecast is wrong at large k and its band too narrow. Where
    nothing was solved a is undetermined: the band then is a bound from 0 up that rests on the prior, and likewise down
    from 1 where every sample was correct. One sample a question tells the mean a/(a+b) and nothing of a+b, how much
    questions differ: pass@k at any other k is then the prior's. The status says so in each case.

    Raises ValueError for bad counts (it names the question, from 0), k below 1, or a level outside (0, 1).
    """
    n, c = checked_counts(trials, correct)
    k = checked_samples(samples, whole=False)
    with scope() as dtype:
        kinds = tuple(jnp.asarray(one, dtype) for one in _kinds(n, c))
        grid = tuple(jnp.asarray(one, dtype) for one in _posterior(*kinds))
        grid_key, here_key = jax.random.split(key)
        a, b = _draw(*grid, grid_key, draws)
        both = jnp.asarray(np.concatenate([k, 2 * k]), dtype)
        log_fail = np.asarray(_log_fail(a, b, *kinds[:2], both), float)
        passed, *shape = _average(log_fail, np.asarray(kinds[2], float))
        here = np.asarray(_beta(here_key, *(jnp.asarray(one, dtype) for one in shape)), float)
        laws = BetaTail(a=np.asarray(a), b=np.asarray(b))
        elsewhere = -np.expm1(log_fail[-1, :, : len(k)])
    questions, population = band(here, level), band(elsewhere, level)
    if not c.any() or np.all(c == n):
        questions, population = (_one_sided(one, solved=bool(c.any())) for one in (questions, population))
    status = _beta_status(n, c, laws, level, learned=_learned_of_size(*(np.asarray(one, float) for one in grid[::2])))
    return BetaForecast(k, passed.mean(axis=0), questions, population, laws, status)


def _kinds(n: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The different pairs of trials and correct, and how many questions have each; padded by pairs that none has."""
    pairs, count = np.unique(np.stack([n, c]), axis=1, return_counts=True)
    room = max(FEWEST_PAIRS, 1 << (len(count) - 1).bit_length()) - len(count)
    n, c = np.concatenate([pairs, np.tile([[1.0], [0.0]], room)], axis=1)
    return n, c, np.concatenate([count, np.zeros(room)])


def _posterior(n: Array, c: Array, count: Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Grids (SIDE,) of x = log a and y = log(b/a), and the posterior weight of each point, shape (SIDE, SIDE).

    In y the mean is nearly uncorrelated with the spread, so a box along the axes fits.
    """
    boxes = _widest()
    for _ in range(ZOOMS):
        x, y = (np.linspace(*box, SIDE) for box in boxes)
        log_density = np.asarray(_log_posterior(jnp.asarray(x, n.dtype), jnp.asarray(y, n.dtype), n, c, count))
        likely = log_density > log_density.max() - DROP
        boxes, sizes = zip(*(_closer(*one) for one in ((x, likely.any(1)), (y, likely.any(0)))), strict=True)
        if min(sizes) > SIDE // 2:
            break
    weight = np.exp(log_density - log_density.max()) * likely
    return x, y, weight / weight.sum()


@cache
def _widest() -> tuple[tuple[float, float], tuple[float, float]]:
    """The box of x and y that holds the prior."""
    priors = BetaTail.declared()
    (low_a, high_a), (low_b, high_b) = (
        tuple(float(jnp.log(priors[name].prior.icdf(q))) for q in (1e-6, 1 - 1e-6)) for name in ("a", "b")
    )
    return (low_a, high_a), (low_b - high_a, high_b - low_a)


def _closer(grid: np.ndarray, likely: np.ndarray) -> tuple[tuple[float, float], int]:
    """The next box along one axis, and how many points of this grid are likely: 0 where they may lie beyond it."""
    inside, step = np.flatnonzero(likely), grid[1] - grid[0]
    half = step * SIDE / 2
    open_low, open_high = inside[0] == 0, inside[-1] == SIDE - 1
    low = grid[inside[0]] - (half if open_low else step)
    high = grid[inside[-1]] + (half if open_high else step)
    return (float(low), float(high)), 0 if open_low or open_high else len(inside)


@jax.jit
def _log_posterior(x: Array, y: Array, n: Array, c: Array, count: Array) -> Float[Array, "SIDE SIDE"]:
    log_a, log_b = jnp.broadcast_arrays(x[:, None], x[:, None] + y[None, :])
    a, b = jnp.exp(log_a), jnp.exp(log_b)
    priors = BetaTail.declared()
    # densities of log a and log b, of which y is a shear
    start: Any = priors["a"].prior.log_prob(a) + log_a + priors["b"].prior.log_prob(b) + log_b

    def add(total: Array, row: tuple[Array, Array, Array]) -> tuple[Array, None]:
        return total + row[2] * log_beta_binomial(row[1], row[0], a, b), None

    return jax.lax.scan(add, start, (n, c, count))[0]


def _learned_of_size(x: np.ndarray, weight: np.ndarray) -> float:
    """By what share the counts shrink the variance of x = log a where y = log(b/a), and with it the mean, is known.

    At given y the size a + b moves as a does. Under the prior log a and log b are independent and normal.
    """
    spread_a, spread_b = (
        np.log(one.prior.icdf(0.8413447)) - np.log(one.prior.icdf(0.5)) for one in BetaTail.declared().values()
    )
    prior = 1 / (1 / spread_a**2 + 1 / spread_b**2)
    of_y = weight.sum(axis=0)
    mean = x @ weight / np.where(of_y > 0, of_y, 1.0)
    left = np.sum(weight * (x[:, None] - mean) ** 2)
    return float(1 - left / prior)


@partial(jax.jit, static_argnames="draws")
def _draw(x: Array, y: Array, weight: Array, key: Array, draws: int) -> tuple[Array, Array]:
    """Draws of a and b, each (draws,)."""
    cell_key, place_key = jax.random.split(key)
    cell = jax.random.choice(cell_key, weight.size, (draws,), p=weight.ravel())
    within = jax.random.uniform(place_key, (2, draws), x.dtype, -0.5, 0.5)  # the grid's own steps must not show
    log_a = x[cell // SIDE] + within[0] * (x[1] - x[0])
    return jnp.exp(log_a), jnp.exp(log_a + y[cell % SIDE] + within[1] * (y[1] - y[0]))


@jax.jit
def _log_fail(a: Array, b: Array, n: Array, c: Array, k: Array) -> Float[Array, "kinds+1 draws k"]:
    """log of the chance that k tries all fail, of a question of each kind, and last of one not sampled yet."""

    def of_kind(kind: tuple[Array, Array]) -> Array:
        n, c = kind
        return log_fail_at_k_beta(a[:, None] + c, b[:, None] + (n - c), k[None, :])

    return jax.lax.map(of_kind, (jnp.append(n, 0.0), jnp.append(c, 0.0)))


def _average(
    log_fail: Float[np.ndarray, "kinds+1 draws 2k"], count: Float[np.ndarray, " kinds"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean of these questions' pass@k at each draw of (a, b), and the Beta of this mean and of their variance."""
    once, twice = np.split(log_fail[:-1], 2, axis=2)
    passed, failed = -np.expm1(once), np.exp(once)
    # E[P²] - E[P]² of the pass or of the fail probability P, whichever is small, so that the difference has digits
    by_pass = 2 * passed + np.expm1(twice) - passed**2
    variance = np.maximum(np.where(passed < 0.5, by_pass, np.exp(twice) - failed**2), 0.0)
    passed, failed, variance = (np.tensordot(count / count.sum(), one, 1) for one in (passed, failed, variance))
    # beyond a size of 1e12 the Beta's spread is nothing, and below 1e-6 it only says 0 or 1
    size = np.clip(passed * failed / np.maximum(variance / count.sum(), 1e-300) - 1, 1e-6, 1e12)
    return passed, np.maximum(size * passed, 1e-30), np.maximum(size * failed, 1e-30)


@jax.jit
def _beta(key: Array, a: Float[Array, "draws k"], b: Float[Array, "draws k"]) -> Array:
    # one key for every k, so that a band does not jitter along the curve
    return jax.vmap(lambda a, b: jax.random.beta(key, a, b), 1, 1)(a, b)


def _one_sided(one: Band, solved: bool) -> Band:
    """Counts that are all 0, or all n, bound pass@k on one side only."""
    low, high = (one.low, np.ones_like(one.high)) if solved else (np.zeros_like(one.low), one.high)
    return Band(low, one.mid, high, one.level)


def _beta_status(n: np.ndarray, c: np.ndarray, laws: BetaTail, level: float, learned: float) -> str:
    said = f"{np.count_nonzero(c)} of {n.size} questions solved"
    if not c.any():
        return f"nothing solved in {n.sum():g} samples: a is undetermined, the band is an upper bound by the prior"
    if np.all(c == n):
        return f"every one of {n.sum():g} samples correct: a, b undetermined, the band is a lower bound by the prior"
    a, b = (band(one, level) for one in (laws.a, laws.b))
    shape = ", ".join(f"{x} = {one.mid:.3g} ({one.low:.2g} to {one.high:.2g})" for x, one in (("a", a), ("b", b)))
    if learned > HARDLY:
        return f"{said}; {shape}"
    unknown = f"a + b, how much questions differ, is hardly known: pass@k beyond k = {n.max():g} is the prior's"
    return f"{said}; {unknown}; {shape}"
