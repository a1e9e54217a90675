"""Counts of questions that every checkpoint answers: one that is hard for one model is hard for the next.

The law says that the chances of a checkpoint's questions are Beta(a, b). Here they keep exactly that distribution, and
the *rank* of a question among its fellows is correlated from one checkpoint to another: a Gaussian copula.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax.scipy.special import gammaln, logsumexp, ndtr, ndtri
from numpyro.distributions import Uniform

from t2jax.laws.base import Law
from t2jax.measurements import Units, inputs_of_runs
from t2jax.noise import BetaBinomial, Rows
from t2jax.params import Param, param
from t2jax.table import Table, TableError
from t2jax.typing import Array, Float

__all__ = ["QuestionEffects", "question_names", "question_rows"]

STEP = 0.2  # of the grid of logits of a chance, on which densities are as smooth as a Beta is
NARROWEST = 8.0  # lesser of a and b above which a Beta's logits, of spreads near 0.4, are too narrow for that grid
HIGHEST = 0.9  # rho
ENDS = (3 / 8, 7 / 6, 23 / 24)
"""Weights at the ends of an even grid: the trapezoid rule with its end corrected to fourth order (Gregory)."""
NEGLIGIBLE = 1e-4  # a chance of this over the number of trials solves nothing
SERIES = 5  # terms of the mass beyond the grid
LEAST = 1e-30  # mass whose normal score is told from that of none
FINE = 257  # points of a narrow chance's own grid
SPREAD = 8.0  # standard errors
EDGE = 4.5  # of the grid of s, in its standard deviations


@dataclass(frozen=True)
class QuestionEffects:
    """Beta-binomial counts whose questions are repeated units: question q has chance p_qm at checkpoint m.

    p_qm is the z_qm quantile (in normal scores) of the law's Beta(a_m, b_m), z_qm = √ρ s_q + √(1-ρ) e_qm with standard
    normal s and e. So each checkpoint's questions are distributed as the law says, for every ρ, and towards
    ρ = 0 it is `BetaBinomial`. s is integrated out by the trapezoid rule, and e_qm on a grid of logits of p_qm: the
    likelihood has no parameter for a question, only `rho`. What is left out together is a question, so `t2.loo` of its
    posterior is by question. A row's `weight` counts it as so many answers of the same question. For `t2.sample` alone:
    losses in the table are not read, and there is no point fit.

    Prior: any rho below 0.9 alike, from questions that every checkpoint ranks anew to nearly one order for all; above
    it the grids are too coarse.

    Assumed: one correlation for all pairs of checkpoints, be they near or far; and questions that are not all alike: a
    Beta of both a and b above 8 is taken as that of the same mean where the lesser is 8. Accuracy of the log-likelihood
    of a question: 2e-3 for tens of trials; for hundreds or more, whose narrow chances meet an interpolated density,
    1e-2 up to a rho of 0.7 and 0.3 at 0.9.
    Source: Sklar 1959 for copulas; one common factor as in Vasicek 2002; the counts as `BetaBinomial`.

    Raises TableError for a table without `question`, for two rows of one question in one run and for runs whose inputs
    differ between rows; TypeError where points are fitted, and outside `t2.sample`, as in `t2.sample_tasks`.
    Example: `t2.sample(t2.laws.T2PassK, counts, t2.QuestionEffects(), key=jax.random.key(0))`.
    """

    nuisance: ClassVar[Mapping[str, Param]] = {
        "rho": param(
            Uniform(0.0, HIGHEST), unit="1", doc="correlation of a question's rank from checkpoint to checkpoint"
        )
    }
    estimated: ClassVar[tuple[str, ...]] = ()

    def columns(self, law: type[Law], table: Table) -> tuple[str, ...]:
        table.require("question", needed_by="QuestionEffects")
        return BetaBinomial().columns(law, table)

    def penalty(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        """Raises TypeError: there is no point fit."""
        raise TypeError("QuestionEffects is for sampling (t2.sample); fit points with noise.BetaBinomial")

    def simulate(self, law: Law, rows: Rows, nuisance: Rows, key: Array) -> dict[str, Array]:
        """Raises TypeError, as `penalty`: only point fits are simulated again."""
        raise TypeError("QuestionEffects is for sampling (t2.sample); simulate with noise.BetaBinomial")

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Float[Array, " questions"]:
        """Log-likelihood of each question, all checkpoints together; rows: the columns of `question_rows`."""
        if "kernel" not in rows:
            raise TypeError("QuestionEffects reads questions, not rows: it is for t2.sample alone, not inside Joint")
        rho = nuisance["rho"]
        a, b = law.questions(**law.arguments(rows, but="k"))
        wide = jnp.minimum(1.0, NARROWEST / jnp.minimum(a, b))
        a, b = (wide * a)[:, None], (wide * b)[:, None]
        # what is known of s by checkpoints that were asked without end, at the highest ρ, has this spread at least
        spread = 1 / np.sqrt(1 + len(a) * HIGHEST / (1 - HIGHEST))
        s = jnp.linspace(-EDGE, EDGE, int(np.ceil(2 * EDGE / (1.7 * spread))) + 1)
        share, rest = jnp.sqrt(rho), jnp.sqrt(1 - rho)
        density, z = _scores(a, b, rows["logit"][None, :])
        at, node = z[:, :, None], s[None, None, :]
        ratio = -0.5 * (rho * (at**2 + node**2) - 2 * share * at * node) / (1 - rho)
        joint = density[:, :, None] * jnp.exp(ratio) / rest
        inside = jnp.einsum("mrj,mjs->mrs", rows["kernel"][:, :, 1:-1], joint)
        shift = share * s[None, :]
        below, above = ndtr((z[:, :1] - shift) / rest), ndtr((shift - z[:, -1:]) / rest)
        outside = rows["kernel"][:, :, :1] * below[:, None, :] + rows["kernel"][:, :, -1:] * above[:, None, :]
        log_rows = jnp.log(jnp.maximum(inside + outside, jnp.finfo(rho.dtype).tiny))
        chosen = jax.vmap(lambda of, at: of[at], (0, 1), 1)(log_rows, rows["place"])
        by_node = jnp.sum(rows["times"][:, :, None] * chosen, axis=1)
        log_weight = -0.5 * s**2 - jnp.log(jnp.sum(jnp.exp(-0.5 * s**2)))
        return logsumexp(by_node + log_weight[None, :], axis=1)


def question_rows(law: type[Law], table: Table, noise: QuestionEffects) -> Units:
    """The table as `QuestionEffects` reads it: one row for each question, in the order of `question_names`.

    Beside the law's inputs at each checkpoint, (checkpoints,): kernel (checkpoints, counts, 1 + points + 1), weights
    with which a density of the logit is integrated against each different count (first and last: the mass beyond the
    grid); place and times (questions, checkpoints): which count was seen, and its row's weight, 0 where none was.

    Raises TableError for two checkpoints of one run (whose inputs differ between rows), and for two rows of one
    question in one run.
    """
    columns = [name for name in noise.columns(law, table) if name not in ("trials", "correct")]
    question, _ = question_names(table)
    run, inputs = inputs_of_runs(table, columns)
    _refuse_repeats(table, question, run)
    n, c = table["trials"], table["correct"]
    end = float(np.log(n.max() / NEGLIGIBLE))
    count = int(np.ceil(2 * end / STEP)) + 1
    logit = np.linspace(-end, end, count)
    runs = int(run.max()) + 1
    kinds = [np.unique(np.stack([n[run == m], c[run == m]]), axis=1, return_inverse=True) for m in range(runs)]
    kernel = np.zeros((runs, max(pairs.shape[1] for pairs, _ in kinds), count + 2))
    place = np.zeros((int(question.max()) + 1, runs), int)
    times = np.zeros(place.shape)
    weight = table["weight"] if "weight" in table else np.ones(len(table))
    for m, (pairs, which) in enumerate(kinds):
        kernel[m, : pairs.shape[1]] = _kernel(pairs[0], pairs[1], logit)
        kernel[m, pairs.shape[1] :, 0] = 1.0  # of no question
        place[question[run == m], m] = np.ravel(which)
        times[question[run == m], m] = weight[run == m]
    held: dict[str, Any] = {**inputs, "kernel": kernel, "place": place, "times": times, "logit": logit}
    whole: Any = np.ones(len(place)), np.arange(len(place))
    return Units(held, *whole)


def question_names(table: Table) -> tuple[np.ndarray, list[str]]:
    """The question of each row, numbered from 0 by first appearance, (rows,), and their names; of a task's if any."""
    table.require("question", needed_by="questions as repeated units")
    names = table["question"].astype(str)
    if "task" in table:
        names = np.char.add(np.char.add(table["task"].astype(str), ": "), names.astype(str))
    number, found = pd.factorize(np.asarray(names, object))
    return number, [str(one) for one in found]


