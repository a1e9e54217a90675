"""`t2jax sample`: posterior of a law, with diagnostics, files and figures."""

import re
import sys
from typing import Any

import jax
import numpy as np
from numpyro import distributions

from t2jax import laws
from t2jax.cli.options import law_for, noise_of
from t2jax.cli.output import Output
from t2jax.cli.process.wording import in_option_names
from t2jax.cli.sample.config import SampleConfig
from t2jax.cli.sample.figures import picture_check, picture_posterior, picture_prior
from t2jax.cli.tables.options import notes_of
from t2jax.cli.tables.pairs import numbers, pairs
from t2jax.cli.words import columns, interval
from t2jax.files import finite
from t2jax.fitting.cautions import own_errors
from t2jax.fitting.law_files import LAW_FILE
from t2jax.plot.measured import response_name
from t2jax.posterior.files import POSTERIOR_FILE, save_point, save_posterior
from t2jax.posterior.posterior import LEVEL, Posterior
from t2jax.posterior.posterior_check import posterior_predictive
from t2jax.posterior.prior_check import prior_predictive
from t2jax.posterior.sample import sample
from t2jax.tables.table import Table

FAMILIES = {
    "Beta": ("concentration1", "concentration0"),
    "Gamma": ("concentration", "rate"),
    "HalfNormal": ("scale",),
    "LogNormal": ("loc", "scale"),
    "Normal": ("loc", "scale"),
    "Uniform": ("low", "high"),
}
"""Parameters of each family of priors. All are required, because NumPyro would use 1 for a missing scale."""
PRIOR_DRAWS = 400
LIKELIHOODS = ("gaussian", "gaussian-log", "student-t", "discrepancy", "binomial", "beta-binomial")
"""Names of noise models with a likelihood."""


def run(config: SampleConfig) -> int:
    """Samples, prints and saves; returns 0 if the chains converged, else 1. It raises ValueError for bad input."""
    table = config.reading.read_rows(config.table, config.law)
    law = law_for(table, config.law)
    fixed = numbers("--fixed", config.fixed)
    priors = {name: _prior(name, value) for name, value in pairs("--priors", config.priors).items()}
    noise = noise_of(config.noise, LIKELIHOODS)
    key, prior_key = jax.random.split(jax.random.key(config.seed))
    check_key = jax.random.fold_in(key, 1)
    with Output("sample", config.output, config) as out:
        before = prior_predictive(law, table, noise, key=prior_key, priors=priors, fixed=fixed, draws=PRIOR_DRAWS)
        with out.progress(f"sampling {law.__name__}", total=config.warmup + config.draws) as bar:
            post = sample(
                law,
                table,
                noise,
                key=key,
                priors=priors,
                fixed=fixed,
                draws=config.draws,
                warmup=config.warmup,
                chains=config.chains,
                accept=config.accept,
                progress=bar.update,
            )
        with out.file(POSTERIOR_FILE) as path:
            save_posterior(path, post)
        with out.file(LAW_FILE) as path:
            save_point(path, post, table)
        out.say(f"{laws.name_of(law)} on {len(table)} rows of {table.source.name}", "", posterior_table(post), "")
        out.say(_status(post, table), before.status)
        if post.draws_made < post.draws_requested:
            stop = KeyboardInterrupt()
            progress = f"{post.draws_made} of {post.draws_requested} draws of each chain"
            stop.add_note(f"{progress} were made")
            out.keep(
                _answer(law, post, table), f"{post.draws_requested - post.draws_made} draws of each chain, and figures"
            )
            raise stop
        if not post.converged:
            print(f"t2jax: do not use these draws ({in_option_names(post.status)})", file=sys.stderr)
            return out.finish(1, _answer(law, post, table))
        check = posterior_predictive(post, table, key=check_key)
        out.say(check.status)
        with out.progress("figures") as bar:
            picture_prior(before, response_name(post.point, table), out)
            picture_posterior(post, table, out)
            picture_check(check, table, out)
            bar.update()
        if config.report:
            from t2jax.cli.report.command import add_page  # plans, which chains need not load

            add_page(out)
        checked = {"covered": check.covered, "tails": dict(check.tails), "status": check.status}
        return out.finish(0, _answer(law, post, table) | {"check": checked})


def posterior_table(post: Posterior) -> str:
    """Returns the sampled parameters with mean, interval and diagnostics, as text in columns."""
    declared = dict(post.density.coordinates.declared) if post.density else type(post.point).declared()
    rows = []
    for name, *row in post.summary(LEVEL).itertuples():
        mean, _, low, _, high, r_hat, bulk, tail, contraction = row
        value = "unknown" if np.isnan(mean) else f"{mean:.6g}"
        checks = f"{r_hat:.4f}", f"{bulk:.0f}", f"{tail:.0f}", f"{contraction:.2f}"
        rows.append((name, value, interval(low, high), *checks, declared[name].unit, declared[name].doc))
    header = ("", "mean", f"{100 * LEVEL:g} % interval", "R-hat", "ESS", "tail ESS", "learned", "unit", "meaning")
    return columns(header, rows)


def _status(post: Posterior, table: Table) -> str:
    """Returns the status of the chains, and whether they read the standard errors of rows."""
    errors = "" if post.density is None else own_errors(post.density.noise, post.density.law, table)
    return "; ".join(sentence for sentence in (post.status, errors) if sentence)


def _answer(law: type[laws.Law], post: Posterior, table: Table) -> dict[str, Any]:
    """Returns the posterior for --json. Numbers are null if the chains do not agree on them."""
    summary = post.summary(LEVEL)
    names = ("mean", "sd", "low", "median", "high", "r_hat", "ess_bulk", "ess_tail", "contraction")
    return {
        "law": laws.name_of(law),
        "rows": len(table),
        "parameters": {
            name: {key: finite(float(value)) for key, value in zip(names, values, strict=True)}
            for name, *values in summary.itertuples()
        },
        "level": LEVEL,
        "draws": post.draws_made * len(post.diagnosis.bfmi),
        "divergences": post.diagnosis.divergences,
        "e_bfmi": [finite(float(bfmi)) for bfmi in post.diagnosis.bfmi],
        "as_prior": list(post.diagnosis.left),
        "converged": post.converged,
        "status": in_option_names(_status(post, table)),
        "notes": notes_of(table),
    }


def _prior(name: str, text: str) -> distributions.Distribution:
    """Returns a distribution from a text such as "LogNormal(-1,0.2)". It raises ValueError for anything else."""
    match = re.fullmatch(r"\s*(\w+)\s*\(([^()]*)\)\s*", text)
    expected = f"one of {', '.join(FAMILIES)} with their numbers, such as LogNormal(-1,0.2)"
    try:
        if match is None or match[1] not in FAMILIES:
            raise ValueError
        expected = f"{match[1]}({', '.join(FAMILIES[match[1]])}) with a number for each"
        values = [float(number) for number in match[2].split(",")]
        if len(values) != len(FAMILIES[match[1]]):
            raise ValueError
        return getattr(distributions, match[1])(*values, validate_args=True)
    except (ValueError, TypeError):
        raise ValueError(f"--priors: found {name}={text!r}, expected {expected}") from None
