"""A page as one HTML file that needs nothing else: text, figures, levers and the library that draws them."""

import base64
import gzip
import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from t2jax import __version__
from t2jax.cli.report.page_parts import Page
from t2jax.files import whole

REPORT_FILE = "report.html"


def write_page(page: Page, path: Path) -> None:
    """Writes the page completely or not at all. It raises ValueError where Jinja2 or Plotly is not installed."""
    text = html_of(page)
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def html_of(page: Page) -> str:
    """Returns the page as HTML. Every text from a table or a file is escaped."""
    try:
        from jinja2 import Environment, StrictUndefined  # slow to load
        from markupsafe import Markup
    except ImportError:
        raise ValueError("a report needs Jinja2: pip install jinja2") from None
    folder = files("t2jax.cli.report") / "page"
    texts = {
        name: (folder / name).read_text(encoding="utf-8")
        for name in ("page.html.j2", "page.css", "levers.js", "page.js")
    }
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    figures = {
        figure.name: {"data": figure.data, "layout": figure.layout}
        for section in page.sections
        for figure in section.figures
    }
    data = {"levers": page.levers, "figures": figures, "words": page.words}
    return environment.from_string(texts["page.html.j2"]).render(
        page=page,
        version=__version__,
        css=Markup(texts["page.css"]),
        scripts=Markup(texts["levers.js"] + texts["page.js"]),
        data=Markup(_as_script(data)),
        plotly=plotly_bundle(),
    )


@cache
def plotly_bundle() -> str:
    """Returns Plotly's library for browsers, compressed and as base64, a third of its size."""
    try:
        from plotly.offline import get_plotlyjs  # slow to load
    except ImportError:
        raise ValueError("a report needs Plotly: pip install plotly") from None
    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), 9, mtime=0)).decode("ascii")


def _as_script(data: dict[str, Any]) -> str:
    """Returns JSON that cannot end the script element around it."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
