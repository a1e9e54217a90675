"""Figures of results: functions that draw on given axes and return them.

The caller makes the axes, so only the caller imports Matplotlib.
"""

from t2jax.plot.draw import (
    draw_frontier,
    draw_isoflops,
    draw_posterior,
    draw_predicted_observed,
    draw_residuals,
)

__all__ = ["draw_frontier", "draw_isoflops", "draw_posterior", "draw_predicted_observed", "draw_residuals"]
