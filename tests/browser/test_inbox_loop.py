"""The inbox loop: draft edited, saved, approved, taken back, sent; with two agents at once."""

import email
import email.policy

import pytest
from playwright.sync_api import expect

from tests.desk import wait_for

pytestmark = [pytest.mark.desk, pytest.mark.browser]


@pytest.fixture
def page(log_in, desk):
    page = log_in("agent")
    page.goto(f"{desk.url}/inbox/?status=ready")
    return page


def open_first(page) -> str:
    """Open the first thread by key and return its address."""
    page.keyboard.press("j")
    page.wait_for_selector("#draft-form")
    return page.url


def open_generated(page) -> None:
    """Open the first thread whose draft is still the drafter's own."""
    for row in page.locator(".thread-row a").all():
        row.click()
        page.wait_for_url("**" + row.get_attribute("href").split("?")[0] + "**")
        page.wait_for_selector("#draft-form, .reply .empty")
        if page.locator("[data-rests-on]:not([data-rests-on=''])").count():
            return
    raise AssertionError("no generated draft is left")


def saved(page) -> None:
    expect(page.locator("#draft-saved")).to_contain_text("saved ")


def test_a_draft_is_edited_approved_taken_back_and_sent(page, desk):
    open_first(page)
    assert page.locator(".source").count() >= 1
    page.fill("#draft-body", "Dear customer,\n\nthis is my own answer [1].\n")
    saved(page)
    page.keyboard.press("Control+Enter")
    expect(page.locator(".sending")).to_contain_text("Leaves in")
    page.locator("h2").first.click()
    page.keyboard.press("z")
    expect(page.locator("#draft-body")).to_have_value("Dear customer,\n\nthis is my own answer [1].\n")
    page.click("#draft-body")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".reply")).to_contain_text("Sent ", timeout=20_000)
    (file,) = (desk.var / "sent").glob("*.log")
    sent = email.message_from_bytes(file.read_bytes().split(b"-" * 79)[0], policy=email.policy.default)
    assert sent["In-Reply-To"].endswith("@demo.example.com>") and sent["Subject"].startswith("Re:")
    assert "this is my own answer." in sent.get_content()
    expect(page.locator(".thread .ours")).to_have_count(0)
    page.reload()
    expect(page.locator(".thread .ours")).to_contain_text("my own answer.")


def test_two_agents_on_one_draft_never_overwrite(page, log_in):
    url = open_first(page)
    other = log_in("agent2")
    other.goto(url)
    page.fill("#draft-body", "the first agent's words")
    saved(page)
    other.fill("#draft-body", "the second agent's words")
    expect(other.locator(".conflict")).to_contain_text("agent changed this draft")
    expect(other.locator(".conflict")).to_contain_text("the first agent's words")
    expect(other.locator("#draft-body")).to_have_value("the second agent's words")
    other.fill("#draft-body", "the second agent's own words")  # goes on typing
    other.click(".conflict button[value=theirs]")
    expect(other.locator("#draft-body")).to_have_value("the first agent's words")
    expect(other.locator("#earlier-drafts")).to_contain_text("the second agent's own words")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".sending")).to_contain_text("Leaves in")
    other.fill("#draft-body", "one more thought")
    other.keyboard.press("Control+Enter")
    expect(other.locator(".conflict")).to_contain_text("it is on its way")
    expect(other.locator("#draft-body")).to_have_value("one more thought")


def test_ctrl_s_saves_and_words_survive_a_reload(page):
    open_first(page)
    page.fill("#draft-body", "half a thought")
    page.keyboard.press("Control+s")
    saved(page)
    page.reload()
    expect(page.locator("#draft-body")).to_have_value("half a thought")


def test_redraft_reject_and_write_by_hand(page):
    open_first(page)
    page.fill("#draft-body", "not this")
    saved(page)
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    expect(page.locator("#redraft-hint")).to_be_focused()
    page.keyboard.type("shorter")
    page.keyboard.press("Enter")
    expect(page.locator("#draft-body")).not_to_have_value("not this", timeout=30_000)
    page.click("summary:has-text('earlier draft')")
    expect(page.locator("#earlier-drafts")).to_contain_text("not this")
    page.click("button:has-text('Reject')")
    page.fill("#reject-reason", "beside the point")
    page.keyboard.press("Enter")
    expect(page.locator(".reply")).to_contain_text("There is no draft")
    page.click("button:has-text('Write a reply')")
    expect(page.locator("#draft-body")).to_have_value("")


