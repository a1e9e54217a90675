"""Options of `t2jax report`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class ReportConfig:
    """Write one HTML file of a fit, a posterior or a plan, which opens anywhere and has levers that move."""

    folder: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="FOLDER")]]
    """Folder that `t2jax fit`, `sample` or `plan` wrote, or one with a law.json that `t2.save_law` wrote."""
    to: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """The file to write; by default report.html in the folder."""
    train: float | None = None
    """Training budget of the plan in the page; by default the plan's own, or ten times the dearest run."""
    inference: float | None = None
    """Serving budget of a query, for laws that read k."""
    law_file: Annotated[Path | None, tyro.conf.arg(metavar="law.json")] = None
    """Law of the plan, where it has moved since."""
    law_class: Annotated[str | None, tyro.conf.arg(metavar="FILE.py:CLASS")] = None
    """Class of a law of your own: the file that defines it, and its name."""
    json: bool = False
    """Print the result as JSON on stdout, and nothing else there."""
