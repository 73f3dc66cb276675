"""The review loop by keys, with two reviewers at once."""

import re

import pytest
from playwright.sync_api import expect

from tests.desk import Desk

pytestmark = [pytest.mark.desk, pytest.mark.browser]


@pytest.fixture(scope="module")
def desk(browser, tmp_path_factory):
    """A desk whose threshold sends everything to review."""
    desk = Desk(tmp_path_factory.mktemp("desk"), {"REVIEWDESK_REVIEW_THRESHOLD": "1.0"})
    try:
        desk.start(emails=200)
        desk.manage(
            "shell", "-v0", "-c", "from classifier.models import ReviewItem as R; R.objects.update(blind=False)"
        )
        desk.add_user("reviewer2", "reviewer")
        yield desk
    finally:
        desk.stop()


@pytest.fixture
def page(log_in, desk):
    page = log_in("reviewer")
    page.goto(f"{desk.url}/review/")
    page.wait_for_selector("#review-form")
    return page


def item(page) -> str:
    return page.locator(".review").get_attribute("data-item")


def open_count(page) -> int:
    return int(page.locator(".bar .quiet").first.inner_text().split()[0])


def next_item_after(page, press) -> None:
    before = item(page)
    press()
    expect(page.locator(".review")).not_to_have_attribute("data-item", before)


def test_two_reviewers_hold_two_items(page, log_in, desk):
    other = log_in("reviewer2")
    other.goto(f"{desk.url}/review/")
    other.wait_for_selector("#review-form")
    assert item(page) != item(other)
    expect(other.locator(".bar")).to_contain_text("1 held by others")
    next_item_after(page, lambda: page.keyboard.press("Enter"))
    assert item(page) != item(other)


def test_enter_confirms_and_z_takes_back(page):
    before, n = item(page), open_count(page)
    next_item_after(page, lambda: page.keyboard.press("Enter"))
    assert open_count(page) == n - 1
    expect(page.locator(".saved")).to_contain_text(re.compile(r"Saved \d\d:\d\d"))
    page.keyboard.press("z")
    expect(page.locator(".review")).to_have_attribute("data-item", before)
    assert open_count(page) == n


def test_digits_choose_the_type_and_letters_the_subtype(page):
    for digit, value in (("1", "spam"), ("2", "query"), ("3", "complaint"), ("4", "suggestion")):
        page.keyboard.press(digit)
        expect(page.locator("input[name=type]:checked")).to_have_value(value)
        chosen = page.locator(".choice:has(input[name=subtype]:checked)")
        expect(chosen).to_have_attribute("data-type", value)
        expect(page.locator("#guideline")).to_contain_text(chosen.locator("span").first.inner_text())
    page.keyboard.press("/")
    expect(page.locator("#subtype-filter")).to_be_focused()
    page.keyboard.type("spam")
    expect(page.locator("input[name=type]:checked")).to_have_value("spam")
    page.keyboard.press("Enter")
    chosen = page.locator("input[name=subtype]:checked").get_attribute("value")
    next_item_after(page, lambda: page.keyboard.press("Enter"))
    page.keyboard.press("z")
    page.wait_for_timeout(300)
    assert chosen.endswith("spam")


def test_j_and_k_move_through_the_subtypes(page):
    page.keyboard.press("3")
    first = page.locator("input[name=subtype]:checked").get_attribute("value")
    page.keyboard.press("j")
    expect(page.locator("input[name=subtype]:checked")).not_to_have_value(first)
    page.keyboard.press("k")
    expect(page.locator("input[name=subtype]:checked")).to_have_value(first)


def test_skip_and_flag_ask_for_a_reason(page):
    for key, dialog in (("s", "#skip-dialog"), ("f", "#flag-dialog")):
        page.keyboard.press(key)
        expect(page.locator(dialog)).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator(dialog)).to_be_hidden()
        page.keyboard.press(key)
        page.fill(f"{dialog} input[name=reason]", "cannot tell")
        next_item_after(page, lambda: page.keyboard.press("Enter"))
    page.keyboard.press("s")
    expect(page.locator("#skip-dialog input[name=reason]")).to_have_value("")  # what was typed was about another email
    next_item_after(page, lambda: page.click("#skip-dialog button:has-text('I cannot decide')"))


