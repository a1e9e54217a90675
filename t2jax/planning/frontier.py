"""The compute-optimal N, D and k: one allocation, or many laws by many budgets by one compiled program."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law
from t2jax.planning.any_budget import plan_general
from t2jax.planning.budget import Budget
from t2jax.planning.plan import Plan
from t2jax.planning.problem import predicts_pass
from t2jax.planning.two_budgets import plan_separate
from t2jax.typing import Array
from t2jax.working_precision import is_traced, scope, to_host

CHUNK = 512
"""Problems that are solved side by side in one call of the compiled program."""

ANSWERS = ("params", "tokens", "samples", "value")
"""What of a plan has derivatives in a float32 program."""


@check_arguments
def allocate(law: Law, budget: Budget) -> Plan:
    """The best N, D and k of one law under one budget: the law's `cost` is least and the limits are kept.

    With a `target`, what is spent is least or the queries served are most (`Budget`). Laws without k, and budgets
    without a price of samples, are solved at k = 1. Differentiable in the law's parameters and in every limit and price
    of the budget by `jax.grad`, `jax.jacobian` and so on, any order, through the optimality conditions. In a program
    whose JAX is in float32, first derivatives only: computed in float64 and rounded, or in float32 under jit and vmap.
    An infeasible budget is told in `status`, with NaN for the numbers. Source: problems (P1) and (P2) of Roberts et
    al. 2026 (2604.01411); a target at least cost as in Sardana et al. 2023 (2401.00448).

    Raises ValueError for batches, for a law that reads more than N, D, k and the unique tokens that the budget gives or
    fewer than it limits, and for a pass@k of one or more as target.
    Example: `t2.allocate(fit.law, t2.Budget(train=2.56e19, inference=2e9)).params`.
    """
    if any(np.ndim(leaf) for leaf in jax.tree.leaves((law, budget))):
        raise ValueError("allocate takes one law and one budget; use frontier for batches")
    if not is_traced((law, budget)):
        return frontier(law, budget)
    check_problem(type(law), budget)
    law, budget = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), (law, budget))
    return _plan(law, budget) if jax.config.read("jax_enable_x64") else _rounded_plan(law, budget)


@check_arguments
def frontier(laws: Law, budgets: Budget) -> Plan:
    """Allocations for every law and budget: leaves of `laws` may have a leading draw axis, `budgets` any shape.

    Limits and prices of `budgets` broadcast against each other. Returns a Plan whose arrays have shape (draws,
    *budgets); axes that are not there are left out. Not to be differentiated: use `allocate` under
    `jax.vmap` and a derivative. Raises ValueError as `allocate`, and for leaves of different shapes.
    """
    draws = {np.shape(leaf) for leaf in jax.tree.leaves(laws)} - {()}
    if len(draws) > 1 or any(len(one) > 1 for one in draws):
        raise ValueError(f"the leaves of a batch of laws must share one shape (draws,), not {sorted(draws)}")
    check_problem(type(laws), budgets)
    lead = next(iter(draws), ())
    with scope() as dtype:
        numbers = jax.tree.map(lambda leaf: np.asarray(leaf, dtype), budgets)
        shape = np.broadcast_shapes(*(leaf.shape for leaf in jax.tree.leaves(numbers)))
        flat = jax.tree.map(lambda leaf: np.broadcast_to(leaf, shape).ravel(), numbers)
        count, size = lead[0] if lead else 1, int(np.prod(shape, dtype=int))
        batch = jax.tree.map(lambda leaf: np.broadcast_to(np.asarray(leaf, dtype), (count,)), laws)
        parts = []
        for index in _lanes(count * size):
            law = jax.tree.map(lambda leaf, at=index // size: leaf[at], batch)
            parts.append(_plans(law, jax.tree.map(lambda leaf, at=index % size: leaf[at], flat)))

        def whole(*leaves: Array) -> np.ndarray:
            leaf = np.concatenate(leaves)[: count * size]
            return leaf.reshape((*lead, *shape, *leaf.shape[1:]))

        return to_host(jax.tree.map(whole, *parts))


def _lanes(count: int) -> Iterator[np.ndarray]:
    """Indices of the problems that are solved together, the last repeated, so that few shapes are ever compiled."""
    together = min(CHUNK, 1 << (count - 1).bit_length())
    for begin in range(0, count, together):
        yield np.minimum(np.arange(begin, begin + together), count - 1)


def check_problem(law: type[Law], budget: Budget) -> None:
    """Raise ValueError for a law that reads more than the budget chooses or gives, or less than it limits."""
    inputs = ", ".join(law.inputs())
    if not {"N", "D"} <= set(law.inputs()):
        raise ValueError(f"{law.__name__} says nothing of N and D, so it has no optimum; its inputs are {inputs}")
    if more := [name for name in law.inputs() if name not in ("N", "D", "k", "U")]:
        raise ValueError(
            f"budgets choose N, D and k, but {law.__name__} reads {', '.join(more)} too: its inputs are {inputs}; "
            "hold it in a law of your own, or plan with the law under it (such as `law.loss`)"
        )
    if "U" in law.inputs() and budget.unique_tokens is None:
        raise ValueError(
            f"{law.__name__} reads U too, the unique tokens: give Budget(unique_tokens=...), or plan with the law "
            "under it (such as `law.loss`, where every token is new)"
        )
    if budget.unique_tokens is not None and "U" not in law.inputs():
        raise ValueError(
            f"Budget.unique_tokens says that tokens repeat, of which {law.__name__} knows nothing: its inputs are "
            f"{inputs}; use DataConstrained.on(...) or tokens_max"
        )
    few = budget.samples_min
    if few is not None and "k" not in law.inputs() and not is_traced(few) and np.max(few) > 1:
        raise ValueError(
            f"Budget.samples_min asks for {np.max(few):g} samples, of which {law.__name__} knows nothing: its inputs "
            f"are {inputs}"
        )
    target = budget.target
    if target is not None and not is_traced(target) and predicts_pass(law) and np.max(target) >= 1:
        raise ValueError(f"{law.__name__} predicts pass@k: Budget.target must be below 1, not {np.max(target):g}")


@jax.jit
def _plans(laws: Law, budgets: Budget) -> Plan:
    """Problems side by side: leaves of shape (problems,)."""
    return jax.vmap(_plan)(laws, budgets)


@jax.jit
def _plan(law: Law, budget: Budget) -> Plan:
    """One problem, in the precision of its inputs."""
    return plan_separate(law, budget) if budget.linear else plan_general(law, budget)


@jax.custom_jvp
def _rounded_plan(law: Law, budget: Budget) -> Plan:
    """`_plan` for a program in float32: solved in the working precision and rounded, or, inside jit, in float32.

    Under jit (and vmap) the numbers belong to a program that is compiled without 64-bit types, so there is no choice.
    """
    if is_traced((law, budget)):
        return _plan(law, budget)
    plan = frontier(law, budget)
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, float if np.asarray(leaf).dtype.kind == "f" else None), plan)


@_rounded_plan.defjvp
def _rounded_plan_jvp(primals: Any, tangents: Any) -> Any:
    leaves, tree = jax.tree.flatten(primals)
    # the Jacobian is a matrix of numbers in full precision, so that what JAX transposes is float32 throughout
    if is_traced(primals):
        jacobian = _jacobian(tree, jnp.stack(leaves))
    else:
        with scope() as dtype:
            jacobian = _jacobian(tree, jnp.stack([leaf.astype(dtype) for leaf in leaves])).astype(jnp.float32)
    plan = _rounded_plan(*primals)
    moved = jacobian @ jnp.stack(jax.tree.leaves(tangents))
    still = jax.tree.map(
        lambda leaf: np.zeros(leaf.shape, leaf.dtype if leaf.dtype == jnp.float32 else jax.dtypes.float0), plan
    )
    return plan, replace(still, **dict(zip(ANSWERS, moved, strict=True)))


@partial(jax.jit, static_argnums=0)
def _jacobian(tree: Any, inputs: Array) -> Array:
    """Derivatives (answers, inputs) of the plan of the law and budget that `tree` makes of the inputs."""

    def solve(inputs: Array) -> Array:
        plan = _plan(*jax.tree.unflatten(tree, list(inputs)))
        return jnp.stack([getattr(plan, name) for name in ANSWERS])

    return jax.jacfwd(solve)(inputs)
