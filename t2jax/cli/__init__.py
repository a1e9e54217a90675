"""Command line of t2jax: from result files and tables of runs to fits, forecasts and plans.

Every command has --help and --json. The exit status is 0 if all went well and every fit and chain converged.
It is 1 for a failed fit or bad input, 2 for wrong usage, and 130 after an interrupt. `t2jax --version` prints versions.
"""

import difflib
import gc
import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Annotated, Any, Union

from t2jax.cli.process.errors import guarded
from t2jax.cli.process.hosts import join_hosts
from t2jax.cli.process.run import as_process


@dataclass(frozen=True)
class Command:
    """Place of a command's options, and its line in the list of commands.

    Only the command that runs is imported, because most of them import JAX, which takes a second. Its options are
    imported for --help, and stand apart in a module `config` if the command computes.

    Attributes:
        module: Module below `t2jax.cli` with the options.
        config: Name of the config class in that module.
        purpose: First line of the config's docstring.
    """

    module: str
    config: str
    purpose: str

    def load(self) -> Any:
        """Imports and returns the config class of the command."""
        return getattr(importlib.import_module(f"t2jax.cli.{self.module}"), self.config)


COMMANDS = {
    "quickstart": Command(
        "quickstart.config",
        "QuickstartConfig",
        "See what t2jax does, on a table of its own: fit, bootstrap, frontier and samples at test time, in a minute.",
    ),
    "import": Command(
        "results_import.config",
        "ImportConfig",
        "Import result files of evaluation tools: EvalPlus, lm-evaluation-harness, inspect_ai, W&B and others.",
    ),
    "fit": Command(
        "fit.config",
        "FitConfig",
        "Fit a scaling law to a table of runs: parameters with bootstrap intervals, files and figures.",
    ),
    "predict": Command(
        "predict.config",
        "PredictConfig",
        "Predict the loss or pass@k of runs beyond a table, with bands and their distance from what was measured.",
    ),
    "passk": Command(
        "passk.config",
        "PasskConfig",
        "Estimate pass@k, pass^k and maj@k from counts, forecast beyond them, and compare two models.",
    ),
    "sample": Command(
        "sample.config",
        "SampleConfig",
        "Sample the posterior of a scaling law: parameters with intervals, whether to believe them, files and figures.",
    ),
    "frontier": Command(
        "frontier.config",
        "FrontierConfig",
        "Find the compute-optimal parameters, tokens and samples at each training budget, with intervals.",
    ),
    "plan": Command(
        "plan.config",
        "PlanConfig",
        "Recommend a size, training tokens and samples for one budget, with what it costs and what would change it.",
    ),
    "next": Command(
        "next_runs.config",
        "NextConfig",
        "Choose the runs to train next that most reduce the uncertainty of N* at a target budget.",
    ),
    "audit": Command(
        "audit.config",
        "AuditConfig",
        "Fit laws below a cut in compute, size, tokens, their ratio or samples,"
        " and compare their predictions above it.",
    ),
    "report": Command(
        "report.config",
        "ReportConfig",
        "Write one HTML file of a fit, a posterior or a plan, which opens anywhere and has levers that move.",
    ),
    "laws": Command(
        "laws", "LawsConfig", "List the laws, with what they predict, their formulas and how many parameters they have."
    ),
    "data": Command("data", "DataConfig", "Public tables of runs, by name."),
    "testbed": Command(
        "testbed",
        "TestbedConfig",
        "Our own measurements: sweeps of small language models, from a grid on paper to tables.",
    ),
    "completion": Command(
        "process.completion",
        "CompletionConfig",
        "Print the script with which bash, zsh or fish completes commands and options.",
    ),
}


FEW_COLLECTIONS = 50_000, 20, 20
"""Thresholds of Python's garbage collector, for imports and traced programs, which leave next to no garbage."""


def main() -> int:
    """Runs the process `t2jax` with its arguments and returns the exit status."""
    gc.set_threshold(*FEW_COLLECTIONS)
    return as_process(command, sys.argv[1:])


def command(args: Sequence[str]) -> int:
    """Runs the command that `args` give and returns its exit status. Wrong usage raises SystemExit(2)."""
    return guarded(lambda: _run_args(args), args)


