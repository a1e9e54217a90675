"""The numbers of rq1_overtrain in sentences."""

from typing import Any

import numpy as np

from experiments.shared.isoflops import Spread
from t2jax.plot.style import number


def words(result: Any) -> list[str]:
    """The whole result."""
    lines = [
        f"{result.checkpoints} checkpoints, {result.seeds} seeds. Shifts are log2 N*(T², k = C_inf/2N)/N*(k = 1) at "
        f"equal training compute, C_inf = {number(result.inference)} FLOPs per token served, with 90 % intervals: a "
        "law's by bootstrap over checkpoints, a measured one's over seeds (Student).",
        "Budgets at which the measured T² optimum of the average lies inside the sizes trained, by C_inf: "
        + ", ".join(f"{name}: {inside} of {count}" for name, (inside, count) in result.inside.items())
        + ". Elsewhere it is the smallest or largest size trained, and the measured shift is a bound.",
    ]
    for cut, values in result.cuts.items():
        lines.append(
            f"Shift of the average by T2Loss with cells of at least {cut} tokens instead of {result.tokens_min:.3g}: "
            f"{values.min():+.2f} to {values.max():+.2f} over the budgets, median {np.median(values):+.2f}."
        )
    return lines + [line for study in result.studies for line in words_of(study)]


def words_of(study: Any) -> list[str]:
    """One task: how well each law fits, shifts over all budgets, what lies outside, and every budget's shifts."""
    measured, passed = study.measured
    low, high = np.nanmin(measured.low), np.nanmax(measured.high)
    kappa = study.once[1].kappa
    message = (
        f", with kappa {study.once[1].parameters['kappa']:.2f} ({kappa[0]:.2f} to {kappa[2]:.2f})" if kappa else ""
    )
    errors = " against ".join(f"{law.law} {law.error:.1%}" for law in study.once)
    lines = [f"{study.task}: for one sample, rmse of log loss {errors}{message}: {study.wins} wins."]
    for law, spread, alone in zip(study.rules, study.shifts, study.alone(), strict=True):
        outside = (law.params < low) | (law.params > high)
        count = spread.verdicts()
        seeds = ""
        if len(alone):
            seeds = f"; by seeds fitted alone {', '.join(f'{values[-1]:+.2f}' for values in alone)} there"
        result = measured if law.response == "neg_log_pass" else passed
        measurable = np.isfinite(result.shift.value) & result.inside() & np.isfinite(spread.low)
        within = measurable & (spread.low <= result.shift.value) & (result.shift.value <= spread.high)
        lines.append(
            f"  {law.law} (rmse of log {law.error:.1%}): shift {spread.value[0]:+.2f} at {study.train[0]:.2g} to "
            f"{spread.value[-1]:+.2f} at {study.train[-1]:.2g} FLOPs{seeds}; significantly smaller at "
            f"{np.sum(count < 0)}, larger at {np.sum(count > 0)} of {len(count)} budgets; optimum outside the sizes "
            f"trained at {outside.sum()}; its interval holds the measured shift at {within.sum()} of the "
            f"{measurable.sum()} budgets at which that is no bound. {law.status}."
        )
    for result in (measured, passed):
        at_low, at_high = (np.sum(np.any(result.served == end, axis=0)) for end in (result.low, result.high))
        count, measurable = result.shift.verdicts(), np.isfinite(result.shift.value)
        mean = "no budget has the optimum for one sample inside"
        if result.pooled_budgets:
            mean = f"mean over {result.pooled_budgets} budgets {describe(result.pooled, 0)}"
            inner = f", {describe(result.inner, 0)}" if result.inner_budgets else ""
            mean += f", neither optimum an edge of the sizes at {result.inner_budgets} of them{inner}"
        lines.append(
            f"  Measured, {result.response}: {mean}; significantly smaller at {np.sum(count < 0)}, larger at "
            f"{np.sum(count > 0)} of {measurable.sum()} budgets; T² optimum the smallest size at {at_low}, "
            f"the largest at {at_high}."
        )
        rises = [(np.diff(values) > 0).sum() for values in (result.best, result.chinchilla)]
        gap = np.mean(result.chinchilla - result.best)
        lines.append(
            f"  With more training compute, as long as the smallest size was trained too, the best measured gets worse "
            f"at {rises[0]} of {len(result.best) - 1} steps, the size chosen for one sample at {rises[1]}; the latter "
            f"costs {gap:.2f} nats more on average."
        )
    for i, train in enumerate(study.train):
        laws = ", ".join(f"{law.law} {describe(s, i)}" for law, s in zip(study.rules, study.shifts, strict=True))
        result = "not measured, the best size for one sample is an edge of those trained"
        if np.isfinite(measured.shift.value[i]):
            result = f"measured {describe(measured.shift, i)}, by pass@k {describe(passed.shift, i)}"
        lines.append(f"    {train:.2e} FLOPs: {laws}; {result}")
    return lines


def describe(spread: Spread, i: int) -> str:
    """A value with its interval, if it has one, and a star if that leaves zero out."""
    interval = f" ({spread.low[i]:+.2f} to {spread.high[i]:+.2f})" if np.isfinite(spread.low[i]) else ""
    return f"{spread.value[i]:+.2f}{interval}{'*' if spread.verdicts()[i] else ''}"
