"""The command line: quickstart, fit, sample, frontier, plan, next, audit, laws, data and testbed.

Each has --help and --json. Exit status: 0 if all went well and every fit and chain converged, 1 for a failed fit or bad
input, 2 for wrong usage, 130 if interrupted.
"""

import sys
from collections.abc import Sequence
from typing import Annotated

import jax
import pooch
import tyro

from t2jax.cli import data, fit, laws, quickstart, testbed
from t2jax.cli import next_runs as next_run
from t2jax.cli.audit import command as audit_command
from t2jax.cli.frontier import command as frontier_command
from t2jax.cli.plan import command as plan_command
from t2jax.cli.process.errors import guarded
from t2jax.cli.process.optional import registry
from t2jax.cli.process.run import as_process
from t2jax.cli.sample import command as sample_command

Command = (
    Annotated[quickstart.QuickstartConfig, tyro.conf.subcommand("quickstart")]
    | Annotated[fit.FitConfig, tyro.conf.subcommand("fit")]
    | Annotated[sample_command.SampleConfig, tyro.conf.subcommand("sample")]
    | Annotated[frontier_command.FrontierConfig, tyro.conf.subcommand("frontier")]
    | Annotated[plan_command.PlanConfig, tyro.conf.subcommand("plan")]
    | Annotated[next_run.NextConfig, tyro.conf.subcommand("next")]
    | Annotated[audit_command.AuditConfig, tyro.conf.subcommand("audit")]
    | Annotated[laws.LawsConfig, tyro.conf.subcommand("laws")]
    | Annotated[data.DataConfig, tyro.conf.subcommand("data")]
    | Annotated[testbed.TestbedConfig, tyro.conf.subcommand("testbed")]
)
SETTINGS = (tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes, tyro.conf.FlagCreatePairsOff)


def main() -> int:
    """The process `t2jax`: run the command of its arguments and return the exit status."""
    return as_process(command, sys.argv[1:])


def command(args: Sequence[str]) -> int:
    """Run the command that `args` say and return its exit status; wrong usage raises SystemExit(2)."""
    with registry():
        config = tyro.cli(Command, prog="t2jax", description=__doc__, args=args, config=SETTINGS)  # pyright: ignore
    keep_compiled()
    return guarded(lambda: run(config), args)


def run(config: Command) -> int:
    """Run the command that a config belongs to and return its exit status. Raises ValueError for bad input."""
    match config:
        case quickstart.QuickstartConfig():
            return quickstart.run(config)
        case fit.FitConfig():
            return fit.run(config)
        case sample_command.SampleConfig():
            return sample_command.run(config)
        case frontier_command.FrontierConfig():
            return frontier_command.run(config)
        case plan_command.PlanConfig():
            return plan_command.run(config)
        case next_run.NextConfig():
            return next_run.run(config)
        case audit_command.AuditConfig():
            return audit_command.run(config)
        case laws.LawsConfig():
            return laws.run(config)
        case data.DataConfig():
            return data.run(config)
        case testbed.TestbedConfig():
            return testbed.run(config)


def keep_compiled() -> None:
    """Keep what XLA compiles in the user's cache folder, so that the next command starts faster."""
    jax.config.update("jax_compilation_cache_dir", str(pooch.os_cache("t2jax") / "jit"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