def _refuse_repeats(table: Table, question: np.ndarray, run: np.ndarray) -> None:
    pair = question * (int(run.max()) + 1) + run
    _, first, place = np.unique(pair, return_index=True, return_inverse=True)
    if np.any(repeated := first[place] != np.arange(len(pair))):
        i = int(repeated.argmax())
        raise TableError(
            f"{table.source.name}: row {i} asks question {table['question'][i]!r} again of the run of row "
            f"{first[place[i]]}, expected one row of trials: give each seed its own `model`, and each task its `task`"
        )


def _scores(
    a: Float[Array, "checkpoints 1"], b: Float[Array, "checkpoints 1"], logit: Float[Array, "1 points"]
) -> tuple[Array, Array]:
    """Density of the logit of a Beta(a, b) chance at grid points, and its distribution function as normal scores."""
    log_beta = gammaln(a) + gammaln(b) - gammaln(a + b)  # betaln's derivatives take long to compile

    def density(x: Array) -> Array:
        return jnp.exp(a * jax.nn.log_sigmoid(x) + b * jax.nn.log_sigmoid(-x) - log_beta)

    step = logit[0, 1] - logit[0, 0]
    # three points of Gauss and Legendre in each cell
    middle, reach = logit[:, :-1] + step / 2, step / 2 * np.sqrt(0.6)
    cell = step / 18 * (5 * density(middle - reach) + 8 * density(middle) + 5 * density(middle + reach))
    low, high = _tail(a, b, logit[:, :1], density), _tail(b, a, -logit[:, -1:], lambda x: density(-x))
    below = jnp.concatenate([low, low + jnp.cumsum(cell, axis=1)], axis=1)
    above = jnp.concatenate([high, high + jnp.cumsum(cell[:, ::-1], axis=1)], axis=1)[:, ::-1]
    lower = below < above
    z = _normal_score(jnp.clip(jnp.where(lower, below, above), LEAST, 0.5))
    return density(logit), jnp.where(lower, z, -z)


