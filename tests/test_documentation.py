"""README and documentation: examples print what they say, and links inside the repository lead somewhere."""

import ast
import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [page for page in sorted((ROOT / "docs").rglob("*.md")) if ">>> " in page.read_text(encoding="utf-8")]
MARKDOWN = [
    page
    for folder in (ROOT, *(ROOT / name for name in ("data", "docs", "experiments", "notebooks", "t2jax", "tests")))
    for page in sorted(folder.glob("*.md") if folder == ROOT else folder.rglob("*.md"))
]

PROGRAMS = [
    pytest.param("\n".join(blocks), id=page.stem)
    for page in (ROOT / "README.md", *sorted((ROOT / "docs" / "guides").glob("*.md")))
    if (blocks := re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S))
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_print_what_they_say(page):
    failed, tried = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert failed == 0 and tried > 0


def anchors_of(page):
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_inside_the_repository_lead_somewhere(page):
    """Also on a site that shows the repository, where nothing is generated."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"(?:src|href)=\"([^\"]+)\"", text)
    for link in (link for link in links if not re.match(r"\w+:|\{\{", link)):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or target.suffix != ".md" or anchor in anchors_of(target), link


def test_the_readme_is_short():
    assert (ROOT / "README.md").stat().st_size <= 8192


def test_statuses_of_the_questions_are_those_that_t2jax_prints():
    """Each quoted heading of the FAQ, in pieces between names and numbers, stands in the source."""
    constants = [
        node.value
        for path in sorted((ROOT / "t2jax").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    quoted = re.findall(r'^### "(.+)"$', (ROOT / "docs" / "faq.md").read_text(encoding="utf-8"), re.M)
    assert len(quoted) > 8
    for status in quoted:
        pieces = re.split(r"\.\.\.|\d[\d,.]*|\b[A-Z]\b|[()]|: |; ", status)
        for piece in (piece.strip(" :") for piece in pieces):
            assert any(piece in constant for constant in constants), f"{status}: nothing prints {piece!r}"


@pytest.mark.parametrize("program", PROGRAMS)
def test_python_of_a_page_runs_from_top_to_bottom(program, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(program, "page", "exec"), {"__name__": "page"})
