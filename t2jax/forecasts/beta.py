"""Forecasts of one model's pass@k beyond the drawn samples, from Beta distributed chances of its questions.

The forecast rests on the shape of the Beta, which samples cannot confirm at large k.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.forecasts.counts import checked_counts, checked_samples
from t2jax.forecasts.summary import pass_lines
from t2jax.laws.arguments import check_arguments
from t2jax.laws.pass_at_k.beta_tail import BetaTail
from t2jax.numerics.bands import Band, band
from t2jax.numerics.special import log_beta_binomial, log_fail_at_k_beta
from t2jax.printing import summary
from t2jax.typing import Array, Float
from t2jax.working_precision import scope

SIDE = 41  # points along each axis of the grid of the posterior
DROP = 15.0  # nats below the mode: smaller densities are left out (3e-7 of the largest)
ZOOMS = 60  # far more than any posterior needs; every zoom brings the box nearer
HARDLY = 0.1  # a variance that the counts shrink by less than this share is the prior's
FEWEST_PAIRS = 16  # counts are padded to a power of two from here on, so that few shapes are compiled


@dataclass(frozen=True, repr=False)
class BetaForecast:
    """Result of `forecast_beta`.

    Attributes:
        samples: Values of k, shape (k,).
        passed: Posterior mean of pass@k over these questions, shape (k,).
        questions: Band of pass@k of these questions, shape (k,).
        population: Band of mean pass@k over the population of questions, shape (k,).
        laws: Posterior draws of `BetaTail`, leaves of shape (draws,).
        status: How many questions were solved, the bands of a and b, and what the counts leave open.
        from_prior: Whether pass@k at larger k than was sampled is the prior's, as the counts hardly determine a + b.
    """

    samples: np.ndarray
    passed: np.ndarray
    questions: Band
    population: Band
    laws: BetaTail
    status: str
    from_prior: bool = False

    def __repr__(self) -> str:
        """Writes the status, then pass@k with both bands."""
        bands = {"these questions": self.questions, "population": self.population}
        return summary("BetaForecast", self.status, pass_lines(self.samples, self.passed, bands))


@check_arguments
def forecast_beta(
    trials: object, correct: object, samples: Sequence[float], *, key: Array, draws: int = 1000, level: float = 0.9
) -> BetaForecast:
    """Forecasts pass@k at any k from counts, by the posterior of a Beta(a, b) of the questions' chances.

    The likelihood is beta-binomial, and the prior is that of `BetaTail`. The posterior of
    (log a, log b/a) is summed on a 41 × 41 grid around its mass. It needs no normal shape and no chain. Given (a, b),
    the chance of a question is Beta(a+c, b+n-c). The mean and variance of pass@k of *these* questions then have a
    closed form, and pass@k is drawn from the Beta with them. Draws of (a, b) add their uncertainty to the band. The
    population has `1 - B(a, b+k)/B(a, b)`. Source: Kazdan et al. 2025 (2510.05197), there by maximum likelihood.

    Limits: unsolved questions are assumed to continue the Beta of the solved ones. Where some cannot be solved at all,
    or there are two kinds, the forecast is wrong at large k and its band is too narrow. Where nothing was solved, the
    counts do not determine a, and the band is an upper bound that rests on the prior. Where every sample was correct,
    it is a lower bound. One sample a question determines only the mean a/(a+b). The prior then decides a+b, the
    differences between questions, and pass@k at any other k. The status names each of these cases.

    Args:
        trials: Number of samples of each question, shape (questions,). It may differ between questions.
        correct: Number of correct samples of each question, shape (questions,).
        samples: Values of k, from 1.
        key: JAX random key.
        draws: Number of posterior draws.
        level: Level of the bands, in (0, 1).

    Returns:
        A `BetaForecast`.

    Raises:
        ValueError: A count is bad (the message names the question, from 0), a k is below 1, or the level is outside (0,
            1).

    Examples:
        >>> trials, correct = [8] * 6, [0, 0, 1, 1, 2, 6]
        >>> forecast = t2.forecasts.forecast_beta(trials, correct, samples=[1, 64], key=jax.random.key(0))
        >>> forecast.passed.round(2)
        array([0.2 , 0.87])
    """
    n, c = checked_counts(trials, correct)
    k = checked_samples(samples, whole=False)
    with scope() as dtype:
        kinds = tuple(jnp.asarray(column, dtype) for column in _kinds(n, c))
        grid = tuple(jnp.asarray(array, dtype) for array in _posterior(*kinds))
        grid_key, here_key = jax.random.split(key)
        a, b = _draw(*grid, grid_key, draws)
        both = jnp.asarray(np.concatenate([k, 2 * k]), dtype)
        log_fail = np.asarray(_log_fail(a, b, *kinds[:2], both), float)
        passed, *shape = _average(log_fail, np.asarray(kinds[2], float))
        here = np.asarray(_beta(here_key, *(jnp.asarray(parameter, dtype) for parameter in shape)), float)
        laws = BetaTail(a=np.asarray(a), b=np.asarray(b))
        elsewhere = -np.expm1(log_fail[-1, :, : len(k)])
    questions, population = band(here, level), band(elsewhere, level)
    one_sided = not c.any() or bool(np.all(c == n))
    if one_sided:
        questions, population = (_one_sided(side, solved=bool(c.any())) for side in (questions, population))
    learned = _information_on_size(*(np.asarray(array, float) for array in grid[::2]))
    status = _beta_status(n, c, laws, level, learned)
    return BetaForecast(
        k, passed.mean(axis=0), questions, population, laws, status, from_prior=one_sided or learned <= HARDLY
    )


def _kinds(n: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts the questions with each pair of trials and correct.

    Pairs that no question has pad the arrays to a power of two.
    """
    pairs, count = np.unique(np.stack([n, c]), axis=1, return_counts=True)
    room = max(FEWEST_PAIRS, 1 << (len(count) - 1).bit_length()) - len(count)
    n, c = np.concatenate([pairs, np.tile([[1.0], [0.0]], room)], axis=1)
    return n, c, np.concatenate([count, np.zeros(room)])


