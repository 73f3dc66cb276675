"""The same order of queues on Redis, with a real server."""

import os
import shutil
import socket
import subprocess
import sys

import pytest
from django.conf import settings
from kombu import Connection

from tests.desk import ROOT, wait_for
from tests.faults.helpers import put, take_all


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory) -> str:
    server = shutil.which("redis-server")
    if server is None:
        if os.environ.get("REVIEWDESK_REQUIRE_BROWSER"):
            pytest.fail("redis-server is missing; CI installs it")
        pytest.skip("no redis-server is installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("redis")
    process = subprocess.Popen(
        [server, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"],
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: answers(port), 20)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(20)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def connect(url: str) -> Connection:
    return Connection(url, transport_options={"queue_order_strategy": "priority"})


def test_urgent_queues_are_served_first_also_when_they_fill_later(redis_url):
    put(connect(redis_url), *["drafts"] * 5, "files", "urgent")
    refill = lambda n: put(connect(redis_url), "urgent") if n == 4 else None  # noqa: E731
    taken = take_all(connect(redis_url), settings.TASK_QUEUES, during=refill)
    assert taken == ["urgent", "files", "drafts", "drafts", "urgent", "drafts", "drafts", "drafts"]


def test_the_settings_ask_redis_for_that_order(tmp_path):
    code = (
        "from reviewdesk.celery import app; c = app.conf;"
        " print(c.broker_transport_options, c.broker_transport, [q.name for q in c.task_queues])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT, capture_output=True, text=True, check=True,
        env=os.environ | {"CELERY_BROKER_URL": "redis://127.0.0.1:1/0", "REVIEWDESK_VAR": str(tmp_path)},
    )  # fmt: skip
    assert "'queue_order_strategy': 'priority'" in done.stdout and "None" in done.stdout
    assert done.stdout.strip().endswith(str(list(settings.TASK_QUEUES)))
