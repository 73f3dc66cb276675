"""A whole desk for a test: web, worker and scheduler as a user starts them, in a folder of its own."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import psutil

from tests.environment import POSTGRES, VAR, new_database

ROOT = Path(__file__).parent.parent
UNDO_SECONDS = 3


@dataclass
class Client:
    """Calls the API with a token; answers (status, JSON)."""

    base: str
    token: str

    def __call__(self, method: str, path: str, data: Any = None) -> tuple[int, Any]:
        request = urllib.request.Request(
            f"{self.base}/api/v1/{path}",
            method=method,
            data=None if data is None else json.dumps(data).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"null")


@dataclass
class Desk:
    """Start with `start()`, end with `stop()`."""

    var: Path
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen | None = None
    port: int = 0

    @cached_property
    def database(self) -> str:
        return new_database(self.var)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        kept = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith(("REVIEWDESK_", "DATABASE_", "CELERY_", "PROMETHEUS_"))
        }
        return kept | {
            "DJANGO_SETTINGS_MODULE": "reviewdesk.settings",
            "REVIEWDESK_VAR": str(self.var),
            "DATABASE_URL": self.database,
            "CELERY_BROKER_URL": f"filesystem://{self.var}/queue",
            "REVIEWDESK_UNDO_SECONDS": str(UNDO_SECONDS),
            **self.settings,
        }

    def manage(self, *args: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *args],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, f"{args}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def seed(self, emails: int) -> None:
        """Load the demo; on SQLite from a copy of what an earlier desk of the run was loaded with."""
        if POSTGRES:
            self.manage("migrate", "--verbosity", "0")
        else:
            shutil.copytree(seeded(0 if self.settings else emails), self.var, dirs_exist_ok=True)
        if POSTGRES or self.settings:
            self.manage("seed_demo", "--emails", str(emails))

    def start(self, emails: int) -> "Desk":
        self.seed(emails)
        return self.run()

    def run(self, *args: str, workers: int | None = None, log: Path | None = None) -> "Desk":
        """Start it on the data that is there."""
        log_file = log or self.var / "desk.log"
        args = (*args, "--workers", str(workers)) if workers else args
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        stream = log_file.open("w")
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "run_desk", "--port", str(self.port), *args],
            cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT,
        )  # fmt: skip
        stream.close()
        wait_for(lambda: "Ctrl-C stops" in log_file.read_text() and self.answers(), 90, log_file.read_text)
        return self

    def answers(self) -> bool:
        """Whether the web server is up; `is_ready` asks for a model too."""
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def worker(self) -> psutil.Process:
        """The worker's main process."""
        children = psutil.Process(self.process.pid).children()
        return next(c for c in children if "worker" in c.cmdline())

    def add_user(self, name: str, role: str) -> None:
        self.manage(
            "shell", "-v0", "-c",
            "from reviewdesk.people.models import User; from django.contrib.auth.models import Group; "
            f"u = User.objects.create_user('{name}', password='{name}'); u.groups.add(Group.objects.get(name='{role}'))",
        )  # fmt: skip

    def client(self, user: str) -> Client:
        return Client(self.url, self.manage("create_token", user).strip())

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)


@cache
def seeded(emails: int) -> Path:
    """The folder of a desk that holds so many emails and never ran."""
    desk = Desk(Path(VAR) / f"seeded-{emails}")
    if emails:
        shutil.copytree(seeded(0), desk.var)
    else:
        desk.var.mkdir()
        desk.manage("migrate", "--verbosity", "0")
    desk.manage("seed_demo", "--emails", str(emails))
    return desk.var


def wait_for(done: Callable[[], bool], seconds: float, explain: Callable[[], str] = lambda: "") -> None:
    """Ask until it is true; fail with an explanation when time is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if done():
            return
        time.sleep(0.3)
    raise AssertionError(f"not within {seconds} s. {explain()[-3000:]}")
