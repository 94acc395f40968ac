"""A real browser: Chromium without a window, driven over its own protocol."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.support.services import require_program

#: What a hand takes, in seconds: to point at something and press, and to type one character, each
#: with the thought before it. Source: Card, Moran and Newell, The Psychology of Human-Computer
#: Interaction (1983), the keystroke-level model: M 1.35, H 0.4, P 1.1, BB 0.2; K 0.28.
_PRESS_SECONDS: Final = 1.35 + 0.4 + 1.1 + 0.2
_KEY_SECONDS: Final = 0.28
_WINDOW: Final = (1280, 900)


class Person:
    """Somebody in front of the browser, who sees one copy of the product.

    What they do with their hands is counted in ``presses`` (of the mouse: a button, a link, a field
    to type into, the address bar) and ``keystrokes``.
    """

    def __init__(self, driver: webdriver.Chrome, url: str) -> None:
        self.driver = driver
        self.presses = 0
        self.keystrokes = 0
        self._url = url

    @property
    def hand_seconds(self) -> float:
        """Return how long a person of average skill takes for what was done so far."""
        return self.presses * _PRESS_SECONDS + self.keystrokes * _KEY_SECONDS

    def open(self, path: str) -> None:
        """Type an address of the product."""
        self.presses += 1
        self.keystrokes += len(path)
        self.driver.get(self._url + path)

    def follow(self, link: str) -> None:
        """Press a link somebody sent, to wherever it leads."""
        self.presses += 1
        self.driver.get(link)

    def find(self, selector: str) -> WebElement:
        """Return the element, once it is there."""
        return WebDriverWait(self.driver, 20).until(
            lambda driver: driver.find_element(By.CSS_SELECTOR, selector)
        )

    def unfold(self, selector: str) -> None:
        """Open every folded part of the page in which an element lies."""
        self.presses += self.driver.execute_script(
            "let opened = 0;"
            "for (let e = arguments[0]; e; e = e.parentElement)"
            " if (e.tagName === 'DETAILS' && !e.open) { e.open = true; opened += 1; }"
            "return opened;",
            self.find(selector),
        )

    def fill_in(self, selector: str, text: str) -> None:
        """Type ``text`` instead of what a field holds; unfold it where it is folded away."""
        self.unfold(selector)
        self.presses += 1
        self.keystrokes += len(text)
        field = self.find(selector)
        field.clear()
        field.send_keys(text)

    def press(self, selector: str) -> None:
        """Press a button or link that leads to another page, and wait for that page."""
        self.presses += 1
        element = self.find(selector)
        page = self.find("html")
        # By script: what sticks to the window's edge may lie over it, as for a person who scrolls.
        self.driver.execute_script("arguments[0].click()", element)
        WebDriverWait(self.driver, 30).until(lambda _: _is_gone(page))

    def press_without_script(self, selector: str) -> None:
        """Press a button that leads to another page, where the browser runs no script."""
        self.presses += 1
        page = self.find("html")
        self.find(selector).click()
        WebDriverWait(self.driver, 30).until(lambda _: _is_gone(page))

    def click(self, selector: str) -> None:
        """Press a button that stays on the page."""
        self.presses += 1
        self.find(selector).click()

    @property
    def page(self) -> str:
        """Return the text one reads on the page."""
        return self.find("body").text

    @property
    def path(self) -> str:
        """Return the address of the page, without the host."""
        return self.driver.current_url.removeprefix(self._url)

    def show(self, selector: str) -> None:
        """Scroll to an element."""
        element = self.find(selector)
        self.driver.execute_script("arguments[0].scrollIntoView()", element)

    def picture(self, name: str) -> None:
        """Keep a picture of the window where SEALGATE_SCREENSHOTS names a directory."""
        folder = os.environ.get("SEALGATE_SCREENSHOTS")
        if folder:
            self.driver.save_screenshot(str(Path(folder) / f"{name}.png"))

    def leave_nothing(self) -> None:
        """Make the browser as it was at its start, for somebody else."""
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
        self.driver.set_window_size(*_WINDOW)
        self.driver.execute_script("localStorage.clear(); sessionStorage.clear()")
        self.driver.delete_all_cookies()
        self.complaints()

    def complaints(self) -> list[str]:
        """Return what the browser refused to run or load since the last call."""
        told = [str(line["message"]) for line in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]
        return [text for text in told if "Content Security Policy" in text or "Uncaught" in text]


def _is_gone(element: WebElement) -> bool:
    from selenium.common.exceptions import StaleElementReferenceException  # noqa: PLC0415

    try:
        element.is_enabled()
    except StaleElementReferenceException:
        return True
    return False


@contextmanager
def person(url: str) -> Iterator[Person]:
    """Open a browser of its own for the product at ``url``; it ends with the block."""
    options = webdriver.ChromeOptions()
    options.binary_location = require_program("chromium")
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.add_argument("--window-size={},{}".format(*_WINDOW))
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = Service(require_program("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield Person(driver, url)
    finally:
        driver.quit()
