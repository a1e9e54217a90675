"""Which law describes real training runs, and which predicts dearer ones from cheaper ones?

Every law of the loss is fitted to every table with Student-t errors of the log. Inside the measured range it is judged
by leaving each run out: relative error and log score. Beyond it, a fit to the cheaper half of the range of compute (up
to the middle of its logs) predicts the dearer half: relative error, bias, and how many measurements lie in the 90 %
band. The best law of a table is the law of the highest log score when each cheap run is left out. So it is chosen
without a look at the dear runs. Of laws that are even to 0.001 nats the law with fewer parameters is best. The law with
one exponent and the law of overtraining are the same law in other coordinates, so they should be even.

Beside it stands what users do by hand: `scipy.optimize.curve_fit` of Chinchilla's law from the published coefficients,
with the band of its covariance. Laws of samples are judged likewise on the testbed's average task, laws of counts in
`zoo_counts`, and laws of samples alone in `passk_forecast`. No table here has unique tokens or errors of tasks, so the
laws of repeated data and of downstream error meet no real runs.

    python -m experiments.benchmarks.law_zoo [tiny] [-o FOLDER]
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self, TypeVar

import jax
import numpy as np

import t2jax as t2
from experiments.shared.real_tables import gadre, porian, testbed_losses, testbed_samples
from experiments.shared.record import command, stage
from experiments.shared.zoo_words import Audited, ByHand, Judged, Result, figures, words
from t2jax.evaluation.held_out import NoFit

T = TypeVar("T")
LEVEL = 0.9
EVEN = 1e-3
"""Log scores, in nats a run, that differ by less are even."""
LOSS_LAWS: tuple[type[t2.Law], ...] = (
    t2.laws.Chinchilla,
    t2.laws.SharedExponent,
    t2.laws.Kaplan,
    t2.laws.Interaction,
    t2.laws.Overtraining,
    t2.laws.BrokenPower,
)
SAMPLE_LAWS: tuple[type[t2.Law], ...] = (
    t2.laws.T2Loss,
    t2.laws.T2Loss.on(t2.laws.Kaplan),
    t2.laws.ComputePassK,
    t2.laws.ParamsTokensPassK,
)
HOFFMANN = (1.69, 406.4, 410.7, 0.34, 0.28)
"""E, A, B, α, β of Hoffmann et al. 2022 (2203.15556): where fits by hand start."""


READERS: dict[str, Callable[[], t2.Table]] = {
    "chinchilla-epoch": partial(t2.datasets.load, "chinchilla-epoch"),
    "porian-refinedweb": porian,
    "gadre, C4": partial(gadre, "c4_original"),
    "gadre, RedPajama": partial(gadre, "rpj"),
    "testbed, loss": testbed_losses,
}


@dataclass(frozen=True)
class Config:
    """How much is resampled and left out."""

    draws: int = 400
    """Bootstrap draws behind each band."""
    starts: int = 8
    """Starts of each fit."""
    tables: tuple[str, ...] = tuple(READERS)
    """Which tables of losses."""
    laws: int = len(LOSS_LAWS)
    """How many of the laws, the first ones."""
    folds: int = 1000
    """Folds of cross-validations of losses: with so many, each run is left out alone."""
    seed: int = 0
    """Seed of every random draw."""

    @classmethod
    def tiny(cls) -> Self:
        return cls(tables=("chinchilla-epoch",), laws=1, draws=20, starts=2, folds=2)


def run(config: Config) -> Result:
    tables, skipped = [], []
    for name in config.tables:
        try:
            table = READERS[name]()
        except (FileNotFoundError, t2.datasets.DatasetError) as error:
            skipped.append(f"{name} ({error})")
            continue
        tables.append(audit(config, name, table, LOSS_LAWS[: config.laws], by_hand))
    tables.append(audit(config, "testbed, samples", testbed_samples(), SAMPLE_LAWS[: config.laws], None))
    return Result(tuple(tables), tuple(skipped))


def audit(
    config: Config,
    name: str,
    table: t2.Table,
    laws: tuple[type[t2.Law], ...],
    hand: Callable[[t2.Table, np.ndarray], ByHand] | None,
) -> Audited:
    """Every law inside the range of a table and beyond the middle of its compute."""
    cut = t2.evaluation.Cut.middle(table)
    above, flops = cut.above(table), cut.of(table)
    judged, failed, outside = [], [], 0
    for law in laws:
        with stage(f"{name}: {t2.laws.name_of(law)}"):
            try:
                law_score, outside = judge(config, law, table, cut)
                judged.append(law_score)
            except NoFit as error:
                failed.append(str(error))
        jax.clear_caches()  # hundreds of programs in one process exhaust the kernel's mappings
    return Audited(
        table=name,
        cut=cut.value,
        fitted=int(np.sum(~above)),
        predicted=int(np.sum(above)),
        furthest=float(flops.max() / flops[~above].max()),
        outside=outside,
        best=best_of(judged),
        laws=tuple(judged),
        failed=tuple(failed),
        by_hand=hand(table, above) if hand else None,
    )


def judge(config: Config, law: type[t2.Law], table: t2.Table, cut: t2.evaluation.Cut) -> tuple[Judged, int]:
    """One law, and how many predictions lie outside the fitted runs' hull."""
    keys = jax.random.split(jax.random.key(config.seed), 3)
    noise = t2.noise.StudentT()
    cheap = table.where(~cut.above(table))
    inside, among = (
        t2.evaluation.cross_validate(law, rows, key=key, noise=noise, folds=config.folds, starts=config.starts)
        for rows, key in ((table, keys[0]), (cheap, keys[1]))
    )
    far = t2.evaluation.extrapolate(
        law, table, cut, key=keys[2], noise=noise, starts=config.starts, draws=config.draws, over="runs", level=LEVEL
    )
    return Judged(
        law=t2.laws.name_of(law),
        inside=there(inside.errors).mean_absolute,
        inside_score=there(inside.log_score),
        cheap_score=there(among.log_score),
        error=far.beyond.mean_absolute,
        bias=far.beyond.bias,
        coverage=far.coverage,
        half_width=far.half_width,
        score=there(far.log_score),
        status=f"{far.status}; inside: {inside.status}",
    ), int(np.sum(far.outside[far.held_out] > 0))


