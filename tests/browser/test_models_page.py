"""The workshop in the browser: a model trained from the page, its report, promotion and rollback."""

import json

import pytest
from playwright.sync_api import expect

from ml.data import load_corpus

pytestmark = [pytest.mark.desk, pytest.mark.browser]
MINUTES = 180_000


def test_a_model_is_trained_watched_promoted_and_rolled_back(log_in, desk, tmp_path):
    rows = [e.as_row() for e in load_corpus("train") if e.department == "retail"]
    (tmp_path / "retail.jsonl").write_text("\n".join(json.dumps(r | {"split": ""}) for r in rows))
    page = log_in("admin")
    page.keyboard.press("g")
    page.keyboard.press("m")
    page.wait_for_url("**/models/")
    page.fill("[name=name]", "retail-only")
    page.set_input_files("[name=file]", tmp_path / "retail.jsonl")
    page.locator(".train-form button.primary").click()
    page.wait_for_url("**/models/runs/**")
    expect(page.locator("#run-panel progress")).to_be_visible()
    expect(page.locator("#run-panel")).to_contain_text("is a candidate", timeout=MINUTES)

    page.click("#run-panel a")
    expect(page.locator("h1")).to_contain_text("retail-only")
    expect(page.locator(".figure").first).to_be_visible()
    assert page.locator("figure.chart svg path.line").count() >= 3
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing runs out of the page"
    page.click("header >> text=Promote")
    expect(page.locator("[role=alert]")).to_contain_text("it was not trained on digital_healthcare")
    page.fill("input[name=reason]", "a try")
    page.click("form .danger")
    expect(page.locator("h1")).to_have_text("Promote retail-only")  # not without insisting
    page.check("input[name=force]")
    page.click("form .danger")
    expect(page.locator("header.bar")).to_contain_text("retail-only serves")
    page.click("text=Roll back to starter")
    page.fill("#roll-back-reason", "it knows retail alone")
    page.click("#roll-back-dialog .danger")
    expect(page.locator("header.bar")).to_contain_text("starter serves")
    expect(page.locator("text=it knows retail alone")).to_be_visible()


def test_thresholds_are_chosen_on_the_page_of_a_version(log_in, desk):
    page = log_in("admin")
    page.goto(f"{desk.url}/models/starter/")
    page.click("#thresholds >> text=95%")
    expect(page.locator("#thresholds [aria-current]")).to_have_text("95%")
    page.click("text=Use these thresholds")
    expect(page.locator(".toast")).to_contain_text("9 thresholds changed")
