"""The Celery application; run it as `celery -A reviewdesk.celery worker`."""

import os

from celery import Celery, Task
from celery.signals import task_prerun, task_success, worker_init
from django.conf import settings
from kombu import Exchange, Queue

from reviewdesk.trouble import OncePerTask

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "reviewdesk.settings")

app = Celery("reviewdesk")
app.config_from_object("django.conf:settings", namespace="CELERY")
# Bound by their own names: without a routing key each message would go into every queue.
app.conf.task_queues = [Queue(name, Exchange(name, type="direct"), routing_key=name) for name in settings.TASK_QUEUES]
app.autodiscover_tasks()


@worker_init.connect
def refuse_to_start_half(**kwargs: object) -> None:
    """A worker without what its back ends need would fail every task: it says what to set, and ends."""
    from reviewdesk.checks import missing_settings

    if problems := missing_settings():
        raise SystemExit("\n".join(problems))


@task_success.connect
def over(sender: Task, **kwargs: object) -> None:
    """The task works (again): its next failure is said."""
    OncePerTask.last.pop(str(sender.name), None)


@task_prerun.connect
def in_the_desks_zone(**kwargs: object) -> None:
    """Weeks and days of a task begin where the desk is."""
    from django.utils import timezone

    from reviewdesk.switches.queries import desk_zone

    timezone.activate(desk_zone.get())
