"""What every noise model answers, and how to write one."""

from collections.abc import Mapping
from typing import Literal

from t2jax.laws.base import Law
from t2jax.laws.parameter import Param
from t2jax.noise.residuals import Rows, Transform, measured_response, response
from t2jax.tables.measurements import Measurements, Units, measurements
from t2jax.tables.table import Table
from t2jax.typing import Array, Float

__all__ = ["DEVIATION", "LeftOutUnit", "Noise", "Rows", "Transform"]

LeftOutUnit = Literal["run", "question"]
DEVIATION = "deviation of runs"
"""By this name, which no parameter or input of a law can have, deviations of runs go along with the rows."""


class Noise:
    """How far measurements may lie from a law. Every noise model is a subclass, and answers for itself.

    To write one for errors of a response, or of its log, subclass `ResidualNoise` and say how errors are distributed.
    Point fits take Newton steps, and standard errors come from the Hessian: a density with a kink, such as Laplace's,
    must be smoothed. The noise model can then be fitted, resampled, sampled, audited, compared and planned with:

        @dataclass(frozen=True)
        class Cauchy(t2.noise.ResidualNoise):
            transform = "log"
            nuisance = {"width": t2.param(LogNormal(-5.0, 1.5), unit="of the log", doc="half width of an error")}
            estimated = ("width",)

            def errors(self, nuisance):
                return numpyro.distributions.Cauchy(0.0, nuisance["width"])

        t2.fit(t2.laws.Chinchilla, runs, key=key, noise=Cauchy())

    For other measurements subclass `Noise` and write `columns`, `penalty`, `log_density` and `simulate`; the other
    members have defaults, and those that a model cannot answer say why in a sentence. Models are compared to know what
    is compiled: make them frozen dataclasses.

    nuisance: parameters of the density beside the law's, by name; a posterior samples them. estimated: those of them
    that a point fit estimates too; of the others `profile` gives the best values. no_likelihood: why point fits have no
    likelihood to compare laws by, a sentence; empty where they have one. unit: of what `log_density` is where it is not
    of rows. deviations: whether each run has a standard normal deviation, which `log_density` reads as DEVIATION.
    """

    nuisance: Mapping[str, Param] = {}
    estimated: tuple[str, ...] = ()
    no_likelihood: str = ""
    unit: LeftOutUnit | None = None
    deviations: bool = False

    def columns(self, law: type[Law], table: Table) -> tuple[str, ...]:
        """The columns of `table` that this model reads for `law`. Raises TableError for a zero whose log it needs.

        A loss of zero never comes here: tables refuse it when they are made.
        """
        raise NotImplementedError

    def penalty(self, law: Law, rows: Rows, nuisance: Rows) -> Float[Array, " rows"]:
        """What a point fit sums over rows; smaller is better."""
        raise NotImplementedError

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Float[Array, " rows"]:
        """Log-likelihood of each row: the density of what was measured, whatever its errors are taken of."""
        raise NotImplementedError

    def simulate(self, law: Law, rows: Rows, nuisance: Rows, key: Array) -> dict[str, Array]:
        """Columns as the law and this model would have them measured again."""
        raise NotImplementedError

    @property
    def compares(self) -> Transform:
        """Whether rows are compared with the law as they are or by their logs. Raises ValueError where by neither."""
        raise ValueError(
            f"{type(self).__name__} compares counts of samples, of which one row has no relative error, no band and no"
            " one scale of errors: compare laws by their log scores (t2.evaluation.cross_validate,"
            " t2.evaluation.log_scores), or average the table to pass_at_k"
        )

    @property
    def error_scale(self) -> Transform:
        """The one scale of all errors, for choosing runs. Raises ValueError where there is none, or are several."""
        return self.compares

    def deviation(self, measured: Array, predicted: Array) -> Array:
        """How far measurements lie from predictions, in what is compared."""
        return measured - predicted

    def measure_again(
        self, law: Law, predicted: Array, rows: Rows, nuisance: Rows, key: Array
    ) -> Float[Array, " rows"]:
        """The response of each row as the density would have it measured again, for counts the share of correct ones.

        predicted: the law's response for each row, (rows,).
        """
        del predicted
        name = next((name for name in law.response if name in rows), law.response[0])
        return measured_response(name, {**rows, **self.simulate(law, rows, nuisance, key)})

    def profile(self, law: Law, rows: Rows) -> dict[str, Array]:
        """The best values, given the law, of what a point fit leaves out: `nuisance` that is not `estimated`.

        rows: with their `weight`.
        """
        del law, rows
        if left := [name for name in self.nuisance if name not in self.estimated]:
            raise NotImplementedError(f"{type(self).__name__} has to estimate {left[0]} in the fit, or to profile it")
        return {}

    def with_density(self) -> "Noise":
        """The model that a posterior takes by default where this is the default of a fit."""
        return self

    def measurements(self, law: type[Law], table: Table) -> Measurements:
        """The rows of a table as `penalty` reads them."""
        return measurements(table, self.columns(law, table))

    def response_name(self, law: type[Law], table: Table) -> str:
        """What the log-likelihoods of a posterior are of."""
        return response(law, table)

    def likelihood_unit(self, unit: LeftOutUnit | None) -> LeftOutUnit:
        """Of what log-likelihoods are kept where `unit` is asked for. Raises ValueError for one that it has not."""
        return unit or "run"

    def units(self, law: type[Law], table: Table) -> Units:
        """The table as `log_density` reads it, where that is of a `unit`."""
        raise NotImplementedError

    def require_rows(self, needed_by: str) -> None:
        """Raise TypeError where `log_density` is not of rows, which `needed_by` reads."""
        del needed_by
