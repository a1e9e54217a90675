"""Figures of results: functions that draw on given axes and return them.

The caller makes the axes, so only the caller imports Matplotlib.
"""

from typing import TYPE_CHECKING

from t2jax.on_demand import names_on_demand

if TYPE_CHECKING:
    from t2jax.plot.draw import draw_frontier, draw_isoflops, draw_posterior
    from t2jax.plot.draw_fit import draw_predicted_observed, draw_residuals

__all__ = ["draw_frontier", "draw_isoflops", "draw_posterior", "draw_predicted_observed", "draw_residuals"]

_PLACES = {
    "t2jax.plot.draw": ("draw_frontier", "draw_isoflops", "draw_posterior"),
    "t2jax.plot.draw_fit": ("draw_predicted_observed", "draw_residuals"),
}
"""Public names by module, imported on first use."""

if not TYPE_CHECKING:
    __getattr__, __dir__ = names_on_demand(__name__, _PLACES)
