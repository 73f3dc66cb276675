"""`run_desk`: web, worker and scheduler under one Ctrl-C; one that dies is started again.

They end with it, also where it is killed, and a second desk on the same data does not start.
"""

import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandParser
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from classifier.models import ModelAlias
from classifier.prediction.metrics import SHARED
from reviewdesk.commands import DeskCommand
from reviewdesk.demo import is_seeded
from reviewdesk.errors import DeskError
from reviewdesk.people.models import ADMIN, AGENT, REVIEWER, User

GRACE_SECONDS = 5.0
RESTART_SECONDS, MAX_RESTART_SECONDS = 2.0, 60.0
STEADY_SECONDS = 30.0  # a part that ran so long had started well
START_SECONDS = 60.0
PR_SET_PDEATHSIG = 1  # of Linux' prctl
WEB_SQLITE_TIMEOUT = 5  # seconds: rather a 503 than all threads waiting


NEXT_STEPS = [
    "No model serves yet. What to do next:",
    "  1. labelled mail in:  manage.py import_emails labelled.csv --create-labels",
    "  2. a model from it:   manage.py train --data labelled.csv --name first --frozen",
    "  3. let it serve:      manage.py models promote first --reason 'the first one'",
]


def _end_with_parent(parent: int) -> Callable[[], None] | None:
    """What a child does before it starts: ask Linux for a SIGTERM when its parent is gone, however that died."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return ask


def _lock_data() -> IO[str]:
    """Hold the data folder for this desk: two of them would send twice as fast and clear each other's metrics."""
    file = (settings.VAR_DIR / "desk.lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        raise DeskError(
            f"a desk runs on {settings.VAR_DIR} already (process {file.read().strip() or 'unknown'}); "
            "stop it, or set REVIEWDESK_VAR to another folder"
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


@dataclass
class Part:
    """One process of the desk, in a process group of its own."""

    name: str
    command: list[str]
    process: subprocess.Popen | None = None
    started: float = 0.0
    patience: float = RESTART_SECONDS

    def start(self) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            self.command, cwd=settings.BASE_DIR, start_new_session=True, preexec_fn=_end_with_parent(os.getpid())
        )

    def restart_if_dead(self) -> bool:
        """Start a dead part again, after a pause that doubles while it keeps dying at once."""
        lived = time.monotonic() - self.started
        if not self.dead or lived < self.patience:
            return False
        self.patience = RESTART_SECONDS if lived > STEADY_SECONDS else min(self.patience * 2, MAX_RESTART_SECONDS)
        self.signal(signal.SIGKILL)  # whatever it left behind
        self.start()
        return True

    @property
    def dead(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def signal(self, number: int) -> None:
        if self.process is not None:
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                pass


class Command(DeskCommand):
    help = "Run the whole desk on this machine: web, Celery worker and scheduler. Ctrl-C stops all of it."

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument(
            "--demo", action="store_true", help="first migrate, and load the demo desk if it is not there"
        )
        parser.add_argument(
            "--empty", action="store_true", help="first migrate, and ask for the first admin if there is none"
        )
        parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="worker processes; default: cores")

    def run(self, **options: Any) -> None:
        self._check_port(options["host"], options["port"])
        self._lock = _lock_data()
        if options["demo"]:
            self._prepare_demo()
        elif options["empty"]:
            call_command("create_desk")
        else:
            self._check_migrated()
        SHARED.clear()
        parts = [Part(name, command) for name, command in commands(options).items()]
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            for part in parts:
                part.start()
            self._await_web(options["host"], options["port"], parts[0])
            self._greet(options["host"], options["port"])
            while True:
                self._restart_dead(parts)
                time.sleep(0.5)
        except KeyboardInterrupt:
            self.stdout.write("\nStopping…")
        finally:
            _stop(parts)

    def _check_port(self, host: str, port: int) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise DeskError(
                    f"port {port} on {host} cannot be used: {error.strerror}; choose another: PORT=8001 make run"
                ) from None

    def _check_migrated(self) -> None:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if missing:
            raise DeskError(
                f"the database lacks {len(missing)} migrations; run: manage.py migrate, "
                "or for a new desk: manage.py create_desk"
            )

    def _prepare_demo(self) -> None:
        """Seeding loads torch, so it happens in a process that ends; a seeded desk starts without it."""
        call_command("migrate", verbosity=0)
        if not is_seeded():
            self.stdout.write("Loading the demo desk (once, about a minute)…")
            self.stdout.flush()
            if subprocess.run([sys.executable, "manage.py", "seed_demo"], cwd=settings.BASE_DIR).returncode:
                raise DeskError("the demo desk could not be loaded; the reason stands above")

    def _await_web(self, host: str, port: int, web: Part) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if web.dead:
                raise DeskError("the web server stopped at once; its message stands above")
            try:
                socket.create_connection((host, port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise DeskError(f"the web server did not answer within {START_SECONDS:.0f} s")

    def _greet(self, host: str, port: int) -> None:
        lines = ["", f"Reviewdesk runs at http://{'localhost' if host == '127.0.0.1' else host}:{port}/"]
        demo = [u for u in (AGENT, REVIEWER, ADMIN) if _is_demo(u)]
        if demo:
            lines.append("Demo logins (name / password): " + " · ".join(f"{u} / {u}" for u in demo))
        if not ModelAlias.objects.exists():
            lines += NEXT_STEPS
        lines += ["Ctrl-C stops everything.", ""]
        self.stdout.write("\n".join(lines))
        self.stdout.flush()

    def _restart_dead(self, parts: list[Part]) -> None:
        for part in parts:
            if part.restart_if_dead():
                with suppress(OSError):  # the log may be on a disk that is full
                    self.stderr.write(f"{part.name} had stopped; it is started again")


def commands(options: dict[str, Any]) -> dict[str, list[str]]:
    """The three processes; the first is the web server."""
    # One thread a process: the worker has a process for each core, and more threads only wait for each other.
    python = ["env", "OMP_NUM_THREADS=1", sys.executable]
    celery = [*python, "-m", "celery", "--quiet", "-A", "reviewdesk.celery"]
    bind = f"{options['host']}:{options['port']}"
    gunicorn = [*python, "-m", "gunicorn", "reviewdesk.wsgi", "--bind", bind, "--worker-class", "gthread"]
    return {
        "web": ["env", f"REVIEWDESK_SQLITE_TIMEOUT={WEB_SQLITE_TIMEOUT}", *gunicorn, "--workers", "1", "--threads", "8", "--timeout", "120", "--log-level", "warning"],
        "worker": [*celery, "worker", "--concurrency", str(options["workers"]), "--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat"],
        "scheduler": [*celery, "beat", "--loglevel", "WARNING", "--pidfile="],
    }  # fmt: skip


def _is_demo(username: str) -> bool:
    user = User.objects.filter(username=username, is_active=True).first()
    return user is not None and user.check_password(username)


def _interrupt(*args: Any) -> None:
    raise KeyboardInterrupt


def _stop(parts: list[Part]) -> None:
    """Ask every part to end, wait, then end what is left."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for part in parts:
        if part.process is not None:
            part.process.terminate()
    deadline = time.monotonic() + GRACE_SECONDS
    for part in parts:
        if part.process is not None:
            try:
                part.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                pass
        part.signal(signal.SIGKILL)
