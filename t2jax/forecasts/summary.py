"""The lines in which estimates and forecasts print pass@k."""

from collections.abc import Mapping

import numpy as np

from t2jax.numerics.bands import Band

SHOWN = 8


def pass_lines(samples: np.ndarray, passed: np.ndarray, bands: Mapping[str, Band]) -> dict[str, str]:
    """Writes pass@k at up to eight k with the interval of each band.

    Args:
        samples: Values of k, shape (k,).
        passed: pass@k at each k, shape (k,).
        bands: Bands by name, shape (k,).

    Returns:
        A text for each k that is shown, by its name, such as "pass@10".
    """
    shown = np.unique(np.linspace(0, len(samples) - 1, SHOWN).round().astype(int))
    return {
        f"pass@{samples[i]:g}": ", ".join(
            [f"{passed[i]:.4g}", *(f"{name} {band.low[i]:.4g} to {band.high[i]:.4g}" for name, band in bands.items())]
        )
        for i in shown
    }