def test_move_classifies_anew_in_the_other_department(page, desk):
    moved = item(page)
    page.keyboard.press("m")
    here = page.locator(".review").get_attribute("data-department")
    there = page.eval_on_selector_all("#move-department option:not(:disabled)", "all => all.map((o) => o.value)")
    assert here not in there and page.locator("#move-department").input_value() == there[0]
    name = page.locator(f"#move-department option[value={there[0]}]").text_content()
    next_item_after(page, lambda: page.click("#move-dialog button.primary"))
    expect(page.locator("#toasts")).to_contain_text("classified anew")
    expect(page.locator("#toasts")).to_contain_text(f"Moved to {name}")
    assert item(page) != moved


def test_a_lost_hold_keeps_the_answer_on_the_screen(page, desk):
    page.keyboard.press("4")
    chosen = page.locator("input[name=subtype]:checked").get_attribute("value")
    before = item(page)
    desk.manage(
        "shell",
        "-v0",
        "-c",
        f"from classifier.models import ReviewItem as R; R.objects.filter(pk={before}).update(lease_until='2020-01-01T00:00Z')",
    )
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("hold on this email has run out")
    expect(page.locator("input[name=subtype]:checked")).to_have_value(chosen)
    page.click("#toasts button:has-text('Take it again')")
    expect(page.locator("#toasts")).to_contain_text("yours again")
    next_item_after(page, lambda: page.keyboard.press("Enter"))


def test_offline_the_answer_stays_and_is_sent_again_by_itself(page):
    page.keyboard.press("1")
    before = item(page)
    page.context.set_offline(True)
    page.keyboard.press("Enter")
    expect(page.locator("#review-state")).to_contain_text("cannot be reached. Trying again")
    assert item(page) == before
    expect(page.locator("input[name=type]:checked")).to_have_value("spam")
    next_item_after(page, lambda: page.context.set_offline(False))


def test_a_reload_keeps_what_was_chosen(page):
    page.keyboard.press("4")
    page.keyboard.press("j")
    chosen = page.locator("input[name=subtype]:checked").get_attribute("value")
    page.click("#review-more summary")
    page.fill("#review-comment", "two things at once")
    page.locator("#review-comment").blur()
    page.reload()
    expect(page.locator("#review-state")).to_contain_text("is here again")
    expect(page.locator("input[name=subtype]:checked")).to_have_value(chosen)
    expect(page.locator("#review-comment")).to_have_value("two things at once")
    next_item_after(page, lambda: page.click("button[value=confirm]"))
    expect(page.locator("#review-comment")).to_have_value("")


def test_an_older_answer_is_taken_back_from_the_list_of_the_day(page):
    older = item(page)
    for _ in range(2):
        next_item_after(page, lambda: page.keyboard.press("Enter"))
    page.click("#review-history summary")
    page.locator("#review-history li").nth(1).locator("button").click()
    expect(page.locator(".review")).to_have_attribute("data-item", older)


def test_the_highlighted_subtype_shows_emails_like_it(page, desk):
    desk.manage(
        "shell",
        "-v0",
        "-c",
        "from classifier.models import ReviewItem as R; from django.db.models import F; "
        f"d = R.objects.get(pk={item(page)}).email.department; "
        "R.objects.filter(email__department=d).update(priority=F('priority') + 100)",
    )
    department = page.locator(".meta .chip").inner_text()
    page.keyboard.press("3")
    confirmed = page.locator("input[name=subtype]:checked").get_attribute("value")
    next_item_after(page, lambda: page.keyboard.press("Enter"))
    expect(page.locator(".meta .chip")).to_have_text(department)
    page.keyboard.press("3")
    for _ in range(page.locator("input[name=subtype]").count()):
        if page.locator("input[name=subtype]:checked").get_attribute("value") == confirmed:
            break
        page.keyboard.press("j")
    expect(page.locator("input[name=subtype]:checked")).to_have_value(confirmed)
    expect(page.locator("#examples li").first).to_be_visible()


def test_a_blind_item_asks_for_a_choice_of_ones_own(page, desk):
    desk.manage("shell", "-v0", "-c", "from classifier.models import ReviewItem as R; R.objects.update(blind=True)")
    page.reload()
    expect(page.locator("#review-form")).to_contain_text("What the model said is hidden")
    page.keyboard.press("Enter")
    expect(page.locator("#review-state")).to_contain_text("Choose a type and a subtype first")
    page.keyboard.press("2")
    assert page.locator("input[name=subtype]:checked").count() == 0
    page.keyboard.press("j")
    next_item_after(page, lambda: page.keyboard.press("Enter"))
    desk.manage("shell", "-v0", "-c", "from classifier.models import ReviewItem as R; R.objects.update(blind=False)")


