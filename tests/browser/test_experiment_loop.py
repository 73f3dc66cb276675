"""A test between two models from its form to the last stage and back: mail flows, reviewers answer, the better one serves."""

import csv
from itertools import count

import pytest
from playwright.sync_api import expect

from ml.data import Example, load_corpus
from tests.desk import Desk, wait_for

pytestmark = [pytest.mark.desk, pytest.mark.browser]
SCORED = 80
_numbers = count(1)


@pytest.fixture(scope="module")
def mail() -> list[Example]:
    return [e for e in load_corpus() if e.department == "it"]


@pytest.fixture(scope="module")
def desk(browser, tmp_path_factory, mail):
    """A desk in which a model serves that learnt from wrong labels; drafting is paused, classification is what counts."""
    desk = Desk(tmp_path_factory.mktemp("desk"))
    try:
        desk.start(emails=0)
        desk.manage("shell", "-v0", "-c", "from reviewdesk.switches.services import set_paused as p; p(part='drafting', paused=True)")  # fmt: skip
        names = sorted({e.subtype for e in mail})
        types = {e.subtype: e.type for e in mail}
        file = desk.var / "careless.csv"
        with file.open("w", newline="") as out:
            rows = csv.writer(out)
            rows.writerow(["department", "subject", "body", "type", "subtype"])
            for e in mail[:90]:
                wrong = names[(names.index(e.subtype) + 1) % len(names)]
                rows.writerow([e.department, e.subject, e.body, types[wrong], wrong])
        desk.manage("train", "--data", str(file), "--name", "careless", "--frozen", "-v0")
        desk.manage("models", "promote", "careless", "--force", "--reason", "the test needs a bad one")
        yield desk
    finally:
        desk.stop()


def send(client, rows: list[Example]) -> None:
    """Mail of different customers, in hundreds."""
    for start in range(0, len(rows), 100):
        batch = [
            {"department": e.department, "from": f"c{n}@example.com", "to": "desk@example.com", "subject": e.subject, "body": e.body}
            for e in rows[start : start + 100]
            for n in [next(_numbers)]
        ]  # fmt: skip
        status, answer = client("POST", "emails", batch)
        assert status == 202 and {r["status"] for r in answer["results"]} == {"new"}


def answer_by_keys(page, gold: dict[str, Example]) -> None:
    """One blind item, by typing the subtype's name."""
    shown = page.locator(".review").inner_text()
    wanted = next(e for subject, e in gold.items() if subject in shown)
    before = page.locator(".review").get_attribute("data-item")
    expect(page.locator("input[name=subtype]:checked")).to_have_count(0)
    page.keyboard.press("/")
    page.keyboard.type(page.locator(f".choice:has(input[value={wanted.subtype}]) span").first.inner_text())
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.locator(".review")).not_to_have_attribute("data-item", before)


def answer_the_rest(client, gold: dict[str, Example]) -> int:
    answered = 0
    while True:
        _, found = client("POST", "review-items/next")
        item = found.get("item")
        if item is None:
            return answered
        e = gold[item["subject"]]
        data = {"lease": item["lease"], "idempotency_key": f"k{item['id']}", "action": "confirm", "type": e.type, "subtype": e.subtype}  # fmt: skip
        assert client("POST", f"review-items/{item['id']}/verification", data)[0] == 200
        answered += 1


@pytest.mark.timeout(900)
def test_the_better_model_is_found_rolled_out_and_taken_back(desk, log_in, mail):
    gold = {e.subject: e for e in mail}
    rows = [gold[subject] for subject in gold][:SCORED]
    admin, agent = log_in("admin"), desk.client("agent")
    admin.goto(f"{desk.url}/experiments/new/")
    admin.fill("input[name=name]", "Careless or starter")
    admin.select_option("select[name=treatment]", "starter")
    admin.check("input[name=mode][value=shadow]")
    admin.check("input[name=departments][value=it]")
    admin.fill("input[name=disagreement]", "80")
    admin.click("summary:has-text('Guardrails')")
    for name in ("guard_latency_ratio", "guard_latency_ms"):
        if admin.locator(f"input[name={name}]").count():
            admin.fill(f"input[name={name}]", "")  # of a busy test machine they say nothing
    admin.click("button:has-text('Make the test')")
    admin.click("header button:has-text('Start')")
    expect(admin.locator(".verdict")).to_contain_text("collecting")
    slug = admin.url.rstrip("/").rsplit("/", 1)[1]

    send(agent, rows)
    client = desk.client("admin")

    def measured() -> dict:
        return client("GET", f"experiments/{slug}")[1]

    def serving() -> str:
        return client("GET", "models")[1]["production"]

    wait_for(lambda: measured()["emails"]["B"] == SCORED, 120)
    reviewer = log_in("reviewer")
    reviewer.goto(f"{desk.url}/review/")
    reviewer.wait_for_selector("#review-form")
    for _ in range(2):
        answer_by_keys(reviewer, gold)
    reviewer.close()
    assert answer_the_rest(desk.client("reviewer"), gold) > 20

    admin.goto(f"{desk.url}/experiments/{slug}/")
    expect(admin.locator(".verdict")).to_contain_text("ready: deploy B")
    for stage, batch in (("10%", 300), ("50%", 100)):
        before = measured()
        admin.click("button:has-text('Roll out B')" if stage == "10%" else "button:has-text('Next stage')")
        expect(admin.locator(".stages .now")).to_contain_text(stage)
        assert measured()["phase"] == before["phase"] + 1
        admin.wait_for_timeout(
            2_500
        )  # workers remember for two seconds which phase runs; that mail is the earlier one's
        while (emails := measured()["emails"])["B"] < 100:
            send(agent, (rows * 4)[:batch])
            wait_for(lambda seen=sum(emails.values()): sum(measured()["emails"].values()) == seen + batch, 120)
        desk.manage(
            "shell", "-v0", "-c",
            "from abtests.models import Phase; from datetime import timedelta; p = Phase.objects.latest('number'); "
            "p.started_at -= timedelta(days=2); p.save()",
        )  # fmt: skip
        admin.reload()
        expect(admin.locator(".verdict")).to_contain_text("the next stage may begin")
    admin.click("button:has-text('Next stage')")
    expect(admin.locator(".verdict")).to_contain_text("starter answers everything")
    assert serving() == "starter"
    admin.click("button:has-text('Roll back')")
    expect(admin.locator(".verdict")).to_contain_text("rolled back")
    assert serving() == "careless"
