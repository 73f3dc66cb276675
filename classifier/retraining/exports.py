"""Exports in the background: asked for, written whole or not at all, with progress; a lost one is begun again."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from classifier.models import Export
from classifier.models.export import SUFFIXES
from classifier.retraining.formats import write
from classifier.retraining.rows import count_labels, label_rows, latest_snapshot
from reviewdesk.audit.services import record
from reviewdesk.backends import enqueue
from reviewdesk.errors import DeskError
from reviewdesk.people.models import User

logger = logging.getLogger(__name__)
LOST = timedelta(minutes=2)
TELL_EVERY = 500  # rows
KEPT = 20  # finished exports whose files are kept


def folder() -> Path:
    path = Path(settings.VAR_DIR) / "exports"
    path.mkdir(parents=True, exist_ok=True)
    return path


def path_of(export: Export) -> Path:
    return folder() / export.file


def request_export(*, format: str, by: User) -> Export:
    """Ask for an export of the labels as they stand now. Raises DeskError for an unknown format."""
    if format not in Export.Format.values:
        message = f"format is {format!r}; allowed: {', '.join(Export.Format.values)}"
        raise DeskError(message, fields={"format": [message]})
    snapshot = latest_snapshot()
    with transaction.atomic():
        export = Export.objects.create(format=format, snapshot=snapshot, total=count_labels(snapshot), created_by=by)
        record(action="export labels", target=export, actor=by, format=format, snapshot=export.snapshot_id)
        enqueue("classifier.write_export", export.pk)
    return export


def write_export(*, pk: int) -> None:
    """Write an export under another name, and rename it when whole. Done already, nothing is done."""
    export = Export.objects.get(pk=pk)
    if export.finished:
        return
    Export.objects.filter(pk=pk).update(status=Export.Status.RUNNING, touched_at=timezone.now())
    part = folder() / f".{pk}.part"
    try:
        with part.open("wb") as out:
            write(export.format, _told(label_rows(export.snapshot), export), out)
        digest, size = _digest(part), part.stat().st_size
        name = f"{pk}.{SUFFIXES[export.format]}"
        part.replace(folder() / name)
        rows = Export.objects.values_list("rows", flat=True).get(pk=pk)
        done = {"status": Export.Status.DONE, "file": name, "size": size, "sha256": digest, "total": rows}
        Export.objects.filter(pk=pk).update(**done, touched_at=timezone.now())
    except Exception as error:
        logger.exception("export %s failed", pk)
        failed = {"status": Export.Status.FAILED, "error": f"{type(error).__name__}: {error}"}
        Export.objects.filter(pk=pk).update(**failed, touched_at=timezone.now())
    finally:
        part.unlink(missing_ok=True)
    _forget_old()


def _told(rows: Iterator[dict], export: Export) -> Iterator[dict]:
    """The rows, their number noted on the way."""
    n = 0
    for row in rows:
        yield row
        n += 1
        if n % TELL_EVERY == 0:
            Export.objects.filter(pk=export.pk).update(rows=n, touched_at=timezone.now())
    Export.objects.filter(pk=export.pk).update(rows=n, touched_at=timezone.now())


def _digest(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _forget_old() -> None:
    for old in Export.objects.filter(status=Export.Status.DONE).exclude(file="").order_by("-pk")[KEPT:]:
        path_of(old).unlink(missing_ok=True)
        Export.objects.filter(pk=old.pk).update(file="")


def sweep_exports() -> None:
    """Begin again the exports whose task was lost."""
    unfinished = Export.objects.filter(status__in=[Export.Status.WAITING, Export.Status.RUNNING])
    for pk in unfinished.filter(touched_at__lt=timezone.now() - LOST).values_list("pk", flat=True):
        Export.objects.filter(pk=pk).update(touched_at=timezone.now())
        enqueue("classifier.write_export", pk)
