"""Training asked for on a page or by a command: its own process, progress, cancel, death and return."""

import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from classifier.models import ModelVersion, TrainingRun
from classifier.registry import runs
from classifier.registry.runs import RowWatcher, ask_for_run, cancel, recorded, start_waiting, take
from classifier.retraining.datasets import rows_of
from ml.progress import Progress, unwatched
from reviewdesk.errors import DeskError
from tests.environment import url_of

STATUS = TrainingRun.Status
ROWS = [
    {"department": "it", "body": f"{text} {where}", "type": kind, "subtype": name}
    for name, kind, text in (
        ("outage", "complaint", "the server is down and nobody can work"),
        ("reset", "query", "how do I reset my password"),
        ("ad", "spam", "buy cheap pills and watches"),
    )
    for where in ("in Bonn", "in the office", "at home", "on my phone", "since Monday", "please", "again today", "now",
                  "in the new building", "on the third floor", "for my colleague", "after the update")
]  # fmt: skip


@pytest.fixture
def data(tmp_path) -> Path:
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(json.dumps(r) for r in ROWS))
    return file


@pytest.fixture
def launched(monkeypatch) -> list[TrainingRun]:
    """Runs that would have been started as processes."""
    found: list[TrainingRun] = []
    monkeypatch.setattr(runs, "_launch", found.append)
    return found


def make_run(**kw) -> TrainingRun:
    return TrainingRun.objects.create(**{"name": "r", **kw})


def test_the_command_trains_registers_measures_and_is_recorded(transactional_db, data, capsys):
    call_command("train", data=data, name="by-command", frozen=True, verbosity=0)
    version = ModelVersion.objects.get(version="by-command")
    run = TrainingRun.objects.get()
    assert (run.status, run.version, version.state) == (STATUS.DONE, version, "candidate")
    assert run.options["frozen"] is True and run.filename == "rows.jsonl"
    assert version.metrics["n"] == version.manifest["split_sizes"]["test"] > 0
    assert version.evaluations.get().data == "own test split"
    assert "Next: manage.py models promote by-command" in capsys.readouterr().out
    with pytest.raises(CommandError, match="model 'by-command' exists"):
        call_command("train", data=data, name="by-command", frozen=True, verbosity=0)


def test_an_attempt_that_died_after_saving_is_finished_by_the_next(transactional_db, data, starter_folder):
    import shutil

    shutil.copytree(starter_folder, settings.MODELS_DIR / "saved")
    with data.open("rb") as stream:
        file = SimpleUploadedFile("rows.jsonl", stream.read())
    run = make_run(name="saved", file=file, status=STATUS.RUNNING, attempts=2, options={"frozen": True})
    call_command("train", run=run.pk, verbosity=0)
    run.refresh_from_db()
    assert run.status == STATUS.DONE and run.version.version == "saved"


def test_departments_can_be_held_out(transactional_db, data, tmp_path):
    other = [row | {"department": "office", "body": row["body"].replace("my", "our")} for row in ROWS]
    data.write_text("\n".join(json.dumps(r) for r in [*ROWS, *other]))
    call_command("train", data=data, name="held", frozen=True, hold_out_department=["office"], verbosity=0)
    figures = ModelVersion.objects.get(version="held").manifest["notes"]["held_out_departments"]["office"]
    assert figures["examples"] == 8 and 0 <= figures["subtype_accuracy"] <= 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "is empty"),
        ([ROWS[0]], "fewer than two subtypes"),
        ([ROWS[0] | {"type": "rant"}], "'rant'; allowed: spam, query"),
        ([ROWS[0] | {"department": ""}], "field department"),
        ([{"department": "it", "body": "x"}], "no labelled row"),
        ([ROWS[0] | {"type": float("nan")}], "no labelled row"),
    ],
)
def test_bad_data_is_refused_with_the_reason_and_kept_on_the_run(db, data, rows, message):
    data.write_text("\n".join(json.dumps(r) for r in rows))
    with pytest.raises(CommandError, match=message):
        call_command("train", data=data, name="bad", frozen=True, verbosity=0)
    run = TrainingRun.objects.get()
    assert run.status == STATUS.FAILED and run.error
    assert not (settings.MODELS_DIR / "bad").exists()


def test_a_csv_without_a_text_column_is_named(db, tmp_path):
    (tmp_path / "a.csv").write_text("department,type,subtype\nit,query,x\n")
    with pytest.raises(
        CommandError, match="has the columns department, type, subtype; needed: department and one of body"
    ):
        call_command("train", data=tmp_path / "a.csv", name="bad", frozen=True, verbosity=0)


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "x" * 81, "compare", "runs"])
def test_a_name_that_is_no_folder_is_refused(db, name):
    with pytest.raises(DeskError, match="name is"):
        ask_for_run(name=name, options={}, file=None, by=None)


