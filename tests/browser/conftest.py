"""A real Chromium on the real server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, sync_playwright

from server.operations import people
from tests.support.server import LiveServer

PASSWORD = "a-long-password"
FLAGS = (
    "--headless=new --no-sandbox --use-gl=angle --use-angle=swiftshader --enable-unsafe-swiftshader --disable-quic "
    "--no-first-run --disable-background-networking --disable-component-update --disable-sync --disable-dev-shm-usage"
).split()
WIDE = {"width": 1366, "height": 768}
PHONE = {"width": 390, "height": 844}
SCREENSHOTS = Path(__file__).parent / "screenshots"


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """The system's Chromium; nothing is downloaded."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert program is not None, "Chromium is part of the test set-up"
    browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def person(app: Flask) -> str:
    """E-mail of an administrator who reads Chinese."""
    with app.app_context():
        people.create_user("clerk@example.cn", password=PASSWORD, role="admin", name="李站长")
    return "clerk@example.cn"


class Desk:
    """A page whose every request and complaint is remembered."""

    def __init__(self, page: Page, origin: str) -> None:
        self.page = page
        self.origin = origin
        self.elsewhere: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self._note(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._hear)

    def _note(self, url: str) -> None:
        if not url.startswith((self.origin, "data:", "blob:")):
            self.elsewhere.append(url)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(
                f"{message.text} ({message.location.get('url')}:{message.location.get('lineNumber')})"
            )

    def open(self, path: str) -> None:
        """Open a page of the server."""
        self.page.goto(self.origin + path)

    def log_in(self, email: str) -> None:
        """Log in through the login page."""
        self.open("/login")
        self.page.fill("#email", email)
        self.page.fill("#password", PASSWORD)
        self.page.click("main button[type=submit]")
        self.page.wait_for_url("**/projects**")

    def look(self, name: str) -> None:
        """Nothing may be wider than the window; a picture is kept for people."""
        SCREENSHOTS.mkdir(exist_ok=True)
        # Hiding the caret would leave style attributes behind, which the pages' policy rightly complains about.
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True, caret="initial")
        width = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert width <= 0, f"{name} scrolls sideways by {width} px"


@pytest.fixture(params=["wide", "phone"])
def shape(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def desk(chromium: Browser, live: LiveServer, person: str, shape: str) -> Iterator[Desk]:
    """A browser window in which the clerk is logged in; at the end nothing was asked of another host."""
    context = chromium.new_context(viewport=WIDE if shape == "wide" else PHONE, locale="zh-CN", accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(20_000)
    desk = Desk(page, live.url)
    desk.log_in(person)
    yield desk
    context.close()
    assert desk.elsewhere == []
    assert [text for text in desk.complaints if "status of 4" not in text] == []
