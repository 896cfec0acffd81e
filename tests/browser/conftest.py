"""A browser before a console that runs: Debian's Chromium, driven by Playwright, over `waymark up`.

Whatever a page says on its console as an error ends the test: what a policy stops is said there.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.browser.seeds import seed
from tests.fixtures.waymark_up import WaymarkUp
from tests.waiting import until_sync

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
ALLOWED = (
    "status of 401",
    "status of 503",
    "status of 409",
    "ERR_CONNECTION",
    "ERR_INTERNET",
    "ERR_INCOMPLETE",
    "ERR_EMPTY",
)
"""Beginnings of what a browser says of answers that a test provokes."""


@dataclass
class Desk:
    """A person's place: a page, the address of the console, and what the page complained about."""

    page: Any
    url: str
    keys: dict[str, str]
    complaints: list[str] = field(default_factory=list)

    def sign_in(self, role: str = "agent", path: str = "/") -> None:
        """Open the console and sign in by keyboard."""
        self.page.goto(self.url + path)
        self.page.wait_for_selector("#key")
        self.page.fill("#key", self.keys[role])
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector(".bar")

    def inbox(self, role: str = "agent", path: str = "/") -> None:
        """Sign in and wait until the list is there and live."""
        self.sign_in(role, path)
        self.page.wait_for_selector(".row")
        self.page.wait_for_selector('.light[data-state="live"]')

    def until(self, true: str, within: float = 20.0) -> None:
        """Wait until an expression of the page is true; the driver's own waiting needs what our policy forbids."""
        until_sync(lambda: bool(self.page.evaluate(f"Boolean({true})")), within=within)

    def focused(self) -> str:
        """The issue of the row that has the focus, or nothing."""
        return str(self.page.evaluate("document.activeElement?.dataset?.id ?? ''"))

    def violations(self) -> list[str]:
        """What axe finds wrong with the page as it is now."""
        if not self.page.evaluate("Boolean(window.axe)"):
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{one['id']}: {node['html'][:150]} {node['any'][0]['message'] if node['any'] else ''}"
            for one in found["violations"]
            for node in one["nodes"]
        ]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WaymarkUp]:
    """Everything, with a few customers who have a hard time."""
    stack = WaymarkUp(tmp_path_factory.mktemp("browser"))
    try:
        seed(stack.ready())
        yield stack
    finally:
        stack.end()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, once for all tests."""
    from playwright.sync_api import sync_playwright

    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert path, "there is no Chromium; install Debian's, or name one by CHROMIUM"
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


Opening = Callable[..., Desk]


@pytest.fixture
def desk(stack: WaymarkUp, browser: Any) -> Iterator[Opening]:
    """Opens desks, each with a browser profile of its own; closes them, and fails if a page complained."""
    contexts: list[Any] = []
    desks: list[Desk] = []

    def open_desk(language: str = "ko-KR", *, dark: bool = False, width: int = 1440, height: int = 900) -> Desk:
        context = browser.new_context(
            locale=language,
            timezone_id="Asia/Seoul",
            color_scheme="dark" if dark else "light",
            viewport={"width": width, "height": height},
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        ready = stack.ready()
        found = Desk(page=page, url=ready["console"], keys=ready["keys"])
        page.on("console", lambda said: found.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: found.complaints.append(str(error)))
        desks.append(found)
        return found

    yield open_desk
    for context in contexts:
        context.close()
    assert [said for one in desks for said in one.complaints if not any(word in said for word in ALLOWED)] == []
