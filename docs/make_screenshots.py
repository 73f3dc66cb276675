"""Takes the README's screenshots from a demo desk that it starts and stops itself.

make screenshots
"""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from playwright.sync_api import sync_playwright  # noqa: E402

from tests.browser.conftest import launch  # noqa: E402
from tests.desk import Desk  # noqa: E402

SHOTS = {
    "reviewer": {"review": "/review/"},
    "agent": {"inbox": "/inbox/?status=ready"},
    "admin": {"model": "/models/starter/", "knowledge": "/knowledge/"},
}


def main() -> None:
    """Write docs/images/*.png in light and dark."""
    desk = Desk(Path(tempfile.mkdtemp()))
    try:
        desk.start(emails=150)
        with sync_playwright() as playwright:
            browser = launch(playwright)
            if browser is None:
                sys.exit("no Chromium or Chrome was found")
            for scheme in ("light", "dark"):
                for user, pages in SHOTS.items():
                    _shoot(browser, desk, user, pages, scheme)
            browser.close()
    finally:
        desk.stop()


def _shoot(browser, desk: Desk, user: str, pages: dict[str, str], scheme: str) -> None:
    page = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme=scheme).new_page()
    page.goto(f"{desk.url}/login/")
    page.fill("#id_username", user)
    page.fill("#id_password", user)
    page.click("button.primary")
    for name, path in pages.items():
        page.goto(desk.url + path)
        if name == "inbox":
            page.keyboard.press("j")
            page.wait_for_selector("#draft-form")
            page.click("#grounding summary")
        page.wait_for_load_state("networkidle")
        page.screenshot(path=ROOT / "docs" / "images" / f"{name}-{scheme}.png")


if __name__ == "__main__":
    (ROOT / "docs" / "images").mkdir(exist_ok=True)
    main()
