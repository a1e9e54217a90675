"""The page in Chromium as it looks: on a phone, in the dark and on paper."""

import time
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest

import t2jax as t2
from experiments.shared.page_levers import browser
from t2jax.cli.report.lever_data import lever_data
from t2jax.cli.report.page_parts import FigurePart, Page, Section, TablePart
from t2jax.cli.report.write import write_page
from t2jax.planning.levers.levers import levers_of

selenium = pytest.importorskip("selenium", reason="Selenium is not installed: it opens the page")
LAW = t2.laws.Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
COLUMNS = ("parameter", "value", "low", "high", "unit", "meaning")
PAPER = 718
"""Pixels of a sheet of A4 between margins of a centimetre: (21 - 2)/2.54 inches of 96."""

CONTRASTS = """
// Relative luminance and contrast as in WCAG 2.2, of every text that can be seen and is not disabled.
const numbers = (text) => {
  const found = text.match(/[\\d.]+/g).map(Number);
  return [...found.slice(0, 3), found[3] ?? 1];
};
const luminance = (rgb) => {
  const [r, g, b] = rgb.map((one) => (one <= 10.31 ? one / 255 / 12.92 : ((one / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const [r, g, b, alpha] = numbers(getComputedStyle(at).backgroundColor);
    if (alpha > 0) return [r, g, b];
  }
  return [255, 255, 255];
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const elements = new Set(document.querySelectorAll("input[type=text]:enabled, select"));
while (walker.nextNode()) if (walker.currentNode.data.trim()) elements.add(walker.currentNode.parentElement);
const rows = [];
for (const element of elements) {
  if (element.closest("script, style, noscript, .hidden, .skip, .modebar, option, :disabled")) continue;
  const box = element.getBoundingClientRect();
  const style = getComputedStyle(element);
  if (!box.width || !box.height || style.visibility === "hidden") continue;
  const drawn = element.closest("svg") !== null;
  const [r, g, b, alpha] = numbers(drawn ? style.fill : style.color);
  const below = ground(element);
  const share = alpha * Number(drawn ? style.fillOpacity : 1);
  const seen = [r, g, b].map((one, i) => share * one + (1 - share) * below[i]);
  const [dim, bright] = [luminance(seen), luminance(below)].sort((x, y) => x - y);
  rows.push([(bright + 0.05) / (dim + 0.05), drawn, element.textContent.trim().slice(0, 40)]);
}
return rows;
"""
PLOTS = """
return [...document.querySelectorAll(".plot")].map((plot) => {
  const box = (element) => element.getBoundingClientRect();
  const frame = plot.closest("figure");
  const [svg, figure] = [box(plot.querySelector(".main-svg")), box(frame)];
  const next = box(frame.nextElementSibling || plot.closest("section").nextElementSibling);
  const texts = [...plot.querySelectorAll("svg text")].map(box).filter((one) => one.width);
  return {
    right: svg.right - figure.right, bottom: svg.bottom - figure.bottom, left: figure.left - svg.left,
    over: Math.max(...texts.map((one) => one.right)) - svg.right,
    under: svg.left - Math.min(...texts.map((one) => one.left)),
    drawn: texts.length, next: next.top < figure.bottom && next.left < figure.right ? figure.bottom - next.top : 0,
  };
});
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page with levers, of which one is not in use, figures, and tables that are wider than a phone."""
    laws = t2.laws.Chinchilla(**{name: np.full(30, value) for name, value in LAW.values().items()})
    budget = t2.Budget(train=1e21)
    levers = lever_data(levers_of(LAW, budget, t2.allocate(LAW, budget), laws=laws), type(LAW))
    row = ("alpha", "0.367172", "0.342912", "0.407417", "nats·params^alpha", "exponent of the size")
    bars = [
        {"type": "bar", "orientation": "h", "name": name, "y": ["training budget"], "x": [x], "marker": {"color": c}}
        for name, x, c in (("N", 0.5, "c1"), ("D", 0.4, "c2"), ("k", 0.1, "c3"))
    ]
    layout = {"xaxis": {"title": {"text": "change for 1 % more (%)"}}, "height": 195}
    figures = [FigurePart(name, "Moves", "What moves.", bars, layout) for name in ("moves", "more")]
    hashes = TablePart("Files.", ("file", "SHA-256"), (("law.json", 64 * "a"),))
    page = Page(
        title="What to train, by chinchilla",
        lead=("Train 34 billion parameters.", "Training costs 1e21 FLOPs."),
        words={"law": "chinchilla", "response": "loss", "unit": "FLOPs", "level": 0.9, "plain": True, "percent": False},
        levers=levers,
        sections=(
            Section(
                "changes", "What changes it", ("A sentence.",), (TablePart("Law.", COLUMNS, (row,)),), (figures[0],)
            ),
            Section("law", "The law", ("A sentence.",), (hashes,), (figures[1],)),
            Section("blind", "What it cannot say", ("A sentence.",), (hashes, hashes), listed=True),
        ),
        printed="as printed",
    )
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_page(page, path)
    return path


