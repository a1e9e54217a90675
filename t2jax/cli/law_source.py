"""The law that a command plans with: from a file, with the draws beside it, or fitted to a table first."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from t2jax import laws
from t2jax.cli.fitting import fit_and_save, fit_answer
from t2jax.cli.options import FittingOptions, law_for, read
from t2jax.cli.output import Output
from t2jax.fitting.fit import Fit
from t2jax.fitting.law_files import DRAWS_FILE, load_draws, load_law
from t2jax.laws.base import Law
from t2jax.posterior.files import POSTERIOR_FILE, load_posterior
from t2jax.tables.table import Table


@dataclass(frozen=True)
class Known:
    """The law to plan with, None where there is none; its draws, table and fit where there are any; for --json."""

    law: Law | None
    draws: Law | None = None
    table: Table | None = None
    fit: Fit | None = None
    answer: dict[str, Any] = field(default_factory=dict)


def known_law(table: str | None, law_file: Path | None, fitting: FittingOptions, samples: bool, out: Output) -> Known:
    """Read the law, or fit it and save the fit. samples: whether the plan is to draw any, so that they must be known.

    Says on stderr why there is no law. Raises ValueError unless exactly one of table and law_file is given.
    """
    if (table is None) == (law_file is None):
        raise ValueError(f"{out.command} needs either a table to fit or --law-file, one of the two")
    if law_file is not None:
        law = load_law(law_file)
        return Known(law, _draws_beside(law_file, law))
    rows = read(str(table), fitting.units, fitting.where)
    fitted = fit_and_save(law_for(rows, fitting.law), rows, fitting, out)
    found, answer = fitted.fit, {"fit": fit_answer(fitted)}
    out.say(f"{laws.name_of(type(found.law))} on {rows.source.name}: {found.status}", "")
    if not found.converged:
        print(f"t2jax: the fit gave no law ({found.status})", file=sys.stderr)
        return Known(None, answer=answer)
    if found.undetermined and samples:  # without, what one sample leaves open does not matter
        print(
            f"t2jax: no plan with samples, for the rows do not determine {', '.join(found.undetermined)}: fit rows that"
            " do, or hold what they leave open with --fixed NAME=VALUE",
            file=sys.stderr,
        )
        return Known(None, answer=answer)
    return Known(found.law, None if fitted.draws is None else fitted.draws.laws, rows, found, answer)


def _draws_beside(path: Path, law: Law) -> Law | None:
    draws, posterior = path.with_name(DRAWS_FILE), path.with_name(POSTERIOR_FILE)
    if draws.exists() or not posterior.exists():
        return load_draws(draws, law) if draws.exists() else None
    found = load_posterior(posterior, type(law))
    if found.point.values() != law.values():
        raise ValueError(f"{posterior}: the draws belong to another law than {path.name} beside them; sample again")
    return found.laws
