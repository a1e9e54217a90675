"""Options of `t2jax plan`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from t2jax.cli.options import FittingOptions, HeldOptions, refuse_absurd
from t2jax.cli.output import FigureOptions
from t2jax.cli.plan.prices import PriceOptions
from t2jax.cli.selection.options import SelectionOptions
from t2jax.cli.tables.pairs import Pairs

if TYPE_CHECKING:
    from t2jax.planning.budget import Budget


@dataclass(frozen=True)
class PlanConfig:
    """Recommend a size, training tokens and samples for one budget, with what it costs and what would change it."""

    table: tyro.conf.Positional[str | None] = None
    """Table to fit first, as for `t2jax fit`; or use --law-file."""
    law_file: Annotated[Path | None, tyro.conf.arg(metavar="law.json")] = None
    """Law written by `t2jax fit` or `sample`; rows.csv, draws.nc or posterior.nc beside it gives the intervals."""
    train: float | None = None
    """Largest cost of training, in FLOPs or the unit of the prices."""
    inference: float | None = None
    """Largest cost of a query (without a prompt: of a token served)."""
    total: float | None = None
    """Largest cost of training and all queries together; with --queries, or with --target for the most queries."""
    queries: float | None = None
    """Number of queries over the model's life."""
    target: float | None = None
    """Largest loss or smallest pass@k to reach at the least cost."""
    latency: float | None = None
    """Largest duration of a query in seconds."""
    first_token: float | None = None
    """Longest time to the first token in seconds, while the prompt is read."""
    between_tokens: float | None = None
    """Longest time between two tokens of a sample in seconds, on average."""
    params_min: float | None = None
    """Smallest number of parameters allowed."""
    params_max: float | None = None
    """Largest number of parameters allowed."""
    tokens_min: float | None = None
    """Smallest number of training tokens."""
    tokens_max: float | None = None
    """Largest number of training tokens."""
    samples_min: float | None = None
    """Smallest number of samples."""
    samples_max: float | None = None
    """Largest number of samples."""
    unique_tokens: float | None = None
    """Number of unique tokens, for laws in which repeated tokens are worth less."""
    total_per_active: float | None = None
    """Total over active parameters of a mixture of experts: compute counts the active ones, memory counts all."""
    sizes: tuple[float, ...] = ()
    """Sizes to choose from."""
    tokens_per_param: float | None = None
    """Fixed ratio of training tokens to parameters, such as 20."""
    whole_samples: bool = False
    """Draw a whole number of samples."""
    what_if: Annotated[
        tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="LEVER=VALUE|LEVER=xFACTOR")
    ] = ()
    """A limit or price at another value, such as inference=x2, price=3 or accelerator=H200; give it again for each."""
    explain_model: tyro.conf.UseAppendAction[Annotated[Pairs, tyro.conf.arg(metavar="params=N tokens=D")]] = ()
    """In place of a plan: how many served tokens make this model the best choice."""
    tasks: tyro.conf.UseAppendAction[Annotated[Pairs, tyro.conf.arg(metavar="TASK=WEIGHT ...")]] = ()
    """Plan one model for several tasks of the table, with samples of its own for each."""
    prices: PriceOptions = field(default_factory=PriceOptions)
    selecting: SelectionOptions = field(default_factory=SelectionOptions)
    held_inputs: HeldOptions = field(default_factory=HeldOptions)
    fitting: FittingOptions = field(default_factory=FittingOptions)
    output: FigureOptions = field(default_factory=FigureOptions)
    report: bool = False
    """Write report.html too: one file that opens anywhere, with levers that move."""

    def budget(self) -> "Budget":
        """Returns the problem. It raises ValueError for limits that do not define one."""
        from t2jax.planning.budget import LIMITS, Budget  # imports JAX, which --help need not

        training, serving = self.prices.costs()
        limits = {name: getattr(self, name) for name in LIMITS}
        if self.train is not None:
            refuse_absurd(self.train, f"{self.train:g}")
        return Budget(
            **limits,
            inputs=self.held_inputs.given or None,
            sizes=self.sizes or None,
            whole_samples=self.whole_samples,
            training=training,
            serving=serving,
        )
