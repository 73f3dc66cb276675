"""Training runs as rows: asked for on a page or by a command, run by a process of their own, found again when it dies."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import Error, connection
from django.db.models import Exists, Q, QuerySet
from django.utils import timezone

from classifier.models import TrainingRun
from classifier.registry.building import check_free, run_folder
from ml.progress import Progress, Watch
from reviewdesk.audit.services import record
from reviewdesk.backends import enqueue
from reviewdesk.errors import DeskError
from reviewdesk.people.models import User

logger = logging.getLogger(__name__)
Status = TrainingRun.Status
HEARTBEAT = 5.0
LOST = timedelta(seconds=45)  # without a heartbeat
ATTEMPTS = 3
LOG_LINES = 30


def ask_for_run(*, name: str, options: dict[str, Any], file: UploadedFile | None, by: User | None) -> TrainingRun:
    """Queue a training; without a file it trains on the desk's own labels.

    Raises DeskError when the name is taken, by a model or by a run that is still going.
    """
    check_free(name)
    if TrainingRun.objects.filter(name=name, status__in=[Status.WAITING, Status.RUNNING]).exists():
        raise DeskError(f"a run named {name!r} is going already; wait for it, cancel it, or choose another name")
    run = TrainingRun.objects.create(
        name=name, options=options, user=by, file=file or "", filename=file.name[:255] if file and file.name else ""
    )
    record(action="train", target=run, actor=by, name=name)
    enqueue("classifier.start_training")
    return run


def going(kind: TrainingRun.Kind) -> bool:
    """Whether a run of this kind waits or runs."""
    return TrainingRun.objects.filter(kind=kind, status__in=[Status.WAITING, Status.RUNNING]).exists()


def cancel(*, run: TrainingRun, by: User | None) -> None:
    """Stop a run; its process notices within seconds. Its checkpoints stay, so that it can be asked for again."""
    waiting = TrainingRun.objects.filter(pk=run.pk, status__in=[Status.WAITING, Status.RUNNING])
    if not waiting.update(status=Status.CANCELLED, ended_at=timezone.now()):
        raise DeskError("This run has ended already.")
    record(action="cancel", target=run, actor=by)


def begin(**fields: Any) -> TrainingRun:
    """Record a run that the calling process does itself, at once."""
    now = timezone.now()
    return TrainingRun.objects.create(status=Status.RUNNING, attempts=1, started_at=now, touched_at=now, **fields)


def start_waiting() -> TrainingRun | None:
    """Start the next waiting run unless one is going; a run whose process died waits again, three times at most."""
    now = timezone.now()
    lost = TrainingRun.objects.filter(status=Status.RUNNING, touched_at__lt=now - LOST)
    by_command = Q(kind=TrainingRun.Kind.SWEEP) | (Q(file="") & ~Q(filename=""))
    lost.filter(by_command).update(
        status=Status.FAILED, ended_at=now, error="its process died; give the same command again, it goes on"
    )
    lost.filter(attempts__gte=ATTEMPTS).update(
        status=Status.FAILED, ended_at=now, error=f"its process died {ATTEMPTS} times; see its log"
    )
    lost.update(status=Status.WAITING)
    if TrainingRun.objects.filter(status=Status.RUNNING).exists():
        return None
    run = TrainingRun.objects.filter(status=Status.WAITING).order_by("pk").first()
    if run is None or not take(run):
        return None
    _launch(run)
    return run


def take(run: TrainingRun) -> bool:
    """Make a waiting run this process's; False when another was quicker, with this run or with any other."""
    now = timezone.now()
    going = TrainingRun.objects.filter(status=Status.RUNNING)
    taken = TrainingRun.objects.filter(~Exists(going), pk=run.pk, status=Status.WAITING).update(
        status=Status.RUNNING, started_at=run.started_at or now, touched_at=now, attempts=run.attempts + 1, error=""
    )
    run.attempts += taken
    return bool(taken)


def asked_for(pk: int) -> TrainingRun:
    """A run that a worker has taken for the calling process."""
    run = TrainingRun.objects.select_related("user").filter(pk=pk, status=Status.RUNNING).first()
    if run is None:
        raise DeskError(f"run {pk} is not to be done; it may have been cancelled")
    return run


def own(run: TrainingRun) -> QuerySet[TrainingRun]:
    """The run's row while it is this process's: a later attempt has it to itself."""
    return TrainingRun.objects.filter(pk=run.pk, status=Status.RUNNING, attempts=run.attempts)


def _launch(run: TrainingRun) -> None:
    """A process of its own, which outlives the worker that started it."""
    folder = run_folder(run.name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with log_file(run).open("ab") as log:
        subprocess.Popen(
            [sys.executable, "manage.py", run.kind, "--run", str(run.pk)],
            cwd=settings.BASE_DIR, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip


def log_file(run: TrainingRun) -> Path:
    return run_folder(run.name).with_name(f"{run.name}.log")


def log_tail(run: TrainingRun) -> str:
    """The last lines that the process printed."""
    try:
        with log_file(run).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 20_000))
            text = log.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.replace("\r", "\n").splitlines()[-LOG_LINES:])


class RowWatcher:
    """Writes progress to the run's row, once a second at most; keeps every measured figure."""

    def __init__(self, run: TrainingRun, also: Watch):
        self._run, self._also, self._written = run, also, 0.0
        self._history: list[dict] = []

    def __call__(self, progress: Progress) -> None:
        self._also(progress)
        if progress.figures:
            if self._history and self._history[-1]["step"] == progress.done:
                self._history.pop()  # the same step, with what was measured since
            self._history.append({"step": progress.done, **progress.figures})
        if progress.figures or progress.phase != self._run.phase or monotonic() - self._written > 1:
            self._run.phase, self._run.done, self._run.total = progress.phase, progress.done, progress.total
            self._write(progress)
            self._written = monotonic()

    def _write(self, progress: Progress) -> None:
        """A busy database costs a line of progress, not the run."""
        try:
            own(self._run).update(
                phase=progress.phase[:40], done=progress.done, total=progress.total, history=self._history
            )
        except Error as error:
            logger.warning("run %s: progress not written, %s", self._run.pk, error)
            connection.close()  # a broken one stays broken; the next write opens another


@contextmanager
def recorded(run: TrainingRun, also: Watch) -> Iterator[Watch]:
    """Around the work of a run: heartbeat, progress, and how it ended. Errors are kept on the row and raised on."""
    stop = Event()
    pulse = Thread(target=_heartbeat, args=(run, stop), daemon=True)
    pulse.start()
    fields: dict[str, Any] = {"status": Status.FAILED}
    try:
        yield RowWatcher(run, also)
        fields = {"status": Status.DONE, "version": run.version, "result": run.result}
    except BaseException as error:
        fields["error"] = str(error)[:2000] or type(error).__name__
        raise
    finally:
        stop.set()
        pulse.join()  # before the row ends, or the heartbeat would take its end for a cancellation
        own(run).update(ended_at=timezone.now(), **fields)


def _heartbeat(run: TrainingRun, stop: Event) -> None:
    """Keep the row fresh; a run that was cancelled, or that a later attempt took over, ends its process."""
    while not stop.wait(HEARTBEAT):
        try:
            going = own(run).update(touched_at=timezone.now())
        except Error as error:  # busy or away for a moment: the next beat will do
            logger.warning("run %s: no heartbeat, %s", run.pk, error)
            connection.close()
            continue
        if not going:
            if not TrainingRun.objects.filter(pk=run.pk, status=Status.DONE).exists():  # else it is only not told yet
                os.kill(os.getpid(), signal.SIGTERM)
            break
    connection.close()
