"""Model versions, which of them serves, what served when, and what was measured."""

from django.conf import settings
from django.db import models


class ModelVersion(models.Model):
    """An artifact in the models folder and what is known about it."""

    class State(models.TextChoices):
        CANDIDATE = "candidate"
        TESTING = "testing"
        PRODUCTION = "production"
        DEPRECATED = "deprecated"
        ARCHIVED = "archived"

    version = models.CharField(max_length=80, unique=True)
    state = models.CharField(max_length=12, choices=State, default=State.CANDIDATE)
    manifest = models.JSONField(default=dict)
    metrics = models.JSONField(default=dict, help_text="The latest evaluation on its own test split.")
    notes = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.version


class ModelAlias(models.Model):
    """A name that points at a version: production, previous."""

    name = models.CharField(max_length=20, unique=True)
    version = models.ForeignKey(ModelVersion, models.PROTECT, related_name="aliases")
    since = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "model aliases"

    def __str__(self) -> str:
        return f"{self.name} → {self.version}"


class ServingPeriod(models.Model):
    """The ledger: from when to when a version was in production, who put it there and why. At most one is open."""

    class How(models.TextChoices):
        PROMOTED = "promoted"
        ROLLED_BACK = "rolled back"

    version = models.ForeignKey(ModelVersion, models.PROTECT, related_name="periods")
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)
    how = models.CharField(max_length=12, choices=How, default=How.PROMOTED)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-since", "-pk"]
        constraints = [
            models.UniqueConstraint(
                models.Value(1), condition=models.Q(until__isnull=True), name="one_version_serves_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return f"{self.version} since {self.since:%Y-%m-%d %H:%M}"


class Evaluation(models.Model):
    """A report: one version measured on one data set. `report` is what `evaluate --json` prints."""

    version = models.ForeignKey(ModelVersion, models.CASCADE, related_name="evaluations")
    data = models.CharField(max_length=255, help_text="Name of the file, or 'own test split'.")
    report = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.version} on {self.data}"
