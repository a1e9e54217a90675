"""`t2jax audit`: laws fitted to the cheaper part of a table, their errors on the rest, and the influences on N*."""

import sys
from typing import Any

import jax
import numpy as np

from t2jax import laws
from t2jax.cli.audit.config import AuditConfig
from t2jax.cli.audit.recommendation import Recommendation
from t2jax.cli.audit.words import Audit, audit_answer, audit_text, picture_audit, save_audit
from t2jax.cli.fitting import FEWEST_COMPARED, smooth_misfit_possible
from t2jax.cli.options import law_for, noise_of
from t2jax.cli.output import Output
from t2jax.cli.process.interrupt import Interrupted
from t2jax.cli.tables.options import notes_of
from t2jax.evaluation.cross_validation import CrossValidation, cross_validate
from t2jax.evaluation.errors import refuse_different_responses
from t2jax.evaluation.extrapolation import Cut, Quantity, extrapolate
from t2jax.evaluation.held_out import NoFit, fit_without, groups, require_rows_left
from t2jax.evaluation.information_criteria import criteria
from t2jax.evaluation.leave_groups_out import Influence, NoOptimum, influence
from t2jax.extrapolation.law_choice import LawChoice, choose_law
from t2jax.laws.base import Law
from t2jax.noise.default import default_noise
from t2jax.noise.protocol import Noise
from t2jax.tables.table import Table

QUANTITIES: dict[str, Quantity] = {
    "compute": "compute",
    "params": "params",
    "tokens": "tokens",
    "tokens-per-param": "tokens_per_param",
    "samples": "samples",
}

INTERRUPTED_BEFORE = "the audit was interrupted before it"


def run(config: AuditConfig) -> int:
    """Audits, prints and saves; returns 0 if every fit converged, else 1. It raises ValueError for bad input."""
    if config.draws < 1 or config.starts < 1 or config.folds < 2:
        options = f"--draws {config.draws} --starts {config.starts} --folds {config.folds}"
        raise ValueError(f"found {options}, expected at least 1, 1 and 2")
    table = config.reading.read_rows(config.table, None)
    if not config.law:
        config.held_inputs.require_no_values()
    named_laws = [config.held_inputs.all_of(laws.by_name(name)) for name in dict.fromkeys(config.law)]
    if named_laws:
        refuse_different_responses(named_laws, table)
    cut = cut_of(config.cut, table, config.within)
    for law in named_laws:  # fails before any fit
        require_rows_left(law, table, cut.above(table), noise=noise_of(config.noise))
    choice = recommend(table.where(~cut.above(table)), config)
    audited_laws = named_laws or [law_for(table, None) if choice is None else type(choice.law)]
    train = 10 * float(table.compute().max()) if config.train is None else config.train
    answer: dict[str, Any] = {"notes": notes_of(table)}
    audits: list[Audit] = []
    failures: list[str] = []
    with Output("audit", config.output, config) as out:
        try:
            for law in audited_laws:
                with out.progress(f"auditing {laws.name_of(law)}", total=4) as bar:
                    try:
                        audits.append(_audit(law, table, cut, train, config, bar.update))
                    except NoFit as failure:
                        failures.append(str(failure))
        except KeyboardInterrupt as stop:
            audits += [stop.finished] if isinstance(stop, Interrupted) else []
            if audits:
                out.say(audit_text(audits, table, cut))
                save_audit(audits, out)
                later = [laws.name_of(law) for law in audited_laws[len(audits) + len(failures) :]]
                missing = f"{', '.join(later)}, and figures" if later else "figures"
                out.keep({**audit_answer(audits, cut), **answer, "failures": failures}, missing)
            raise
        for audit in audits:
            crossed, effect = audit.cross, audit.influence
            failures += (
                [f"{audit.name}: {crossed.status}"] if isinstance(crossed, CrossValidation) and crossed.failed else []
            )
            failures += [f"{audit.name}: {effect.status}"] if isinstance(effect, Influence) and effect.failed else []
        for failure in failures:
            print(f"t2jax: {failure}", file=sys.stderr)
        if audits:
            out.say(audit_text(audits, table, cut))
            if choice is not None:
                advice = Recommendation.of(choice, table, cut)
                out.say("", advice.sentence)
                answer["recommendation"] = advice.answer()
            save_audit(audits, out)
            with out.progress("figures") as bar:
                picture_audit(audits, out)
                bar.update()
            if config.report:
                from t2jax.cli.report.command import add_page  # plans, which audits need not load

                add_page(out)
        return out.finish(1 if failures else 0, {**audit_answer(audits, cut), **answer, "failures": failures})