def test_a_sentence_and_its_passage_light_each_other(page):
    open_generated(page)
    page.click("#grounding summary")
    sentence = page.locator("[data-rests-on]:not([data-rests-on=''])").first
    sentence.hover()
    number = sentence.get_attribute("data-rests-on").split()[0]
    expect(page.locator(f"#source-{number}")).to_have_class("source lit")
    page.locator(f"#source-{number}").focus()
    expect(sentence).to_have_class("lit")


def test_thumbs(page):
    open_generated(page)
    page.fill(".rating input[name=reason]", "to the point")
    page.click(".rating button[title=Useful]")
    expect(page.locator(".rating")).to_contain_text("You found this draft useful.")


def test_c_corrects_the_label(page):
    open_first(page)
    page.keyboard.press("c")
    page.select_option("#correct-subtype", index=1)
    page.click("#correct-dialog button.primary")
    expect(page.locator(".label-line")).to_contain_text("verified by agent")


def test_e_closes_and_reopen_opens(page):
    open_first(page)
    page.keyboard.press("e")
    expect(page.locator(".thread .actions")).to_contain_text("closed")
    page.click("button:has-text('Reopen') >> nth=-1")
    expect(page.locator(".thread .actions")).to_contain_text("Close without a reply")


def test_filters_and_search_live_in_the_address(page):
    page.select_option("#filter-type", "complaint")
    page.wait_for_url("**type=complaint**")
    chips = page.locator(".thread-row .chip[data-type]").all_inner_texts()
    assert chips and set(chips) == {"complaint"}
    page.keyboard.press("/")
    expect(page.locator("#filter-q")).to_be_focused()
    page.keyboard.type("zzzz-nothing")
    page.keyboard.press("Enter")
    expect(page.locator("#thread-rows")).to_contain_text("Nothing here")


def test_many_are_closed_at_once(page, desk):
    page.goto(f"{desk.url}/inbox/?status=open")
    page.locator("input[name=threads]").nth(0).check()
    page.locator("input[name=threads]").nth(1).check()
    expect(page.locator("#ticked")).to_have_text("2 ticked")
    page.click("#bulk button[value=closed]")
    expect(page.locator("#toasts")).to_contain_text("2 threads closed")


def test_an_upload_shows_its_progress_and_what_was_refused(page, desk, tmp_path):
    file = tmp_path / "new.csv"
    file.write_text(
        "department,subject,body\nit,Upload test,The uploaded mail says the printer is broken\nnowhere,x,y\n"
    )
    page.goto(f"{desk.url}/imports/")
    page.set_input_files("#id_file", file)
    page.click(".upload button")
    expect(page.locator(".runs")).to_contain_text("1 new", timeout=20_000)
    page.click("summary:has-text('1 refused')")
    expect(page.locator(".runs")).to_contain_text("department is 'nowhere'; allowed:")
    client = desk.client("agent")

    def classified() -> bool:
        page.goto(f"{desk.url}/inbox/?q=upload+test&status=all")
        return page.locator(".thread-row .chip[data-type]").count() == 1

    wait_for(classified, 30)
    assert client("GET", "emails/1")[0] == 200


def test_an_email_is_forwarded_by_keys_taken_back_and_then_left_to_go(page, desk):
    open_first(page)
    page.keyboard.press("w")
    page.keyboard.type("bob@vendor.example")
    page.fill("#forward-note", "Is this one yours?")
    page.click("#forward-dialog button.primary")
    expect(page.locator("#forwards")).to_contain_text("Forwarded to bob@vendor.example; leaves in")
    page.click("#forwards button")
    expect(page.locator("#forwards")).not_to_contain_text("leaves in")
    page.keyboard.press("w")
    page.fill("#forward-to", "carl@vendor.example")
    page.click("#forward-dialog button.primary")
    expect(page.locator("#forwards .good")).to_contain_text("Forwarded to carl@vendor.example", timeout=20_000)
    expect(page.locator("#draft-form")).to_be_visible()
    sent = "".join(file.read_text() for file in (desk.var / "sent").glob("*.log"))
    assert "To: carl@vendor.example" in sent and "bob@vendor.example" not in sent


def test_a_macro_made_by_an_admin_is_applied_by_key(page, log_in, desk):
    admin = log_in("admin")
    admin.goto(f"{desk.url}/knowledge/macros/")
    admin.fill("form.add-form input[name=name]", "Call back")
    admin.fill("form.add-form input[name=tags]", "call back")
    admin.check("form.add-form input[name=to_me]")
    admin.click("form.add-form button.primary")
    expect(admin.locator("table")).to_contain_text("tags call back, assigns it to you")
    open_first(page)
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("Call back: tags call back")
    expect(page.locator("input[name=tags]")).to_have_value("call back")
