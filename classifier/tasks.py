"""Where Celery finds the classifier's tasks."""

from classifier.intake.tasks import import_upload, sweep_imports

__all__ = ["import_upload", "sweep_imports"]
