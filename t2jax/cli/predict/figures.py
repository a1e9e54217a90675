"""Figure of predictions: bands against compute, with the measured rows."""

from t2jax.cli.figures import figure_of, save_panels
from t2jax.cli.output import Output
from t2jax.extrapolation.law_choice import LawChoice
from t2jax.extrapolation.predictions import Predictions
from t2jax.plot.predictions import predictions_against_compute
from t2jax.tables.table import Table

LEGEND = 2.6  # inches


def picture_predictions(choice: LawChoice, at: Predictions, points: Table, out: Output) -> None:
    """Draws each prediction with its bands against compute, and the rows that were fitted."""
    if not out.formats:
        return
    rows = choice.fits[0].table
    figure, (ax,) = figure_of(1, LEGEND)
    predictions_against_compute(
        ax,
        points.compute(),
        {str(name): column.to_numpy() for name, column in at.to_frame().items()},
        measured=(rows.compute(), rows[at.response]),
        response=at.response,
        level=at.level,
    )
    save_panels(figure, "predictions", out)
