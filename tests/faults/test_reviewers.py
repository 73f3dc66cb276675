"""Sixteen reviewers over 5,000 items, clients that break off, web workers killed: each item is answered exactly once."""

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from tests.desk import ROOT, wait_for
from tests.environment import new_database

pytestmark = pytest.mark.desk
REVIEWERS, EMAILS, TWICE = 16, 4_500, 500  # 500 of the emails ask for two reviews: 5,000 items
PREPARE = f"""
import sys
from benchmarks.reviewing import fill
fill({EMAILS}, {REVIEWERS})
from classifier.models import ReviewItem, ReviewQueue
from reviewdesk.people.models import User
from reviewdesk.people.services import create_token
ReviewQueue.objects.create(source="low_confidence", priority=5, overlap_share=0)
first = list(ReviewItem.objects.order_by("pk")[:{TWICE}])
ReviewItem.objects.filter(pk__in=[i.pk for i in first]).update(independent=True)
for item in first:
    item.pk, item.seat, item.independent = None, 1, True
ReviewItem.objects.bulk_create(first)
for user in User.objects.order_by("pk"):
    print("token", create_token(user=user))
"""
COUNT = """
import json, django
django.setup()
from classifier.models import ReviewItem, Verification
rows = list(Verification.objects.values_list("item", "email", "reviewer", "action"))
print("rows", json.dumps(rows))
print("open", ReviewItem.objects.exclude(status="done").count())
"""


class Client:
    """A reviewer's program. It breaks off, sends twice, and goes on after every error."""

    def __init__(self, base: str, token: str, seed: int):
        self.base, self.token, self.dice = base, token, random.Random(seed)
        self.codes: Counter = Counter()

    def work(self) -> None:
        while True:
            status, got = self.call("POST", "review-items/next")
            item = got.get("item") if status == 200 else None
            if item is None:
                if status == 200 and not got["held_by_others"]:
                    return
                time.sleep(0.3)
                continue
            if self.dice.random() < 0.002:
                time.sleep(11)  # the client is killed and comes back after its lease has run out
                continue
            self.answer(item)

    def answer(self, item: dict) -> None:
        sent = {
            "lease": item["lease"], "idempotency_key": uuid4().hex, "action": "confirm",
            "type": item["type"], "subtype": item["subtype"], "seconds": 1,
        }  # fmt: skip
        path = f"review-items/{item['id']}/verification"
        if self.dice.random() < 0.03:
            self.call("POST", path, sent, timeout=0.003)  # hangs up before it hears the answer
        if self.dice.random() < 0.03:
            threading.Thread(target=self.call, args=("POST", path, sent)).start()
        for _ in range(60):
            status, got = self.call("POST", path, sent)
            self.codes[got.get("code", status)] += 1
            if status in (200, 409):
                return
            time.sleep(0.1)
        raise AssertionError(f"no answer to {path}: {status} {got}")

    def call(self, method: str, path: str, data: dict | None = None, timeout: float = 30) -> tuple[int, dict]:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        body = json.dumps(data or {}).encode()
        request = urllib.request.Request(f"{self.base}/api/v1/{path}", body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return self._refusal(error)
        except (OSError, ValueError, http.client.HTTPException):
            return 0, {}

    def _refusal(self, error: urllib.error.HTTPError) -> tuple[int, dict]:
        try:
            return error.code, json.loads(error.read())
        except (OSError, ValueError, http.client.HTTPException):
            return error.code, {}


@pytest.fixture
def desk(tmp_path):
    """A web server of three processes over a filled database; yields (base, tokens, environment, killer)."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "reviewdesk.settings",
        "REVIEWDESK_VAR": str(tmp_path),
        "DATABASE_URL": new_database(tmp_path),
        "CELERY_BROKER_URL": f"filesystem://{tmp_path}/queue",
        "REVIEWDESK_LEASE_SECONDS": "10",
    }
    tokens = [line.split()[1] for line in _python(PREPARE, environment).splitlines() if line.startswith("token")]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = Path(tmp_path, "web.log").open("w")  # noqa: SIM115
    web = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "reviewdesk.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "3",
         "--threads", "4", "--log-level", "warning"],
        cwd=ROOT, env=environment, stdout=log, stderr=log,
    )  # fmt: skip
    base = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: _answers(base), 60)
        yield base, tokens, environment, web
    finally:
        web.terminate()
        web.wait()
        log.close()


def _python(code: str, environment: dict) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _answers(base: str) -> bool:
    try:
        urllib.request.urlopen(f"{base}/healthz", timeout=5).close()
        return True
    except OSError:
        return False


def test_each_item_has_exactly_the_answers_that_its_queue_asks_for(desk):
    base, tokens, environment, web = desk
    clients = [Client(base, token, seed) for seed, token in enumerate(tokens)]
    stop, killed = threading.Event(), 0

    def kill_workers() -> None:
        nonlocal killed
        dice = random.Random(1)
        while not stop.wait(dice.uniform(3, 8)):
            children = psutil.Process(web.pid).children()
            if len(children) > 1:
                os.kill(dice.choice(children).pid, signal.SIGKILL)
                killed += 1

    killer = threading.Thread(target=kill_workers)
    killer.start()
    try:
        with ThreadPoolExecutor(REVIEWERS) as pool:
            for ended in [pool.submit(client.work) for client in clients]:
                ended.result()
    finally:
        stop.set()
        killer.join()
    lines = dict(line.split(" ", 1) for line in _python(COUNT, environment).splitlines() if " " in line)
    rows = json.loads(lines["rows"])
    assert lines["open"] == "0"
    assert {row[3] for row in rows} == {"confirm"}
    assert Counter(Counter(row[0] for row in rows).values()) == {1: EMAILS + TWICE}, "none lost, none doubled"
    assert Counter(Counter(row[1] for row in rows).values()) == {1: EMAILS - TWICE, 2: TWICE}
    assert max(Counter((row[1], row[2]) for row in rows).values()) == 1, "nobody answers an email twice"
    assert killed >= 3 and sum((c.codes for c in clients), Counter())[200] >= EMAILS
