"""The choice of a law by forward chaining on compute, as weights of an average."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from t2jax.extrapolation.discrepancy import DiscrepancyFit, fit_discrepancy
from t2jax.extrapolation.forward_chain import Forecast, Origin, forecast, origins, surprise
from t2jax.extrapolation.sampled import SmoothFit
from t2jax.laws import ComputeLoss, DataConstrained, ExcessParams, Kaplan, SharedExponent, T2Loss, T2PassK
from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law
from t2jax.laws.loss.chinchilla import Chinchilla
from t2jax.printing import summary
from t2jax.tables.place import TableError
from t2jax.tables.table import Table
from t2jax.typing import Array, Float

MOST_WIDENING = 3.0


@dataclass(frozen=True, repr=False)
class LawChoice:
    """Result of `choose_law`: laws with weights, and what each erred by when it predicted dearer rows.

    Attributes:
        fits: Each law with its discrepancy, fitted to all rows, the best first.
        weights: Weight of each law in the average, shape (laws,), with sum 1.
        origins: Origins of the forward chain, none for a small table.
        errors: Root mean square error at each origin, on the log or logit scale, shape (laws, origins).
        widening: Factor by which bands are widened, because of the errors at the origins.

    Examples:
        >>> choice = t2.choose_law(runs, key=jax.random.key(0))
        >>> type(choice.law).__name__, choice.errors.shape
        ('Chinchilla', (3, 3))
    """

    fits: tuple[SmoothFit, ...]
    weights: np.ndarray
    origins: tuple[Origin, ...]
    errors: np.ndarray
    widening: float

    @property
    def law(self) -> Law:
        """The law of largest weight."""
        return self.fits[0].law

    def __repr__(self) -> str:
        """Writes the sentence, then the weight and the error of each law."""
        answers = {}
        for fit, weight, errors in zip(self.fits, self.weights, self.errors, strict=True):
            error = f", error {fit.percent(_typical(errors))}" if errors.size else ""
            answers[type(fit.law).__name__] = f"weight {weight:.2f}{error}"
        return summary("LawChoice", self.status, answers)

    @property
    def status(self) -> str:
        """Which law predicts dearer rows best, in a sentence."""
        best = type(self.law).__name__
        if len(self.fits) == 1:
            return f"{best} is the only law"
        if not self.origins:
            return (
                f"the table has too few rows to see which law predicts dearer rows, so all weigh the same, {best} first"
            )
        first, *others = (
            f"{type(fit.law).__name__} {fit.percent(_typical(errors))}"
            for fit, errors in zip(self.fits, self.errors, strict=True)
        )
        return (
            f"{best} predicts dearer rows best: errors of {first} against {', '.join(others)}, from"
            f" {len(self.origins)} origin{'s' * (len(self.origins) > 1)}"
        )


def candidates(table: Table) -> tuple[type[Law], ...]:
    """Lists the laws that `choose_law` compares for the columns of a table.

    Args:
        table: The table.

    Returns:
        Law classes.
    """
    if "pass_at_k" in table:
        return T2PassK, T2PassK.on(SharedExponent), T2PassK.on(Kaplan)
    if not table.has_sizes:
        return (ComputeLoss,)
    losses = (SharedExponent, Chinchilla, Kaplan)
    if "unique_tokens" in table:
        losses = (DataConstrained, ExcessParams, *losses)
    return tuple(T2Loss.on(law) for law in losses) if "neg_log_pass" in table else losses


@check_arguments
def choose_law(table: Table, *, key: Array, laws: Sequence[type[Law]] | None = None) -> LawChoice:
    """Chooses between laws by how well they predict dearer rows from cheaper ones.

    At each of up to three origins every law, with its discrepancy, is fitted to the cheaper rows and predicts the next
    dearer ones. The weights are inverse to the mean square errors (Bates & Granger 1969, Oper. Res. Q. 20:451), by
    their geometric mean over origins. Leave-one-out would reward interpolation.

    Args:
        table: The table.
        key: JAX random key of the starts.
        laws: Law classes to compare. By default the usual ones for the columns of the table.

    Returns:
        The laws, the best first, with their weights and errors.

    Raises:
        TableError: The table lacks a column that a law needs.
        ValueError: There is no law to choose from, or the laws predict different responses.

    Examples:
        >>> choice = t2.choose_law(runs, key=jax.random.key(0), laws=[t2.laws.Chinchilla, t2.laws.SharedExponent])
        >>> choice.weights.shape
        (2,)
    """
    classes = candidates(table) if laws is None else tuple(laws)
    if not classes:
        raise ValueError("choose_law: expected at least one law")
    if "correct" in table and "pass_at_k" not in table and "loss" not in table:
        raise TableError(f"{table.source.name}: choose_law does not read counts; average them to pass_at_k first")
    return choose_from([fit_discrepancy(law, table, key=key) for law in classes])


def choose_from(fits: Sequence[DiscrepancyFit]) -> LawChoice:
    """Weighs fits of several laws to one table by their forward chains, and measures how much bands must widen.

    It raises ValueError if the laws predict different responses, whose errors have no common scale.
    """
    if len({fit.curve.response for fit in fits}) > 1:
        pairs = ", ".join(f"{type(fit.law).__name__} of {fit.curve.response}" for fit in fits)
        raise ValueError(f"laws of different responses have no common error: {pairs}")
    places = origins(fits[0].table)
    forecasts = [[forecast(fit, origin) for origin in places] for fit in fits]
    errors = np.array([[forecast.error for forecast in row] for row in forecasts]).reshape(len(fits), len(places))
    weights = _weights(errors)
    order = np.argsort(-weights, kind="stable")
    return LawChoice(
        fits=tuple(fits[i] for i in order),
        weights=weights[order],
        origins=tuple(places),
        errors=errors[order],
        widening=_widening(forecasts, weights),
    )


def _weights(errors: Float[np.ndarray, "laws origins"]) -> Float[np.ndarray, " laws"]:
    """Computes weights inverse to the square errors; without origins they are equal."""
    if not errors.shape[1]:
        return np.full(len(errors), 1 / len(errors))
    typical = np.array([_typical(row) for row in errors])
    share = (typical.min() / typical) ** 2
    return share / share.sum()


def _typical(errors: Float[np.ndarray, " origins"]) -> float:
    """Computes the geometric mean of errors; noiseless rows have an error of rounding at least."""
    return float(np.exp(np.mean(np.log(np.maximum(errors, 1e-12)))))


def _widening(forecasts: Sequence[Sequence[Forecast]], weights: Float[np.ndarray, " laws"]) -> float:
    """Computes the factor by which bands widen, from 1 to `MOST_WIDENING`.

    It is the root of the geometric mean, over origins, of errors in units of their bands. The root takes half of it in
    logs, because a few origins of one table say little. Bands are never narrowed.
    """
    at_origins = list(zip(*forecasts, strict=True))
    if not at_origins:
        return 1.0
    factors = [surprise(at_origin, weights.tolist()) for at_origin in at_origins]
    return float(np.clip(np.exp(0.5 * np.mean(np.log(np.maximum(factors, 1e-12)))), 1.0, MOST_WIDENING))
