"""The edges of a fit: how far each coordinate may go, so that an optimum at the end of a domain is one."""

import jax.numpy as jnp
import numpy as np

from t2jax.fitting.problem import FitProblem
from t2jax.numerics.damped_newton import Limits
from t2jax.typing import Array, Float

ROOM = 7.0  # a factor of a thousand in what lies between a parameter and its edge


def edges_of(problem: FitProblem) -> dict[str, tuple[float, float, float]]:
    """`Param.edge` of each free parameter of the law whose domain has an end; a scale of the noise is at none."""
    declared = problem.law.declared()
    return {name: edge for name in problem.law_coordinates.free if (edge := declared[name].edge)}


def limits_of(problem: FitProblem) -> Limits:
    """How far the coordinates of a fit may go, two arrays (free,): half of the distance that `Param.edge` calls there.

    An edge is at infinity in unconstrained coordinates, where no solver arrives. Coefficients of powers have no limit,
    for their coordinate is the size of a term and not their value; nor has the lower end of a domain with two ends
    where a frame has put a share of what is left above something else in the parameter's place.
    """
    declared, edges = dict(problem.coordinates.declared), edges_of(problem)
    low, high = np.full((2, len(problem.names)), np.inf) * np.array([[-1.0], [1.0]])
    for i, name in enumerate(problem.names):
        if name not in edges or declared[name].power:
            continue
        least, most, near = edges[name]
        if np.isinf(most) or problem.coordinates.frame is None:
            low[i] = float(declared[name].unconstrain(least + near / 2))
        if np.isfinite(most):
            high[i] = float(declared[name].unconstrain(most - near / 2))
    return jnp.asarray(low), jnp.asarray(high)


def off_the_edges(u: Float[Array, " free"], limits: Limits) -> Float[Array, " free"]:
    """The same point, moved so far inside the limits that a step can be told from rounding in single precision too."""
    low, high = limits
    return jnp.clip(u, low + ROOM, high - ROOM)
