"""The interface of noise models, and how to write one."""

from collections.abc import Mapping
from typing import Literal

from t2jax.laws.base import Law
from t2jax.laws.parameter import Param
from t2jax.noise.residuals import Rows, Transform, measured_response, response
from t2jax.tables.measurements import Measurements, Units, measurements
from t2jax.tables.table import Table
from t2jax.typing import Array, ArrayLike, Float

__all__ = ["DEVIATION", "LeftOutUnit", "Noise", "Rows", "Transform"]

LeftOutUnit = Literal["run", "question", "table"]
DEVIATION = "latent deviations"
"""Column of latent deviations beside the rows. No parameter or input of a law can have this name."""


class Noise:
    """Base of every noise model: the errors of measurements around a law.

    For errors of a response or of its log, subclass `ResidualNoise` and define the distribution of an error. The
    density needs a smooth second derivative, because point fits take Newton steps. Smooth a kink such as Laplace's. The
    model then works in fits, bootstraps, posteriors, audits, comparisons and plans:

        @dataclass(frozen=True)
        class Cauchy(t2.noise.ResidualNoise):
            transform = "log"
            nuisance = {"width": t2.param(LogNormal(-5.0, 1.5), unit="of the log", doc="half width of an error")}
            estimated = ("width",)

            def errors(self, nuisance):
                return numpyro.distributions.Cauchy(0.0, nuisance["width"])

        t2.fit(t2.laws.Chinchilla, runs, key=key, noise=Cauchy())

    For other measurements subclass `Noise` and write `columns`, `penalty`, `log_density` and `simulate`. The other
    members have defaults, or raise an error that names the alternative. Make the class a frozen dataclass: JAX compares
    models to reuse compiled programs.

    Attributes:
        nuisance: Parameters of the density beside the law's, by name. A posterior samples them.
        estimated: Names of the nuisance parameters that a point fit estimates too. `profile` gives the others.
        no_likelihood: Sentence that explains why point fits have no likelihood. It is empty where they have one.
        unit: Unit of `log_density` where that is not a row.
        deviations: What has a standard normal deviation of its own, which `log_density` reads as `DEVIATION`: each
            "run", each "row", or "" for nothing.
        settled: Names of the nuisance parameters that `measurements` estimates as it reads a table.
        not_resampled: Sentence that explains why rows are not resampled. It is empty for independent errors.

    Examples:
        >>> fit.problem.noise, fit.problem.noise.columns(t2.laws.Chinchilla, runs)
        (Huber(delta=0.001), ('params', 'tokens', 'loss'))
    """

    nuisance: Mapping[str, Param] = {}
    estimated: tuple[str, ...] = ()
    no_likelihood: str = ""
    unit: LeftOutUnit | None = None
    deviations: Literal["", "run", "row"] = ""
    settled: tuple[str, ...] = ()
    not_resampled: str = ""

    def columns(self, law: type[Law], table: Table) -> tuple[str, ...]:
        """Lists the columns of a table that this model reads for a law.

        Args:
            law: The law class.
            table: The table.

        Returns:
            Names of the columns.

        Raises:
            NotImplementedError: The subclass does not define it.
            TableError: A measurement is zero and the model needs its log. Tables refuse a loss of zero themselves.
        """
        raise NotImplementedError

    def penalty(self, law: Law, rows: Rows, nuisance: Rows) -> Float[Array, " rows"]:
        """Computes the penalty of each row, which a point fit sums and minimises.

        Args:
            law: The law.
            rows: Columns of the table by name, shape (rows,) each.
            nuisance: Values of the estimated noise parameters by name.

        Returns:
            Penalties, shape (rows,).

        Raises:
            NotImplementedError: The subclass does not define it.
        """
        raise NotImplementedError

    def log_density(self, law: Law, rows: Rows, nuisance: Rows) -> Float[Array, " rows"]:
        """Computes the log-likelihood of each row.

        It is the density of the measurement itself, also where the errors belong to its log.

        Args:
            law: The law.
            rows: Columns of the table by name, shape (rows,) each.
            nuisance: Values of the noise parameters by name.

        Returns:
            Log-likelihoods in nats, shape (rows,).

        Raises:
            NotImplementedError: The subclass does not define it.
        """
        raise NotImplementedError

    def simulate(self, law: Law, rows: Rows, nuisance: Rows, key: Array) -> dict[str, Array]:
        """Draws the measured columns again from the law and this model.

        Args:
            law: The law.
            rows: Columns of the table by name, shape (rows,) each.
            nuisance: Values of the noise parameters by name.
            key: JAX random key.

        Returns:
            The new columns by name, shape (rows,) each.

        Raises:
            NotImplementedError: The subclass does not define it.
        """
        raise NotImplementedError

    @property
    def compares(self) -> Transform:
        """Scale on which rows are compared with the law: "log" or "identity".

        Raises:
            ValueError: The model has no such scale, as for counts.
        """
        raise ValueError(
            f"{type(self).__name__} compares counts of samples, and a row of counts has no relative error, no band and"
            " no single scale of errors: compare laws by their log scores (t2.evaluation.cross_validate,"
            " t2.evaluation.log_scores), or average the table to pass_at_k"
        )

    @property
    def error_scale(self) -> Transform:
        """The common scale of all errors, "log" or "identity", which the choice of next runs needs.

        Raises:
            ValueError: There is no common scale.
        """
        return self.compares

    def deviation(self, measured: Array, predicted: Array) -> Array:
        """Computes the distance of measurements from predictions, on the scale of `compares`.

        Args:
            measured: Measurements.
            predicted: Predictions, the same shape.

        Returns:
            Distances, the same shape.
        """
        return measured - predicted

    def measure_again(
        self, law: Law, predicted: Array, rows: Rows, nuisance: Rows, key: Array
    ) -> Float[Array, " rows"]:
        """Draws the response of each row again from the density. For counts it is the share of correct samples.

        Args:
            law: The law.
            predicted: The law's response for each row, shape (rows,).
            rows: Columns of the table by name, shape (rows,) each.
            nuisance: Values of the noise parameters by name.
            key: JAX random key.

        Returns:
            Responses, shape (rows,).
        """
        del predicted
        name = next((name for name in law.response if name in rows), law.response[0])
        return measured_response(name, {**rows, **self.simulate(law, rows, nuisance, key)})

    def profile(self, law: Law, rows: Rows) -> dict[str, Array]:
        """Computes the best values of nuisance parameters that a point fit does not estimate, given the law.

        Args:
            law: The fitted law.
            rows: Columns of the table by name, with their `weight`.

        Returns:
            Values by name.

        Raises:
            NotImplementedError: The subclass has such parameters and does not define this method.
        """
        del law, rows
        if missing := [name for name in self.nuisance if name not in self.estimated]:
            raise NotImplementedError(
                f"{type(self).__name__} has to estimate {missing[0]} in the fit, or to profile it"
            )
        return {}

    def with_density(self) -> "Noise":
        """Returns the default model of a posterior where this one is the default of a fit.

        Returns:
            A noise model with a likelihood.
        """
        return self

    def measurements(self, law: type[Law], table: Table, fixed: Mapping[str, ArrayLike]) -> Measurements:
        """Reads the rows of a table for `penalty`.

        Args:
            law: The law class.
            table: The table.
            fixed: Values of the law's fixed parameters by name.

        Returns:
            The columns, with equal rows merged.
        """
        del fixed
        return measurements(table, self.columns(law, table))

    def response_name(self, law: type[Law], table: Table) -> str:
        """Names the measurement that the log-likelihoods of a posterior belong to.

        Args:
            law: The law class.
            table: The table.

        Returns:
            A name, such as "loss".
        """
        return response(law, table)

    def likelihood_unit(self, unit: LeftOutUnit | None) -> LeftOutUnit:
        """Returns the unit for which log-likelihoods are stored.

        Args:
            unit: The requested unit. None means the model's default.

        Returns:
            "run" or "question".

        Raises:
            ValueError: The model has no likelihood of the requested unit.
        """
        return unit or "run"

    def units(self, law: type[Law], table: Table) -> Units:
        """Reads a table for a `log_density` whose unit is not a row.

        Args:
            law: The law class.
            table: The table.

        Returns:
            The columns of the units.

        Raises:
            NotImplementedError: The unit of the model is a row.
        """
        raise NotImplementedError

    def require_rows(self, needed_by: str) -> None:
        """Checks that `log_density` has one value for each row.

        Args:
            needed_by: Name of the caller for the error message.

        Raises:
            TypeError: The unit of the model is not a row.
        """
        del needed_by
