"""An operator on a bad night: a full disk, a supervisor killed, drafts without end, a desk that was never set up."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from ml.data import load_corpus
from tests.desk import ROOT, Client, Desk, seeded, wait_for

pytestmark = pytest.mark.desk
VOLUME_MB = 60
WAITING_DRAFTS = 500
CLASSIFIED_WITHIN = 5.0  # seconds


def some_emails(count: int, mark: str) -> list[dict]:
    corpus = [e for e in load_corpus() if e.body.strip()]
    return [
        {"department": e.department, "from": f"{n}@x.example", "subject": e.subject, "body": f"{e.body}\n{mark} {n}"}
        for n, e in enumerate((corpus * 4)[:count])
    ]


def post(client: Client, rows: list[dict]) -> list[int]:
    """The ids that the desk has acknowledged; what it refused for the moment is not among them."""
    ids = []
    for start in range(0, len(rows), 20):
        status, answer = client("POST", "emails", rows[start : start + 20])
        assert status in (202, 503), (status, answer)
        if status == 202:
            ids += [r["id"] for r in answer["results"] if r["status"] == "new"]
    return ids


def classified(client: Client, ids: list[int]) -> bool:
    return all(client("GET", f"emails/{pk}")[1].get("classified") for pk in ids)


def family(desk: Desk) -> dict[int, str]:
    """Every process of the desk by its id."""
    assert desk.process is not None
    found = [psutil.Process(desk.process.pid), *psutil.Process(desk.process.pid).children(recursive=True)]
    return {p.pid: " ".join(p.cmdline())[-60:] for p in found}


@pytest.fixture
def small_volume(tmp_path):
    """A file system of its own with little room; making one needs root."""
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={VOLUME_MB}m", "tmpfs", folder], capture_output=True)
    if done.returncode:
        pytest.skip(f"no volume can be mounted here: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path) -> Path:
    """Write until nothing more fits."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as stream:
        for size in (2**20, 2**12, 1):
            with contextlib.suppress(OSError):
                while stream.write(b"x" * size):
                    pass
    return filler


def test_a_volume_that_fills_up_and_is_freed_again_loses_nothing_and_kills_nobody(small_volume, tmp_path):
    var = small_volume / "var"
    models = seeded(0) / "models"
    shutil.copytree(seeded(0), var, ignore=shutil.ignore_patterns("models"))
    (var / "models").symlink_to(models)  # larger than the volume
    desk = Desk(var, {"REVIEWDESK_LOG_LEVEL": "WARNING"})
    try:
        desk.run(log=tmp_path / "desk.log")
        client = desk.client("agent")
        acknowledged = post(client, some_emails(40, "before"))
        before = family(desk)
        filler = fill(small_volume)
        assert shutil.disk_usage(small_volume).free < 100_000
        deadline = time.monotonic() + 20
        round_ = 0
        while time.monotonic() < deadline:
            acknowledged += post(client, some_emails(20, f"full {round_}"))
            assert client("POST", "classify", {"email": "The VPN is down", "department": "it"})[0] == 200
            round_ += 1
            time.sleep(0.5)
        assert family(desk) == before, (tmp_path / "desk.log").read_text()[-3000:]
        filler.unlink()
        acknowledged += post(client, some_emails(20, "after"))
        wait_for(lambda: classified(client, acknowledged), 120, (tmp_path / "desk.log").read_text)
        assert family(desk) == before, (tmp_path / "desk.log").read_text()[-3000:]
    finally:
        desk.stop()


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path / "desk")
    desk.var.mkdir()
    yield desk
    desk.stop()


def test_new_mail_is_classified_while_hundreds_of_drafts_wait(desk):
    """One worker process, and all drafts asked for before the email comes."""
    desk.seed(0)
    desk.manage(
        "shell", "-v0", "-c",
        "from tests.faults.test_operator import ask_for_drafts; ask_for_drafts()",
    )  # fmt: skip
    desk.run(workers=1)
    client = desk.client("agent")
    waiting = int(desk.manage("shell", "-v0", "-c", WAITING))
    assert waiting > WAITING_DRAFTS * 0.8, waiting
    took = []
    for row in some_emails(5, "urgent"):
        (pk,) = post(client, [row])
        start = time.monotonic()
        wait_for(lambda pk=pk: classified(client, [pk]), 60)
        took.append(time.monotonic() - start)
    assert max(took) < CLASSIFIED_WITHIN, took
    assert int(desk.manage("shell", "-v0", "-c", WAITING)) > 100, "the drafts were still waiting"


