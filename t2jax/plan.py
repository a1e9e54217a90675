"""The answer of the frontier: how big, on how many tokens, with how many samples; and what kind of answer it is."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from t2jax.trees import register

CONSTRAINTS = ("train", "params_min", "params_max", "tokens_min", "tokens_max", "inference", "samples_min")
"""Names of the constraints, in the order of `Plan.shadow_prices` and `Plan.active`."""

OPTIMAL, STATIONARY, HELD, NO_OPTIMUM, INFEASIBLE_TRAIN, INFEASIBLE_INFERENCE, FAILED, FLAT = range(8)


@dataclass(frozen=True)
class Plan:
    """An allocation, or arrays of them: shape of the budgets, with laws as leading axis where laws were batched.

    params, tokens: N and D. samples: k. value: the law's prediction there. kkt: the certificate, the largest violation
    of the optimality conditions in log space. shadow_prices (..., 7): decrease of the law's cost per unit of the log of
    each limit in `CONSTRAINTS`. active (..., 7): limits that hold with equality. code: outcome, told by `status`.
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
        held = [CONSTRAINTS[i] for i in (1, 2, 4, 6) if active[:, i].any()]
        return {
            OPTIMAL: f"optimal: the global optimum, certified by convexity and a KKT residual of {worst:.1g}",
            STATIONARY: f"optimal: the best of several starts, with a KKT residual of {worst:.1g}",
            HELD: f"optimal within bounds: held by {', '.join(held)}, with a KKT residual of {worst:.1g}",
            NO_OPTIMUM: "without optimum: the objective keeps falling towards one parameter or one token",
            INFEASIBLE_TRAIN: "infeasible: the training budget does not pay for one token of the smallest model",
            INFEASIBLE_INFERENCE: "infeasible: the inference budget is below 2·N of the smallest model, one sample",
            FLAT: "without optimum: the law is flat here to rounding, so many allocations are equally good",
            FAILED: f"failed: the solver stopped at a KKT residual of {worst:.1g}",
        }[code]


register(Plan, ("params", "tokens", "samples", "value", "kkt", "shadow_prices", "active", "code"))