def test_one_run_goes_at_a_time_in_the_order_asked_for(db, launched):
    first, second = make_run(name="a"), make_run(name="b")
    assert start_waiting() == first and start_waiting() is None
    TrainingRun.objects.filter(pk=first.pk).update(status=STATUS.DONE)
    assert start_waiting() == second
    assert [r.name for r in launched] == ["a", "b"]
    assert not take(second), "nobody else can take it"


def test_two_workers_that_both_saw_no_run_going_start_one(db, launched):
    first, second = make_run(name="a"), make_run(name="b")
    assert take(first)
    assert not take(second), "although it waits, one is going"


def test_an_attempt_that_was_thought_dead_leaves_the_row_to_the_next(transactional_db):
    run = make_run(status=STATUS.RUNNING, attempts=1)
    with pytest.raises(ZeroDivisionError), recorded(run, unwatched) as watch:
        TrainingRun.objects.update(attempts=2, phase="embedding")
        watch(Progress("training", 20, 100))
        raise ZeroDivisionError
    now = TrainingRun.objects.get()
    assert (now.status, now.phase, now.error) == (STATUS.RUNNING, "embedding", "")


def test_the_heartbeat_ends_before_the_row_does(transactional_db, monkeypatch):
    killed = []
    monkeypatch.setattr(runs, "HEARTBEAT", 0.001)
    monkeypatch.setattr(runs.os, "kill", lambda *a: killed.append(a))
    for i in range(20):
        with recorded(make_run(name=str(i), status=STATUS.RUNNING), unwatched):
            pass
    assert not killed and TrainingRun.objects.filter(status=STATUS.DONE).count() == 20


def test_a_run_whose_process_died_is_started_again_three_times_at_most(db, launched):
    run = make_run()
    for attempt in (1, 2, 3):
        start_waiting()
        run.refresh_from_db()
        assert (run.status, run.attempts) == (STATUS.RUNNING, attempt)
        TrainingRun.objects.update(touched_at=timezone.now() - timedelta(minutes=5))
    start_waiting()
    run.refresh_from_db()
    assert run.status == STATUS.FAILED and "died 3 times" in run.error
    assert len(launched) == 3


@pytest.mark.parametrize("fields", [{"kind": "sweep"}, {"filename": "rows.csv"}])
def test_a_run_of_a_command_whose_process_died_is_left_to_the_command(db, launched, fields):
    run = make_run(status=STATUS.RUNNING, touched_at=timezone.now() - timedelta(minutes=5), **fields)
    assert start_waiting() is None and launched == []
    run.refresh_from_db()
    assert run.status == STATUS.FAILED and "give the same command again" in run.error


def test_a_name_is_taken_while_its_run_goes(db, launched):
    ask_for_run(name="r", options={}, file=None, by=None)
    with pytest.raises(DeskError, match="a run named 'r' is going already"):
        ask_for_run(name="r", options={}, file=None, by=None)


def test_cancelling_ends_the_process_and_keeps_the_state(transactional_db, admin, monkeypatch):
    run = make_run(status=STATUS.RUNNING)
    cancel(run=run, by=admin)
    killed = []
    monkeypatch.setattr(runs.os, "kill", lambda *a: killed.append(a))
    monkeypatch.setattr(runs, "HEARTBEAT", 0.01)

    class Once:
        def wait(self, seconds):
            return False

    runs._heartbeat(run, Once())
    assert killed == [(os.getpid(), signal.SIGTERM)]
    with pytest.raises(DeskError, match="ended already"):
        cancel(run=run, by=admin)


def test_progress_is_written_and_figures_are_kept(transactional_db):
    run = make_run(status=STATUS.RUNNING)
    with recorded(run, unwatched) as watch:
        assert isinstance(watch, RowWatcher)
        watch(Progress("training", 20, 100, {"loss": 1.0}))
        watch(Progress("training", 21, 100))
        watch(Progress("training", 40, 100, {"loss": 0.5}))
        watch(Progress("training", 40, 100, {"loss": 0.5, "subtype_accuracy": 0.7}))
        now = TrainingRun.objects.get()
        assert (now.phase, now.done, now.total) == ("training", 40, 100)
        assert now.history == [{"step": 20, "loss": 1.0}, {"step": 40, "loss": 0.5, "subtype_accuracy": 0.7}]
    assert TrainingRun.objects.get().status == STATUS.DONE


def test_a_busy_database_costs_a_line_of_progress_and_not_the_run(transactional_db, monkeypatch, caplog):
    from django.db import DatabaseError

    run = make_run(status=STATUS.RUNNING)

    class Busy:
        def filter(self, **kw):
            raise DatabaseError("database is locked")

    with recorded(run, unwatched) as watch:
        with monkeypatch.context() as patch:
            patch.setattr(TrainingRun, "objects", Busy())
            watch(Progress("training", 20, 100, {"loss": 1.0}))
        watch(Progress("training", 40, 100, {"loss": 0.5}))
    assert "database is locked" in caplog.text
    now = TrainingRun.objects.get()
    assert now.status == STATUS.DONE and [row["step"] for row in now.history] == [20, 40]


