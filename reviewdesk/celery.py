"""The Celery application; run it as `celery -A reviewdesk.celery worker`."""

import os
import tempfile

from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "reviewdesk.settings")

app = Celery("reviewdesk")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

if settings.QUEUE_TEMP_DIR is not None:
    # The filesystem transport moves messages through the temp folder: keep that on the queue's volume.
    tempfile.tempdir = str(settings.QUEUE_TEMP_DIR)
