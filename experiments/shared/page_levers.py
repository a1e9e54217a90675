"""A report open in Chromium, whose levers are moved as its own boxes and switches move them."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PUT = """
const [at] = arguments;
document.querySelector("#controls button").click();
let moved = 0;
for (const [name, value] of Object.entries(at)) {
  const use = document.getElementById(`use-${name}`);
  if (use && !use.checked) use.click();
  const box = document.getElementById(`exact-${name}`);
  box.value = String(value);
  box.dispatchEvent(new Event("change"));
  moved = Number(document.body.dataset.moved);
}
const cells = [...document.querySelectorAll("#answers [data-value]")].map((cell) => cell.dataset.value);
return [moved, cells, [...document.querySelectorAll("#answers tbody th")].map((cell) => cell.textContent)];
"""
"""Resets the page, types numbers into the boxes, and reads the table and the milliseconds of the last move."""


@contextmanager
def browser() -> Iterator[Any]:
    """Starts Chromium without a window, with its logs. It raises FileNotFoundError where there is none."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    chromium, bridge = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not bridge:
        raise FileNotFoundError("Chromium with chromedriver is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1200,900"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(bridge))
    try:
        yield driver
    finally:
        driver.quit()


@contextmanager
def opened(page: Path) -> Iterator[Any]:
    """Opens a report in Chromium. It raises FileNotFoundError where there is none."""
    with browser() as driver:
        driver.get(page.resolve().as_uri())
        end = time.monotonic() + 60
        while not driver.execute_script("return document.body.dataset.drawn"):
            if time.monotonic() > end:
                raise RuntimeError(f"{page}: the page was not drawn within a minute")
            time.sleep(0.1)
        yield driver


def move(driver: Any, at: dict[str, float]) -> tuple[float, dict[str, float]]:
    """Moves the levers. Returns milliseconds, and the answers by name, without any where the page gives none."""
    moved, cells, names = driver.execute_script(PUT, at)
    answers = {name: float(cell) for name, cell in zip(names, cells, strict=True) if cell}
    return float(moved), answers


def problem(driver: Any) -> dict[str, Any]:
    """Returns the data of the levers."""
    return json.loads(driver.execute_script("return document.getElementById('data').textContent"))["levers"]


def complaints(driver: Any) -> list[str]:
    """Lists messages in the browser's console, and requests other than for the file itself."""
    lines = [entry["message"] for entry in driver.get_log("browser")]
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            url = message["params"]["request"]["url"]
            if not url.startswith(("file:", "data:", "blob:")):
                lines.append(f"request of {url}")
    return lines
