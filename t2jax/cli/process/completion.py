"""`t2jax completion`: a script with which a shell completes commands and options."""

from dataclasses import dataclass
from typing import Literal

import tyro

from t2jax import cli


@dataclass(frozen=True)
class CompletionConfig:
    """Print the script with which bash, zsh or fish completes commands and options."""

    shell: tyro.conf.Positional[Literal["bash", "zsh", "fish"]]
    """The shell. In bash: source <(t2jax completion bash)."""


def run(config: CompletionConfig) -> int:
    """Prints the script and returns 0."""
    try:
        cli.parse(["--tyro-print-completion", config.shell])
    except SystemExit as end:
        return int(end.code or 0)
    return 0
