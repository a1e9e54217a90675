"""Pages of results: each is a template whose numbers come from the experiment's result.json.

mkdocs calls `on_page_markdown` for every page (see `hooks` in mkdocs.yml). A page docs/results/NAME.md has a `title`
and a `finding` in its front matter, and under `more` both for each section that the list of findings names too. Its
text is Jinja, in which `r` is the result of experiments/results/NAME. A name that the result lacks, a missing figure
and a claim that the numbers no longer support all fail the build.
"""

import json
import math
import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markdown.extensions.toc import slugify
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils.meta import get_data

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "results"
RESULTS = ROOT / "experiments" / "results"
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
STARS = re.compile(r"\b([NDk])\*")
"""N*, D* and k*, whose stars Markdown would take for emphasis."""
WORDS = ((1e15, "quadrillion"), (1e12, "trillion"), (1e9, "billion"), (1e6, "million"))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str | None:
    """Fill in a page of results."""
    if page.file.src_uri == "results/index.md":
        return render_index(markdown)
    if not page.file.src_uri.startswith("results/"):
        return None
    name = Path(page.file.src_uri).stem
    for picture in sorted((RESULTS / name).rglob("*.png")):
        uri = f"results/figures/{picture.relative_to(RESULTS)}"
        if picture.name in markdown:
            files.append(File.generated(config, uri, abs_src_path=str(picture)))
    return render_page(name)


def render_page(name: str) -> str:
    """The Markdown of one experiment: finding, text, command, versions."""
    text, meta = get_data((PAGES / f"{name}.md").read_text(encoding="utf-8"))
    environment = environment_of(name)
    body = STARS.sub(r"\1\\*", environment.from_string(text).render().strip())
    return f"# {meta['title']}\n\n**{finding_of(name)}**\n\n{body}\n\n{footer_of(name, meta)}\n"


def render_index(markdown: str) -> str:
    """The list of findings. Every page has to be in it."""
    listed: list[str] = []

    def findings(*names: str) -> str:
        listed.extend(names)
        return "\n".join(line for name in names for line in index_lines(name))

    text = Environment(undefined=StrictUndefined).from_string(markdown).render(findings=findings)
    if missing := {path.stem for path in PAGES.glob("*.md")} - {"index"} - set(listed):
        raise ValueError(f"docs/results/index.md does not list {', '.join(sorted(missing))}")
    return text


def title_of(name: str) -> str:
    return get_data((PAGES / f"{name}.md").read_text(encoding="utf-8"))[1]["title"]


def index_lines(name: str) -> list[str]:
    """The finding of one experiment, and those of its sections that `more` in the front matter names, as a list."""
    _, meta = get_data((PAGES / f"{name}.md").read_text(encoding="utf-8"))
    lines = [f"- [{title_of(name)}]({name}.md) {finding_of(name)}"]
    for section in meta.get("more", []):
        anchor = slugify(section["title"], "-")
        lines.append(f"- [{section['title']}]({name}.md#{anchor}) {sentence_of(name, section['finding'])}")
    return lines


def finding_of(name: str) -> str:
    """The finding of one experiment, a sentence with its numbers."""
    meta = get_data((PAGES / f"{name}.md").read_text(encoding="utf-8"))[1]
    return sentence_of(name, meta["finding"])


def sentence_of(name: str, template: str) -> str:
    """A sentence of the front matter, filled in."""
    sentence = " ".join(environment_of(name).from_string(template).render().split())
    return STARS.sub(r"\1\\*", sentence)


def footer_of(name: str, meta: dict[str, Any]) -> str:
    """The command that makes the result again, and what it was made with."""
    (script,) = (ROOT / "experiments").glob(f"*/{name}.py")
    module = f"experiments.{script.parent.name}.{name}"
    commands = [f"    python -m {module} {arguments}".rstrip() for arguments in meta.get("arguments", [""])]
    lines = ["## Command", "", *commands, ""]
    for path in paths_of(name):
        content = json.loads(path.read_text(encoding="utf-8"))
        versions = ", ".join(f"{package} {version}" for package, version in content["versions"].items())
        label = "" if path.parent == RESULTS / name else f"{path.parent.name}: "
        seconds = f", {content['seconds']:.0f} seconds" if "seconds" in content else ""  # dropped with arms of a run
        lines += [f"<small>{label}Seed {content['seed']}{seconds}. {versions}.</small>", ""]
    return "\n".join(lines)


def paths_of(name: str) -> list[Path]:
    """Its result.json, or one for each of several laws."""
    paths = sorted((RESULTS / name).rglob("result.json"))
    if not paths:
        raise FileNotFoundError(f"experiments/results/{name} has no result.json")
    return paths


def environment_of(name: str) -> Environment:
    """What a template may use: `r`, `arguments`, and the functions below."""
    contents = {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in paths_of(name)}
    single = contents.get(name)
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"percent": percent, "fixed": fixed, "sig": sig, "sci": sci, "words": words}
    environment.globals |= {
        "r": single["result"] if single else {key: content["result"] for key, content in contents.items()},
        "arguments": single["arguments"] if single else {key: one["arguments"] for key, one in contents.items()},
        "pick": pick,
        "claim": claim,
        "figure": lambda file, caption: figure(name, file, caption),
    }
    return environment


def figure(name: str, file: str, caption: str) -> str:
    if not (RESULTS / name / file).is_file():
        raise FileNotFoundError(f"experiments/results/{name}/{file}, which docs/results/{name}.md shows")
    width = int.from_bytes((RESULTS / name / file).read_bytes()[16:20]) // 2  # of a PNG, for screens of twice the dots
    picture = f"![{re.split('[.:(]', caption)[0].strip()}](figures/{name}/{file}){{ width={width} }}"
    return f'<figure markdown="span">{picture}<figcaption>{caption}</figcaption></figure>'


def pick(rows: list[dict[str, Any]], **values: Any) -> dict[str, Any]:
    """The one row that has these values."""
    found = [row for row in rows if all(row[key] == value for key, value in values.items())]
    if len(found) != 1:
        raise LookupError(f"{len(found)} rows have {values}, expected one")
    return found[0]


def claim(condition: bool, text: str) -> str:
    """A statement that holds only while its numbers do."""
    if not condition:
        raise ValueError(f"the numbers no longer support: {text}")
    return text


def percent(value: float, digits: int = 0) -> str:
    """0.042 as 4.2 %."""
    return f"{100 * value:.{digits}f} %"


def fixed(value: float, digits: int = 0) -> str:
    """A number with so many decimals."""
    return f"{value:z,.{digits}f}".replace("-", "−")


def sig(value: float, digits: int = 2) -> str:
    """A number with so many significant digits, never in exponents."""
    if value == 0:
        return "0"
    return fixed(rounded := float(f"{value:.{digits - 1}e}"), max(0, digits - 1 - math.floor(math.log10(abs(rounded)))))


def sci(value: float, digits: int = 2) -> str:
    """3.1e11 as 3.1·10¹¹."""
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    power = "10" + str(int(exponent)).translate(SUPERSCRIPTS)
    return power if float(mantissa) == 1 else f"{mantissa}·{power}".replace("-", "−")


def words(value: float, digits: int = 2) -> str:
    """3.1e11 as 310 billion."""
    for size, word in WORDS:
        if value >= size:
            return f"{sig(value / size, digits)} {word}"
    return sig(value, digits)
