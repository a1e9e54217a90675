"""Laws with columns of their own, held at a value where nothing gives the column, as in a plan."""

import inspect
from functools import cache
from typing import Any, TypeVar

from t2jax.laws.base import Law, Part
from t2jax.laws.base import law as declare
from t2jax.typing import Array

L = TypeVar("L", bound=Law)
CHOSEN = {"N": "plans choose it", "D": "plans choose it", "k": "plans choose it", "U": "Budget.unique_tokens gives it"}
"""Inputs that cannot be held, with the reason."""


def hold(law: L, **values: float) -> L:
    """Holds inputs of a law at a value wherever no column gives them, so that it can be planned with.

    Args:
        law: A law, or a batch of laws with leaves of shape (draws,).
        values: Value of each input, in the unit of its column.

    Returns:
        A law with the same parameters.

    Raises:
        ValueError: The law has no such input, or plans choose it, or the value is not finite.

    Examples:
        >>> from numpyro.distributions import LogNormal
        >>> @t2.law
        ... class Experts(t2.Law):
        ...     "L(N, D, experts) = E + (N experts^rho)^-0.3 + D^-0.3."
        ...     E: float = t2.param(LogNormal(0.5, 0.5), unit="nats", doc="irreducible loss")
        ...     rho: float = t2.param(LogNormal(-1.0, 0.5), unit="1", doc="worth of an expert")
        ...     def __call__(self, N, D, experts):
        ...         return self.E + (N * experts**self.rho) ** -0.3 + D**-0.3
        >>> experts_at_16 = t2.laws.hold(Experts(E=1.8, rho=0.5), experts=16.0)  # as four times the parameters
        >>> plan = t2.allocate(experts_at_16, t2.Budget(train=6e20))
        >>> f"{float(plan.params):.3g}, {float(plan.tokens):.3g}"
        '5e+09, 2e+10'
    """
    return class_holding(type(law), values)(**law.values())


def class_holding(law: type[L], values: dict[str, float]) -> type[L]:
    """Returns the class of laws with inputs held at values. It is the same class without any.

    Raises:
        ValueError: As `hold`.
    """
    names = law.inputs()
    for name, value in values.items():
        if name not in names or name in CHOSEN:
            other_columns = ", ".join(name for name in names if name not in CHOSEN) or "none"
            reason = CHOSEN.get(name, f"{law.__name__} does not read it")
            raise ValueError(f"{name} cannot be held, because {reason}; {law.__name__}'s own columns: {other_columns}")
        if not abs(value) < float("inf"):
            raise ValueError(f"{name} cannot be held at {value}, expected a finite number")
    return _class_holding(law, tuple(sorted((name, float(value)) for name, value in values.items()))) if values else law


def held_values(law: type[Law]) -> dict[str, float]:
    """Returns the values at which a class of laws holds its inputs."""
    return dict(getattr(law, "held", ()))


def own_inputs(law: type[Law]) -> list[str]:
    """Lists the inputs that a plan can neither choose nor leave to a default."""
    return [name for name in law.inputs() if name in law.needed() and name not in CHOSEN]


@cache
def _class_holding(cls: type[Law], values: tuple[tuple[str, float], ...]) -> Any:
    defaults = held_values(cls) | dict(values)

    def complete(inputs: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
        return {**defaults, **dict(zip(cls.inputs(), inputs, strict=False)), **named}

    def call(self: Law, *inputs: Any, **named: Any) -> Array:
        return cls.__call__(self, **complete(inputs, named))

    def cost(self: Law, *inputs: Any, **named: Any) -> Array:
        return cls.cost(self, **complete(inputs, named))

    def questions(self: Law, *inputs: Any, **named: Any) -> tuple[Array, Array]:
        return cls.questions(self, **complete(inputs, named))

    def needed(_: type[Law]) -> set[str]:
        return cls.needed() - {*defaults}

    # the order of inputs stays, as methods of the class may call it by position
    setattr(call, "__signature__", inspect.signature(cls.__call__))  # noqa: B010 - of a function, so not declared
    members = {"fields": _fields_holding(cls, values), "held": tuple(defaults.items()), "needed": classmethod(needed)}
    members |= {"__call__": call, "cost": cost, "questions": questions}
    return declare(type(cls.__name__, (cls,), members | {"__doc__": cls.__doc__, "__module__": cls.__module__}))


def _fields_holding(cls: type[Law], values: tuple[tuple[str, float], ...]) -> dict[str, Any]:
    """Returns the fields of a law, whose inner laws hold what they read of the values."""
    fields: dict[str, Any] = dict(cls.fields)
    for name, field in cls.fields.items():
        if isinstance(field, Part):
            read = {input_name: value for input_name, value in values if input_name in field.default.inputs()}
            fields[name] = Part(class_holding(field.default, read))
    return fields