# --- The page ----------------------------------------------------------------------------------


def test_a_run_is_asked_for_watched_and_cancelled_on_the_page(client, admin, data, launched):
    client.force_login(admin)
    file = SimpleUploadedFile("rows.jsonl", data.read_bytes())
    answer = client.post(reverse("model-train"), {"name": "paged", "way": "frozen", "file": file, "epochs": 3})
    run = TrainingRun.objects.get()
    assert answer.url == reverse("training-run", args=[run.pk])
    assert run.options == {"frozen": True, "class_weights": False, "epochs": 3}
    assert "Waits for its turn" in client.get(answer.url).content.decode()
    start_waiting()
    history = [{"step": s, "loss": 1 / s, "subtype_accuracy": 0.5} for s in (20, 40, 60)]
    TrainingRun.objects.update(phase="training", done=60, total=100, history=history)
    runs.log_file(run).parent.mkdir(parents=True, exist_ok=True)
    runs.log_file(run).write_text("training:  60%\rtraining:  61%")
    panel = client.get(answer.url, headers={"HX-Request": "true"}).content.decode()
    for part in ("Training: 60 of 100", "every 1s", "<path", "training:  61%"):
        assert part in panel
    client.post(reverse("training-cancel", args=[run.pk]))
    panel = client.get(answer.url, headers={"HX-Request": "true"}).content.decode()
    assert "Cancelled" in panel and "every 1s" not in panel


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": ""}, "This field is required"),
        ({"name": "a/b"}, "allowed: up to 80 characters without a slash"),
        ({"name": "x", "file": SimpleUploadedFile("x.pdf", b"x")}, "x.pdf cannot be read; allowed: .csv"),
        ({"name": "x", "epochs": 0}, "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_trained_is_said_on_the_page(client, admin, fields, message):
    client.force_login(admin)
    answer = client.post(reverse("model-train"), {"way": "frozen", **fields})
    assert answer.status_code == 400 and message in answer.content.decode()
    assert not TrainingRun.objects.exists()


def test_a_killed_process_comes_back_and_finishes(transactional_db, data, settings):
    """The real thing: a process of its own, killed hard, started again by the sweeper."""
    import time

    with data.open("rb") as stream:
        ask = SimpleUploadedFile("rows.jsonl", stream.read())
    run = TrainingRun.objects.create(name="real", options={"frozen": True}, file=ask, filename="rows.jsonl")
    take(run)
    command = [sys.executable, "manage.py", "train", "--run", str(run.pk)]
    environment = {**os.environ, "DATABASE_URL": url_of(settings.DATABASES["default"]["NAME"])}
    options = {"cwd": settings.BASE_DIR, "env": environment, "capture_output": True}
    with subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while not TrainingRun.objects.get().phase and time.monotonic() < deadline:
            time.sleep(0.1)
        process.kill()
    run.refresh_from_db()
    assert run.status == STATUS.RUNNING and run.phase, "nobody was told"
    TrainingRun.objects.update(status=STATUS.WAITING)
    run.refresh_from_db()
    assert take(run)
    done = subprocess.run(command, timeout=120, **options)
    run.refresh_from_db()
    assert run.status == STATUS.DONE, done.stderr[-2000:]
    assert run.version.version == "real" and run.attempts == 2
    priority = subprocess.run(
        [sys.executable, "-c", "import os; from ml.__main__ import lower_priority; lower_priority(); print(os.nice(0))"],
        cwd=settings.BASE_DIR, capture_output=True, text=True,
    )  # fmt: skip
    assert int(priority.stdout) >= 10


def test_the_rows_of_a_training_by_command_are_kept_for_the_next_retraining(transactional_db, data):
    call_command("train", data=data, name="kept-rows", frozen=True, verbosity=0)
    version = ModelVersion.objects.get(version="kept-rows")
    rows, base = rows_of(version)
    assert (len(rows), base) == (len(ROWS), "the rows of kept-rows")
    assert sum(row.split == "test" for row in rows) == version.manifest["split_sizes"]["test"]


def test_the_whole_log_can_be_read(client, admin, db):
    run = make_run(name="logged")
    client.force_login(admin)
    assert client.get(f"/models/runs/{run.pk}/log/").status_code == 404
    runs.log_file(run).parent.mkdir(parents=True, exist_ok=True)
    runs.log_file(run).write_text("".join(f"line {n}\n" for n in range(100)))
    assert client.get(f"/models/runs/{run.pk}/log/").getvalue().startswith(b"line 0\nline 1\n")
    assert "the whole log" in client.get(f"/models/runs/{run.pk}/").content.decode()
