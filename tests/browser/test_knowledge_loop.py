"""Knowledge in the browser: a document uploaded, watched, searched, retired; and what it changes for a draft."""

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.desk, pytest.mark.browser]


def test_a_document_is_uploaded_indexed_found_and_deleted(log_in, desk, tmp_path):
    page = log_in("admin")
    file = tmp_path / "bicycle-parking.md"
    file.write_text("## Bicycles\n\nBicycles are parked in the yellow cellar behind gate seven.")
    page.goto(f"{desk.url}/knowledge/")
    page.set_input_files("input[name=uploads]", file)
    page.select_option("#add select[name=department]", "it")
    page.click("#add button.primary")
    expect(page.locator("#document")).to_contain_text("yellow cellar", timeout=30_000)
    expect(page.locator("#document .chip").first).to_have_text("in use")
    page.goto(f"{desk.url}/knowledge/search/")
    page.fill("textarea[name=q]", "Where are bicycles parked?")
    page.select_option(".search-form select", "it")
    page.click(".search-form button")
    expect(page.locator("#results tbody tr").first).to_contain_text("yellow cellar", timeout=30_000)
    page.click("#results a >> nth=0")
    page.click("button:has-text('Delete…')")
    page.click("#delete-dialog button.danger")
    expect(page.locator("#toasts")).to_contain_text("Deleted.")
    page.goto(f"{desk.url}/knowledge/search/?q=yellow+cellar&department=it")
    expect(page.locator("#results")).not_to_contain_text("yellow cellar")


def test_the_list_is_filtered_as_one_types(log_in, desk):
    page = log_in("agent")
    page.goto(f"{desk.url}/knowledge/")
    before = page.locator("#documents tbody tr").count()
    page.keyboard.press("/")
    page.keyboard.type("password")
    page.wait_for_url("**q=password**")
    expect(page.locator("#documents tbody tr").first).to_be_visible()
    assert 0 < page.locator("#documents tbody tr").count() < before
    assert page.locator("#add").count() == 0, "agents read"
