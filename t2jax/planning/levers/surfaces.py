"""A law and its draws as splines over the logs of N, D and k."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.extrapolation.draws import draw_curves
from t2jax.extrapolation.law_choice import LawChoice
from t2jax.laws.base import Law
from t2jax.numerics.tensor_spline import TensorSpline
from t2jax.planning.budget import Budget
from t2jax.planning.problem import cost_at, inputs_at
from t2jax.typing import Array, Float
from t2jax.working_precision import scope

NODES = {2: (48, 48), 3: (40, 40, 28)}
"""Nodes of N, D and k for the law, by the number of coordinates."""
COARSE = {2: (28, 28), 3: (12, 12, 8)}
"""The same for the differences of draws from the law, which are small and smooth."""
DRAWS = {2: 400, 3: 100}
"""Draws for bands, by the number of coordinates."""
ROUNDING = 1e-9
"""Rises of the log cost between neighbouring nodes that are no more than rounding."""


@dataclass(frozen=True)
class Surface:
    """The cost of a law over a box, as a spline.

    Attributes:
        box: Logs of the smallest and largest N, D and, if the plan chooses samples, k, shape (coordinates, 2).
        spline: The cost, or its log, over the logs.
        in_logs: Whether the spline gives the log of the cost.
        falls_in_tokens: Whether more tokens never raise the cost in the box.
        falls_in_samples: Whether more samples never raise it; without an oracle they may.
        draws: The same for draws of the law as differences from it, shape (draws, ...); None without draws.
    """

    box: Float[np.ndarray, "coordinates 2"]
    spline: TensorSpline
    in_logs: bool
    falls_in_tokens: bool
    falls_in_samples: bool = True
    draws: TensorSpline | None = None


def surface_of(law: Law, budget: Budget, box: Float[np.ndarray, "coordinates 2"], laws: Law | None = None) -> Surface:
    """Evaluates a law on a grid, and its draws on a coarser one.

    Args:
        law: The law.
        budget: The budget, which gives the unique tokens of laws that read them.
        box: Logs of the smallest and largest N, D and perhaps k.
        laws: Draws of the law, if there are any. Evenly spaced ones are taken if there are many.

    Returns:
        The surface.

    Raises:
        ValueError: The law has no finite value somewhere in the box.
    """
    nodes = _nodes(box, NODES)
    costs = _costs(law, budget, nodes)
    if not np.isfinite(costs).all():
        raise ValueError(f"{type(law).__name__} has no finite value at some of the sizes that levers would reach")
    in_logs = bool((costs > 0).all())
    heights = np.log(costs) if in_logs else costs
    in_tokens, in_samples = (
        axis >= heights.ndim or bool(np.max(np.diff(heights, axis=axis)) <= ROUNDING) for axis in (1, 2)
    )
    surface = Surface(box, TensorSpline.through(nodes, heights), in_logs, in_tokens, in_samples)
    if laws is None:
        return surface
    count = len(jax.tree.leaves(laws)[0])
    chosen = np.unique(np.linspace(0, count - 1, min(count, DRAWS[len(box)])).round().astype(int))
    coarse = _nodes(box, COARSE)
    drawn = np.stack([_costs(jax.tree.map(lambda leaf, at=at: leaf[at], laws), budget, coarse) for at in chosen])
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = np.log(drawn) if in_logs else drawn
    return _with_draws(surface, coarse, drawn)


def with_deviations(surface: Surface, choice: LawChoice, budget: Budget, seed: int) -> Surface:
    """Adds draws of laws and of their smooth deviations to the surface of a law.

    Args:
        surface: The surface.
        choice: The laws with their discrepancies, each of which gives draws in proportion to its weight.
        budget: The budget, which gives the unique tokens of laws that read them.
        seed: Seed of the draws.

    Returns:
        The surface with draws in place of any others.
    """
    coarse = _nodes(surface.box, COARSE)
    shape = tuple(map(len, coarse))
    columns = _columns(coarse)
    law = choice.fits[0].law
    inputs = inputs_at(law, budget, columns["params"], columns["tokens"], columns["samples"])
    for name, column in law.columns().items():
        if name in inputs:
            columns[column] = np.broadcast_to(np.asarray(inputs[name], float), columns["params"].shape)
    columns.setdefault("unique_tokens", columns["tokens"])
    columns["unique_tokens"] = np.minimum(columns["unique_tokens"], columns["tokens"])
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(DRAWS[len(coarse)], choice.weights)
    curves = np.concatenate(
        [draw_curves(fit, columns, int(count), rng) for fit, count in zip(choice.fits, counts, strict=True) if count]
    )
    middle = curves.mean(axis=0)
    curves = middle + choice.widening * (curves - middle)
    # logit(p) is v where -log p is log(1 + exp(-v))
    heights = np.log(np.logaddexp(0.0, -curves)) if choice.fits[0].curve.scale == "logit" else curves
    heights = heights if surface.in_logs else np.exp(heights)
    return _with_draws(surface, coarse, heights.reshape(-1, *shape))


def _with_draws(surface: Surface, nodes: list[np.ndarray], heights: np.ndarray) -> Surface:
    """Stores draws as differences from the law; draws without a finite value somewhere are left out."""
    usable = np.isfinite(heights).all(axis=tuple(range(1, heights.ndim)))
    places = np.array(list(product(*nodes)))
    differences = heights[usable] - surface.spline(places).reshape(heights.shape[1:])
    draws = TensorSpline.through(nodes, differences)
    return replace(surface, draws=draws)


def _nodes(box: np.ndarray, numbers: Mapping[int, tuple[int, ...]]) -> list[np.ndarray]:
    return [np.linspace(ends[0], ends[1], number) for ends, number in zip(box, numbers[len(box)], strict=True)]


def _columns(nodes: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Lists N, D and k at all combinations of nodes, shape (places,) each."""
    places = np.exp(np.stack(np.meshgrid(*nodes, indexing="ij"), axis=-1).reshape(-1, len(nodes)))
    columns = {"params": places[:, 0], "tokens": places[:, 1], "samples": np.ones(len(places))}
    if len(nodes) == 3:
        columns["samples"] = places[:, 2]
    return columns


def _costs(law: Law, budget: Budget, nodes: list[np.ndarray]) -> np.ndarray:
    """Computes the law's cost at all combinations of nodes, shape (*grid,)."""
    columns = _columns(nodes)
    with scope() as dtype:
        law, budget = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), (law, budget))
        place = [jnp.asarray(columns[name], dtype) for name in ("params", "tokens", "samples")]
        values = np.asarray(_costs_at(law, budget, *place), float)
    return values.reshape(tuple(map(len, nodes)))


@jax.jit
def _costs_at(law: Law, budget: Budget, n: Array, d: Array, k: Array) -> Array:
    return jax.vmap(partial(cost_at, law, budget))(n, d, k)
