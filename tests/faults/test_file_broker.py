"""The broker in a folder: whole messages under many writers, garbage set aside, urgent queues first."""

import json
import logging
import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path
from queue import Empty

import pytest
from django.conf import settings
from kombu import Connection

from reviewdesk.celery import app
from tests.desk import ROOT
from tests.faults.helpers import put, queue, take_all

WRITERS, WORKERS, MESSAGES = 4, 2, 20_000
NAMES = ("urgent", "drafts")


def connection(folder: Path) -> Connection:
    return Connection(
        "filesystem://",
        transport="reviewdesk.file_broker:Transport",
        transport_options={"folder": str(folder), "polling_interval": 0.01},
    )


def write(folder: Path, writer: int, count: int) -> None:
    with connection(folder) as broker:
        producers = {name: broker.Producer() for name in NAMES}
        for n in range(count):
            name = NAMES[n % 2]
            producers[name].publish(
                {"writer": writer, "n": n, "filling": "x" * (n % 3_000)},
                exchange=name, routing_key=name, declare=[queue(name)],
            )  # fmt: skip


def work(folder: Path, results, stop) -> None:
    """Consume until nothing has come for a moment after the writers have ended."""
    seen = []

    def take(body, message) -> None:
        seen.append((body["writer"], body["n"]))
        message.ack()

    with connection(folder) as broker, broker.Consumer([queue(n) for n in NAMES], callbacks=[take], accept=["json"]):
        quiet = 0
        while quiet < 3:
            try:
                broker.drain_events(timeout=0.5)
                quiet = 0
            except TimeoutError:
                quiet += stop.is_set()
    results.put(seen)


def test_twenty_thousand_messages_from_four_writers_to_two_workers(tmp_path):
    context = get_context("spawn")
    results, stop = context.Queue(), context.Event()
    workers = [context.Process(target=work, args=(tmp_path, results, stop)) for _ in range(WORKERS)]
    writers = [context.Process(target=write, args=(tmp_path, w, MESSAGES // WRITERS)) for w in range(WRITERS)]
    for process in [*workers, *writers]:
        process.start()
    # Garbage among them, such as a half-written file of another program, or a table that was cut short.
    for name in NAMES:
        folder = tmp_path / "messages" / name
        folder.mkdir(parents=True, exist_ok=True)
        for n, content in enumerate((b"", b'{"body": "ha', b"\x00\xff", b"[]", b"null", b'"text"')):
            (folder / f"0-garbage-{n}").write_bytes(content)
        (tmp_path / "exchanges").mkdir(exist_ok=True)
        (tmp_path / "exchanges" / f"{name}.json").write_text("[[")
    for process in writers:
        process.join(300)
        assert process.exitcode == 0
    stop.set()
    seen = [message for _ in workers for message in results.get(timeout=300)]
    for process in workers:
        process.join(60)
        assert process.exitcode == 0
    assert len(seen) == MESSAGES and len(set(seen)) == MESSAGES, "none lost, none twice"
    assert sum("garbage" in f.name for f in (tmp_path / "unreadable").iterdir()) == 12
    assert not list((tmp_path / "claimed").iterdir()) and not list((tmp_path / "new").iterdir())


def test_urgent_queues_are_served_first_also_when_they_fill_later(tmp_path):
    put(connection(tmp_path), *["drafts"] * 5, "files", "urgent")
    names = settings.TASK_QUEUES
    taken = take_all(
        connection(tmp_path), names, during=lambda n: put(connection(tmp_path), "urgent") if n == 4 else None
    )
    assert taken == ["urgent", "files", "drafts", "drafts", "urgent", "drafts", "drafts", "drafts"]


def test_a_garbage_message_is_set_aside_and_said(tmp_path, caplog):
    put(connection(tmp_path), "urgent")
    (tmp_path / "messages" / "urgent" / "0").write_text("{")
    with caplog.at_level(logging.WARNING):
        assert take_all(connection(tmp_path), ("urgent",)) == ["urgent"]
    assert "unreadable/urgent-0" in caplog.text and (tmp_path / "unreadable" / "urgent-0").read_text() == "{"


def test_a_full_disk_is_an_error_of_the_sender_and_leaves_no_half_message(tmp_path, monkeypatch):
    from kombu.exceptions import ChannelError

    with connection(tmp_path) as broker:
        channel = broker.channel()

        def full(self, text, **kwargs):
            with self.open("w") as stream:
                stream.write(text[:5])
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "write_text", full)
        with pytest.raises(ChannelError, match="No space left"):
            channel._put("urgent", {"body": "x"})
        monkeypatch.undo()
        assert not list((tmp_path / "new").iterdir())
        with pytest.raises(Empty):
            channel._get("urgent")


def test_every_task_has_a_queue_and_a_worker_takes_them_by_urgency():
    ours = {n for n in app.tasks if n.split(".")[0] in ("workflow", "classifier", "responses", "abtests", "people")}
    assert ours == set(settings.CELERY_TASK_ROUTES), "a new task says how urgent it is"
    assert [q.name for q in app.conf.task_queues] == list(settings.TASK_QUEUES)
    assert {q.routing_key for q in app.conf.task_queues} == set(settings.TASK_QUEUES), "else each gets every message"
    code = "from reviewdesk.celery import app; print([q for q in app.amqp.queues.consume_from])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.replace("'", '"')) == list(settings.TASK_QUEUES)