WAITING = "from responses.models import DraftJob as J; print(J.objects.filter(done_at=None).count())"


def ask_for_drafts() -> None:
    """Run within a desk: emails that are classified and want a draft, each asked for."""
    from classifier.intake.parsed import ParsedEmail
    from classifier.intake.services import Intake
    from classifier.models import Email
    from reviewdesk import workflow

    rows = some_emails(WAITING_DRAFTS * 2, "draft")
    parsed = [
        ParsedEmail(sender_address=r["from"], subject=r["subject"], body=r["body"], department=r["department"])
        for r in rows
    ]
    for start in range(0, len(parsed), 100):
        Intake().receive(parsed[start : start + 100])
    wanted = 0
    for email in Email.objects.order_by("pk"):
        if wanted >= WAITING_DRAFTS:
            break
        workflow.process(ids=[email.pk])  # classifies, and puts the draft into its queue
        wanted += hasattr(Email.objects.get(pk=email.pk), "draft_job")
    Email.objects.filter(prediction=None).delete()


def test_parts_end_with_a_supervisor_that_was_killed_and_no_second_desk_starts_beside(desk):
    desk.start(emails=0)
    second = subprocess.run(
        [sys.executable, "manage.py", "run_desk", "--port", str(free_port())],
        cwd=ROOT, env=desk.environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert second.returncode == 1 and f"process {desk.process.pid}" in second.stderr
    parts = [psutil.Process(pid) for pid in family(desk) if pid != desk.process.pid]
    assert len(parts) >= 5
    os.kill(desk.process.pid, signal.SIGKILL)
    desk.process.wait(10)
    gone, alive = psutil.wait_procs(parts, timeout=30)
    assert not alive, [" ".join(p.cmdline()) for p in alive]
    desk.run()
    assert desk.is_ready()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run_desk(desk: Desk, *args: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "manage.py", *args],
        cwd=ROOT,
        env=desk.environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_desk_without_tables_says_what_to_run(desk):
    said = run_desk(desk, "run_desk", "--port", str(free_port()))
    assert said.returncode == 1 and "Traceback" not in said.stderr
    assert "manage.py migrate" in said.stderr and "manage.py create_desk" in said.stderr


def test_an_empty_desk_grows_by_ones_own_mail(desk, tmp_path):
    """From nothing to a desk that labels one's own mail; every message says what to do next."""
    rows = [e for e in load_corpus() if e.department in ("it", "retail") and e.body.strip()]
    labelled, unlabelled = tmp_path / "labelled.csv", tmp_path / "unlabelled.csv"
    write_csv(labelled, rows[20:], with_labels=True)
    write_csv(unlabelled, rows[:20], with_labels=False)
    desk.run("--empty")
    log = (desk.var / "desk.log").read_text()
    assert "admin is the first admin" in log and "/welcome/" in log and "No model serves yet" in log
    refused = run_desk(desk, "import_emails", str(labelled))
    assert "--create-labels" in refused.stderr and "seed_demo" not in refused.stderr
    assert f"{len(rows) - 20} new" in desk.manage("import_emails", str(labelled), "--create-labels")
    desk.manage("train", "--data", str(labelled), "--name", "first", "--frozen")
    assert "--reason" in run_desk(desk, "models", "--help").stdout
    without = run_desk(desk, "models", "promote", "first")
    assert without.returncode == 1 and "Give a reason" in without.stderr
    desk.manage("models", "promote", "first", "--reason", "the first one")
    assert "20 new" in desk.manage("import_emails", str(unlabelled))
    count = "from classifier.models import Email as E; print(E.objects.filter(prediction__isnull=False).count())"
    wait_for(lambda: int(desk.manage("shell", "-v0", "-c", count)) >= 20, 90, (desk.var / "desk.log").read_text)
    log = (desk.var / "desk.log").read_text()
    assert "Traceback" not in log, log[-3000:]


def write_csv(file: Path, rows: list, *, with_labels: bool) -> None:
    import csv

    columns = ["department", "subject", "body", *(["type", "subtype"] if with_labels else [])]
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows([getattr(row, column) for column in columns] for row in rows)
