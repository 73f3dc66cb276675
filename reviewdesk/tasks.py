"""Celery tasks of the workflow; each is one call."""

from celery import shared_task

from classifier.accuracy import alerts, sampling
from classifier.models import Department
from classifier.prediction.services import sweep_unclassified as sweep_unclassified_emails
from classifier.review import second_look
from responses.drafting.services import sweep_undrafted as sweep_undrafted_emails
from responses.drafting.services import write_drafts as write_requested_drafts
from reviewdesk import department_delete, workflow
from reviewdesk.experiments import watching as experiments


@shared_task(name="workflow.process_emails")
def process_emails(ids: list[int]) -> None:
    workflow.process(ids=ids)


@shared_task(name="workflow.write_drafts")
def write_drafts(ids: list[int]) -> None:
    write_requested_drafts(ids=ids)


@shared_task(name="workflow.sweep_unclassified")
def sweep_unclassified() -> None:
    sweep_unclassified_emails()


@shared_task(name="workflow.sweep_undrafted")
def sweep_undrafted() -> None:
    sweep_undrafted_emails()


@shared_task(name="workflow.delete_department")
def delete_department(pk: int) -> None:
    department = Department.objects.filter(pk=pk, active=False).first()
    if department is not None:
        department_delete.delete_department(department=department)


@shared_task(name="classifier.open_second_looks")
def open_second_looks() -> None:
    second_look.open_second_looks()


@shared_task(name="classifier.draw_weekly_sample")
def draw_weekly_sample() -> None:
    sampling.draw_weekly_sample()


@shared_task(name="abtests.watch")
def watch_experiments() -> None:
    experiments.watch()


@shared_task(name="classifier.watch_accuracy")
def watch_accuracy() -> None:
    alerts.watch_accuracy()
