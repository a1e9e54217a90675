"""Figures of `t2jax sample`: parameters beside their priors, and predictions beside the rows."""

from matplotlib.figure import Figure

from t2jax.cli.figures import figure_of, save_panels
from t2jax.cli.output import Output
from t2jax.laws.predict import evaluate
from t2jax.numerics.bands import band
from t2jax.plot.draw import draw_posterior
from t2jax.plot.measured import measured_columns, response_name
from t2jax.plot.posterior import interval_observed, places, places_against
from t2jax.plot.style import shared_legend
from t2jax.posterior.posterior import LEVEL, Posterior
from t2jax.posterior.posterior_check import PosteriorPredictive
from t2jax.posterior.prior_check import PriorPredictive
from t2jax.tables.table import Table

ACROSS = 3
LEGEND = 2.8  # inches


def picture_prior(prior: PriorPredictive, quantity: str, out: Output) -> None:
    """Draws the figure `prior`: the prior prediction of each row against its measurement."""
    figure, (ax,) = figure_of(1, legend=LEGEND)
    ends = (prior.predicted.low, prior.predicted.mid, prior.predicted.high)
    interval_observed(ax, prior.observed, *ends, level=prior.predicted.level, what="prior", quantity=quantity)
    save_panels(figure, "prior", out)


def picture_posterior(post: Posterior, table: Table, out: Output) -> None:
    """Draws `marginals`, each parameter's draws and prior, and `predictive`, the law's band against the rows."""
    if post.density is None:
        raise ValueError("a posterior from a file has only draws of its priors, not their densities")
    names = post.density.names
    panel_rows = -(-len(names) // ACROSS)
    figure = Figure(figsize=(3.2 * ACROSS + 1.2, 2.4 * panel_rows), layout="constrained")
    panels = list(figure.subplots(panel_rows, ACROSS, squeeze=False).ravel())
    for ax, name in zip(panels, names, strict=False):
        draw_posterior(ax, post, name)
    for ax in panels[len(names) :]:
        ax.set_axis_off()
    legend_panel = panels[min(ACROSS, len(names)) - 1]
    shared_legend([*(ax for ax in panels[: len(names)] if ax is not legend_panel), legend_panel])
    save_panels(figure, "marginals", out)
    rows = measured_columns(post.laws, table)
    prediction = band(evaluate(post.laws, **rows), LEVEL)
    figure, (ax,) = figure_of(1, legend=LEGEND)
    quantity = response_name(post.laws, table)
    ends = (prediction.low, prediction.mid, prediction.high)
    interval_observed(ax, rows["observed"], *ends, level=LEVEL, what="posterior", quantity=quantity)
    save_panels(figure, "predictive", out)


def picture_check(check: PosteriorPredictive, table: Table, out: Output) -> None:
    """Draws the figure `check`: ranks of the rows among simulated rows, over all and against N and D."""
    inputs = ("params", "tokens") if table.has_sizes else ("compute",)
    figure, axes = figure_of(1 + len(inputs))
    places(axes[0], check.place)
    for ax, name in zip(axes[1:], inputs, strict=True):
        places_against(ax, table[name], check.place, level=check.predicted.level, against=name)
    shared_legend(axes)
    save_panels(figure, "check", out)
