"""The answer of the frontier: how big, on how many tokens, with how many samples; and what kind of answer it is."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from t2jax.pytrees import register
from t2jax.working_precision import is_traced

CONSTRAINTS = (
    *("train", "params_min", "params_max", "tokens_min", "tokens_max", "inference", "samples_min"),
    *("samples_max", "total", "target", "latency", "memory"),
)
"""Names of the constraints, in the order of `Plan.shadow_prices` and `Plan.active`."""
BUDGETS = ("train", "inference", "total", "target")
"""Constraints that hold at any optimum; the others, where they hold, keep it from being better."""

OPTIMAL, STATIONARY, HELD, NO_OPTIMUM, INFEASIBLE_TRAIN, INFEASIBLE_INFERENCE, FAILED, FLAT = range(8)
CONTRADICTORY, UNREACHABLE = 8, 9


@dataclass(frozen=True, repr=False)
class Plan:
    """An allocation, or arrays of them: shape of the budgets, with laws as leading axis where laws were batched.

    params, tokens: N and D. samples: k. value: the law's prediction there. kkt: the certificate, the largest violation
    of the optimality conditions in log space. gap: of a convex problem, by how much the best cost (or log spending, or
    log queries) could still be better anywhere within the limits; infinity for laws that are not convex.
    shadow_prices (..., 12): decrease of the law's cost (or of log spending, or increase of log queries) per unit of the
    log of each limit in `CONSTRAINTS`. active (..., 12): limits that hold with equality; where limits contradict each
    other, those. spare (..., 12): budgets that are not all needed, since a bound holds or more changes nothing to
    rounding; None where the goal spends what it must. queries, spent: how many are served, and what training and
    serving cost together, where the budget speaks of either; else None. code: outcome, told by `status`.
    Where there is no optimum the numbers are NaN and `status` says why.
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
        """The status, then each answer by name: of arrays their range. Prices are those of limits that have one."""
        if is_traced(self):
            return "Plan of numbers that JAX traces"
        lines = [f"Plan: {self.status}"]
        for name in ("params", "tokens", "tokens_per_param", "samples", "value", "queries", "spent"):
            if (answer := getattr(self, name)) is not None:
                lines.append(f"  {name:<16}  {_range(answer)}")
        prices = np.asarray(self.shadow_prices).reshape(-1, len(CONSTRAINTS)).T
        if priced := [f"{name} {_range(one)}" for name, one in zip(CONSTRAINTS, prices, strict=True) if np.any(one)]:
            lines.append(f"  {'shadow prices':<16}  {', '.join(priced)}")
        return "\n".join(lines)

    @property
    def tokens_per_param(self) -> Any:
        """D/N."""
        return self.tokens / self.params

    @property
    def ok(self) -> Any:
        """Whether each allocation is an optimum of its problem."""
        return (np.asarray(self.code) <= HELD) & np.isfinite(np.asarray(self.params))

    @property
    def status(self) -> str:
        """What was found, in English; for arrays, how many of each outcome."""
        codes = np.asarray(self.code)
        if codes.ndim == 0:
            return self._sentence(int(codes))
        found = [(int(code), int((codes == code).sum())) for code in np.unique(codes)]
        return "; ".join(f"{count} of {codes.size} {self._sentence(code)}" for code, count in found)

    def _sentence(self, code: int) -> str:
        same = np.asarray(self.code) == code
        worst = float(np.max(np.asarray(self.kkt)[same]))
        active = np.asarray(self.active)[same].reshape(-1, len(CONSTRAINTS))
        held = [name for i, name in enumerate(CONSTRAINTS) if active[:, i].any()]
        named = {"samples_min": "samples_min (one unless given)"}
        bounds = ", ".join(named.get(name, name) for name in held if name not in BUDGETS)
        left = self._left(same)
        return {
            OPTIMAL: f"optimal: the global optimum, certified by convexity and a KKT residual of {worst:.1g}{left}",
            STATIONARY: f"optimal: the best of several starts, with a KKT residual of {worst:.1g}{left}",
            HELD: f"optimal within bounds: held by {bounds}, with a KKT residual of {worst:.1g}{left}",
            NO_OPTIMUM: "without optimum: the objective keeps falling towards one parameter or one token",
            INFEASIBLE_TRAIN: "infeasible: the training budget does not pay for one token of the smallest model",
            INFEASIBLE_INFERENCE: "infeasible: the inference budget is below 2·N of the smallest model, one sample",
            FLAT: "without optimum: the law is flat here to rounding, so many allocations are equally good",
            FAILED: f"failed: the solver stopped at a KKT residual of {worst:.1g}",
            CONTRADICTORY: f"infeasible: no N, D and k keep to these limits together: {', '.join(held)}",
            UNREACHABLE: "infeasible: the target is beyond what the law reaches at any size, tokens and samples",
        }[code]

    def _left(self, same: np.ndarray) -> str:
        """What is said of budgets that are not all needed, at the allocations chosen."""
        if self.spare is None:
            return ""
        left = np.asarray(self.spare)[same].reshape(-1, len(CONSTRAINTS))
        names = [name for i, name in enumerate(CONSTRAINTS) if left[:, i].any()]
        if not names:
            return ""
        some = f"in {left.any(axis=1).sum()} of {len(left)} " if len(left) > 1 else ""
        return f"; {some}not all of {' and '.join(names)} is needed"


def _range(answer: Any) -> str:
    """A number, or the least and the largest of many; NaN where there is none."""
    numbers = np.asarray(answer, float)
    known = numbers[np.isfinite(numbers)]
    if not known.size or known.min() == known.max():
        return f"{known[0] if known.size else np.nan:.6g}"
    return f"{known.min():.6g} to {known.max():.6g}"


register(
    Plan,
    (
        *("params", "tokens", "samples", "value", "kkt", "shadow_prices", "active", "code"),
        *("gap", "queries", "spent", "spare"),
    ),
)
