"""Compute-optimal N, D and k: one allocation, or those of many laws and budgets in one compiled program."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from t2jax.laws.arguments import check_arguments
from t2jax.laws.base import Law, Part
from t2jax.laws.held_inputs import held_values, own_inputs
from t2jax.numerics.programs.devices import device_mesh, spread_over
from t2jax.numerics.programs.stored_programs import StoredProgram
from t2jax.planning.any_budget import plan_general
from t2jax.planning.budget import CHOSEN, Budget
from t2jax.planning.plan import Plan
from t2jax.planning.problem import predicts_pass
from t2jax.planning.two_budgets import plan_separate
from t2jax.tables.columns import BITS
from t2jax.typing import Array
from t2jax.working_precision import is_traced, scope, to_host

FEW, CHUNK = 64, 512
"""Numbers of problems that a device solves in one call of the compiled program: few problems, and many.

Two sizes need two programs at most. To trace a program takes seconds, to solve 64 problems takes less than a tenth.
"""

ANSWERS = ("params", "tokens", "samples", "value")
"""Fields of a plan that have derivatives in a float32 program."""


@check_arguments
def allocate(law: Law, budget: Budget) -> Plan:
    """Computes the optimal N, D and k of one law under one budget.

    The law's `cost` is least under the limits. With a `target`, the plan has the least spending or the most queries
    (see `Budget`). A law without k, or a budget in which samples have no price, is solved at k = 1.
    The plan is differentiable in the law's parameters and in every limit and price of the budget, to any order.
    Derivatives follow from the optimality conditions. In a float32 program only first derivatives exist. They are
    computed in float64 and rounded, or in float32 under jit and vmap.
    Source: problems (P1) and (P2) of Roberts et al. 2026 (2604.01411). Least cost at a target is as in Sardana et al.
        2023
    (2401.00448).

    Args:
        law: One law with values.
        budget: One budget, of single numbers.

    Returns:
        The plan. If the budget is infeasible, its numbers are NaN and `status` gives the reason.

    Raises:
        ValueError: When the law or the budget is a batch, or the target is a pass@k of 1 or more. Also when the law
            reads more than N, D, k and the unique tokens of the budget, or does not read what the budget limits.

    Examples:
        >>> plan = t2.allocate(law, t2.Budget(train=1e21))
        >>> print(f"{plan.params:.3g} parameters, {plan.tokens:.3g} tokens, loss {plan.value:.3f}")
        2.94e+09 parameters, 5.67e+10 tokens, loss 2.253
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
    """Computes the optimal N, D and k of every law under every budget.

    Limits and prices of the budgets broadcast against each other. For derivatives, use `allocate` under `jax.vmap`.

    Args:
        laws: A law whose leaves may have a leading axis of draws.
        budgets: Budgets of any shape.

    Returns:
        A plan whose arrays have shape (draws, *budgets), without the axes that the inputs lack.

    Raises:
        ValueError: As for `allocate`, or when leaves of the laws have different shapes.

    Examples:
        >>> plan = t2.frontier(law, t2.Budget(train=np.array([1e20, 1e21, 1e22])))
        >>> plan.tokens_per_param.round(1)
        array([20.6, 19.3, 18.1])
    """
    draws = {np.shape(leaf) for leaf in jax.tree.leaves(laws)} - {()}
    if len(draws) > 1 or any(len(shape) > 1 for shape in draws):
        raise ValueError(f"the leaves of a batch of laws must share one shape (draws,), not {sorted(draws)}")
    check_problem(type(laws), budgets)
    lead = next(iter(draws), ())
    with scope() as dtype:
        numbers = jax.tree.map(lambda leaf: np.asarray(leaf, dtype), budgets)
        shape = np.broadcast_shapes(*(leaf.shape for leaf in jax.tree.leaves(numbers)))
        flat = jax.tree.map(lambda leaf: np.broadcast_to(leaf, shape).ravel(), numbers)
        count, size = lead[0] if lead else 1, int(np.prod(shape, dtype=int))
        batch = jax.tree.map(lambda leaf: np.broadcast_to(np.asarray(leaf, dtype), (count,)), laws)
    at = np.arange(count * size)
    plan = side_by_side(
        jax.tree.map(lambda leaf: leaf[at // size], batch), jax.tree.map(lambda leaf: leaf[at % size], flat)
    )
    return to_host(jax.tree.map(lambda leaf: leaf.reshape((*lead, *shape, *leaf.shape[1:])), plan))


def side_by_side(laws: Law, budgets: Budget) -> Plan:
    """Computes the optimum of each law under its own budget; all leaves have shape (problems,)."""
    with scope() as dtype:
        laws, budgets = jax.tree.map(lambda leaf: np.asarray(leaf, dtype), (laws, without_names(budgets)))
        count, parts = len(jax.tree.leaves(laws)[0]), []
        mesh = device_mesh(-(-count // CHUNK))
        solve = _plans if mesh is None else partial(_plans_on, mesh)
        for index in _lanes(count, 1 if mesh is None else mesh.size):
            parts.append(solve(*jax.tree.map(lambda leaf, at=index: leaf[at], (laws, budgets))))
        return jax.tree.map(lambda *leaves: np.concatenate(leaves)[:count], *parts)


def _lanes(count: int, devices: int) -> Iterator[np.ndarray]:
    """Yields indices of the problems to solve together. The last index repeats, so that two shapes are compiled."""
    size = FEW if count <= 8 * FEW else CHUNK * devices
    for start in range(0, count, size):
        yield np.minimum(np.arange(start, start + size), count - 1)


def without_names(budget: Budget) -> Budget:
    """Returns the budget with nameless accelerators, so that one compiled program serves all of them."""

    def nameless(price: Any) -> Any:
        return price if price is None or price.on is None else replace(price, on=replace(price.on, name=""))

    return replace(budget, training=nameless(budget.training), serving=nameless(budget.serving))


def check_problem(law: type[Law], budget: Budget) -> None:
    """Raises ValueError for a law whose inputs do not match what the budget chooses, gives or limits."""
    check_reads_sizes(law)
    inputs = ", ".join(law.inputs())
    _check_other_inputs(law, budget)
    if "U" in law.inputs() and budget.unique_tokens is None:
        raise ValueError(
            f"{law.__name__} reads U too, the unique tokens: give Budget(unique_tokens=...), or plan with the law "
            "inside it (such as `law.loss`, where every token is new)"
        )
    if budget.unique_tokens is not None and "U" not in law.inputs():
        raise ValueError(
            f"Budget.unique_tokens limits the different tokens, which {law.__name__} does not read: its inputs are "
            f"{inputs}; use a law that reads U, such as DataConstrained, or tokens_max"
        )
    samples_min = budget.samples_min
    if samples_min is not None and "k" not in law.inputs() and not is_traced(samples_min) and np.max(samples_min) > 1:
        raise ValueError(
            f"Budget.samples_min asks for {np.max(samples_min):g} samples, but {law.__name__} does not read k: "
            f"its inputs are {inputs}"
        )
    if budget.stops and not any(isinstance(part, Part) and part.predicts == "success" for part in law.fields.values()):
        raise ValueError(
            f"Budget.stops needs a law with a selection, which accepts an answer; {law.__name__} has none: use T2PassK"
        )
    target = budget.target
    if target is not None and not is_traced(target) and predicts_pass(law) and np.max(target) >= 1:
        raise ValueError(f"{law.__name__} predicts pass@k: Budget.target must be below 1, not {np.max(target):g}")


def _check_other_inputs(law: type[Law], budget: Budget) -> None:
    """Raises ValueError for inputs that a law reads and the budget does not give, and the other way round."""
    columns, given = law.columns(), dict(budget.inputs or {})
    if "total_params" in columns.values() and budget.total_per_active is None:
        raise ValueError(
            f"{law.__name__} reads total_params too: give Budget(total_per_active=...), the total over active ones"
        )
    covered = {*CHOSEN, "unique_tokens", "total_params", "served_bits", *given}
    missing = [name for name, column in columns.items() if column not in covered and name not in held_values(law)]
    if ours := [columns[name] for name in missing if columns[name] in BITS]:
        raise ValueError(
            f"budgets choose N, D and k, but {law.__name__} reads {', '.join(ours)} too: its inputs are "
            f"{', '.join(law.inputs())}; give inputs={{{ours[0]!r}: ...}} of the budget, in commands "
            f"--hold {ours[0]}=VALUE"
        )
    if own_columns := [name for name in missing if name in own_inputs(law)]:
        raise ValueError(
            f"budgets choose N, D and k, but {law.__name__} reads {', '.join(own_columns)} too: its inputs are "
            f"{', '.join(law.inputs())}; give its value in the plan, by t2.laws.hold(law, {own_columns[0]}=...), in "
            f"commands --hold {columns[own_columns[0]]}=VALUE"
        )
    if unread := [column for column in given if column not in columns.values()]:
        raise ValueError(
            f"Budget.inputs gives {', '.join(unread)}, which {law.__name__} does not read: its inputs are "
            f"{', '.join(law.inputs())}"
        )


def check_reads_sizes(law: type[Law]) -> None:
    """Raises ValueError for a law that does not read N and D, between which a plan chooses."""
    if not {"N", "D"} <= set(law.inputs()):
        inputs, alike = ", ".join(law.inputs()), ""
        if "compute" in law.inputs():
            alike = ": runs of equal compute are alike to it, so it cannot choose N and D"
        raise ValueError(f"{law.__name__} does not read N and D, so it has no optimum; its inputs are {inputs}{alike}")


@StoredProgram
def _plans(laws: Law, budgets: Budget) -> Plan:
    """Solves problems side by side, with leaves of shape (problems,)."""
    return jax.vmap(_plan)(laws, budgets)


@partial(jax.jit, static_argnames="mesh")
def _plans_on(mesh: Mesh, laws: Law, budgets: Budget) -> Plan:
    """Solves problems on the devices of a mesh, with leaves of shape (problems,)."""
    return spread_over(mesh, lambda problems: jax.vmap(_plan)(*problems), (laws, budgets))


@jax.jit
def _plan(law: Law, budget: Budget) -> Plan:
    """Solves one problem in the precision of its inputs."""
    return plan_separate(law, budget) if budget.linear else plan_general(law, budget)


@jax.custom_jvp
def _rounded_plan(law: Law, budget: Budget) -> Plan:
    """Solves a problem for a program in float32, in the working precision, and rounds the plan.

    Under jit and vmap it solves in float32: such a program is compiled without 64-bit types.
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
    change = jacobian @ jnp.stack(jax.tree.leaves(tangents))
    zeros = jax.tree.map(
        lambda leaf: np.zeros(leaf.shape, leaf.dtype if leaf.dtype == jnp.float32 else jax.dtypes.float0), plan
    )
    return plan, replace(zeros, **dict(zip(ANSWERS, change, strict=True)))


@partial(jax.jit, static_argnums=0)
def _jacobian(tree: Any, inputs: Array) -> Array:
    """Computes derivatives (answers, inputs) of the plan of the law and budget that `tree` builds from the inputs."""

    def solve(inputs: Array) -> Array:
        plan = _plan(*jax.tree.unflatten(tree, list(inputs)))
        return jnp.stack([getattr(plan, name) for name in ANSWERS])

    return jax.jacfwd(solve)(inputs)
