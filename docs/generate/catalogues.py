"""Pages that are generated from the code: the catalogue of laws, that of noise models, and project files.

mkdocs calls `on_files` while it collects the pages (see `hooks` in mkdocs.yml).
"""

import inspect
import re
import textwrap
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import t2jax as t2

ROOT = Path(__file__).parents[2]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, the notebooks and the project files to the site."""
    pages = {"laws.md": laws_page(), "noises.md": noises_page()}
    for name, content in pages.items():
        if placeholder := files.get_file_from_path(name):  # what readers of the repository see
            files.remove(placeholder)
        files.append(File.generated(config, name, content=content))
    for name in ("CONTRIBUTING.md", "CHANGELOG.md"):
        files.append(File.generated(config, name.lower(), content=(ROOT / name).read_text(encoding="utf-8")))
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        files.append(File.generated(config, f"notebooks/{notebook.name}", abs_src_path=str(notebook)))
    return files


def laws_page() -> str:
    """Every exported law: formula, source, columns, parameters with priors."""
    intro = (
        "Every law that t2jax exports. A prior is written as in NumPyro; LogNormal takes the mean and scale of the log."
    )
    return "\n\n".join(["# Laws", intro, *(_law(law) for law in t2.laws.ALL)]) + "\n"


def _law(law: Any) -> str:
    head = f"## {law.__name__}\n\n`--law {t2.laws.name_of(law)}` · predicts `{law.response[0]}`"
    reads = ", ".join(f"`{column}` ({name})" for name, column in law.columns().items())
    rows = [
        f"| `{name}` | {param.unit} | {_prior(param.prior)} | {param.doc} |" for name, param in law.declared().items()
    ]
    table = "\n".join(["| parameter | unit | prior | meaning |", "|---|---|---|---|", *rows])
    return "\n\n".join([head, _text(law.__doc__), f"Reads {reads}.", table])


def _prior(prior: Any) -> str:
    """A distribution as one writes it, such as LogNormal(0.5, 0.5)."""
    values = [f"{float(getattr(prior, name)):g}" for name in prior.arg_constraints]
    return f"{type(prior).__name__}({', '.join(values)})"


def noises_page() -> str:
    """Every public noise model, by its docstring."""
    parts = ["# Noise models", "Which one to take: [Which noise](guides/noise.md)."]
    for name in t2.noise.__all__:
        noise = getattr(t2.noise, name)
        if inspect.isclass(noise) and hasattr(noise, "penalty") and name != "Noise":
            parts.append(f"## {name}\n\n{_text(noise.__doc__)}")
    return "\n\n".join(parts) + "\n"


def _text(docstring: str | None) -> str:
    """A docstring as Markdown: the arguments become a list and the example, which comes last, a code block."""
    text, _, example = inspect.cleandoc(docstring or "").partition("\nExamples:\n")
    text = re.sub(r"^(Args|Attributes|Raises|Returns):\n", r"**\1**\n\n", text, flags=re.MULTILINE)
    text = re.sub(r"^ {4}(\w+): ", r"- `\1`: ", text, flags=re.MULTILINE)
    return f"{text.rstrip()}\n\n```pycon\n{textwrap.dedent(example).strip()}\n```" if example else text