@pytest.fixture(scope="module")
def driver(page):
    with ExitStack() as stack:
        try:
            started = stack.enter_context(browser())
        except FileNotFoundError as reason:
            pytest.skip(str(reason))
        yield started


def seen_as(driver: Any, page: Any, width: int, scheme: str = "light", media: str = "screen") -> None:
    """Opens the page anew at a width, in a colour scheme, on a screen or on paper."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.get(page.as_uri())
    drawn = "return document.body.dataset.drawn && document.querySelectorAll('.plot .xtick text').length > 3"
    until(lambda: driver.execute_script(drawn))
    if media == "print":
        driver.execute_script("dispatchEvent(new Event('beforeprint'))")
    until(lambda: [plot["drawn"] > 3 for plot in driver.execute_script(PLOTS)] == 4 * [True])


def until(condition: Any, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the page never came to it"
        time.sleep(0.1)


def check_figures(driver: Any) -> None:
    """No figure is cut, runs out of its frame or lies over what follows it, to a pixel."""
    for plot in driver.execute_script(PLOTS):
        cut = {name: plot[name] for name in ("right", "bottom", "left", "over", "under", "next") if plot[name] > 1}
        assert cut == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_and_every_text_has_contrast(driver, page, scheme):
    """WCAG 2.2, 1.4.3 asks for 4.5; the page's ground is dark in the dark."""
    seen_as(driver, page, 375, scheme)
    assert driver.execute_script("return document.documentElement.scrollWidth") <= 375
    check_figures(driver)
    rows = driver.execute_script(CONTRASTS)
    assert len(rows) > 60 and sum(drawn for _, drawn, _ in rows) > 20
    assert [row for row in rows if row[0] < 4.5] == []
    ground = driver.execute_script("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (max(ground) < 40) == (scheme == "dark")


def test_a_turned_phone_keeps_its_figures(driver, page):
    seen_as(driver, page, 375)
    size = {"width": 812, "height": 375, "deviceScaleFactor": 1, "mobile": True}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    width = "return document.querySelector('#sizes .main-svg').getBoundingClientRect().width"
    until(lambda: driver.execute_script(width) > 350)
    check_figures(driver)
    assert driver.execute_script("return document.documentElement.scrollWidth") <= 812


def test_on_paper_levers_are_values_and_figures_whole(driver, page):
    """Printed from the dark: black on white, no slider, no lever that is not in use, figures within the sheet."""
    seen_as(driver, page, PAPER, "dark", "print")
    check_figures(driver)
    assert driver.execute_script("return document.documentElement.scrollWidth") <= PAPER
    shown = "return [...document.querySelectorAll(arguments[0])].filter((one) => one.checkVisibility()).length"
    for hidden in ("input[type=range]", "input[type=checkbox]", "button", "nav", "details", ".modebar", "#exact-cap"):
        assert driver.execute_script(shown, hidden) == 0, hidden
    value = driver.execute_script("return document.getElementById('exact-train').value")
    assert driver.execute_script(shown, "#exact-train") == 1 and float(value) == 1e21
    assert [row for row in driver.execute_script(CONTRASTS) if row[0] < 4.5] == []
    paper = driver.execute_script("return getComputedStyle(document.querySelector('#moves .main-svg')).backgroundColor")
    assert paper == "rgb(255, 255, 255)"


def test_a_wide_window_prints_figures_that_fit(driver, page):
    """The browser draws them anew before it prints, narrower than the sheet."""
    seen_as(driver, page, 1200)
    widths = "[...document.querySelectorAll('.plot > div > div > .main-svg:first-child')]"
    widths += ".map((one) => one.getBoundingClientRect().width)"
    driver.execute_script(f"addEventListener('beforeprint', () => {{ window.printed = {widths}; }})")
    assert max(driver.execute_script(f"return {widths}")) > PAPER
    driver.execute_cdp_cmd("Page.printToPDF", {})
    printed = driver.execute_script("return window.printed")
    assert len(printed) == 4 and max(printed) <= PAPER
    until(lambda: max(driver.execute_script(f"return {widths}")) > PAPER)  # and wide again on the screen