def _posterior(n: Array, c: Array, count: Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Computes grids (SIDE,) of x = log a and y = log(b/a), and the posterior weight of each point, shape (SIDE, SIDE).

    In y the mean is nearly uncorrelated with the spread, so a box along the axes fits.
    """
    boxes = _widest()
    for _ in range(ZOOMS):
        x, y = (np.linspace(*box, SIDE) for box in boxes)
        log_density = np.asarray(_log_posterior(jnp.asarray(x, n.dtype), jnp.asarray(y, n.dtype), n, c, count))
        likely = log_density > log_density.max() - DROP
        boxes, sizes = zip(*(_zoomed_in(*axis) for axis in ((x, likely.any(1)), (y, likely.any(0)))), strict=True)
        if min(sizes) > SIDE // 2:
            break
    weight = np.exp(log_density - log_density.max()) * likely
    return x, y, weight / weight.sum()


@cache
def _widest() -> tuple[tuple[float, float], tuple[float, float]]:
    """Returns the box of x and y that contains the prior."""
    priors = BetaTail.declared()
    (low_a, high_a), (low_b, high_b) = (
        tuple(float(jnp.log(priors[name].prior.icdf(q))) for q in (1e-6, 1 - 1e-6)) for name in ("a", "b")
    )
    return (low_a, high_a), (low_b - high_a, high_b - low_a)


def _zoomed_in(grid: np.ndarray, likely: np.ndarray) -> tuple[tuple[float, float], int]:
    """Returns the next box along one axis, and how many points of this grid are likely.

    The number is 0 where likely points may lie beyond the grid.
    """
    inside, step = np.flatnonzero(likely), grid[1] - grid[0]
    half = step * SIDE / 2
    open_low, open_high = inside[0] == 0, inside[-1] == SIDE - 1
    low = grid[inside[0]] - (half if open_low else step)
    high = grid[inside[-1]] + (half if open_high else step)
    return (float(low), float(high)), 0 if open_low or open_high else len(inside)


@jax.jit
def _log_posterior(x: Array, y: Array, n: Array, c: Array, count: Array) -> Float[Array, "SIDE SIDE"]:
    """Computes the log posterior density on the grid, up to a constant."""
    log_a, log_b = jnp.broadcast_arrays(x[:, None], x[:, None] + y[None, :])
    a, b = jnp.exp(log_a), jnp.exp(log_b)
    priors = BetaTail.declared()
    # densities of log a and log b; y is a shear of them
    start: Any = priors["a"].prior.log_prob(a) + log_a + priors["b"].prior.log_prob(b) + log_b

    def add(total: Array, row: tuple[Array, Array, Array]) -> tuple[Array, None]:
        return total + row[2] * log_beta_binomial(row[1], row[0], a, b), None

    return jax.lax.scan(add, start, (n, c, count))[0]


def _information_on_size(x: np.ndarray, weight: np.ndarray) -> float:
    """Computes the share by which the counts shrink the variance of x = log a at given y = log(b/a).

    y fixes the mean, and at given y the size a + b moves as a does. Under the prior log a and log b are independent and
    normal.
    """
    spread_a, spread_b = (
        np.log(param.prior.icdf(0.8413447)) - np.log(param.prior.icdf(0.5)) for param in BetaTail.declared().values()
    )
    prior = 1 / (1 / spread_a**2 + 1 / spread_b**2)
    of_y = weight.sum(axis=0)
    mean = x @ weight / np.where(of_y > 0, of_y, 1.0)
    remaining = np.sum(weight * (x[:, None] - mean) ** 2)
    return float(1 - remaining / prior)


@partial(jax.jit, static_argnames="draws")
def _draw(x: Array, y: Array, weight: Array, key: Array, draws: int) -> tuple[Array, Array]:
    """Draws a and b, each of shape (draws,)."""
    cell_key, place_key = jax.random.split(key)
    cell = jax.random.choice(cell_key, weight.size, (draws,), p=weight.ravel())
    within = jax.random.uniform(place_key, (2, draws), x.dtype, -0.5, 0.5)  # the grid's own steps must not show
    log_a = x[cell // SIDE] + within[0] * (x[1] - x[0])
    return jnp.exp(log_a), jnp.exp(log_a + y[cell % SIDE] + within[1] * (y[1] - y[0]))


@jax.jit
def _log_fail(a: Array, b: Array, n: Array, c: Array, k: Array) -> Float[Array, "kinds+1 draws k"]:
    """Computes the log of the chance that k tries all fail.

    The rows are a question of each kind, and last a question without samples.
    """

    def of_kind(kind: tuple[Array, Array]) -> Array:
        n, c = kind
        return log_fail_at_k_beta(a[:, None] + c, b[:, None] + (n - c), k[None, :])

    return jax.lax.map(of_kind, (jnp.append(n, 0.0), jnp.append(c, 0.0)))


def _average(
    log_fail: Float[np.ndarray, "kinds+1 draws 2k"], count: Float[np.ndarray, " kinds"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Computes the mean of these questions' pass@k at each draw of (a, b).

    It also returns the parameters of the Beta with this mean and with the variance of the questions' mean.
    """
    once, twice = np.split(log_fail[:-1], 2, axis=2)
    passed, failed = -np.expm1(once), np.exp(once)
    # E[P²] - E[P]² of the pass or of the fail probability P, whichever is small, so that the difference has digits
    by_pass = 2 * passed + np.expm1(twice) - passed**2
    variance = np.maximum(np.where(passed < 0.5, by_pass, np.exp(twice) - failed**2), 0.0)
    passed, failed, variance = (np.tensordot(count / count.sum(), array, 1) for array in (passed, failed, variance))
    # beyond a size of 1e12 the Beta has no spread, and below 1e-6 it is 0 or 1
    size = np.clip(passed * failed / np.maximum(variance / count.sum(), 1e-300) - 1, 1e-6, 1e12)
    return passed, np.maximum(size * passed, 1e-30), np.maximum(size * failed, 1e-30)


@jax.jit
def _beta(key: Array, a: Float[Array, "draws k"], b: Float[Array, "draws k"]) -> Array:
    # one key for every k, so that a band does not jitter along the curve
    """Draws pass@k from a Beta at each draw and k."""
    return jax.vmap(lambda a, b: jax.random.beta(key, a, b), 1, 1)(a, b)


def _one_sided(band: Band, solved: bool) -> Band:
    """Bounds pass@k on one side only, for counts that are all 0 or all n."""
    low, high = (band.low, np.ones_like(band.high)) if solved else (np.zeros_like(band.low), band.high)
    return Band(low, band.mid, high, band.level)


def _beta_status(n: np.ndarray, c: np.ndarray, laws: BetaTail, level: float, learned: float) -> str:
    """Describes the counts, the bands of a and b, and what the counts leave open."""
    if not c.any():
        return f"nothing solved in {n.sum():g} samples: a is undetermined, the band is an upper bound from the prior"
    if np.all(c == n):
        return f"all {n.sum():g} samples correct: a and b are undetermined, the band is a lower bound from the prior"
    solved = f"{np.count_nonzero(c)} of {n.size} {'question' if n.size == 1 else 'questions'} solved"
    bands = {"a": band(laws.a, level), "b": band(laws.b, level)}
    shape = ", ".join(f"{name} = {of.mid:.3g} ({of.low:.2g} to {of.high:.2g})" for name, of in bands.items())
    if learned > HARDLY:
        return f"{solved}; {shape}"
    open_size = f"the counts hardly determine a + b: pass@k beyond k = {n.max():g} rests on the prior"
    return f"{solved}; {open_size}; {shape}"