def test_no_subtype_fits_and_type_only_are_answers_by_key_and_come_back_with_z(page):
    for key, value in (("0", "~none_fits"), ("9", "~undecided")):
        before = item(page)
        page.keyboard.press("2")
        page.keyboard.press(key)
        expect(page.locator("input[name=subtype]:checked")).to_have_value(value)
        page.evaluate("document.getElementById('review-more').open = true")
        page.fill("#review-comment", "about parking")
        page.locator("#review-comment").blur()
        next_item_after(page, lambda: page.keyboard.press("Enter"))
        page.keyboard.press("z")
        expect(page.locator(".review")).to_have_attribute("data-item", before)
        expect(page.locator("input[name=type]:checked")).to_have_value("query")
        expect(page.locator("input[name=subtype]:checked")).to_have_value(value)
        expect(page.locator("#review-comment")).to_have_value("about parking")
        page.fill("#review-comment", "")
        page.locator("#review-comment").blur()


def test_z_after_a_move_takes_back_the_move(page):
    next_item_after(page, lambda: page.keyboard.press("Enter"))
    moved, department = item(page), page.locator(".meta .chip").inner_text()
    page.keyboard.press("m")
    elsewhere = page.locator("#move-department option:not(:disabled)").last.get_attribute("value")
    page.select_option("#move-department", elsewhere)
    next_item_after(page, lambda: page.click("#move-dialog button.primary"))
    page.keyboard.press("z")
    expect(page.locator(".review")).to_have_attribute("data-item", moved)
    expect(page.locator(".meta .chip")).to_have_text(department)


def test_enter_confirms_after_a_click_anywhere(page):
    for selector in (
        ".choice >> nth=0",
        "#review-more summary",
        ".option >> nth=1",
        "#mail-subject",
        "#review-history summary",
    ):
        page.click(selector)
        page.keyboard.press("0")
        next_item_after(page, lambda: page.keyboard.press("Enter"))
    page.click("[data-open=skip-dialog]")
    page.keyboard.press("Escape")
    page.keyboard.press("2")
    page.keyboard.press("0")
    next_item_after(page, lambda: page.keyboard.press("Enter"))


@pytest.mark.parametrize("key", ["s", "f"])
def test_a_skip_or_flag_given_offline_is_sent_again(page, key):
    before = item(page)
    page.context.set_offline(True)
    page.keyboard.press(key)
    page.locator("dialog[open] .reasons button").first.click()
    expect(page.locator("#review-state")).to_contain_text("Trying again")
    page.wait_for_timeout(2_500)
    assert item(page) == before
    page.context.set_offline(False)
    expect(page.locator(".review")).not_to_have_attribute("data-item", before, timeout=10_000)
    page.click("#review-history summary")
    words = {"s": "Skip", "f": "Flag"}
    expect(page.locator("#review-history li").first).to_contain_text(words[key])


def test_help_commands_and_going_places(page):
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    expect(page.locator("#commands-filter")).to_be_focused()
    page.keyboard.type("accuracy")
    page.keyboard.press("Enter")
    page.wait_for_url("**/accuracy/")
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url("**/review/")


def test_without_scripts_the_loop_works_by_forms(browser, desk):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{desk.url}/login/")
    page.fill("#id_username", "reviewer2")
    page.fill("#id_password", "reviewer2")
    page.click("button.primary")
    page.goto(f"{desk.url}/review/")
    if page.locator("#review-form").count() == 0:
        page.click("button.primary")
    before = item(page)
    page.click("button[value=confirm]")
    page.click("button.primary")
    assert item(page) != before
    context.close()


def test_a_hundred_emails_by_keyboard_alone(log_in, desk):
    """One key for an agreed one; every tenth is corrected by keys."""
    page = log_in("reviewer")
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_selector("#review-form")
    for n in range(100):
        before = item(page)
        if n % 10 == 9:
            page.keyboard.press("/")
            page.keyboard.type("complaint")
            page.keyboard.press("ArrowDown")
            page.keyboard.press("Enter")
        if page.locator(".review[data-starts-empty]").count():
            page.keyboard.press("2")
            page.keyboard.press("0")
        page.keyboard.press("Enter")
        expect(page.locator(".review")).not_to_have_attribute("data-item", before)
    assert int(page.locator("#review-history summary").inner_text().split()[0]) >= 100
