"""Array types for signatures, with shapes in the names of their axes (jaxtyping)."""

from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, Float64, Int, PyTree, Shaped

__all__ = ["Array", "ArrayLike", "Bool", "Float", "Float64", "Int", "PyTree", "Scalar", "Shaped"]

Scalar = Float[Array, ""]
