"""Where Celery finds the classifier's tasks."""

from classifier.intake.tasks import import_upload, sweep_imports
from classifier.registry.tasks import start_training
from classifier.retraining.tasks import check_triggers, start_due_retraining, sweep_exports, write_export

__all__ = [
    "check_triggers",
    "import_upload",
    "start_due_retraining",
    "start_training",
    "sweep_exports",
    "sweep_imports",
    "write_export",
]
