"""Imports an uploaded file on the worker, noting progress on its row."""

import logging
from pathlib import Path

from celery import shared_task

from classifier.intake.files import import_file
from classifier.intake.parsed import ImportResult
from classifier.models import ImportRun

logger = logging.getLogger(__name__)


@shared_task(name="classifier.import_upload")
def import_upload(pk: int) -> None:
    """Import the file of an ImportRun. Started twice, the second run finds duplicates only."""
    run = ImportRun.objects.select_related("department").get(pk=pk)
    run.status = ImportRun.Status.RUNNING
    run.save()

    def note(result: ImportResult) -> None:
        run.seen, run.result = result.seen, result.as_json()
        run.save(update_fields=["seen", "result", "touched_at"])

    try:
        import_file(
            Path(run.file.path),
            name=run.filename,
            department=run.department,
            create_labels=run.create_labels,
            on_progress=note,
        )
        run.status = ImportRun.Status.DONE
    except Exception as error:
        logger.exception("import %s failed", pk)
        run.status, run.error = ImportRun.Status.FAILED, f"{type(error).__name__}: {error}"
    run.save()
