"""What a law is: a frozen dataclass that is a pytree, whose fields are its parameters, callable on (N, D, ...).

Write one with the `law` decorator:

    @t2.law
    class PowerLaw(t2.Law):
        "L(N) = E + A/N^α."
        E: Scalar = t2.param(LogNormal(0.5, 0.5), unit="nats/token", doc="irreducible loss")
        A: Scalar = t2.coefficient(LogNormal(5.0, 2.0), unit="nats·params^α", doc="size term", of="N", exponent="alpha")
        alpha: Scalar = t2.param(LogNormal(-1.0, 0.5), unit="1", doc="size exponent")

        def __call__(self, N): return self.E + self.A * N**-self.alpha

A batch of laws (a bootstrap, a posterior) is the same type with leaves of shape (draws,); `jax.vmap` takes it.
"""

import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Self, TypeVar, get_origin

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from t2jax.laws.coordinates import Frame
from t2jax.laws.parameter import INPUT_COLUMNS, Param
from t2jax.pytrees import register
from t2jax.typing import Array


@dataclass(frozen=True)
class Part:
    """A field that holds another law, such as the loss law under samples. Use `part` to make one."""

    default: type["Law"]


def part(default: type["Law"]) -> Any:
    """Declare that a field holds another law, `default` unless `Law.on` puts another in its place."""
    return Part(default)


