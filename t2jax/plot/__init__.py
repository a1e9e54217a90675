"""Figures, each a function of axes and results that returns the axes. Whoever makes the axes imports Matplotlib."""

from t2jax.plot.draw import (
    draw_frontier,
    draw_isoflops,
    draw_posterior,
    draw_predicted_observed,
    draw_residuals,
)

__all__ = ["draw_frontier", "draw_isoflops", "draw_posterior", "draw_predicted_observed", "draw_residuals"]
