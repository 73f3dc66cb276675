"""Where Celery finds the classifier's tasks."""

from classifier.intake.tasks import import_upload

__all__ = ["import_upload"]
