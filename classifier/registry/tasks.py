"""Starts training runs; the training itself runs in a process of its own."""

from celery import shared_task

from classifier.registry.runs import start_waiting


@shared_task(name="classifier.start_training")
def start_training() -> None:
    start_waiting()
