"""What may be spent and what must be reached: every limit that a plan keeps to, and the prices that it is made at."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from t2jax.planning.costs import Serving, Training
from t2jax.planning.hardware import check_positive
from t2jax.pytrees import register
from t2jax.typing import ArrayLike
from t2jax.working_precision import is_traced

Goal = Literal["quality", "spending", "queries"]


@dataclass(frozen=True)
class Budget:
    """What may be spent. Every limit is a number or an array; arrays broadcast, giving one problem per entry.

    train: training FLOPs, 6ND at most. inference: FLOPs per token served, 2Nk at most; left out, one sample is drawn
    and serving is free: Chinchilla's problem. params_min, params_max: bounds on N. tokens_max: the data there are.
    whole_samples: k is a whole number. N and D are solved again at the whole numbers below and above the real optimum,
    and the better plan is taken. Otherwise k is real, and at least 1.

    Those are the paper's two budgets. Beside them:
    total, queries: training and all queries of the model's life together cost at most `total`.
    target: the law's prediction to reach, a loss at most or a pass@k at least. With `queries` (or neither) the least
    spending is sought that reaches it; with `total` and no `queries`, the most queries.
    latency: seconds a query may take, from prompt to last token. tokens_min, samples_min, samples_max: more bounds.
    Where the least and the most are equal, for samples also where the most is one, the number is `held` there.
    unique_tokens: how many different tokens there are, for laws in which repeated ones are worth less
    (DataConstrained).
    sizes: the sizes that can be trained, a list of N to choose from.
    tokens_per_param: D/N where it is a rule, such as 20: then N is chosen, D = tokens_per_param·N follows, and bounds
    on either keep. It is not a limit, so it has no shadow price: what it costs is the prediction's elasticity in it.
    training, serving: prices; left out, 6ND FLOPs and 2Nk FLOPs for each token. `train` is in the unit of `training`,
    `inference` per query in that of `serving`, `total` in both, which must agree.

    Raises ValueError, naming the limit and its value, for one that is not positive, for bounds that leave no range, and
    for limits that make no problem together.
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
    tokens_min: ArrayLike | None = None
    samples_min: ArrayLike | None = None
    samples_max: ArrayLike | None = None
    unique_tokens: ArrayLike | None = None
    tokens_per_param: ArrayLike | None = None
    sizes: tuple[float, ...] | None = None
    training: Training | None = None
    serving: Serving | None = None
    held: tuple[str, ...] = field(default=(), init=False, repr=False)  # kept, for under jit no number is known

    def __post_init__(self):
        check_positive(self, LIMITS)
        object.__setattr__(self, "held", tuple(what for what in CHOSEN if self._is_held(what)))
        if len(self.held) == len(CHOSEN) and self.goal == "quality":
            raise ValueError("Budget: params, tokens and samples are all held, so there is nothing to choose")
        for what in CHOSEN:
            if what not in self.held:
                self._leaves_a_range(what)
        if self.whole_samples and (ends := self._ends("samples")) is not None:
            low, high = (one.ravel() for one in ends)
            if (none := np.ceil(low * (1 - 1e-9)) > high * (1 + 1e-9)).any():
                at = np.argmax(none)
                raise ValueError(
                    f"Budget: no whole number lies between samples_min={low[at]:g} and samples_max={high[at]:g}"
                )
        self._makes_a_problem()
        if self.tokens_per_param is not None and (self.sizes is not None or {"params", "tokens"} & {*self.held}):
            raise ValueError(
                "Budget.tokens_per_param makes D follow from N, which is chosen: leave out sizes, and bounds on params "
                "or tokens that are equal"
            )
        if self.sizes is not None:
            sizes = tuple(float(size) for size in np.ravel(self.sizes))
            if not sizes or not all(np.isfinite(size) and size > 0 for size in sizes):
                raise ValueError(f"Budget.sizes must be a list of positive numbers of parameters, not {self.sizes}")
            object.__setattr__(self, "sizes", sizes)

    def given(self) -> dict[str, ArrayLike]:
        """The limits that are set, by name."""
        limits = {name: getattr(self, name) for name in LIMITS}
        return {name: value for name, value in limits.items() if value is not None}

    @property
    def goal(self) -> Goal:
        """What is made best: "quality" at given budgets, or, with a target, least "spending" or most "queries"."""
        if self.target is None:
            return "quality"
        return "queries" if self.total is not None and self.queries is None else "spending"

    @property
    def serves(self) -> bool:
        """Whether samples cost anything; where they are free, one is drawn."""
        return self.inference is not None or self.queries is not None or self.goal == "queries"

    @property
    def linear(self) -> bool:
        """Whether the limits are linear in (log N, log D, log k), as those of the paper are."""
        plain = self.training is None and self.serving is None and self.sizes is None and not self.held
        return plain and set(self.given()) <= PAPERS

    @property
    def prices(self) -> tuple[Training, Serving]:
        """The costs, with 6ND and 2Nk for those left out."""
        return self.training or Training(), self.serving or Serving()

    def _ends(self, what: str) -> tuple[np.ndarray, np.ndarray] | None:
        """The least and the most N, D or k, of one shape; None where one is not set or not known yet."""
        low, high = getattr(self, f"{what}_min"), getattr(self, f"{what}_max")
        low = 1.0 if low is None and what == "samples" else low
        if low is None or high is None or is_traced((low, high)):
            return None
        low, high = np.broadcast_arrays(low, high)
        return low, high

    def _is_held(self, what: str) -> bool:
        ends = self._ends(what)
        return ends is not None and bool(np.all(ends[0] == ends[1]))

    def _leaves_a_range(self, what: str) -> None:
        if (ends := self._ends(what)) is None:
            return
        low, high = ends
        if what == "samples" and (high < 1).any():
            raise ValueError(f"Budget.samples_max must be one sample at least, not {high[high < 1].flat[0]:g}")
        if (low >= high).any():
            at = np.argmax(low >= high)
            raise ValueError(
                f"Budget.{what}_min={low.flat[at]:g} must be below Budget.{what}_max={high.flat[at]:g}, "
                "or equal throughout"
            )

    def _makes_a_problem(self) -> None:
        training, serving = self.prices
        together = self.total is not None or self.queries is not None
        if self.target is None:
            if self.train is None and self.total is None:
                raise ValueError("a Budget needs train=, or total= and queries=, or a target= to reach")
            if together and (self.total is None or self.queries is None):
                has, lacks = ("total", "queries") if self.queries is None else ("queries", "total")
                raise ValueError(f"Budget.{has} needs Budget.{lacks} too: training + queries x serving <= total")
        if together and training.unit != serving.unit:
            raise ValueError(
                f"training costs {training.unit} and serving {serving.unit}, which do not add up: "
                "give both an accelerator, with a price on both or neither"
            )
        if self.latency is not None and serving.on is None:
            raise ValueError("Budget.latency needs a Serving on an accelerator, such as on=t2.accelerator('H100')")
        if not self.serves and (self.samples_min is not None or self.samples_max is not None):
            raise ValueError("bounds on samples need a price of samples: give inference=, queries= or total= as well")


LIMITS = (
    *("train", "inference", "params_min", "params_max", "tokens_max", "total", "queries", "target", "latency"),
    *("tokens_min", "samples_min", "samples_max", "unique_tokens", "tokens_per_param"),
)
CHOSEN = ("params", "tokens", "samples")
PAPERS = {"train", "inference", "params_min", "params_max", "tokens_max"}
register(Budget, (*LIMITS, "training", "serving"), ("whole_samples", "sizes", "held"))