@jax.custom_jvp
def _normal_score(p: Array) -> Array:
    """The standard normal's quantile, whose derivative is that of the inverse and not of its rational approximation."""
    return ndtri(p)


@_normal_score.defjvp
def _(at: tuple[Array], along: tuple[Array]) -> tuple[Array, Array]:
    z = _normal_score(at[0])
    return z, along[0] * np.sqrt(2 * np.pi) * jnp.exp(z**2 / 2)


def _tail(a: Array, b: Array, x: Array, density: Any) -> Array:
    """The mass of Beta(a, b) below the logit x, where its chance p is tiny: the series of DLMF 8.17.8 in p."""
    p = jax.nn.sigmoid(x)
    term = total = jnp.ones_like(a)
    for i in range(SERIES):
        term = term * p * (a + b + i) / (a + 1 + i)
        total = total + term
    return density(x) * total / a


def _kernel(n: np.ndarray, c: np.ndarray, logit: np.ndarray) -> np.ndarray:
    """Weights (counts, 1 + points + 1) that integrate a density on the grid against the chance of c correct of n.

    Where that chance is wide it is taken at the points; where it is narrow, as for many trials, the density is
    interpolated by cubics and each cubic's integral with it taken on a fine grid.
    """
    step = logit[1] - logit[0]
    weights = np.full(len(logit), step)
    weights[: len(ENDS)] *= ENDS
    weights[len(logit) - len(ENDS) :] *= ENDS[::-1]
    found = np.zeros((len(n), len(logit) + 2))
    found[:, 1:-1] = weights * _chance(n[:, None], c[:, None], logit)
    found[:, 0], found[:, -1] = c == 0, c == n
    size = np.sqrt(1 / np.maximum(c, 0.5) + 1 / np.maximum(n - c, 0.5))  # of the logit's standard error
    for i in np.flatnonzero((size < 1.2 * step) & (c > 0) & (c < n)):
        x = np.log(c[i] / (n[i] - c[i])) + np.linspace(-SPREAD, SPREAD, FINE) * size[i]
        found[i, 1:-1] = (x[1] - x[0]) * _chance(n[i], c[i], x) @ _cubic(x, logit)
    return found


def _chance(n: Any, c: Any, x: np.ndarray) -> np.ndarray:
    from scipy.special import gammaln  # comes with JAX; slow to load

    log_choose = gammaln(n + 1) - gammaln(c + 1) - gammaln(n - c + 1)
    return np.exp(log_choose - c * np.logaddexp(0.0, -x) - (n - c) * np.logaddexp(0.0, x))


def _cubic(x: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Values at x as a matrix times values on the grid, by the cubic through the four nearest points."""
    step = grid[1] - grid[0]
    first = np.clip(np.floor((x - grid[0]) / step).astype(int) - 1, 0, len(grid) - 4)
    t = (x - grid[first]) / step
    matrix = np.zeros((len(x), len(grid)))
    for j in range(4):
        others = [i for i in range(4) if i != j]
        matrix[np.arange(len(x)), first + j] = np.prod([(t - i) / (j - i) for i in others], axis=0)
    return matrix
