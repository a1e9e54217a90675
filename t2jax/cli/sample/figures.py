"""The figures of `t2jax sample`: every parameter beside its prior, and what the posterior says of the rows."""

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


def picture_prior(found: PriorPredictive, quantity: str, out: Output) -> None:
    """prior: what the priors alone say of each row, against its measurement."""
    figure, (ax,) = figure_of(1, legend=LEGEND)
    ends = (found.predicted.low, found.predicted.mid, found.predicted.high)
    interval_observed(ax, found.observed, *ends, level=found.predicted.level, what="prior", quantity=quantity)
    save_panels(figure, "prior", out)


def picture_posterior(post: Posterior, table: Table, out: Output) -> None:
    """marginals: each parameter's draws with its prior over them. predictive: the law's band against the rows."""
    if post.density is None:
        raise ValueError("a posterior read from a file knows draws of its priors only, not their densities")
    names = post.density.names
    down = -(-len(names) // ACROSS)
    figure = Figure(figsize=(3.2 * ACROSS + 1.2, 2.4 * down), layout="constrained")
    panels = list(figure.subplots(down, ACROSS, squeeze=False).ravel())
    for ax, name in zip(panels, names, strict=False):
        draw_posterior(ax, post, name)
    for ax in panels[len(names) :]:
        ax.set_axis_off()
    beside = panels[min(ACROSS, len(names)) - 1]
    shared_legend([*(ax for ax in panels[: len(names)] if ax is not beside), beside])
    save_panels(figure, "marginals", out)
    rows = measured_columns(post.laws, table)
    found = band(evaluate(post.laws, **rows), LEVEL)
    figure, (ax,) = figure_of(1, legend=LEGEND)
    quantity = response_name(post.laws, table)
    ends = (found.low, found.mid, found.high)
    interval_observed(ax, rows["observed"], *ends, level=LEVEL, what="posterior", quantity=quantity)
    save_panels(figure, "predictive", out)


def picture_check(found: PosteriorPredictive, table: Table, out: Output) -> None:
    """check: where rows lie among rows measured again, over all and against N and D."""
    figure, axes = figure_of(3)
    places(axes[0], found.place)
    for ax, name in zip(axes[1:], ("params", "tokens"), strict=True):
        places_against(ax, table[name], found.place, level=found.predicted.level, against=name)
    shared_legend(axes)
    save_panels(figure, "check", out)