def recommend(cheap: Table, config: AuditConfig) -> LawChoice | None:
    """Compares laws by forward chaining among the rows below the cut; None where no law is chosen so."""
    if len(cheap) < FEWEST_COMPARED or not smooth_misfit_possible(cheap):
        return None
    return choose_law(cheap, key=jax.random.key(config.seed))


def cut_of(text: str, table: Table, within: float) -> Cut:
    """Returns the cut of "compute", "compute=1e20", "tokens-per-param=50" or "samples=100".

    It raises ValueError for any other text, and for a cut in compute if all rows have one budget.
    """
    name, equals, value = text.partition("=")
    try:
        quantity, number = QUANTITIES[name], float(value) if equals else None
    except (KeyError, ValueError):
        raise ValueError(
            f"--cut: found {text!r}, expected {', '.join(QUANTITIES)}, and perhaps a value: compute=1e20"
        ) from None
    if quantity == "compute" and len(np.unique(groups(table, "budget", within))) < 2:
        raise ValueError(
            f"{table.source.name}: all rows have one training budget, {table.compute().max():.3g} FLOPs, so there is"
            " none to extrapolate to; cut in tokens per parameter with --cut tokens-per-param, or in --cut samples"
        )
    return Cut.middle(table, quantity) if number is None else Cut(quantity, number)


def _audit(law: type[Law], table: Table, cut: Cut, train: float, config: AuditConfig, advance: Any) -> Audit:
    """Returns the audit of one law. It raises NoFit if a fit fails, and Interrupted with the part that there is."""
    noise = noise_of(config.noise) or default_noise(law, table)
    cut_key, fit_key, fold_key, out_key = jax.random.split(jax.random.key(config.seed), 4)
    over = None if config.over == "default" else config.over
    beyond = extrapolate(law, table, cut, key=cut_key, noise=noise, starts=config.starts, draws=config.draws, over=over)
    advance()
    cross: CrossValidation | str = INTERRUPTED_BEFORE
    try:
        whole_fit = fit_without(law, table, np.zeros(len(table), bool), key=fit_key, noise=noise, starts=config.starts)
        if not whole_fit.converged:
            raise NoFit(f"{laws.name_of(law)}: the fit to all rows failed ({whole_fit.status})")
        advance()
        cheap = table.where(~cut.above(table))  # scores inside the table must not see the rows beyond the cut
        cross = _cross(law, cheap, fold_key, noise, config)
        advance()
        effect = _influence(law, table, train, out_key, noise, config)
        advance()
        scores = None if noise.no_likelihood else criteria(beyond.fit, beyond.fit.table)
    except KeyboardInterrupt as stop:
        raise Interrupted(Audit(law, beyond, cross, None, INTERRUPTED_BEFORE), stop) from None
    return Audit(law, beyond, cross, scores, effect)


def _cross(law: type[Law], table: Table, key: Any, noise: Noise, config: AuditConfig) -> CrossValidation | str:
    """Returns the cross-validation, or a sentence with the reason why there is none."""
    if len(np.unique(groups(table, config.by, config.within))) < 2:
        return f"the table has only one {config.by}"
    shared: Any = {"noise": noise, "starts": config.starts, "within": config.within}
    return cross_validate(law, table, key=key, by=config.by, folds=config.folds, **shared)


def _influence(
    law: type[Law], table: Table, train: float, key: Any, noise: Noise, config: AuditConfig
) -> Influence | str:
    """Returns the influence of the training budgets on N*, or a sentence with the reason why there is none."""
    if len(np.unique(groups(table, "budget", config.within))) < 2:
        return "the table has only one training budget"
    try:
        return influence(law, table, train, key=key, noise=noise, starts=config.starts, within=config.within)
    except NoOptimum as reason:
        return str(reason)