def best_of(judged: Sequence[Judged]) -> str:
    """The law of highest score among cheap runs; of those even to EVEN nats, the one with fewest parameters."""
    least = max(score.cheap_score for score in judged) - EVEN
    even = [score.law for score in judged if score.cheap_score >= least]
    return min(even, key=lambda name: len(t2.laws.by_name(name).declared()))


def there(value: T | None) -> T:
    """A value that Student-t errors always have."""
    assert value is not None
    return value


def by_hand(table: t2.Table, above: np.ndarray) -> ByHand:
    """Chinchilla's law as users fit it by hand: least squares of the loss by SciPy, and the band of its covariance."""
    from scipy.optimize import OptimizeWarning, curve_fit
    from scipy.stats import t as student

    def law(at: np.ndarray, e: float, a: float, b: float, alpha: float, beta: float) -> np.ndarray:
        return e + a / at[0] ** alpha + b / at[1] ** beta

    at, loss = np.stack([table["params"], table["tokens"]]), table["loss"]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        best, covariance = curve_fit(law, at[:, ~above], loss[~above], p0=HOFFMANN, maxfev=100_000)
    predicted = law(at, *best)
    error = (predicted / loss - 1)[above]
    wrong = next((str(warning.message) for warning in caught if issubclass(warning.category, OptimizeWarning)), "")
    status = wrong or ", ".join(f"{name} {value:.4g}" for name, value in zip("EABαβ", best, strict=True))
    coverage = None
    if not wrong:
        steps = 1e-6 * np.abs(best)
        slopes = np.stack([(law(at, *(best + h)) - law(at, *(best - h))) / (2 * h.sum()) for h in np.diag(steps)])
        free = int(np.sum(~above)) - len(best)
        noise = np.sum((predicted - loss)[~above] ** 2) / free
        spread = np.einsum("ir,ij,jr->r", slopes, covariance, slopes) + noise
        # of a covariance as ill-conditioned as E = -2218 makes it, rounding leaves some variances below zero
        half = student.ppf(0.5 + LEVEL / 2, free) * np.sqrt(np.maximum(spread, 0.0))
        coverage = float(np.mean(np.abs(predicted - loss)[above] <= half[above]))
    return ByHand(float(np.mean(np.abs(error))), float(np.mean(error)), coverage, status)


def main() -> None:
    command(Config, run, words, figures)


if __name__ == "__main__":
    main()
