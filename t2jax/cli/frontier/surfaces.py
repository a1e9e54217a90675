"""Sizes under a family of budgets, and the optimum of each draw among them: for targets, whole samples, listed sizes.

A family has members, such as levels of spending or numbers of samples. Each member has a line of sizes. A size has the
tokens and samples that are best for it in the fitted law. The draws of the law and its deviation are joint over all
members and sizes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from t2jax.extrapolation.law_choice import LawChoice
from t2jax.extrapolation.optimum import draw_costs
from t2jax.laws.base import Law
from t2jax.planning.budget import Budget
from t2jax.planning.frontier import frontier
from t2jax.planning.plan import Plan
from t2jax.planning.problem import inputs_at
from t2jax.typing import Array, Float

SIZES = ("params", "tokens", "samples", "unique_tokens")
"""Columns of a line of sizes that every law may read."""
STEP, REACH = 0.025, 1.5
"""Steps of the sizes and their range about the fitted law's optimum, in decades."""
ROUNDING = 1e-7
PLACES = ("params", "tokens", "samples", "queries", "spent")


@dataclass(frozen=True)
class Surface:
    """Sizes of each member of a family of budgets, shape (members, sizes) each.

    Attributes:
        columns: Inputs of the law by column.
        paid: Queries and spending, where the budgets have them.
        allowed: Whether the budget allows the size.
        listed: Whether the sizes are a list to choose from, and not steps of `STEP` decades.
    """

    columns: Mapping[str, np.ndarray]
    paid: Mapping[str, np.ndarray]
    allowed: np.ndarray
    listed: bool

    def draw(self, choice: LawChoice, key: Array, draws: int) -> Float[np.ndarray, "draws members sizes"]:
        """Draws the cost of every size jointly; it is infinite for sizes that are not allowed."""
        flat = {name: column.ravel() for name, column in self.columns.items()}
        costs = draw_costs(choice, flat, key=key, draws=draws).reshape(draws, *self.allowed.shape)
        return np.where(self.allowed, costs, np.inf)

    def at(self, member: np.ndarray, size: np.ndarray) -> dict[str, np.ndarray]:
        """Interpolates the logs of all quantities between members and sizes, given as fractional indices."""
        from scipy.ndimage import map_coordinates  # slow to load

        columns = {name: self.columns[name] for name in ("params", "tokens", "samples")} | dict(self.paid)
        at = np.stack([np.broadcast_to(np.asarray(member, float), size.shape), size])
        return {
            name: np.exp(map_coordinates(np.log(column), at, order=1, mode="nearest"))
            for name, column in columns.items()
        }


def surface_of(law: Law, members: Budget, budget: Budget, sizes: np.ndarray) -> Surface | None:
    """Plans each size under each member, or returns None if none is possible.

    Args:
        law: The fitted law.
        members: Budgets whose leaves have shape (members, 1), or no shape.
        budget: The problem itself, for further inputs of the law.
        sizes: N, shape (members, sizes) or (sizes,).
    """
    if set(members.given()) == {"train"} and members.training is members.serving is members.inputs is None:
        tokens = np.asarray(members.train) / (6 * sizes)  # compiles nothing
        params, samples = np.broadcast_to(sizes, tokens.shape).astype(float), np.ones_like(tokens)
        columns = columns_of(law, budget, params, tokens, samples)
        return Surface(columns, {}, np.ones(tokens.shape, bool), budget.sizes is not None)
    plans = frontier(law, replace(members, sizes=None, whole_samples=False, params_min=sizes, params_max=sizes))
    allowed = np.asarray(plans.ok) & within(sizes, budget)
    if not allowed.any():
        return None
    filled = {name: _filled(plans, name, allowed) for name in PLACES[1:] if getattr(plans, name) is not None}
    params = np.broadcast_to(sizes, allowed.shape).astype(float)
    tokens, samples = filled.pop("tokens"), filled.pop("samples")
    columns = columns_of(law, budget, params, tokens, samples)
    return Surface(columns, filled, allowed, budget.sizes is not None)


def columns_of(
    law: Law, budget: Budget, params: np.ndarray, tokens: np.ndarray, samples: np.ndarray
) -> dict[str, np.ndarray]:
    """Lists the inputs of a law by column at sizes with their tokens and samples."""
    unique = tokens if budget.unique_tokens is None else np.minimum(tokens, np.asarray(budget.unique_tokens))
    inputs = inputs_at(law, budget, params, tokens, samples)
    others = {column: inputs[name] for name, column in law.columns().items() if column not in SIZES and name in inputs}
    columns = dict(zip(SIZES, (params, tokens, samples, unique), strict=True)) | others
    return {name: np.broadcast_to(np.asarray(column, float), params.shape) for name, column in columns.items()}


def within(params: np.ndarray, budget: Budget) -> np.ndarray:
    """Checks which sizes the limits of the budget on N allow."""
    low = 0.0 if budget.params_min is None else np.asarray(budget.params_min, float)
    high = np.inf if budget.params_max is None else np.asarray(budget.params_max, float)
    return (params >= low * (1 - 2 * ROUNDING)) & (params <= high * (1 + ROUNDING))


def sizes_about(centre: np.ndarray, reach: float = REACH) -> np.ndarray:
    """Lists sizes about each centre, shape (*centres, sizes), which a limit at the centre allows despite rounding."""
    steps = round(reach / STEP)
    return np.asarray(centre)[..., None] * (1 - ROUNDING) * 10.0 ** (STEP * np.arange(-steps, steps + 1))


def lowest(costs: Float[np.ndarray, "... sizes"], listed: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Finds the lowest cost over sizes by a parabola through three of them, or among listed ones.

    A size next to those that are not allowed is at a limit, which is an optimum. An end of the sizes is not.

    Returns:
        Fractional index, cost, and whether the search ended there.
    """
    index = np.argmin(costs, axis=-1)
    least = np.min(costs, axis=-1)
    if listed:
        return index.astype(float), least, ~np.isfinite(least)
    last = costs.shape[-1] - 1
    inner = np.clip(index, 1, last - 1)
    left, mid, right = (np.take_along_axis(costs, (inner + i)[..., None], -1)[..., 0] for i in (-1, 0, 1))
    curved = np.isfinite(left) & np.isfinite(mid) & np.isfinite(right) & (inner == index)
    left, mid, right = (np.where(curved, side, value) for side, value in ((left, 1.0), (mid, 0.0), (right, 1.0)))
    bend = np.maximum(left - 2 * mid + right, 1e-300)
    shift = np.where(curved, np.clip(0.5 * (left - right) / bend, -0.5, 0.5), 0.0)
    value = np.where(curved, mid - 0.25 * (left - right) * shift, least)
    return index + shift, value, (index == 0) | (index == last) | ~np.isfinite(least)


def _filled(plans: Plan, name: str, allowed: np.ndarray) -> np.ndarray:
    """Returns a quantity of plans, with that of an allowed one in place of those that are not."""
    column = np.broadcast_to(np.asarray(getattr(plans, name), float), allowed.shape)
    return np.where(allowed, column, column[allowed][0])
