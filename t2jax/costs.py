"""The budgets that training and serving must keep to, in FLOPs: 6ND (Kaplan et al. 2020) and 2Nk per token served."""

from dataclasses import dataclass

import numpy as np

from t2jax.precision import is_traced
from t2jax.trees import register
from t2jax.typing import ArrayLike


@dataclass(frozen=True)
class Budget:
    """What may be spent. Every limit is a number or an array; arrays broadcast, giving one problem per entry.

    train: training FLOPs, 6ND at most. inference: FLOPs per token served, 2Nk at most; left out, one sample is drawn
    and serving is free: Chinchilla's problem. params_min, params_max: bounds on N. tokens_max: the data there are.
    whole_samples: draw a whole number of samples instead of a real k >= 1.

    Raises ValueError, naming the limit and its value, for one that is not positive or for bounds that leave no range.
    """

    train: ArrayLike
    inference: ArrayLike | None = None
    params_min: ArrayLike | None = None
    params_max: ArrayLike | None = None
    tokens_max: ArrayLike | None = None
    whole_samples: bool = False

    def __post_init__(self):
        given = self.given()
        if is_traced(given):
            return
        for name, value in given.items():
            array = np.asarray(value, float)
            wrong = ~(np.isfinite(array) & (array > 0))
            if wrong.any():
                raise ValueError(f"Budget.{name} must be positive and finite, not {array[wrong].flat[0]:g}")
        if "params_min" in given and "params_max" in given:
            low, high = np.broadcast_arrays(given["params_min"], given["params_max"])
            if (low >= high).any():
                at = np.argmax(low >= high)
                raise ValueError(
                    f"Budget.params_min={low.flat[at]:g} must be below Budget.params_max={high.flat[at]:g}"
                )

    def given(self) -> dict[str, ArrayLike]:
        """The limits that are set, by name."""
        limits = {name: getattr(self, name) for name in LIMITS}
        return {name: value for name, value in limits.items() if value is not None}


LIMITS = ("train", "inference", "params_min", "params_max", "tokens_max")
register(Budget, LIMITS, ("whole_samples",))
