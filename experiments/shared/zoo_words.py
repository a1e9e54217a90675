"""What law_zoo finds, in words and as a picture."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.shared.pictures import common_legend, law_name, stacked, table_name
from t2jax.plot.style import BLACK, BLUE, GREEN, PURPLE, VERMILLION, log_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure


NARROW = "more than a tenth"
"""The words of `Bootstrap.status` on draws that failed."""


@dataclass(frozen=True)
class Judged:
    """A law on a table. inside: mean relative error of runs left out; inside_score: their mean log density, nats.

    cheap_score: the same among cheap runs alone, by which a law is chosen. error, bias, coverage, half_width (of the
    band, relative), score: of the dear runs.
    """

    law: str
    inside: float
    inside_score: float
    cheap_score: float
    error: float
    bias: float
    coverage: float
    half_width: float
    score: float
    status: str


@dataclass(frozen=True)
class ByHand:
    """Chinchilla's law by curve_fit on the dear runs: as `Judged`. status notes a fit without covariance."""

    error: float
    bias: float
    coverage: float | None
    status: str


@dataclass(frozen=True)
class Audited:
    """A table: cut in FLOPs, rows below and above it, how far out the dearest is; laws, and those without a fit."""

    table: str
    cut: float
    fitted: int
    predicted: int
    furthest: float
    outside: int
    best: str
    laws: tuple[Judged, ...]
    failed: tuple[str, ...]
    by_hand: ByHand | None


@dataclass(frozen=True)
class Result:
    """tables: those of losses, then of samples. skipped: tables that are not there, and why."""

    tables: tuple[Audited, ...]
    skipped: tuple[str, ...]


def words(result: Result) -> list[str]:
    """The result as a table."""
    lines = [f"skipped: {reason}" for reason in result.skipped]
    for table in result.tables:
        lines.append(
            f"{table.table}: {table.fitted} runs up to {table.cut:.3g} FLOPs predict {table.predicted} up to "
            f"{table.furthest:.3g} times the dearest of them, {table.outside} outside their hull; "
            f"chosen among cheap runs: {table.best}"
        )
        lines.append(
            f"  {'law':22s} {'inside':>8s} {'score':>9s} | {'beyond':>7s} {'bias':>8s} {'in band':>10s} "
            f"{'half width':>13s} {'score':>9s}"
        )
        for law in table.laws:
            mark, narrow = "*" if law.law == table.best else " ", "†" if NARROW in law.status else ""
            lines.append(
                f"{mark} {law.law + narrow:22s} {100 * law.inside:6.2f} % {law.inside_score:9.3f} | "
                f"{100 * law.error:5.2f} % {100 * law.bias:+6.2f} % {100 * law.coverage:8.0f} % "
                f"{100 * law.half_width:11.2f} % {law.score:9.3f}"
            )
        lines += [f"  {message}" for message in table.failed]
        if table.by_hand is not None:
            hand = table.by_hand
            covered = "no band" if hand.coverage is None else f"{100 * hand.coverage:8.0f} %"
            lines.append(
                f"  {'curve_fit by hand':22s} {'':6s}   {'':9s} | {100 * hand.error:5.2f} % {100 * hand.bias:+6.2f} % "
                f"{covered}   {hand.status}"
            )
    if any(NARROW in law.status for table in result.tables for law in table.laws):
        lines.append("† more than a tenth of the draws behind the band reached no optimum: it may be too narrow")
    return lines


def figures(result: Result) -> dict[str, "Figure"]:
    """Error beyond the cut of every law on every table of losses, and of the fit by hand."""
    tables = [table for table in result.tables if table.by_hand is not None]
    names = list(dict.fromkeys(law.law for table in tables for law in table.laws))
    figure, (ax,) = stacked(1, 2.4)
    for i, (table, colour, marker) in enumerate(
        zip(tables, (BLUE, VERMILLION, GREEN, PURPLE, BLACK), "osD^v", strict=False)
    ):
        assert table.by_hand is not None
        off = 0.14 * (i - (len(tables) - 1) / 2)
        style = {"color": colour, "markersize": 4, "markeredgewidth": 0.8}
        ax.plot([], [], marker, fillstyle="none", label=table_name(table.table), **style)
        for law in table.laws:
            fill = "full" if law.law == table.best else "none"
            ax.plot(100 * law.error, names.index(law.law) + off, marker, fillstyle=fill, **style)
        ax.plot(100 * table.by_hand.error, len(names) + off, marker, fillstyle="none", **style)
    ax.set(xscale="log", ylim=(len(names) + 0.6, -0.6), xlabel="mean relative error of dearer runs (%)")
    ax.set_yticks(range(len(names) + 1), [*map(law_name, names), "Chinchilla by hand"])
    log_ticks(ax)
    common_legend(figure, columns=1, title="filled: the law that was chosen among cheap runs")
    return {"zoo": figure}
