"""The whole desk under faults and load: a worker killed in the middle, eight reviewers at once."""

import csv
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from ml.data import load_corpus
from tests.desk import Client, Desk, wait_for

pytestmark = pytest.mark.desk
N = 500
REVIEWERS = 8
NO_OVERLAP = (
    "from classifier.models import ReviewQueue as Q; Q.objects.create(source='low_confidence', overlap_share=0)"
)


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A desk whose threshold sends everything to review."""
    desk = Desk(tmp_path_factory.mktemp("desk"), {"REVIEWDESK_REVIEW_THRESHOLD": "1.0"})
    try:
        desk.start(emails=0)
        desk.manage("shell", "-v0", "-c", NO_OVERLAP)
        yield desk
    finally:
        desk.stop()


@pytest.fixture(scope="module")
def received(desk) -> list[int]:
    """N emails posted by the API, the worker killed with -9 while it classifies them."""
    corpus = load_corpus()
    rows = [
        {
            "department": e.department,
            "from": e.sender,
            "subject": e.subject,
            "body": e.body + f"\n{i}",
            "message_id": f"<{i}@load>",
        }
        for i, e in enumerate((corpus * 2)[:N])
        if e.body.strip()
    ]
    client = desk.client("agent")
    results = [
        r
        for start in range(0, len(rows), 100)
        for r in client("POST", "emails", rows[start : start + 100])[1]["results"]
    ]
    assert {r["status"] for r in results} == {"new"}
    ids = [r["id"] for r in results]
    wait_for(lambda: client("GET", f"emails/{ids[20]}")[1]["classified"], 60)
    desk.worker().kill()
    return ids


def test_a_killed_worker_loses_no_email(desk, received):
    client = desk.client("agent")
    left = set(received)

    def all_classified() -> bool:
        left.difference_update([pk for pk in sorted(left)[:50] if client("GET", f"emails/{pk}")[1]["classified"]])
        return not left

    wait_for(all_classified, 170, lambda: f"{len(left)} left\n{(desk.var / 'desk.log').read_text()}")
    assert client("GET", f"emails/{max(received)}")[1]["type"]


def test_eight_reviewers_over_all_items_answer_each_once(desk, received, tmp_path):
    clients = []
    for i in range(REVIEWERS):
        desk.add_user(f"rev{i}", "reviewer")
        clients.append(desk.client(f"rev{i}"))
    with ThreadPoolExecutor(REVIEWERS) as pool:
        done = [pk for mine in pool.map(review_all, clients) for pk in mine]
    assert len(done) == len(set(done)) == len(received)
    assert clients[0]("POST", "review-items/next")[1] == {"item": None, "held_by_others": 0, "next_free_at": None}
    desk.manage("export_labels", str(tmp_path / "labels.csv"))
    with (tmp_path / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(int(r["email_id"]) for r in rows) == sorted(received)
    assert {r["source"] for r in rows} <= {"low_confidence", "unreadable"}


def review_all(client: Client) -> list[int]:
    """Claim and confirm until nothing is left; every answer is sent twice, as a nervous client would."""
    mine = []
    while item := client("POST", "review-items/next")[1]["item"]:
        answer = {
            "lease": item["lease"], "idempotency_key": uuid4().hex, "action": "confirm",
            "type": item["type"], "subtype": item["subtype"], "seconds": 1,
        }  # fmt: skip
        first = client("POST", f"review-items/{item['id']}/verification", answer)
        assert first[0] == 200, first
        assert client("POST", f"review-items/{item['id']}/verification", answer) == first
        mine.append(item["email"])
    return mine


def test_promotion_and_rollback_under_load_lose_no_request(desk):
    """Four clients classify without pause while the model changes twice; each change holds after five seconds."""
    shutil.copytree(desk.var / "models" / "starter", desk.var / "models" / "second")
    desk.manage("models", "register", "second")
    admin, answers, stop = desk.client("admin"), [], threading.Event()

    def load() -> None:
        client = desk.client("agent")
        while not stop.is_set():
            asked = time.monotonic()
            status, body = client("POST", "classify", {"email": "The VPN is down", "department": "it"})
            answers.append((asked, status, body.get("model_version")))

    with ThreadPoolExecutor(4) as clients:
        running = [clients.submit(load) for _ in range(4)]
        try:
            wait_for(lambda: len(answers) > 20, 60)
            changed = []
            for path, version in (("models/second/promote", "second"), ("models/rollback", "starter")):
                status, body = admin("POST", path, {"reason": "under load"})
                assert status == 200 and body["version"] == version
                changed.append((time.monotonic(), version))
                time.sleep(8)
        finally:
            stop.set()
        for future in running:
            future.result()
    assert {status for _, status, _ in answers} == {200}, "no request is lost"
    for when, version in changed:
        later = [v for asked, _, v in answers if when + 5 <= asked < when + 8]
        assert later and set(later) == {version}
