"""Training runs: what was asked for, how far it is, what came of it."""

from django.conf import settings
from django.db import models

from classifier.models.registry import ModelVersion


class TrainingRun(models.Model):
    """One training or sweep, run by a process of its own that keeps `touched_at` fresh while it lives.

    `options` are the command's; `history` the rows {step, epoch, loss, …} measured so far.
    """

    class Kind(models.TextChoices):
        TRAIN = "train"
        SWEEP = "sweep"
        RETRAIN = "retrain"

    class Status(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    kind = models.CharField(max_length=8, choices=Kind, default=Kind.TRAIN)
    name = models.CharField(max_length=80)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    file = models.FileField(upload_to="training", blank=True, help_text="Empty: the desk's own labels.")
    filename = models.CharField(max_length=255, blank=True)
    options = models.JSONField(default=dict)
    status = models.CharField(max_length=10, choices=Status, default=Status.WAITING)
    phase = models.CharField(max_length=40, blank=True)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    history = models.JSONField(default=list)
    result = models.JSONField(default=dict, help_text="The rows of a sweep.")
    error = models.TextField(blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    version = models.ForeignKey(ModelVersion, models.SET_NULL, null=True, related_name="runs")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    touched_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind"],
                condition=models.Q(kind="retrain", status__in=["waiting", "running"]),
                name="one_retraining_at_a_time",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def active(self) -> bool:
        return self.status in (self.Status.WAITING, self.Status.RUNNING)
