"""Edges of a fit: limits of the coordinates, so that an optimum at the end of a domain is found."""

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.fitting.problem import FitProblem
from t2jax.numerics.solvers.damped_newton import Limits
from t2jax.typing import Array, Float

LEAST_SHARE = 40.0  # logit of a share below rounding, whose inverse square is a number in single precision too
ROOM = 7.0  # in coordinates: a factor of a thousand in the distance of a parameter from its edge


def edges_of(problem: FitProblem) -> dict[str, tuple[float, float, float]]:
    """Returns `Param.edge` of each free parameter of the law whose domain has an end.

    Scales of the noise are never at an edge.
    """
    declared = problem.law.declared()
    return {name: edge for name in problem.law_coordinates.free if (edge := declared[name].edge)}


def limits_of(problem: FitProblem) -> Limits:
    """Returns lower and upper limits of the coordinates of a fit, two arrays (free,).

    A limit lies at half of the distance from an end within which `Param.edge` counts a value as at the end.
    An end itself is at infinity in unconstrained coordinates, which no solver reaches.
    Coefficients of powers have no limit, because their coordinate is the size of a term and not their value.
    If a frame replaces a parameter by a share, its limit at the lower end is `LEAST_SHARE`.
    """
    declared, edges = dict(problem.coordinates.declared), edges_of(problem)
    low, high = np.full((2, len(problem.names)), np.inf) * np.array([[-1.0], [1.0]])
    for i, name in enumerate(problem.names):
        if name not in edges or declared[name].power:
            continue
        least, most, distance = edges[name]
        if np.isinf(most) or problem.coordinates.frame is None:
            low[i] = declared[name].coordinate(least + distance / 2)
        else:
            low[i] = -LEAST_SHARE
        if np.isfinite(most):
            high[i] = declared[name].coordinate(most - distance / 2)
    return jax.device_put((low, high))  # jnp.asarray would compile


def off_the_edges(u: Float[Array, " free"], limits: Limits) -> Float[Array, " free"]:
    """Moves a point inside the limits, so far that a step exceeds rounding also in single precision."""
    low, high = limits
    return jnp.clip(u, low + ROOM, high - ROOM)
