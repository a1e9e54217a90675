"""The floating-point precision of t2jax: float64 on CPU and GPU, float32 on TPU.

Fits of power laws need float64, because coefficients and exponents are strongly correlated.
Published coefficients also have more digits than float32.
Every public function opens `scope()`, which enables 64-bit mode for that call and leaves JAX's settings alone.
In float32, objectives agree with float64 to about 1e-5 and coefficients of a well determined law to 1e-4.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from t2jax.typing import PyTree

Precision = Literal["float64", "float32"]
_chosen: ContextVar[Precision | None] = ContextVar("t2jax_precision", default=None)


@contextmanager
def precision(name: Precision) -> Iterator[None]:
    """Sets the floating-point precision of t2jax within a `with` block.

    Args:
        name: "float64" or "float32".

    Returns:
        A context manager.

    Raises:
        ValueError: The name is another one.

    Examples:
        >>> with t2.precision("float32"):
        ...     t2.predict(law, runs).dtype
        dtype('float32')
    """
    if name not in ("float64", "float32"):
        raise ValueError(f"precision must be 'float64' or 'float32', not {name!r}")
    token = _chosen.set(name)
    try:
        yield
    finally:
        _chosen.reset(token)


@contextmanager
def scope() -> Iterator[Any]:
    """Opens the working precision for one computation and yields its dtype; it restores the caller's settings."""
    name = _chosen.get() or ("float32" if jax.default_backend() == "tpu" else "float64")
    with jax.enable_x64(name == "float64"):
        yield jnp.dtype(name)


def is_traced(tree: PyTree) -> bool:
    """Checks whether any leaf of `tree` is traced by jit, vmap or a derivative, so that its value cannot be read."""
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(tree))


def to_host(tree: PyTree) -> PyTree:
    """Converts leaves to Python floats or NumPy arrays, which print plainly and stay float64 outside `scope()`."""

    def leaf(x: Any) -> Any:
        x = np.asarray(x)
        return x.item() if x.ndim == 0 else x

    return jax.tree.map(leaf, tree)