def _run_args(args: Sequence[str]) -> int:
    config = parse(args)
    _module_of(config)  # whose import loads JAX, if the command computes
    if "jax" in sys.modules:
        compile_faster()
        keep_compiled()
        config = join_hosts(config)
    return run(config)


def parse(args: Sequence[str]) -> Any:
    """Returns the config that `args` give. It raises SystemExit after --help and for wrong usage."""
    import tyro  # a slow import, so only after interrupts are handled

    from t2jax.cli.process.config_file import arguments_of, config_path, without
    from t2jax.cli.process.optional import registry, without_colour

    name = args[0] if args else ""
    settings = (tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes, tyro.conf.FlagCreatePairsOff)
    if name in COMMANDS:
        command, rest = COMMANDS[name].load(), args[1:]
        with registry(), without_colour():
            path = config_path(rest)
            if path is None:
                return tyro.cli(command, prog=f"t2jax {name}", args=rest, config=settings)
            of_file, missing = arguments_of(path, name, command, rest)
            options = tyro.cli(command, prog=f"t2jax {name} --config {path}", args=of_file, config=settings)
            options = without(options, missing)
            return tyro.cli(command, prog=f"t2jax {name}", args=rest, config=settings, default=options)
    if name in ("-h", "--help"):
        print(_overview())
        raise SystemExit(0)
    if name in ("-V", "--version"):
        print(f"t2jax {version('t2jax')}, jax {version('jax')}, Python {sys.version.split()[0]}")
        raise SystemExit(0)
    if name.startswith("--tyro-"):  # a shell's completion script covers all commands
        subcommands = [Annotated[entry.load(), tyro.conf.subcommand(name)] for name, entry in COMMANDS.items()]
        return tyro.cli(Union[tuple(subcommands)], prog="t2jax", args=args, config=settings)  # pyright: ignore # noqa: UP007
    similar = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f"; did you mean {similar[0]!r}?" if similar else ""
    problem = f"there is no command {name!r}{hint}" if name else "expected a command"
    print(f"t2jax: {problem}\n\n{_overview()}", file=sys.stderr)
    raise SystemExit(2)


def run(config: Any) -> int:
    """Runs the command of a config and returns its exit status. It raises ValueError for bad input."""
    return _module_of(config).run(config)


def _module_of(config: Any) -> Any:
    """Imports and returns the module that runs the command of a config: `command` beside `config`, or its own."""
    place = type(config).__module__
    folder = place.removesuffix(".config")
    return importlib.import_module(place if folder == place else f"{folder}.command")


def compile_faster() -> None:
    """Sets flags of XLA for this process, unless `XLA_FLAGS` is set. XLA reads them when the first array is made."""
    if flags := flags_for_fast_compilation():
        os.environ.setdefault("XLA_FLAGS", " ".join(flags))


def flags_for_fast_compilation() -> list[str]:
    """Returns XLA's flag that turns its fusion emitters for CPUs off, or nothing where jaxlib does not know it.

    In jaxlib 0.10 they take a third of the time to compile and make nothing here faster. Other versions of jaxlib end
    at a flag that they do not know.
    """
    return ["--xla_cpu_use_fusion_emitters=false"] if version("jaxlib").startswith("0.10.") else []


def keep_compiled() -> None:
    """Stores compiled programs in the user's cache folder, so that the next command starts faster."""
    import jax
    import pooch

    from t2jax.numerics.programs.stored_programs import store_programs

    store_programs(pooch.os_cache("t2jax") / "programs")
    jax.config.update("jax_compilation_cache_dir", str(pooch.os_cache("t2jax") / "jit"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def _overview() -> str:
    """Returns the text of `t2jax --help`: each command with its purpose."""
    width = max(map(len, COMMANDS))
    lines = (f"  {name:{width}}  {entry.purpose}" for name, entry in COMMANDS.items())
    notes = (__doc__ or "").partition("\n\n")[2].strip()
    return "\n".join(
        ("usage: t2jax COMMAND [OPTIONS]", "", *lines, "", "`t2jax COMMAND --help` lists the options of one.", notes)
    )
