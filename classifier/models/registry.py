"""Model versions and which of them serves."""

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
