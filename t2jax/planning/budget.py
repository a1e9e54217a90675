"""The limits of a plan, and the prices at which it is made."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from t2jax.planning.prices.costs import Serving, Training
from t2jax.planning.prices.hardware import check_positive
from t2jax.pytrees import register
from t2jax.typing import ArrayLike
from t2jax.working_precision import is_traced

Goal = Literal["quality", "spending", "queries"]


@dataclass(frozen=True)
class Budget:
    """Limits of a plan: what may be spent, what must be reached, and which sizes are allowed.

    Every limit is a number or an array. Arrays broadcast, which gives one problem per entry.
    `train` and `inference` are the two budgets of Roberts et al. 2026 (2604.01411). Without `inference`, one sample is
    drawn and serving is free, as for Chinchilla.
    With a `target`, the plan reaches it with the least spending. With `target` and `total` but without `queries`, the
    plan serves the most queries. If the smallest and the largest value of a quantity are equal, it is fixed at that
    value. A `samples_max` of 1 fixes k.

    Args:
        train: Largest training cost, by default 6ND in FLOPs, otherwise in the unit of `training`.
        inference: Largest cost of one query, by default 2Nk in FLOPs, otherwise in the unit of `serving`.
        params_min: Smallest number of parameters N.
        params_max: Largest number of parameters N.
        tokens_max: Largest number of training tokens D.
        whole_samples: Whether k is a whole number. N and D are then solved again at the whole numbers next to the real
            optimum, and the better plan is returned (`two_budgets`, `any_budget`). Otherwise k is real, at least 1.
        total: Largest cost of training and of all `queries` together.
        queries: Number of queries in the model's life.
        target: Prediction to reach: a loss at most, or a pass@k at least.
        latency: Longest time of a query in seconds, from the prompt to the last token.
        first_token: Longest time to the first token in seconds, while the prompt is read.
        between_tokens: Longest time between two tokens of a sample in seconds, on average.
        tokens_min: Smallest number of training tokens D.
        samples_min: Smallest number of samples k.
        samples_max: Largest number of samples k.
        unique_tokens: Number of different tokens, for laws in which repeated tokens are worth less (DataConstrained).
        total_per_active: Total over active parameters of a mixture of experts. N is the active ones, which compute
            counts. Memory holds all, and laws such as MixtureOfExperts read them.
        inputs: Values of further inputs of the law, by column, such as {"weight_bits": 8.0}. `served_bits` and
            `cache_bits` also set the bytes of weights and of cached numbers in `serving`.
        tokens_per_param: Fixed ratio D/N, such as 20. Then only N is free, and bounds on D still hold. The ratio is no
            limit, so it has no shadow price. Its effect is the elasticity of the prediction.
        sizes: List of the numbers of parameters that can be trained.
        stops: Whether sampling stops at the first accepted answer. Costs then count the samples drawn on average, and k
            is the most of them. The law needs a selection that accepts single samples, such as `t2.laws.Verifier`.
        training: Price of training. The default is 6ND FLOPs.
        serving: Price of serving. The default is 2Nk FLOPs per token.

    Raises:
        ValueError: When a limit is not positive, bounds leave no range, or the limits do not form a problem.
            The message names the limit and its value.

    Examples:
        >>> budget = t2.Budget(train=1e21, tokens_max=1e11)
        >>> budget.given(), budget.goal
        ({'train': 1e+21, 'tokens_max': 100000000000.0}, 'quality')
    """

    train: ArrayLike | None = None
    inference: ArrayLike | None = None
    params_min: ArrayLike | None = None
    params_max: ArrayLike | None = None
    tokens_max: ArrayLike | None = None
    whole_samples: bool = False
    total: ArrayLike | None = None
    queries: ArrayLike | None = None
    target: ArrayLike | None = None
    latency: ArrayLike | None = None
    first_token: ArrayLike | None = None
    between_tokens: ArrayLike | None = None
    tokens_min: ArrayLike | None = None
    samples_min: ArrayLike | None = None
    samples_max: ArrayLike | None = None
    unique_tokens: ArrayLike | None = None
    total_per_active: ArrayLike | None = None
    inputs: Mapping[str, ArrayLike] | None = None
    tokens_per_param: ArrayLike | None = None
    sizes: tuple[float, ...] | None = None
    training: Training | None = None
    serving: Serving | None = None
    stops: bool = False
    fixed: tuple[str, ...] = field(default=(), init=False, repr=False)  # stored: under jit no number can be compared

    def __post_init__(self):
        check_positive(self, LIMITS)
        self._check_inputs()
        object.__setattr__(self, "fixed", tuple(quantity for quantity in CHOSEN if self._is_fixed(quantity)))
        if len(self.fixed) == len(CHOSEN) and self.goal == "quality":
            raise ValueError("Budget: equal bounds fix params, tokens and samples, so there is nothing to choose")
        for quantity in CHOSEN:
            if quantity not in self.fixed:
                self._check_range(quantity)
        if self.whole_samples and (ends := self._ends("samples")) is not None:
            low, high = (end.ravel() for end in ends)
            if (empty := np.ceil(low * (1 - 1e-9)) > high * (1 + 1e-9)).any():
                index = np.argmax(empty)
                raise ValueError(
                    f"Budget: no whole number lies between samples_min={low[index]:g} and samples_max={high[index]:g}"
                )
        self._check_combination()
        if self.tokens_per_param is not None and (self.sizes is not None or {"params", "tokens"} & {*self.fixed}):
            raise ValueError(
                "Budget.tokens_per_param computes D from N, which must be free: leave out sizes, "
                "and equal bounds on params or tokens"
            )
        if self.sizes is not None:
            sizes = tuple(float(size) for size in np.ravel(self.sizes))
            if not sizes or not all(np.isfinite(size) and size > 0 for size in sizes):
                raise ValueError(f"Budget.sizes must be a list of positive numbers of parameters, not {self.sizes}")
            object.__setattr__(self, "sizes", sizes)

    def given(self) -> dict[str, ArrayLike]:
        """Returns the limits that are set.

        Returns:
            Their values by name.
        """
        limits = {name: getattr(self, name) for name in LIMITS}
        return {name: value for name, value in limits.items() if value is not None}

    @property
    def goal(self) -> Goal:
        """What the plan optimises: "quality", or with a target "spending" or "queries".

        At given budgets the prediction is the best. With a target the spending is least, or the queries are most.
        """
        if self.target is None:
            return "quality"
        return "queries" if self.total is not None and self.queries is None else "spending"

    @property
    def serves(self) -> bool:
        """Whether samples cost anything. If they are free, one is drawn."""
        return self.inference is not None or self.queries is not None or self.goal == "queries"

    @property
    def durations(self) -> tuple[str, ...]:
        """Names of the limits on durations that are set."""
        return tuple(name for name in ("latency", "first_token", "between_tokens") if getattr(self, name) is not None)

    @property
    def linear(self) -> bool:
        """Whether all limits are linear in (log N, log D, log k), as those of the paper are."""
        plain = self.training is None and self.serving is None and self.sizes is None and not self.fixed
        plain = plain and not self.inputs and not self.stops
        return plain and set(self.given()) <= LINEAR_LIMITS

    @property
    def prices(self) -> tuple[Training, Serving]:
        """The prices of training and serving, with 6ND and 2Nk as defaults, of the experts and bits of the budget."""
        bits = {} if self.inputs is None else self.inputs
        stored: dict[str, ArrayLike] = {
            name: bits[column] / BITS_PER_BYTE for column, name in STORED.items() if column in bits
        }
        if self.total_per_active is not None:
            stored["total_per_active"] = self.total_per_active
        return self.training or Training(), replace(self.serving or Serving(), **stored)

    def _check_inputs(self) -> None:
        """Raises ValueError for an input that is no positive number, or that a budget gives under another name."""
        for column, value in (self.inputs or {}).items():
            if column in (*CHOSEN, "unique_tokens", "total_params"):
                raise ValueError(
                    f"Budget.inputs gives {column!r}, which a budget chooses or limits by arguments of its own"
                )
            if not is_traced(value) and not np.all(np.isfinite(value) & (np.asarray(value) > 0)):
                raise ValueError(f"Budget.inputs: {column} must be positive and finite, not {value}")
        ratio = self.total_per_active
        if ratio is not None and not is_traced(ratio) and np.min(ratio) < 1:
            raise ValueError(f"Budget.total_per_active must be 1 at least, not {np.min(ratio):g}")

    def _ends(self, quantity: str) -> tuple[np.ndarray, np.ndarray] | None:
        """Returns the smallest and largest N, D or k in one shape, or None if one is not set or is traced."""
        low, high = getattr(self, f"{quantity}_min"), getattr(self, f"{quantity}_max")
        low = 1.0 if low is None and quantity == "samples" else low
        if low is None or high is None or is_traced((low, high)):
            return None
        low, high = np.broadcast_arrays(low, high)
        return low, high

    def _is_fixed(self, quantity: str) -> bool:
        ends = self._ends(quantity)
        return ends is not None and bool(np.all(ends[0] == ends[1]))

    def _check_range(self, quantity: str) -> None:
        if (ends := self._ends(quantity)) is None:
            return
        low, high = ends
        if quantity == "samples" and (high < 1).any():
            raise ValueError(f"Budget.samples_max must be one sample at least, not {high[high < 1].flat[0]:g}")
        if (low >= high).any():
            index = np.argmax(low >= high)
            raise ValueError(
                f"Budget.{quantity}_min={low.flat[index]:g} must be below Budget.{quantity}_max={high.flat[index]:g}, "
                "or equal throughout"
            )

    def _check_combination(self) -> None:
        training, serving = self.prices
        shared = self.total is not None or self.queries is not None
        if self.target is None:
            if self.train is None and self.total is None:
                raise ValueError("a Budget needs train=, or total= and queries=, or a target= to reach")
            if shared and (self.total is None or self.queries is None):
                given, missing = ("total", "queries") if self.queries is None else ("queries", "total")
                raise ValueError(f"Budget.{given} needs Budget.{missing} too: training + queries x serving <= total")
        if shared and training.unit != serving.unit:
            raise ValueError(
                f"training costs {training.unit} and serving {serving.unit}, which do not add up: "
                "give both an accelerator, with a price on both or neither"
            )
        for name in self.durations:
            if serving.on is None:
                raise ValueError(f"Budget.{name} needs a Serving on an accelerator, such as on=t2.accelerator('H100')")
        if self.first_token is not None and serving.prompt is None:
            raise ValueError("Budget.first_token limits the time of reading a prompt: give Serving(prompt=...)")
        if not self.serves and (self.samples_min is not None or self.samples_max is not None):
            raise ValueError("bounds on samples need a price of samples: give inference=, queries= or total= as well")


LIMITS = (
    *("train", "inference", "params_min", "params_max", "tokens_max", "total", "queries", "target", "latency"),
    *("first_token", "between_tokens", "tokens_min", "samples_min", "samples_max", "unique_tokens", "total_per_active"),
    "tokens_per_param",
)
CHOSEN = ("params", "tokens", "samples")
LINEAR_LIMITS = {"train", "inference", "params_min", "params_max", "tokens_max"}
STORED = {"served_bits": "weight_bytes", "cache_bits": "cache_bytes"}
"""Field of `Serving` that the bits of an input are stored in."""
BITS_PER_BYTE = 8.0
register(Budget, (*LIMITS, "inputs", "training", "serving"), ("whole_samples", "sizes", "stops", "fixed"))
