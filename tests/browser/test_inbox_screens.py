"""The inbox at three widths in both themes: panes that scroll, nothing typed lost, a reply taken back from elsewhere."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.desk, pytest.mark.browser]

SCREENS = [
    (width, height, theme) for width, height in ((1440, 900), (1024, 768), (390, 844)) for theme in ("light", "dark")
]
OVERFLOW = """() => [...document.querySelectorAll("body *")].filter((e) => {
  if (e.closest(".skip-link, svg, .sr") || !e.checkVisibility()) return false;
  if (e.getBoundingClientRect().right <= innerWidth + 1) return false;
  for (let box = e.parentElement; box; box = box.parentElement) {
    if (getComputedStyle(box).overflowX !== "visible" && box.getBoundingClientRect().right <= innerWidth + 1) return false;
  }
  return true;
}).slice(0, 5).map((e) => `${e.tagName}.${e.className}`)"""


def overflowing(page) -> list[str]:
    """What reaches beyond the window's right edge and is not in a box that scrolls."""
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return page.evaluate(OVERFLOW) + ([f"page is {wide} px too wide"] if wide > 0 else [])


def in_window(page, selector: str) -> bool:
    box = page.locator(selector).bounding_box()
    size = page.viewport_size
    return box is not None and box["y"] >= 0 and box["y"] + box["height"] <= size["height"]


def keep_my_text(page) -> None:
    """Wait until the text is saved; where the new draft came first, go on with the typed text."""
    expect(page.locator("#draft-saved")).to_have_text(re.compile(r"^saved \d|choose which text"))
    if page.locator(".conflict").count():
        page.click(".conflict button[value=mine]")
        expect(page.locator("#draft-saved")).to_have_text(re.compile(r"^saved \d"))


@pytest.mark.parametrize(("width", "height", "theme"), SCREENS)
def test_an_agent_works_at_every_width(log_in, desk, width, height, theme):
    page = log_in("agent", width=width, height=height, theme=theme)
    page.goto(f"{desk.url}/inbox/?status=ready")
    rows = page.locator(".thread-row a")
    phone = width < 700

    # Row 25 by mouse, the next one by key: the chosen row and its reply are in the window, the page does not scroll.
    rows.nth(24).click()
    page.wait_for_selector("#draft-form", state="attached")
    if phone:
        assert not page.locator(".list").is_visible(), "one pane at a time"
        page.click(".thread .pane-back a")
        assert in_window(page, ".thread-row[aria-current=true]")
    page.keyboard.press("j")
    expect(page.locator(".thread-row").nth(25)).to_have_attribute("aria-current", "true")
    subject = page.locator(".thread-row[aria-current=true] .subject").inner_text()
    expect(page.locator("#thread-subject")).to_have_text(subject)
    if phone:
        page.click(".thread .pane-back button")
    else:
        assert in_window(page, ".thread-row[aria-current=true]") and in_window(page, "#thread-subject")
    assert in_window(page, "#approve")
    assert page.evaluate("document.documentElement.scrollHeight") <= height
    assert overflowing(page) == []

    # Typing goes on while a redraft is written: not a letter is lost.
    page.keyboard.press("Escape")
    page.click("[data-open=redraft-dialog]")
    page.fill("#redraft-hint", "shorter")
    page.click("#redraft-dialog button.primary")
    expect(page.locator("#redraft-dialog")).not_to_be_visible()
    text = f"Words that are typed at {width} {theme} while the drafter is at work, letter after letter. " * 2
    page.click("#draft-body")
    page.keyboard.press("Control+a")
    page.keyboard.type(text, delay=15)
    expect(page.locator("#draft-body")).to_have_value(text)
    keep_my_text(page)
    page.wait_for_timeout(2_500)  # several polls
    expect(page.locator("#draft-body")).to_have_value(text)
    keep_my_text(page)

    # Approved, then taken back while another thread is on screen.
    reply_url = page.url
    page.click("#draft-body")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#toasts")).to_contain_text("leaves in")
    page.goto(f"{desk.url}/inbox/?status=open")
    page.keyboard.press("j")
    page.keyboard.press("z")
    expect(page.locator("#toasts")).to_contain_text("Taken back")
    page.goto(reply_url)
    expect(page.locator("#draft-body")).to_have_value(text)


PAGES = (
    *("/inbox/", "/inbox/1/", "/review/", "/review/progress/", "/review/agreement/", "/review/disagreements/"),
    *("/accuracy/", "/accuracy/emails/", "/experiments/", "/experiments/new/", "/models/", "/models/starter/"),
    *("/knowledge/", "/knowledge/1/", "/knowledge/macros/", "/knowledge/figures/", "/knowledge/search/"),
    *("/retraining/", "/imports/", "/imports/broken/", "/settings/", "/settings/people/", "/settings/queues/"),
    *("/settings/taxonomy/", "/settings/taxonomy/1/", "/settings/audit/", "/nowhere/"),
)


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_no_page_is_wider_than_the_window(log_in, desk, width):
    page = log_in("admin", width=width, height=844)
    found = {}
    for path in PAGES:
        page.goto(desk.url + path)
        if wide := overflowing(page):
            found[path] = wide
    assert found == {}


