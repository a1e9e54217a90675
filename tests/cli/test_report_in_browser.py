"""The page in Chromium: levers move by keyboard and by number, nothing is fetched, and no text of a table runs."""

import json
import time
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest

import t2jax as t2
from experiments.shared.page_levers import browser
from t2jax.cli.report.lever_data import lever_data
from t2jax.cli.report.page_parts import Page, Section, TablePart
from t2jax.cli.report.write import write_page
from t2jax.planning.levers.levers import levers_of

selenium = pytest.importorskip("selenium", reason="Selenium is not installed: it moves the levers of a page")
LAW = t2.laws.Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
EVIL = "</script><script>window.stolen=1</script><img src=x onerror=window.stolen=1>"


@pytest.fixture(scope="module")
def driver():
    with ExitStack() as stack:
        try:
            started = stack.enter_context(browser())
        except FileNotFoundError as reason:
            pytest.skip(str(reason))
        yield started


@pytest.fixture(scope="module")
def opened(driver, tmp_path_factory):
    """A page in which every text is an attack, open in the browser."""
    laws = t2.laws.Chinchilla(**{name: np.full(30, value) for name, value in LAW.values().items()})
    budget = t2.Budget(train=1e21, inference=3e11)
    levers = lever_data(levers_of(LAW, budget, t2.allocate(LAW, budget), laws=laws), type(LAW))
    table = TablePart(EVIL, (EVIL, EVIL), ((EVIL, EVIL),))
    page = Page(
        title=EVIL,
        lead=(EVIL,),
        words={"law": EVIL, "response": "loss", "unit": "FLOPs", "level": 0.9, "plain": True},
        levers=levers,
        sections=(Section("sure", EVIL, (EVIL,), (table,)),),
        printed=EVIL,
    )
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_page(page, path)
    driver.get(path.as_uri())
    until(lambda: driver.execute_script("return document.body.dataset.drawn"))
    return driver


def until(condition: Any, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the page never came to it"
        time.sleep(0.05)


def type_into(driver: Any, name: str, text: str) -> None:
    driver.execute_script(
        "const box = document.getElementById(arguments[0]); box.value = arguments[1];"
        "box.dispatchEvent(new Event('change'));",
        f"exact-{name}",
        text,
    )


def reset(driver: Any) -> None:
    driver.execute_script("document.querySelector('#controls button').click()")


def answers(driver: Any) -> list[float]:
    """N, D, D/N and the loss in the table."""
    cells = driver.execute_script(
        "return [...document.querySelectorAll('#answers [data-value]')].map(c => c.dataset.value)"
    )
    return [float(cell) for cell in cells[:4] if cell]


def closed_form(train: float) -> tuple[float, float]:
    """Hoffmann et al. 2022, eq. 4."""
    n = (0.35 * 480.0 / (0.37 * 2100.0)) ** (1 / 0.72) * (train / 6) ** (0.37 / 0.72)
    return n, train / 6 / n


def test_typed_numbers_move_the_plan(opened):
    reset(opened)
    for train in (3e19, 1e21, 7e21):
        type_into(opened, "train", f"{train:g}")
        n, d = closed_form(train)
        loss = 1.8 + 480.0 * n**-0.35 + 2100.0 * d**-0.37
        assert answers(opened) == pytest.approx([n, d, d / n, loss], rel=1e-4)
    until(lambda: f"Train {n / 1e9:.3g} billion" in opened.find_element("id", "verdict").text)  # once the lever rests
    type_into(opened, "inference", "2e9")
    assert answers(opened)[:2] == pytest.approx([1e9, 7e21 / 6e9], rel=1e-6)
    assert float(opened.find_element("id", "check").get_attribute("data-largest")) < 1e-4


def test_keys_move_a_lever_and_a_switch_adds_one(opened):
    from selenium.webdriver.common.keys import Keys

    reset(opened)
    before = answers(opened)[0]
    slider = opened.find_element("id", "lever-train")
    slider.send_keys(Keys.ARROW_RIGHT)
    assert answers(opened)[0] > before
    opened.find_element("id", "use-cap").send_keys(Keys.SPACE)
    type_into(opened, "cap", "1e10")
    n, d = answers(opened)[:2]
    assert d == pytest.approx(1e10, rel=1e-6)
    assert n == pytest.approx(10 ** float(slider.get_attribute("value")) / 6e10, rel=1e-6)


def test_beyond_its_range_the_page_gives_no_numbers(opened):
    reset(opened)
    type_into(opened, "train", "1e29")
    assert answers(opened) == []
    until(lambda: "beyond what this page has computed" in opened.find_element("id", "verdict").text)
    type_into(opened, "train", "nonsense")  # which changes nothing
    assert float(opened.find_element("id", "exact-train").get_attribute("value")) == 1e29


def test_every_control_has_a_name_and_results_are_spoken(opened):
    tree = opened.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    roles = ("slider", "textbox", "checkbox", "button", "combobox", "image", "link")
    named = {role: [] for role in roles}
    for node in tree:
        role = node.get("role", {}).get("value")
        if role in named and not node.get("ignored"):
            named[role].append(node.get("name", {}).get("value", ""))
    assert "Training budget" in named["slider"] and "Limit the training tokens" in named["checkbox"]
    assert len(named["textbox"]) == 4 and len(named["combobox"]) == 2
    assert {role: names for role, names in named.items() if not all(name.strip() for name in names)} == {}
    verdict = opened.find_element("id", "verdict")
    assert (verdict.get_attribute("role"), verdict.get_attribute("aria-live")) == ("status", "polite")
    assert "FLOPs" in opened.find_element("id", "lever-train").get_attribute("aria-valuetext")


def test_figures_are_drawn_and_a_phone_has_no_sideways_scroll(opened):
    reset(opened)
    traces = "return document.querySelectorAll('#sizes .scatterlayer .trace').length"
    until(lambda: opened.execute_script(traces) == 3)  # a band, a line and a star
    size = {"width": 360, "height": 780, "deviceScaleFactor": 2, "mobile": True}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    until(lambda: opened.execute_script("return document.documentElement.scrollWidth") <= 360)
    opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_nothing_leaves_and_nothing_foreign_runs(opened):
    """After all that the other tests have done, as the log has it."""
    opened.execute_script("fetch('https://example.org/').catch(() => {})")  # which the page's policy forbids
    messages = [entry["message"] for entry in opened.get_log("browser")]
    assert [text for text in messages if "example.org" not in text] == []
    requests = [json.loads(entry["message"])["message"] for entry in opened.get_log("performance")]
    urls = [
        request["params"]["request"]["url"] for request in requests if request["method"] == "Network.requestWillBeSent"
    ]
    assert urls and all(url.startswith(("file:", "data:", "blob:")) for url in urls if "example.org" not in url)
    assert opened.execute_script("return window.stolen") is None
    assert EVIL in opened.find_element("tag name", "h1").text
