"""Results of planning: an optimal N, D and k, and how the optimum is certified."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from t2jax.printing import format_range, report
from t2jax.pytrees import register
from t2jax.working_precision import is_traced

CONSTRAINTS = (
    *("train", "params_min", "params_max", "tokens_min", "tokens_max", "inference", "samples_min"),
    *("samples_max", "total", "target", "latency", "memory", "first_token", "between_tokens"),
)
"""Names of the constraints, in the order of `Plan.shadow_prices` and `Plan.active`."""
BUDGETS = ("train", "inference", "total", "target")
"""Constraints that bind at every optimum. Any other binding constraint is a bound that makes the plan worse."""

OPTIMAL, STATIONARY, AT_BOUND, NO_OPTIMUM, INFEASIBLE_TRAIN, INFEASIBLE_INFERENCE, FAILED, FLAT = range(8)
CONTRADICTORY, UNREACHABLE = 8, 9


@dataclass(frozen=True, repr=False)
class Plan:
    """Result of `allocate` and `frontier`: an optimal allocation, or arrays of them.

    Arrays have the shape of the budgets, after a leading axis of laws if laws were batched.
    Without an optimum, the numbers are NaN and `status` gives the reason.

    Attributes:
        params: Number of parameters N.
        tokens: Number of training tokens D.
        samples: Number of samples k.
        value: The law's prediction at N, D and k, in the unit of its response.
        kkt: Certificate: the largest violation of the optimality conditions in log space.
        shadow_prices: Shape (..., 14), in the order of `CONSTRAINTS`. Each is the decrease of the law's cost per unit
            of the log of a limit. With a target it is the decrease of log spending, or the increase of log queries.
        active: Constraints that hold with equality, shape (..., 14). If limits contradict each other, these limits.
        code: Kind of the outcome, as a number. `status` describes it.
        gap: Bound on how much better any feasible cost could be, for a convex problem. With a target it bounds log
            spending or log queries. It is infinite for laws that are not convex.
        queries: Number of queries served, or None if the budget has no queries.
        spent: Cost of training and serving together, or None if the budget does not add them up.
        spare: Budgets that the plan does not need in full, shape (..., 14). A bound holds, or more would change nothing
            beyond rounding. None if the goal is to spend the budget.

    Examples:
        >>> plan = t2.allocate(law, t2.Budget(train=1e21))
        >>> round(plan.tokens_per_param, 1), bool(plan.ok)
        (19.3, True)
    """

    params: Any
    tokens: Any
    samples: Any
    value: Any
    kkt: Any
    shadow_prices: Any
    active: Any
    code: Any
    gap: Any = None
    queries: Any = None
    spent: Any = None
    spare: Any = None

    def __repr__(self) -> str:
        """Prints the status, each answer, and the shadow prices that are not zero. Arrays appear as their range."""
        if is_traced(self):
            return "Plan of numbers that JAX traces"
        names = ("params", "tokens", "tokens_per_param", "samples", "value", "queries", "spent")
        answers = {name: format_range(getattr(self, name)) for name in names if getattr(self, name) is not None}
        prices = np.asarray(self.shadow_prices).reshape(-1, len(CONSTRAINTS)).T
        by_name = dict(zip(CONSTRAINTS, prices, strict=True))
        if priced := [f"{name} {format_range(price)}" for name, price in by_name.items() if np.any(price)]:
            answers["shadow prices"] = ", ".join(priced)
        return report(f"Plan: {self.status}", answers)

    @property
    def tokens_per_param(self) -> Any:
        """Tokens per parameter, D/N."""
        return self.tokens / self.params

    @property
    def ok(self) -> Any:
        """Whether each allocation is an optimum of its problem."""
        return (np.asarray(self.code) <= AT_BOUND) & np.isfinite(np.asarray(self.params))

    @property
    def status(self) -> str:
        """What kind of result this is, in English. For arrays it counts each outcome."""
        codes = np.asarray(self.code)
        if codes.ndim == 0:
            return self._sentence(int(codes))
        counts = [(int(code), int((codes == code).sum())) for code in np.unique(codes)]
        return "; ".join(f"{count} of {codes.size} {self._sentence(code)}" for code, count in counts)

    def _sentence(self, code: int) -> str:
        same = np.asarray(self.code) == code
        worst = float(np.max(np.asarray(self.kkt)[same]))
        active = np.asarray(self.active)[same].reshape(-1, len(CONSTRAINTS))
        binding = [name for i, name in enumerate(CONSTRAINTS) if active[:, i].any()]
        labels = {"samples_min": "samples_min (one unless given)"}
        bounds = ", ".join(labels.get(name, name) for name in binding if name not in BUDGETS)
        unneeded = self._unneeded(same)
        return {
            OPTIMAL: f"optimal: the global optimum, certified by convexity and a KKT residual of {worst:.1g}{unneeded}",
            STATIONARY: f"optimal: the best of several starts, with a KKT residual of {worst:.1g}{unneeded}",
            AT_BOUND: f"optimal within bounds: limited by {bounds}, with a KKT residual of {worst:.1g}{unneeded}",
            NO_OPTIMUM: "without optimum: the objective keeps falling towards one parameter or one token",
            INFEASIBLE_TRAIN: "infeasible: the training budget does not pay for one token of the smallest model",
            INFEASIBLE_INFERENCE: "infeasible: the inference budget is below 2·N of the smallest model, one sample",
            FLAT: "without optimum: the law is flat here to rounding, so many allocations are equally good",
            FAILED: f"failed: the solver stopped at a KKT residual of {worst:.1g}",
            CONTRADICTORY: f"infeasible: no N, D and k satisfy these limits together: {', '.join(binding)}",
            UNREACHABLE: "infeasible: the target is beyond what the law reaches at any size, tokens and samples",
        }[code]

    def _unneeded(self, same: np.ndarray) -> str:
        """Describes the budgets that are not needed in full, among the allocations in a mask."""
        if self.spare is None:
            return ""
        spare = np.asarray(self.spare)[same].reshape(-1, len(CONSTRAINTS))
        names = [name for i, name in enumerate(CONSTRAINTS) if spare[:, i].any()]
        if not names:
            return ""
        where = f"in {spare.any(axis=1).sum()} of {len(spare)} " if len(spare) > 1 else ""
        return f"; {where}not all of {' and '.join(names)} is needed"


register(
    Plan,
    (
        *("params", "tokens", "samples", "value", "kkt", "shadow_prices", "active", "code"),
        *("gap", "queries", "spent", "spare"),
    ),
)
