"""What a measurement is: how far a table's rows may lie from a law, and what that costs.

Every noise model gives, per row, the `penalty` that a point fit sums, and where it is a probability model the
`log_density` that a posterior needs. Scales that enter either are declared as parameters like those of a law.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from numpyro.distributions import LogNormal

from t2jax.laws.base import Law
from t2jax.params import Param, param
from t2jax.special import log_beta_binomial, log_binomial
from t2jax.table import Table
from t2jax.typing import Array, ArrayLike, Float

Rows = Mapping[str, Array]
Transform = Literal["identity", "log"]
LOSS_SHARE = "loss_share"
"""The column of `with_loss_share`."""


class Noise(Protocol):
    """What every noise model offers.

    nuisance: parameters of the density beside the law's, by name. estimated: those of them that a point fit must
    estimate because they do not drop out of its penalty.
    """

    nuisance: ClassVar[Mapping[str, Param]]
    estimated: ClassVar[tuple[str, ...]]

    def columns(self, law: type[Law], table: Table) -> tuple[str, ...]:
        """The columns of `table` that this model reads for `law`. Raises TableError for a zero whose log it needs."""
        ...

    def penalty(self, law: Law, rows: Rows, nuisance: Rows) -> Float[Array, " rows"]:
        """What a point fit sums over rows; smaller is better."""
        ...

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Float[Array, " rows"]:
        """Log-likelihood of each row: the density of what was measured, whatever its errors are taken of."""
        ...

    def simulate(self, law: Law, rows: Rows, nuisance: Rows, key: Array) -> dict[str, Array]:
        """Columns as the law and this model would have them measured again."""
        ...


@dataclass(frozen=True)
class Huber:
    """Huber's function of the residual of the log: r²/2 up to |r| = δ, then δ(|r| - δ/2), summed over rows.

    A robust penalty and no probability model. Source: Hoffmann et al. 2022 (2203.15556), eq. 3, with δ = 1e-3; summed
    over rows as in Besiroglu et al. 2024 (2404.10102). Example: `t2.fit(law, runs, noise=t2.noise.Huber(1e-3))`.
    """

    delta: float = 1e-3
    nuisance: ClassVar[Mapping[str, Param]] = {}
    estimated: ClassVar[tuple[str, ...]] = ()

    def columns(self, law: type[Law], table: Table) -> tuple[str, ...]:
        return (*_inputs(law, table), _measured(law, table, "log"))

    def penalty(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        del nuisance
        size = jnp.abs(residual(law, rows, "log"))
        inside = jnp.minimum(size, self.delta)
        return inside * (size - 0.5 * inside)

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        """Raises TypeError: Huber's penalty has no likelihood; StudentT is the robust density."""
        raise TypeError("Huber is a penalty for point fits and has no likelihood; sample with noise.StudentT instead")

    def simulate(self, law: Law, rows: Rows, nuisance: Rows, key: Array) -> dict[str, Array]:
        return _redraw_residuals(law, rows, "log", key)


