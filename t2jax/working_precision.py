"""In which precision t2jax computes: float64 on CPU and GPU, float32 on TPU, leaving the caller's JAX settings alone.

Fits of power laws need float64: coefficients and exponents are strongly correlated, and the published coefficients are
quoted to more digits than float32 leaves. Every entry point of t2jax therefore opens `scope()`, which switches 64-bit
mode on for that call alone. In float32 objectives agree with the float64 ones to about 1e-5 and coefficients to 1e-2.
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
    """Compute every t2jax call inside the `with` block in `name`, "float64" or "float32".

    Example: `with t2.precision("float32"): fit = t2.fit(...)`. Raises ValueError for another name.
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
    """Open the working precision for one computation and yield its dtype; the caller's settings are as before after."""
    name = _chosen.get() or ("float32" if jax.default_backend() == "tpu" else "float64")
    with jax.enable_x64(name == "float64"):
        yield jnp.dtype(name)


def is_traced(tree: PyTree) -> bool:
    """Whether any leaf of `tree` is being traced by jit, vmap or a derivative, so that its values cannot be read."""
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(tree))


def to_host(tree: PyTree) -> PyTree:
    """Leaves as Python floats (scalars) or NumPy arrays: they print plainly and keep float64 outside `scope()`."""

    def leaf(x: Any) -> Any:
        x = np.asarray(x)
        return x.item() if x.ndim == 0 else x

    return jax.tree.map(leaf, tree)
