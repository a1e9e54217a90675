"""README and documentation: examples print what they say, and links inside the repository lead somewhere."""

import ast
import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [page for page in sorted((ROOT / "docs").rglob("*.md")) if ">>> " in page.read_text(encoding="utf-8")]

PROGRAMS = [
    pytest.param("\n".join(blocks), id=page.stem)
    for page in (ROOT / "README.md", *sorted((ROOT / "docs" / "guides").glob("*.md")))
    if (blocks := re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S))
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_print_what_they_say(page):
    failed, tried = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert failed == 0 and tried > 0


def test_links_of_the_readme_lead_somewhere():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert len(links) > 10
    for link in links:
        assert (ROOT / link).exists(), link


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
