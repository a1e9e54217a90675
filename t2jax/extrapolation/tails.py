"""Sizes of errors: in per cent, and of Student-t tails as normal ones."""

from scipy.special import ndtri, stdtrit

from t2jax.noise.smooth.response_curve import Scale


def percent_of(size: float, scale: Scale) -> str:
    """Formats a difference of logs or logits in per cent.

    Args:
        size: Difference of logs, or of logits for pass@k.
        scale: Which of the two it is.

    Returns:
        The number with its unit.
    """
    return f"{100 * size:.2g} {'%' if scale == 'log' else '% of the odds'}"


def tail_factor(df: float | None, level: float) -> float:
    """Computes how much wider than its scale a normal error is whose central interval is that of a Student-t error."""
    return 1.0 if df is None else float(stdtrit(df, 0.5 + level / 2) / ndtri(0.5 + level / 2))
