"""Recognition of class variables among the annotations of a law."""

import sys
from typing import Any, ClassVar, get_origin


def is_class_variable(annotation: Any, cls: type) -> bool:
    """Checks whether an annotation is ClassVar, under any name and also as a string; such a field is no parameter."""
    if not isinstance(annotation, str):
        return annotation is ClassVar or get_origin(annotation) is ClassVar
    first, *attributes = annotation.strip("\"' ").partition("[")[0].strip().split(".")
    value = vars(sys.modules[cls.__module__]).get(first) if cls.__module__ in sys.modules else None
    for attribute in attributes:
        value = getattr(value, attribute, None)
    return (
        value is ClassVar or get_origin(value) is ClassVar or (value is None and [first, *attributes][-1] == "ClassVar")
    )
