"""A running desk and a browser; the system's Chromium first, then playwright's own."""

import os
import shutil

import pytest

from tests.desk import Desk

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MISSING = (
    "Left out: the browser tests. No Chromium or Chrome is on the path and playwright has none of its own; "
    "install one, or run: .venv/bin/playwright install chromium"
)


def launch(playwright):
    """The first browser that starts, or None."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    try:
        return playwright.chromium.launch(executable_path=found, args=FLAGS)
    except Exception:
        if found is not None:
            raise
        return None


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = launch(playwright)
        if browser is None:
            if os.environ.get("REVIEWDESK_REQUIRE_BROWSER"):
                pytest.fail("no browser starts, and REVIEWDESK_REQUIRE_BROWSER says that there must be one")
            pytest.skip(MISSING)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def desk(browser, tmp_path_factory):
    desk = Desk(tmp_path_factory.mktemp("desk"))
    try:
        desk.start(emails=70)
        desk.add_user("reviewer2", "reviewer")
        desk.add_user("agent2", "agent")
        yield desk
    finally:
        desk.stop()


@pytest.fixture
def log_in(browser, desk):
    """log_in(name) → a page of a fresh browser session; script errors fail the test."""
    contexts, errors = [], []

    def open_as(name: str, *, width: int = 1440, height: int = 900, theme: str = "light"):
        context = browser.new_context(
            viewport={"width": width, "height": height}, locale="en-GB", color_scheme=theme, has_touch=width < 500
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: errors.append(m.text) if "Content Security Policy" in m.text else None)
        page.goto(f"{desk.url}/login/")
        page.fill("#id_username", name)
        page.fill("#id_password", name)
        page.keyboard.press("Enter")
        page.wait_for_selector(".rail")
        page.wait_for_load_state("load")  # the scripts that listen to keys are there
        return page

    yield open_as
    for context in contexts:
        context.close()
    assert errors == []
