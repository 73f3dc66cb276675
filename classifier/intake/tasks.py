"""Imports an uploaded file on the worker, noting progress on its row."""

import logging
from datetime import timedelta
from pathlib import Path

from celery import shared_task
from django.utils import timezone

from classifier.intake.files import import_file
from classifier.intake.parsed import ImportResult
from classifier.models import ImportRun
from reviewdesk.backends import enqueue
from reviewdesk.errors import DeskError

logger = logging.getLogger(__name__)
LOST = timedelta(minutes=2)  # without a sign of life


@shared_task(name="classifier.import_upload")
def import_upload(pk: int) -> None:
    """Import the file of an ImportRun. Started twice, the second run finds duplicates only."""
    run = ImportRun.objects.select_related("department", "user").get(pk=pk)
    run.status = ImportRun.Status.RUNNING
    run.save()

    def note(result: ImportResult) -> None:
        run.seen, run.result = result.seen, result.as_json()
        run.save(update_fields=["seen", "result", "touched_at"])

    try:
        if run.user is None:
            raise DeskError("whoever uploaded this file has no account any more; upload it again")
        import_file(
            Path(run.file.path),
            name=run.filename,
            department=run.department,
            create_labels=run.create_labels,
            user=run.user,
            on_progress=note,
        )
        run.status = ImportRun.Status.DONE
    except DeskError as error:
        run.status, run.error = ImportRun.Status.FAILED, error.message
    except Exception as error:
        logger.exception("import %s failed", pk)
        run.status, run.error = ImportRun.Status.FAILED, f"{type(error).__name__}: {error}"
    run.save()


@shared_task(name="classifier.sweep_imports")
def sweep_imports() -> None:
    """Start again the imports whose task was lost; what they had stored comes up as duplicates."""
    unfinished = ImportRun.objects.filter(status__in=[ImportRun.Status.WAITING, ImportRun.Status.RUNNING])
    for pk in unfinished.filter(touched_at__lt=timezone.now() - LOST).values_list("pk", flat=True):
        ImportRun.objects.filter(pk=pk).update(touched_at=timezone.now())
        enqueue("classifier.import_upload", pk)