def test_a_poll_does_not_replace_a_field_with_focus(log_in, desk):
    """Tags typed while the thread waits for the model are still there when its label arrives."""
    page = log_in("agent")
    page.goto(f"{desk.url}/inbox/")
    page.keyboard.press("j")
    page.wait_for_selector("#draft-form, .reply .empty")
    page.fill(".thread-tools input[name=tags]", "half a t")
    page.evaluate("""() => {
      const poll = document.createElement("span");
      poll.dataset.poll = "";
      poll.setAttribute("hx-get", location.pathname);
      poll.setAttribute("hx-target", "#thread");
      poll.setAttribute("hx-trigger", "load");
      document.querySelector(".label-line").append(poll);
      htmx.process(poll);
    }""")
    page.wait_for_timeout(800)
    expect(page.locator(".thread-tools input[name=tags]")).to_have_value("half a t")
    page.keyboard.type("ag")
    page.click(".label-line")  # no focus, but unsaved still
    page.select_option(".thread-tools select[name=to]", index=1)  # replaces the whole thread
    expect(page.locator("#toasts")).to_contain_text("Assigned to")
    expect(page.locator(".thread-tools input[name=tags]")).to_have_value("half a tag")


def open_two(page, desk) -> tuple[str, str]:
    """The first thread is open; the addresses of the first two."""
    page.goto(f"{desk.url}/inbox/?status=ready")
    links = page.locator(".thread-row a")
    links.nth(0).click()
    page.wait_for_selector("#draft-form")
    return tuple(links.nth(n).get_attribute("hx-get") for n in (0, 1))


def test_what_is_typed_anywhere_is_there_again_when_one_comes_back(log_in, desk):
    page = log_in("agent")
    open_two(page, desk)
    page.fill(".thread-tools input[name=tags]", "half a tag")
    page.fill(".rating input[name=reason]", "half a reason")
    page.click("button:has-text('Note')")
    page.fill("#note-dialog textarea", "half a note")
    page.keyboard.press("Escape")
    page.locator(".thread-row a").nth(1).click()
    expect(page.locator(".thread-tools input[name=tags]")).to_have_value("")
    page.locator(".thread-row a").nth(0).click()
    expect(page.locator(".thread-tools input[name=tags]")).to_have_value("half a tag")
    expect(page.locator(".rating input[name=reason]")).to_have_value("half a reason")
    expect(page.locator("#note-dialog textarea")).to_have_value("half a note")


def test_an_answer_that_comes_late_does_not_put_another_thread_on_screen(log_in, desk):
    page = log_in("agent")
    first, second = open_two(page, desk)
    page.evaluate(
        """url => { const open = XMLHttpRequest.prototype.open, send = XMLHttpRequest.prototype.send;
        XMLHttpRequest.prototype.open = function (m, u, ...r) { this.late = u.includes(url); open.call(this, m, u, ...r); };
        XMLHttpRequest.prototype.send = function (b) { setTimeout(() => send.call(this, b), this.late ? 1500 : 0); }; }""",
        "/assign/",
    )
    page.select_option(".thread-tools select[name=to]", "agent")
    page.locator(".thread-row a").nth(1).click()
    page.wait_for_selector(f'[data-thread="{second.split("/")[-2]}"]')
    page.fill("#draft-body", "about the second one")
    page.wait_for_timeout(2_500)
    assert page.locator(f'[data-thread="{second.split("/")[-2]}"]').count() == 1
    expect(page.locator("#draft-body")).to_have_value("about the second one")
    expect(page.locator(f"#thread-row-{first.split('/')[-2]}")).to_contain_text("agent")
    expect(page.locator(".thread-row[aria-current=true]")).to_have_count(1)


def test_words_that_are_replaced_on_purpose_stay_with_the_earlier_drafts(log_in, desk):
    page = log_in("agent")
    open_two(page, desk)
    page.fill("#draft-body", "my first words")
    expect(page.locator("#draft-saved")).to_contain_text("saved ")
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    page.keyboard.press("Enter")
    expect(page.locator("#draft-body")).not_to_have_value("my first words", timeout=30_000)
    page.fill("#draft-body", "my second words")
    expect(page.locator("#draft-saved")).to_contain_text("saved ")
    page.click("#earlier-drafts summary")
    page.locator("#earlier-drafts article", has_text="my first words").get_by_text("Use this text").click()
    expect(page.locator("#draft-body")).to_have_value("my first words")
    page.evaluate("document.getElementById('earlier-drafts').open = true")
    expect(page.locator("#earlier-drafts")).to_contain_text("my second words")
    page.fill("#draft-body", "my third words")
    expect(page.locator("#draft-saved")).to_contain_text("saved ")
    page.click("button:has-text('Reject')")
    page.fill("#reject-reason", "no use")
    page.keyboard.press("Enter")
    expect(page.locator(".reply")).to_contain_text("There is no draft")
    expect(page.locator("#earlier-drafts")).to_contain_text("my third words")


def test_saving_goes_on_after_logging_in_again(log_in, desk):
    page = log_in("agent")
    open_two(page, desk)
    again = page.context.new_page()
    again.goto(f"{desk.url}/inbox/")
    again.click("text=Log out")
    again.fill("#id_username", "agent")
    again.fill("#id_password", "agent")
    again.keyboard.press("Enter")
    again.wait_for_selector(".rail")
    page.fill("#draft-body", "typed before and after")
    expect(page.locator("#draft-saved")).to_contain_text("saved ")
    page.fill(".thread-tools input[name=tags]", "still here")
    page.keyboard.press("Enter")
    expect(page.locator(".thread-row[aria-current=true]")).to_contain_text("still here")