class Law:
    """Base of every law. Subclasses declare parameters with `param`, `coefficient` or `part`, and define `__call__`.

    Class attributes that a law may set:
      response: table columns that `__call__` predicts, the first one present is fitted.
      linear:   parameters in which the prediction is linear when all others are held (variable projection).
      convex:   whether `cost` is convex in (log N, log D, log k), so that one start finds the global optimum.
      gauge:    parameters to hold, and at what, when the table has no `loss` column to fix the scale of a latent loss.
    """

    response: ClassVar[tuple[str, ...]] = ("loss",)
    linear: ClassVar[tuple[str, ...]] = ()
    convex: ClassVar[bool] = False
    gauge: ClassVar[Mapping[str, float]] = {}
    fields: ClassVar[Mapping[str, Param | Part]] = {}

    def __init__(self, **values: Any):
        """Parameters by keyword, those of a part too: `T2Loss(E=..., A=..., ...)` or `T2Loss(loss=Kaplan(...), ...)`.

        Raises TypeError that names what is missing or unknown.
        """
        for name, field in self.fields.items():
            if isinstance(field, Part) and name not in values:
                inner = {n: values.pop(n) for n in field.default.declared() if n in values}
                object.__setattr__(self, name, field.default(**inner))
            elif name in values:
                object.__setattr__(self, name, values.pop(name))
        missing = [name for name in self.fields if name not in self.__dict__]
        if missing or values:
            wrong = f"lacks {', '.join(missing)}" if missing else f"has no parameter {', '.join(values)}"
            raise TypeError(f"{type(self).__name__} {wrong}; its parameters are {', '.join(self.declared())}")

    def __call__(self, *inputs: Any, **named: Any) -> Array:
        """The law's prediction; subclasses name their inputs (N, D, k or table columns)."""
        raise NotImplementedError(f"{type(self).__name__} defines no __call__")

    def cost(self, *inputs: Any, **named: Any) -> Array:
        """What a planner minimises: the prediction itself, or of pass@k -log of it.

        Laws of pass@k that know its log better than by way of pass@k, which is one where all is solved, say so here.
        """
        predicted = self(*inputs, **named)
        return -jnp.log(predicted) if self.response[0] == "pass_at_k" else predicted

    def questions(self, *inputs: Any, **named: Any) -> tuple[Array, Array]:
        """(a, b) of the Beta distribution of per-question success, from its inputs but k; for laws with a Beta link."""
        raise TypeError(f"{type(self).__name__} does not say how questions differ; fit its counts with noise.Binomial")

    @classmethod
    def frame(cls, inputs: Mapping[str, np.ndarray]) -> Frame | None:
        """What fits and chains move in, in place of parameters that rows determine only together; None for themselves.

        inputs: the columns of the table by the law's names for them, each (rows,).
        """
        del inputs
        return None

    @classmethod
    def declared(cls) -> dict[str, Param]:
        """Every parameter by name, parts included, in the order in which the law lists them."""
        found: dict[str, Param] = {}
        for name, field in cls.fields.items():
            found |= field.default.declared() if isinstance(field, Part) else {name: field}
        return found

    @classmethod
    def inputs(cls) -> tuple[str, ...]:
        """Names of the inputs, for example ("N", "D", "k"): those of `__call__`, then what only a part reads.

        A law whose `__call__` takes `**more` hands those to its part: `T2Loss.on(DataConstrained)` reads U too.
        """
        own, more = _signature(cls)
        parts = [one.default for one in cls.fields.values() if isinstance(one, Part)] if more else []
        return tuple(dict.fromkeys([*own, *(name for one in parts for name in one.inputs())]))

    @classmethod
    def columns(cls) -> dict[str, str]:
        """The table column that holds each input, such as {"N": "params"}; an input of another name is its own."""
        return {name: INPUT_COLUMNS.get(name, name) for name in cls.inputs()}

    @classmethod
    def needed(cls) -> set[str]:
        """The inputs without which the law cannot be called."""
        own, more = _signature(cls)
        parts = [one.default for one in cls.fields.values() if isinstance(one, Part)] if more else []
        return {name for name, needed in own.items() if needed} | {name for one in parts for name in one.needed()}

    @classmethod
    def arguments(cls, rows: Mapping[str, Array], but: str = "") -> dict[str, Array]:
        """The columns that hold the law's inputs, by the names of the inputs, all of them but the input `but`.

        An input with a default is left out where its column is not there.
        """
        named = {name: column for name, column in cls.columns().items() if name != but}
        return {name: rows[column] for name, column in named.items() if column in rows or name in cls.needed()}

    @classmethod
    def on(cls, other: type["Law"]) -> type[Self]:
        """The same law with its part replaced: `T2Loss.on(Kaplan)` puts samples on top of the Kaplan law.

        The law itself where its part is that law already. Raises TypeError where there is no part, a parameter would
        be there twice, or the part needs an input it is not given.
        """
        return _on(cls, other)

    def values(self) -> dict[str, Any]:
        """Parameter values by name, parts included."""
        found: dict[str, Any] = {}
        for name, field in self.fields.items():
            value = self.__dict__[name]
            found |= value.values() if isinstance(field, Part) else {name: value}
        return found

    def predict(self, rows: Mapping[str, Array]) -> Array:
        """`__call__` on table columns, shape (rows,): N from `params`, D from `tokens`, k from `samples` (else 1)."""
        return self(**self.arguments({"samples": jnp.ones(())} | dict(rows)))

    def __getattr__(self, name: str) -> Any:
        for field, declared in type(self).fields.items():
            inner = self.__dict__.get(field)
            if isinstance(declared, Part) and isinstance(inner, Law) and name in inner.values():
                return getattr(inner, name)
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={_show(value)}" for name, value in self.values().items())
        return f"{type(self).__name__}({shown})"


L = TypeVar("L", bound=type[Law])


