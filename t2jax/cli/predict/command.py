"""`t2jax predict`: the loss or pass@k of runs beyond a table, with bands and their distance from what was measured."""

from dataclasses import dataclass

import jax

from t2jax import laws
from t2jax.cli.output import Output
from t2jax.cli.predict.config import PredictConfig
from t2jax.cli.predict.figures import picture_predictions
from t2jax.cli.predict.points import points_of, require_inputs
from t2jax.cli.predict.words import predictions_answer, predictions_frame, predictions_text
from t2jax.cli.tables.options import notes_of
from t2jax.cli.tables.pairs import numbers
from t2jax.extrapolation.discrepancy import fit_discrepancy
from t2jax.extrapolation.law_choice import LawChoice, candidates, choose_from, choose_law
from t2jax.extrapolation.predictions import predict_band
from t2jax.files import whole
from t2jax.fitting.fitted_rows import load_fitted_rows
from t2jax.laws.base import Law
from t2jax.laws.check import check_law
from t2jax.tables.table import Table

AUTO = "auto"


@dataclass(frozen=True)
class Source:
    """What a command predicts from.

    Attributes:
        table: The rows to fit.
        laws: Classes of the laws to fit, which are compared if there are several.
        fixed: Values of fixed parameters by name.
    """

    table: Table
    laws: tuple[type[Law], ...]
    fixed: dict[str, float]

    def fit(self, seed: int) -> LawChoice:
        """Fits the laws, each with a smooth discrepancy, and weighs them by a backtest."""
        key = jax.random.key(seed)
        if len(self.laws) > 1:
            return choose_law(self.table, key=key, laws=self.laws)
        return choose_from([fit_discrepancy(law, self.table, key=key, fixed=self.fixed) for law in self.laws])


def run(config: PredictConfig) -> int:
    """Fits, predicts, prints and saves; returns 0. It raises ValueError for bad input."""
    if not 0 < config.level < 1:
        raise ValueError(f"--level: found {config.level:g}, expected a number between 0 and 1, such as 0.9")
    source = find_source(config)
    points = points_of(config.points, config.reading)
    require_inputs(points, source.laws)
    with Output("predict", config.output, config) as out:
        names = ", ".join(laws.name_of(law) for law in source.laws)
        with out.progress(f"fitting {names} to {len(source.table)} rows") as bar:
            choice = source.fit(config.seed)
            bar.update()
        at = predict_band(choice, points, level=config.level)
        frame = predictions_frame(points, at)
        with out.file("predictions.csv") as path, whole(path) as unfinished:
            frame.to_csv(unfinished, index=False)
        out.say(predictions_text(choice, at, points))
        with out.progress("figures") as bar:
            picture_predictions(choice, at, points, out)
            bar.update()
        return out.finish(0, {**predictions_answer(choice, at, frame), "notes": notes_of(source.table)})


def find_source(config: PredictConfig) -> Source:
    """Reads the rows and the laws to fit to them. It raises ValueError unless exactly one source is given."""
    if (config.table is None) == (config.law_file is None):
        raise ValueError("predict needs either a table to fit or --law-file")
    if config.law_file is not None:
        for option, given in (("--law", config.law), ("--where", config.reading.where), ("--fixed", config.fixed)):
            if given:
                raise ValueError(
                    f"{option} does not apply to --law-file, whose law and rows are those that were fitted"
                )
        fitted = load_fitted_rows(config.law_file)
        return Source(fitted.table, (config.held_inputs.all_of(fitted.law),), fitted.fixed)
    fixed = numbers("--fixed", config.fixed)
    table = config.reading.read_rows(str(config.table), config.law)
    if config.law in (None, AUTO):
        if fixed:
            raise ValueError("--fixed needs --law LAW, because the laws that auto compares have different parameters")
        config.held_inputs.require_no_values()
        return Source(table, candidates(table), {})
    law = config.held_inputs.all_of(laws.by_name(config.law))
    check_law(law)
    return Source(table, (law,), fixed)
