"""Drafting in a browser with a language model: a server that streams, is busy, breaks off, and refuses the key."""

import pytest
from playwright.sync_api import expect

from tests.contracts.fake_mistral import FakeMistral, refuse, stream
from tests.desk import Desk, wait_for

pytestmark = [pytest.mark.desk, pytest.mark.browser]


@pytest.fixture(scope="module")
def model():
    with FakeMistral() as server:
        yield server


@pytest.fixture(scope="module")
def desk(browser, model, tmp_path_factory):
    settings = {"REVIEWDESK_DRAFTING": "mistral", "MISTRAL_SERVER_URL": model.url, "MISTRAL_API_KEY": "key"}
    desk = Desk(tmp_path_factory.mktemp("desk"), settings)
    try:
        yield desk.start(emails=12)
    finally:
        desk.stop()


@pytest.fixture
def page(log_in, desk):
    page = log_in("agent")
    page.goto(f"{desk.url}/inbox/?status=ready")
    page.keyboard.press("j")
    page.wait_for_selector("#draft-form")
    return page


def redraft(page, hint: str = "") -> None:
    page.locator("h2").first.click()
    page.keyboard.press("r")
    page.fill("#redraft-hint", hint)
    page.keyboard.press("Enter")


def test_a_redraft_streams_in_and_rests_on_its_sources(page, model):
    model.pause = 0.12
    try:
        redraft(page, "in a friendly tone")
        expect(page.locator(".partial")).not_to_be_empty(timeout=20_000)
        expect(page.locator("[data-poll]")).to_have_count(0, timeout=40_000)
    finally:
        model.pause = 0.0
    assert "in a friendly tone" in model.requests[-1]["messages"][1]["content"]
    expect(page.locator(".reply header")).to_contain_text("mistral")
    expect(page.locator("#grounding")).to_contain_text("rest on a source")
    assert page.locator(".source").count() >= 1


def test_busy_and_broken_off_it_is_tried_again(page, model):
    model.next_ones = [refuse(429), lambda http, asked: stream(http, ['{"sent'], cut=True)]
    asked = len(model.requests)
    redraft(page)
    wait_for(lambda: len(model.requests) == asked + 3, 40)
    expect(page.locator("[data-poll]")).to_have_count(0, timeout=40_000)
    expect(page.locator("#draft-body")).not_to_be_empty()


def test_a_refused_key_is_said_and_the_draft_stays(page, model):
    before = page.locator("#draft-body").input_value()
    model.next_ones = [refuse(401)]
    redraft(page)
    expect(page.locator(".reply .notice.error")).to_contain_text("MISTRAL_API_KEY is not accepted", timeout=20_000)
    expect(page.locator("#draft-body")).to_have_value(before)