def law(cls: L) -> L:
    """Class decorator that makes a `Law` subclass a frozen dataclass and a pytree. See the module's example.

    Raises TypeError, with the law and the field named, for a field without prior, a coefficient whose exponent or
    input does not exist, a name in `linear` or `gauge` that is no parameter, and for a class that is no `Law`.
    """
    if not (isinstance(cls, type) and issubclass(cls, Law)):
        raise TypeError(f"@law is for classes of laws: write class {getattr(cls, '__name__', 'MyLaw')}(t2.Law)")
    annotated = inspect.get_annotations(cls)
    fields = {name: cls.__dict__.get(name) for name, of in annotated.items() if not _is_class_variable(of, cls)}
    for name, field in cls.__dict__.items():
        if isinstance(field, Param | Part) and name not in fields:
            raise TypeError(f"{cls.__name__}.{name} has no annotation: write {name}: Scalar = t2.param(prior, ...)")
    for name, field in fields.items():
        if not isinstance(field, Param | Part):
            raise TypeError(f"{cls.__name__}.{name} has no prior: declare it as {name}: Scalar = t2.param(prior, ...)")
    setattr(cls, "fields", fields or cls.fields)  # noqa: B010 - a class variable of the base
    declared = cls.declared()
    for name, one in declared.items():
        for of, exponent in one.power:
            if of not in cls.inputs() or exponent not in declared:
                raise TypeError(f"{cls.__name__}.{name} multiplies {of}^-{exponent}, which the law lacks")
    for name in (*cls.linear, *cls.gauge):
        if name not in declared:
            raise TypeError(f"{cls.__name__} names {name!r} in linear or gauge, which is no parameter of it")
    # a dataclass knows fewer spellings of ClassVar than people write
    cls.__annotations__ = {name: Any if name in fields else ClassVar for name in annotated}
    made = dataclass(frozen=True, init=False, repr=False, eq=False)(cls)
    made.__annotations__ = annotated
    return register(made, tuple(cls.fields))


def _is_class_variable(annotation: Any, cls: type) -> bool:
    """Whether a field is no parameter: its annotation is ClassVar, under any name, also where it is a string."""
    if not isinstance(annotation, str):
        return annotation is ClassVar or get_origin(annotation) is ClassVar
    first, *others = annotation.strip("\"' ").partition("[")[0].strip().split(".")
    found = vars(sys.modules[cls.__module__]).get(first) if cls.__module__ in sys.modules else None
    for name in others:
        found = getattr(found, name, None)
    return found is ClassVar or get_origin(found) is ClassVar or (found is None and [first, *others][-1] == "ClassVar")


@cache
def _signature(cls: type[Law]) -> tuple[dict[str, bool], bool]:
    """The inputs that `__call__` names, with whether it needs each, and whether it hands others to its part."""
    given = list(inspect.signature(cls.__call__).parameters.values())[1:]
    named = {one.name: one.default is one.empty for one in given if one.kind is not one.VAR_KEYWORD}
    return named, len(named) < len(given)


@cache
def _on(cls: type[Law], other: type[Law]) -> Any:
    replaced = {name: Part(other) if isinstance(field, Part) else field for name, field in cls.fields.items()}
    if not any(isinstance(field, Part) for field in cls.fields.values()):
        raise TypeError(f"{cls.__name__} has no part to put {other.__name__} in")
    if replaced == dict(cls.fields):
        return cls
    if "loss" not in other.response:
        raise TypeError(
            f"the part of {cls.__name__} is a law of the loss, and {other.__name__} predicts {other.response[0]}"
        )
    own, more = _signature(cls)
    handed = {n for f in cls.fields.values() if isinstance(f, Part) for n in f.default.needed()}
    lost = [name for name in sorted(other.needed()) if name not in handed and (name in own or not more)]
    if lost:
        raise TypeError(f"{cls.__name__} does not hand {', '.join(lost)} to its part, and {other.__name__} needs it")
    kept = set(cls.declared()) - {n for f in cls.fields.values() if isinstance(f, Part) for n in f.default.declared()}
    clash = kept & set(other.declared())
    if clash:
        raise TypeError(f"{cls.__name__} and {other.__name__} both have a parameter {', '.join(sorted(clash))}")
    linear = (*(other.linear if cls.linear else ()), *(name for name in cls.linear if name in kept))
    convex = cls.convex and other.convex
    made = type(
        f"{cls.__name__}On{other.__name__}",
        (cls,),
        {"fields": replaced, "linear": linear, "convex": convex, "__doc__": cls.__doc__, "__module__": cls.__module__},
    )
    return law(made)


def _show(value: Any) -> str:
    if not isinstance(value, float | np.ndarray | jax.Array) or isinstance(value, Tracer):
        return str(value)
    return f"{float(value):.6g}" if np.ndim(value) == 0 else f"<{'×'.join(map(str, np.shape(value)))}>"
