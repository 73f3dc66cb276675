"""`run_desk`: web, worker and scheduler under one Ctrl-C; one that dies is started again."""

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandParser

from reviewdesk.commands import DeskCommand
from reviewdesk.demo import is_seeded
from reviewdesk.errors import DeskError
from reviewdesk.people.models import ADMIN, AGENT, REVIEWER, User

GRACE_SECONDS = 5.0
RESTART_SECONDS, MAX_RESTART_SECONDS = 2.0, 60.0
STEADY_SECONDS = 30.0  # a part that ran so long had started well
START_SECONDS = 60.0


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
        self.process = subprocess.Popen(self.command, cwd=settings.BASE_DIR, start_new_session=True)

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
        parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="worker processes; default: cores")

    def run(self, **options: Any) -> None:
        self._check_port(options["host"], options["port"])
        if options["demo"]:
            self._prepare_demo()
        self._clear_metrics()
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

    def _prepare_demo(self) -> None:
        """Seeding loads torch, so it happens in a process that ends; a seeded desk starts without it."""
        call_command("migrate", verbosity=0)
        if not is_seeded():
            self.stdout.write("Loading the demo desk (once, about a minute)…")
            self.stdout.flush()
            if subprocess.run([sys.executable, "manage.py", "seed_demo"], cwd=settings.BASE_DIR).returncode:
                raise DeskError("the demo desk could not be loaded; the reason stands above")

    def _clear_metrics(self) -> None:
        """Counters of processes that are gone; only whoever starts all of them may do this."""
        for file in (settings.VAR_DIR / "metrics").glob("*.db"):
            file.unlink(missing_ok=True)

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
        lines += ["Ctrl-C stops everything.", ""]
        self.stdout.write("\n".join(lines))
        self.stdout.flush()

    def _restart_dead(self, parts: list[Part]) -> None:
        for part in parts:
            if part.restart_if_dead():
                self.stderr.write(f"{part.name} had stopped; it is started again")


def commands(options: dict[str, Any]) -> dict[str, list[str]]:
    """The three processes; the first is the web server."""
    # One thread a process: the worker has a process for each core, and more threads only wait for each other.
    python = ["env", "OMP_NUM_THREADS=1", sys.executable]
    celery = [*python, "-m", "celery", "--quiet", "-A", "reviewdesk.celery"]
    bind = f"{options['host']}:{options['port']}"
    gunicorn = [*python, "-m", "gunicorn", "reviewdesk.wsgi", "--bind", bind, "--worker-class", "gthread"]
    return {
        "web": [*gunicorn, "--workers", "1", "--threads", "8", "--timeout", "120", "--log-level", "warning"],
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
