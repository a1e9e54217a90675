"""The base class of laws, and the decorator that makes a law a frozen dataclass and a pytree."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Self, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from t2jax.laws.class_variables import is_class_variable
from t2jax.laws.coordinates import Frame
from t2jax.laws.parameter import INPUT_COLUMNS, Param
from t2jax.pytrees import register
from t2jax.typing import Array


@dataclass(frozen=True)
class Part:
    """A field that holds another law, such as the loss law of `T2Loss`; use `part` to make one."""

    default: type["Law"]
    predicts: str = "loss"


def part(default: type["Law"], predicts: str = "loss") -> Any:
    """Declares a field of a law that holds another law.

    Args:
        default: The class of the inner law, unless `Law.on` replaces it.
        predicts: Response that every law in this field has: "loss", or "success" for a selection among samples.

    Returns:
        The declaration, to be assigned to the field.

    Examples:
        >>> @t2.law
        ... class Halved(t2.Law):
        ...     "L(N, D) = loss(N, D)/2."
        ...     loss: t2.Law = t2.part(t2.laws.Chinchilla)
        ...     def __call__(self, N, D):
        ...         return self.loss(N, D) / 2
        >>> round(float(Halved(loss=law)(1e9, 2e10)), 3)
        1.232
    """
    return Part(default, predicts)


class Law:
    """Base class of all laws.

    A law is a frozen dataclass and a pytree whose fields are its parameters; it is called with its inputs (N, D, ...).
    A subclass declares parameters with `param`, `coefficient` or `part` and defines `__call__`.
    A batch of laws, such as bootstrap replicates or posterior draws, has leaves of shape (draws,) for `jax.vmap`.

    Attributes:
        response: Table columns that `__call__` predicts. The first one present is fitted.
        linear: Parameters in which the prediction is linear if all others are fixed (variable projection).
        convex: Whether `cost` is convex in (log N, log D, log k), so that one start finds the global optimum.
        kink_at_unique: Whether `cost` has a kink where tokens begin to repeat, so that plans solve both sides of it.
        gaussian_in_log: Whether fits take errors for Gaussian in the log by default. A law asks for that if a robust
            penalty has no curvature in its parameters far from the rows, so that no start converges.
        gauge: Parameters to fix, with their values, if no `loss` column fixes the scale of a latent loss.
        fields: Declarations of the parameters and inner laws. The decorator `law` sets them.

    Examples:
        >>> law
        Chinchilla(E=1.8, A=480, B=2100, alpha=0.35, beta=0.37)
        >>> type(law).inputs()
        ('N', 'D')
    """

    response: ClassVar[tuple[str, ...]] = ("loss",)
    linear: ClassVar[tuple[str, ...]] = ()
    convex: ClassVar[bool] = False
    kink_at_unique: ClassVar[bool] = False
    gaussian_in_log: ClassVar[bool] = False
    gauge: ClassVar[Mapping[str, float]] = {}
    fields: ClassVar[Mapping[str, Param | Part]] = {}

    def __init__(self, **values: Any):
        """Makes a law from parameters by keyword; the parameters of an inner law may be in the same call.

        `T2Loss(E=..., A=..., ...)` and `T2Loss(loss=Kaplan(...), G=..., gamma=...)` both work.

        Raises:
            TypeError: A parameter is missing or unknown.
        """
        for name, field in self.fields.items():
            if isinstance(field, Part) and name not in values:
                inner = {n: values.pop(n) for n in field.default.declared() if n in values}
                object.__setattr__(self, name, field.default(**inner))
            elif name in values:
                object.__setattr__(self, name, values.pop(name))
        missing = [name for name in self.fields if name not in self.__dict__]
        if missing or values:
            fault = f"lacks {', '.join(missing)}" if missing else f"has no parameter {', '.join(values)}"
            raise TypeError(f"{type(self).__name__} {fault}; its parameters are {', '.join(self.declared())}")

    def __call__(self, *inputs: Any, **named: Any) -> Array:
        """Predicts the response; subclasses name their inputs (N, D, k or table columns)."""
        raise NotImplementedError(f"{type(self).__name__} defines no __call__")

    def cost(self, *inputs: Any, **named: Any) -> Array:
        """Computes what a planner minimises: the prediction, or -log pass@k for a law of pass@k.

        A law that computes log pass@k directly overrides this: pass@k rounds to one where all questions are solved.

        Args:
            inputs: Inputs of the law in the order of `inputs()`.
            named: Inputs of the law by name.

        Returns:
            The cost, with the common shape of the inputs.
        """
        predicted = self(*inputs, **named)
        return -jnp.log(predicted) if self.response[0] == "pass_at_k" else predicted

    def questions(self, *inputs: Any, **named: Any) -> tuple[Array, Array]:
        """Computes the Beta distribution of success probabilities over questions, for laws with a Beta link.

        Args:
            inputs: Inputs of the law but k, in the order of `inputs()`.
            named: Inputs of the law but k, by name.

        Returns:
            The parameters a and b of the Beta distribution.

        Raises:
            TypeError: The law has no Beta link.
        """
        raise TypeError(f"{type(self).__name__} does not say how questions differ; fit its counts with noise.Binomial")

    def expected_samples(self, *inputs: Any, **named: Any) -> Array:
        """Computes how many of k samples a system draws on average if it stops at the first accepted one.

        Args:
            inputs: Inputs of the law in the order of `inputs()`.
            named: Inputs of the law by name.

        Returns:
            The mean number of samples over questions, with the common shape of the inputs.

        Raises:
            TypeError: The law has no selection among samples.
        """
        raise TypeError(f"{type(self).__name__} has no selection among samples, so it does not say when to stop")

    @classmethod
    def frame(cls, inputs: Mapping[str, np.ndarray]) -> Frame | None:
        """Gives the coordinates of fits and chains where rows determine parameters only in combination.

        Args:
            inputs: Columns of the table by the law's names for them, each of shape (rows,).

        Returns:
            A frame, or None if fits and chains use the parameters themselves.
        """
        del inputs
        return None

    @classmethod
    def declared(cls) -> dict[str, Param]:
        """Lists the declarations of all parameters, including the parameters of an inner law.

        Returns:
            Prior, unit and meaning of each parameter by its name, in the order of the law.
        """
        parameters: dict[str, Param] = {}
        for name, field in cls.fields.items():
            parameters |= field.default.declared() if isinstance(field, Part) else {name: field}
        return parameters

    @classmethod
    def inputs(cls) -> tuple[str, ...]:
        """Lists the inputs of the law.

        A law whose `__call__` takes `**more` passes these to its inner law: `T2Loss.on(DataConstrained)` reads U too.

        Returns:
            Names such as ("N", "D", "k"): the inputs of `__call__`, then the inputs that only an inner law reads.
        """
        named, more = _signature(cls)
        inner_laws = _inner_laws(cls) if more else ()
        return tuple(dict.fromkeys([*named, *(name for inner in inner_laws for name in inner.inputs())]))

    @classmethod
    def columns(cls) -> dict[str, str]:
        """Lists the table column of each input.

        Returns:
            Columns by input, such as {"N": "params"}. An input without a fixed column has a column of its own name.
        """
        return {name: INPUT_COLUMNS.get(name, name) for name in cls.inputs()}

    @classmethod
    def needed(cls) -> set[str]:
        """Lists the inputs without which the law cannot be called.

        Returns:
            The inputs without a default.
        """
        inputs, more = _signature(cls)
        inner_laws = _inner_laws(cls) if more else ()
        required = {name for name, is_required in inputs.items() if is_required}
        return required | {name for inner in inner_laws for name in inner.needed()}

    @classmethod
    def arguments(cls, rows: Mapping[str, Array], but: str = "") -> dict[str, Array]:
        """Selects the columns that the law reads, by the names of its inputs.

        Args:
            rows: Columns by name. A missing column of an input with a default is left out.
            but: An input to leave out.

        Returns:
            Columns by the names of the law's inputs.
        """
        named = {name: column for name, column in cls.columns().items() if name != but}
        return {name: rows[column] for name, column in named.items() if column in rows or name in cls.needed()}

    @classmethod
    def on(cls, other: type["Law"]) -> type[Self]:
        """Replaces an inner law: `T2Loss.on(Kaplan)` is the law of samples on top of Kaplan's law.

        `T2PassK.on(Verifier)` replaces the selection among samples in the same way.

        Args:
            other: The class of the new inner law.

        Returns:
            A class of laws. It is this class if `other` is its inner law already.

        Raises:
            TypeError: The law has no inner law, a parameter would occur twice, or `other` needs an input that the law
                does not pass on.
        """
        return _replace_inner_law(cls, other)

    def values(self) -> dict[str, Any]:
        """Lists the parameter values by name, including the parameters of an inner law.

        Returns:
            Values by name: numbers, or arrays of shape (draws,) for a batch.
        """
        values: dict[str, Any] = {}
        for name, field in self.fields.items():
            value = self.__dict__[name]
            values |= value.values() if isinstance(field, Part) else {name: value}
        return values

    def predict(self, rows: Mapping[str, Array]) -> Array:
        """Evaluates the law on table columns; a missing `samples` column means one sample.

        Args:
            rows: Columns by name, each of shape (rows,): N is `params`, D is `tokens` and k is `samples`.

        Returns:
            Predictions of shape (rows,).
        """
        return self(**self.arguments({"samples": jnp.ones(())} | dict(rows)))

    def __getattr__(self, name: str) -> Any:
        for field, declared in type(self).fields.items():
            inner = self.__dict__.get(field)
            if isinstance(declared, Part) and isinstance(inner, Law) and name in inner.values():
                return getattr(inner, name)
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={_format_value(value)}" for name, value in self.values().items())
        return f"{type(self).__name__}({values})"


L = TypeVar("L", bound=type[Law])


def law(cls: L) -> L:
    """Turns a subclass of `Law` into a frozen dataclass and a pytree (class decorator).

    Args:
        cls: A subclass of `Law` whose fields are declared with `param`, `coefficient` or `part`.

    Returns:
        The same class.

    Raises:
        TypeError: The class is no `Law`, a field has no prior, or `linear` or `gauge` names no parameter.
            A coefficient may also refer to an input or exponent that the law lacks. The message names law and field.

    Examples:
        >>> from numpyro.distributions import LogNormal
        >>> @t2.law
        ... class PowerLaw(t2.Law):
        ...     "L(N) = E + A/N^α."
        ...     E: float = t2.param(LogNormal(0.5, 0.5), unit="nats", doc="irreducible loss")
        ...     A: float = t2.coefficient(LogNormal(5.0, 2.0), "nats·params^α", "size term", of="N", exponent="alpha")
        ...     alpha: float = t2.param(LogNormal(-1.0, 0.5), unit="1", doc="size exponent")
        ...     def __call__(self, N):
        ...         return self.E + self.A * N**-self.alpha
        >>> PowerLaw(E=2.0, A=100.0, alpha=0.5)(1e4)
        3.0
    """
    if not (isinstance(cls, type) and issubclass(cls, Law)):
        raise TypeError(f"@law is for classes of laws: write class {getattr(cls, '__name__', 'MyLaw')}(t2.Law)")
    annotated = inspect.get_annotations(cls)
    fields = {name: cls.__dict__.get(name) for name, hint in annotated.items() if not is_class_variable(hint, cls)}
    for name, field in cls.__dict__.items():
        if isinstance(field, Param | Part) and name not in fields:
            raise TypeError(f"{cls.__name__}.{name} has no annotation: write {name}: Scalar = t2.param(prior, ...)")
    for name, field in fields.items():
        if not isinstance(field, Param | Part):
            raise TypeError(f"{cls.__name__}.{name} has no prior: declare it as {name}: Scalar = t2.param(prior, ...)")
    setattr(cls, "fields", fields or cls.fields)  # noqa: B010 - a class variable of the base
    declared = cls.declared()
    for name, parameter in declared.items():
        for of, exponent in parameter.power:
            if of not in cls.inputs() or exponent not in declared:
                raise TypeError(f"{cls.__name__}.{name} multiplies {of}^-{exponent}, which the law lacks")
    for name in (*cls.linear, *cls.gauge):
        if name not in declared:
            raise TypeError(f"{cls.__name__} names {name!r} in linear or gauge, which is no parameter of it")
    # dataclass recognises fewer spellings of ClassVar than people write
    cls.__annotations__ = {name: Any if name in fields else ClassVar for name in annotated}
    law_class = dataclass(frozen=True, init=False, repr=False, eq=False)(cls)
    law_class.__annotations__ = annotated
    return register(law_class, tuple(cls.fields))


def _inner_laws(cls: type[Law], predicts: str = "loss") -> tuple[type[Law], ...]:
    """Lists the laws in the fields of a law that predict the loss, or another response."""
    parts = (field for field in cls.fields.values() if isinstance(field, Part))
    return tuple(field.default for field in parts if field.predicts == predicts)


@cache
def _signature(cls: type[Law]) -> tuple[dict[str, bool], bool]:
    """Lists the inputs that `__call__` names, whether each is required, and whether others go to an inner law."""
    parameters = list(inspect.signature(cls.__call__).parameters.values())[1:]
    inputs = {
        parameter.name: parameter.default is parameter.empty
        for parameter in parameters
        if parameter.kind is not parameter.VAR_KEYWORD
    }
    return inputs, len(inputs) < len(parameters)


@cache
def _replace_inner_law(cls: type[Law], other: type[Law]) -> Any:
    predicts = "success" if "success" in other.response else "loss"
    replaced = _inner_laws(cls, predicts)
    if not replaced:
        what = "selection among samples to replace by" if predicts == "success" else "part to put"
        raise TypeError(f"{cls.__name__} has no {what} {other.__name__}{' in' * (predicts == 'loss')}")
    fields = {
        name: Part(other, predicts) if isinstance(field, Part) and field.predicts == predicts else field
        for name, field in cls.fields.items()
    }
    if same := next((base for base in cls.__mro__ if vars(base).get("fields") == fields), None):
        return same
    if predicts not in other.response:
        raise TypeError(
            f"the part of {cls.__name__} is a law of the loss, and {other.__name__} predicts {other.response[0]}"
        )
    named, more = _signature(cls)
    passed = {name for inner in replaced for name in inner.needed()}
    not_passed = [name for name in sorted(other.needed()) if name not in passed and (name in named or not more)]
    if not_passed:
        raise TypeError(
            f"{cls.__name__} does not hand {', '.join(not_passed)} to its part, and {other.__name__} needs it"
        )
    outer = set(cls.declared()) - {name for inner in replaced for name in inner.declared()}
    clash = outer & set(other.declared())
    if clash:
        raise TypeError(f"{cls.__name__} and {other.__name__} both have a parameter {', '.join(sorted(clash))}")
    linear = (*(other.linear if cls.linear else ()), *(name for name in cls.linear if name in outer))
    convex = cls.convex and other.convex
    law_class = type(
        f"{cls.__name__}On{other.__name__}",
        (cls,),
        {
            "fields": fields,
            "linear": linear,
            "convex": convex,
            "kink_at_unique": cls.kink_at_unique or other.kink_at_unique,
            "__doc__": cls.__doc__,
            "__module__": cls.__module__,
        },
    )
    return law(law_class)


def _format_value(value: Any) -> str:
    if not isinstance(value, float | np.ndarray | jax.Array) or isinstance(value, Tracer):
        return str(value)
    return f"{float(value):.6g}" if np.ndim(value) == 0 else f"<{'×'.join(map(str, np.shape(value)))}>"
