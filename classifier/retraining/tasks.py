"""Writes exports, and reads what may call for a retraining."""

from celery import shared_task

from classifier.retraining import exports, pipeline, triggers


@shared_task(name="classifier.write_export")
def write_export(pk: int) -> None:
    exports.write_export(pk=pk)


@shared_task(name="classifier.sweep_exports")
def sweep_exports() -> None:
    exports.sweep_exports()


@shared_task(name="classifier.check_triggers")
def check_triggers() -> None:
    triggers.check_triggers()


@shared_task(name="classifier.start_due_retraining")
def start_due_retraining() -> None:
    pipeline.start_due()