@dataclass(frozen=True)
class Gaussian:
    """Normal errors on the response, or on its log. A point fit minimises ½ Σ (r/scale)²: least squares.

    scale only sets the weight of these rows beside others, as in `Joint`; the density estimates `sigma` instead.
    On `pass_at_k` this is the sum of squared errors of Roberts et al. 2026 (2604.01411).
    """

    transform: Transform = "identity"
    scale: float = 1.0
    nuisance: ClassVar[Mapping[str, Param]] = {
        "sigma": param(LogNormal(-4.0, 1.5), unit="of the response, or its log", doc="standard deviation of a row")
    }
    estimated: ClassVar[tuple[str, ...]] = ()

    def columns(self, law: type[Law], table: Table) -> tuple[str, ...]:
        return (*_inputs(law, table), _measured(law, table, self.transform))

    def penalty(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        del nuisance
        return 0.5 * jnp.square(residual(law, rows, self.transform) / self.scale)

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        sigma = nuisance["sigma"]
        r = residual(law, rows, self.transform) / sigma
        return -0.5 * r**2 - jnp.log(sigma) - 0.5 * np.log(2 * np.pi) - _log_stretch(law, rows, self.transform)

    def simulate(self, law: Law, rows: Rows, nuisance: Rows, key: Array) -> dict[str, Array]:
        return _redraw_residuals(law, rows, self.transform, key)


@dataclass(frozen=True)
class StudentT:
    """Student-t errors on the log of the response: outliers count less. A point fit estimates `sigma` with the law.

    df: degrees of freedom; 4 by default, heavy tails with a variance.
    """

    df: float = 4.0
    transform: Transform = "log"
    nuisance: ClassVar[Mapping[str, Param]] = {
        "sigma": param(LogNormal(-5.0, 1.5), unit="of the response, or its log", doc="scale of a row")
    }
    estimated: ClassVar[tuple[str, ...]] = ("sigma",)

    def columns(self, law: type[Law], table: Table) -> tuple[str, ...]:
        return (*_inputs(law, table), _measured(law, table, self.transform))

    def penalty(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        df, sigma = self.df, nuisance["sigma"]
        r = residual(law, rows, self.transform) / sigma
        constant = gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * jnp.log(df * jnp.pi)
        return 0.5 * (df + 1) * jnp.log1p(r**2 / df) + jnp.log(sigma) - constant

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        return -self.penalty(law, rows, nuisance) - _log_stretch(law, rows, self.transform)

    def simulate(self, law: Law, rows: Rows, nuisance: Rows, key: Array) -> dict[str, Array]:
        return _redraw_residuals(law, rows, self.transform, key)


@dataclass(frozen=True)
class Binomial:
    """Counts: `correct` of `trials` samples of a question, every question with the law's pass@1."""

    nuisance: ClassVar[Mapping[str, Param]] = {}
    estimated: ClassVar[tuple[str, ...]] = ()

    def columns(self, law: type[Law], table: Table) -> tuple[str, ...]:
        return (*_inputs(law, table, but="samples"), "trials", "correct")

    def penalty(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        return -self.log_density(law, rows, nuisance)

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        del nuisance
        log_p = -law.cost(**law.arguments(rows, but="k"), k=1.0)
        return log_binomial(rows["correct"], rows["trials"], log_p, jnp.log(-jnp.expm1(log_p)))

    def simulate(self, law: Law, rows: Rows, nuisance: Rows, key: Array) -> dict[str, Array]:
        success = jnp.exp(-law.cost(**law.arguments(rows, but="k"), k=1.0))
        return {"correct": jax.random.binomial(key, rows["trials"], success)}


@dataclass(frozen=True)
class BetaBinomial:
    """Counts: `correct` of `trials` samples of a question whose chance of success is Beta(a, b) over questions.

    a and b come from the law (`Law.questions`); each question has its own number of trials. Source: Roberts et al. 2026
    (2604.01411), Approach 2, with the likelihood of Kazdan et al. 2025 (2510.05197) in place of squared errors.
    """

    nuisance: ClassVar[Mapping[str, Param]] = {}
    estimated: ClassVar[tuple[str, ...]] = ()

    def columns(self, law: type[Law], table: Table) -> tuple[str, ...]:
        return (*_inputs(law, table, but="samples"), "trials", "correct")

    def penalty(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        return -self.log_density(law, rows, nuisance)

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        del nuisance
        a, b = law.questions(**law.arguments(rows, but="k"))
        return log_beta_binomial(rows["correct"], rows["trials"], a, b)

    def simulate(self, law: Law, rows: Rows, nuisance: Rows, key: Array) -> dict[str, Array]:
        question_key, count_key = jax.random.split(key)
        a, b = law.questions(**law.arguments(rows, but="k"))
        success = jax.random.beta(question_key, a, b)
        return {"correct": jax.random.binomial(count_key, rows["trials"], success)}


@dataclass(frozen=True)
class Joint:
    """Two measurements of one row: the loss, explained by the law's loss part, and what `samples` measures.

    A point fit takes the scale of the loss errors as given, one per cent by default, so that the two add up as
    log-likelihoods. The density estimates it as `sigma_loss`; without a value for that it is the given scale.

    Rows of one run that carry one loss, such as its questions, share that one measurement: `fit` gives each its part of
    it (`with_loss_share`).
    """

    samples: Noise
    loss: Gaussian = field(default_factory=lambda: Gaussian(transform="log", scale=0.01))
    nuisance: ClassVar[Mapping[str, Param]] = {}
    estimated: ClassVar[tuple[str, ...]] = ()

    def columns(self, law: type[Law], table: Table) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.samples.columns(law, table), "loss")))

    def penalty(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        loss_rows = _loss_rows(law.loss, rows)
        losses = self.loss.penalty(law.loss, loss_rows, nuisance)
        return self.samples.penalty(law, rows, nuisance) + rows.get(LOSS_SHARE, 1.0) * losses

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Array:
        loss_rows = _loss_rows(law.loss, rows)
        known = {"sigma": nuisance.get("sigma_loss", jnp.asarray(self.loss.scale))}
        losses = self.loss.log_density(law.loss, loss_rows, known)
        return self.samples.log_density(law, rows, nuisance) + rows.get(LOSS_SHARE, 1.0) * losses

    def simulate(self, law: Law, rows: Rows, nuisance: Rows, key: Array) -> dict[str, Array]:
        loss_key, samples_key = jax.random.split(key)
        loss_rows = _loss_rows(law.loss, rows)
        redrawn = self.loss.simulate(law.loss, loss_rows, nuisance, loss_key)
        return redrawn | self.samples.simulate(law, rows, nuisance, samples_key)


def with_loss_share(table: Table) -> Table:
    """The table with LOSS_SHARE: one over the number of rows of the same run that have the same loss, (rows,)."""
    pair = np.stack([table.runs().astype(float), table["loss"]], axis=1)
    _, which, count = np.unique(pair, axis=0, return_inverse=True, return_counts=True)
    return table.with_columns(**{LOSS_SHARE: 1.0 / count[which.ravel()]})


def default_noise(law: type[Law], table: Table) -> Noise:
    """The noise model used when none is named.

    Losses: Huber(1e-3). pass@k from counts: BetaBinomial, or Binomial where the law gives all questions one chance;
    measured pass@k, or errors: Gaussian. Laws that make these from a loss, on a table that has losses too: those
    jointly with the losses.
    """
    if "loss" in law.response:
        return Huber()
    counted = BetaBinomial() if law.questions is not Law.questions else Binomial()
    samples = counted if "correct" in table and "pass_at_k" in law.response else Gaussian(scale=0.01)
    return Joint(samples) if "loss" in table and "loss" in law.fields else samples


def _loss_rows(loss: Law, rows: Rows) -> dict[str, Array]:
    return {name: rows[name] for name in (*type(loss).columns().values(), "loss")}


def default_density(law: type[Law], table: Table) -> Noise:
    """The noise model of a posterior when none is named: `default_noise`, with Student-t errors in place of Huber's.

    Huber's penalty has no likelihood; Student-t errors on the log of the loss are its robust counterpart.
    """
    noise = default_noise(law, table)
    return StudentT() if isinstance(noise, Huber) else noise


def scales(noise: Noise) -> dict[str, Param]:
    """The parameters that a posterior samples beside the law's; of `Joint` those of both measurements."""
    if isinstance(noise, Joint):
        return scales(noise.samples) | {"sigma_loss": noise.loss.nuisance["sigma"]}
    return dict(noise.nuisance)


def response(law: type[Law], table: Table) -> str:
    """The column of `table` that `law` predicts: the first of `law.response` that is there, else the first."""
    return next((name for name in law.response if name in table), law.response[0])


def measured(name: str, rows: Rows) -> Array:
    """The response `name` of rows that a noise model reads, (rows,): of counts the share of correct samples."""
    return rows[name] if name in rows else rows["correct"] / rows["trials"]


def _inputs(law: type[Law], table: Table, but: str = "") -> tuple[str, ...]:
    # a loss without a samples column was measured on one sample
    single = "samples" if response(law, table) == "loss" and "samples" not in table else but
    return tuple(column for column in law.columns().values() if column != single)


def _measured(law: type[Law], table: Table, transform: Transform) -> str:
    name = response(law, table)
    if transform == "log" and name != "loss" and name in table:  # tables refuse a loss of zero themselves
        table.require_positive(name, needed_by="noise of the log; take noise.Gaussian(), or leave such rows out")
    return name


def residual(law: Law, rows: Rows, transform: Transform) -> Float[Array, " rows"]:
    """The law less the response of each row, or with "log" the log of their ratio."""
    known = {"samples": jnp.ones(())} | dict(rows)
    predicted, seen = law.predict(known), observed(law, rows)
    return jnp.log(predicted / seen) if transform == "log" else predicted - seen


def _log_stretch(law: Law, rows: Rows, transform: Transform) -> ArrayLike:
    """log |dy/dr| of a measurement y by its residual r: without it the densities of y and of log y compare wrongly."""
    return jnp.log(observed(law, rows)) if transform == "log" else 0.0


def observed(law: Law, rows: Rows) -> Float[Array, " rows"]:
    """The response of rows, by the first of its names that is there."""
    return rows[next(name for name in law.response if name in rows)]


def _redraw_residuals(law: Law, rows: Rows, transform: Transform, key: Array) -> dict[str, Array]:
    name = next(name for name in law.response if name in rows)
    residuals = residual(law, rows, transform)
    drawn = jax.random.choice(key, residuals, residuals.shape)
    predicted = law.predict({"samples": jnp.ones(())} | dict(rows))
    return {name: predicted * jnp.exp(-drawn) if transform == "log" else predicted - drawn}
