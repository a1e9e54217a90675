"""The fit and its bootstrap as commands run them: with progress, and each result saved as soon as it is there."""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from t2jax.cli.options import FittingOptions
from t2jax.cli.output import Output
from t2jax.cli.words import columns, interval
from t2jax.files import finite
from t2jax.fitting.bootstrap import Bootstrap, bootstrap, resampled_unit
from t2jax.fitting.fit import Fit, fit
from t2jax.fitting.law_files import DRAWS_FILE, LAW_FILE, save_draws, save_law, settled_values
from t2jax.laws.base import Law
from t2jax.numerics.bands import Band, band
from t2jax.tables.table import Table

LEVEL = 0.9
LARGEST_CHUNK, SMALLEST_CHUNK = 250, 25


@dataclass(frozen=True)
class Fitted:
    """A fit and the draws around it; none if there were to be none, or the fit failed."""

    fit: Fit
    draws: Bootstrap | None

    @property
    def law(self) -> Law:
        """The law as law.json has it: at the end of a domain where the fit ended there."""
        return type(self.fit.law)(**settled_values(self.fit.law))


def fit_and_save(law: type[Law], table: Table, options: FittingOptions, out: Output, below: str = "") -> Fitted:
    """Fit, bootstrap, and write law.json and draws.nc in the folder `below` the output's. Raises as `t2.fit`."""
    for option, given, least in (("--draws", options.draws, 0), ("--starts", options.starts, 1)):
        if given < least:
            raise ValueError(f"{option}: found {given}, expected at least {least}")
    held = options.held()
    key, draw_key = jax.random.split(jax.random.key(options.seed))
    with out.progress(f"fitting {law.__name__} to {len(table)} rows") as bar:
        found = fit(law, table, key=key, noise=options.noise_model(), fixed=held, starts=options.starts)
        bar.update()
    with out.file(below + LAW_FILE) as path:
        save_law(path, found, table)
    if not found.converged or not options.draws:
        return Fitted(found, None)
    return Fitted(found, draw_and_save(found, table, options, draw_key, out, below))


def draw_and_save(found: Fit, table: Table, options: FittingOptions, key: Any, out: Output, below: str) -> Bootstrap:
    """The bootstrap in chunks of equal size, which compile once and let a progress bar move; writes draws.nc.

    Where an interrupt or an error ends it early, the chunks that are finished are written, and the exception says so.
    """
    size = chunk_size(options.draws)
    over = resampled_unit(table) if options.over == "default" else options.over
    parts: list[Bootstrap] = []

    def save() -> Bootstrap:
        laws = jax.tree.map(lambda *leaves: np.concatenate(leaves), *(part.laws for part in parts))
        made = Bootstrap(laws, size * len(parts), sum(part.failed for part in parts), over)
        with out.file(below + DRAWS_FILE) as path:
            save_draws(path, laws, found.law, f"bootstrap: {made.status}", asked=options.draws, made=made.draws)
        return made

    try:
        with out.progress(f"bootstrap over {over}", total=options.draws) as bar:
            for one in jax.random.split(key, options.draws // size):
                parts.append(bootstrap(found, table, draws=size, key=one, over=over))
                bar.update(size)
    except BaseException as stop:
        if parts:
            stop.add_note(f"{save().draws} of {options.draws} bootstrap draws were made")
        raise
    return save()


def chunk_size(draws: int) -> int:
    """The largest divisor of `draws` that makes a good chunk, or all of them where no divisor does."""
    largest = max(size for size in range(1, LARGEST_CHUNK + 1) if draws % size == 0)
    return largest if largest >= SMALLEST_CHUNK else draws


def intervals(fitted: Fitted) -> dict[str, Band]:
    """The interval of every parameter that was free and that the rows determine; empty without draws."""
    if fitted.draws is None:
        return {}
    held = {*fitted.fit.problem.coordinates.fixed, *fitted.fit.undetermined}
    return {name: band(leaf, LEVEL) for name, leaf in fitted.draws.laws.values().items() if name not in held}


def parameter_table(fitted: Fitted) -> str:
    """The fitted parameters with their intervals, units and meanings, as text in columns."""
    found, bands = fitted.fit, intervals(fitted)
    held = dict(found.problem.coordinates.fixed)
    rows = []
    for name, one in type(found.law).declared().items():
        value = "undetermined" if name in found.undetermined else f"{one.settle(found.law.values()[name]):.6g}"
        ends = (one.settle(float(end)) for end in (bands[name].low, bands[name].high)) if name in bands else ()
        spread = interval(*ends) if name in bands else ""
        rows.append((name, value, "held" if name in held else spread, one.unit, one.doc))
    return columns(("", "value", f"{100 * LEVEL:g} % interval", "unit", "meaning"), rows)


def fit_answer(fitted: Fitted) -> dict[str, Any]:
    """The fit for --json: value (null where undetermined), interval, unit and meaning of each parameter, and status."""
    found, bands = fitted.fit, intervals(fitted)
    return {
        "parameters": {
            name: {
                "value": None if name in found.undetermined else finite(one.settle(found.law.values()[name])),
                "low": finite(one.settle(float(bands[name].low))) if name in bands else None,
                "high": finite(one.settle(float(bands[name].high))) if name in bands else None,
                "unit": one.unit,
                "doc": one.doc,
            }
            for name, one in type(found.law).declared().items()
        },
        "level": LEVEL,
        "objective": finite(found.objective),
        "converged": found.converged,
        "status": found.status,
        "undetermined": list(found.undetermined),
        "draws": None if fitted.draws is None else fitted.draws.status,
    }
