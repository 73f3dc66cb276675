"""Retrainings: the data set each rests on, what the gate said, and by which rules they start."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from classifier.models.registry import ModelVersion
from classifier.models.training import TrainingRun


class RetrainingPlan(models.Model):
    """When a retraining starts by itself and what it must gain; one row, by default these values."""

    automatic = models.BooleanField(
        default=True, help_text="On the first of the month, and when a trigger fires; else on request alone."
    )
    promotes = models.BooleanField(default=True, help_text="A model that passes the gate serves at once.")
    gain = models.FloatField(
        default=0.02,
        validators=[MinValueValidator(0.0), MaxValueValidator(0.2)],
        help_text="Subtype accuracy that it must be better by.",
    )
    frozen = models.BooleanField(default=True, help_text="Heads only: minutes on a CPU. Else everything: a GPU.")

    def __str__(self) -> str:
        return "retraining"


class DataSet(models.Model):
    """The rows of one retraining, written once: the earlier data set and the labels given since.

    The file is JSON lines, gzipped, `REVIEWDESK_VAR/datasets/<sha256>.jsonl.gz`; `sha256` is of its rows.
    """

    parent = models.ForeignKey("self", models.SET_NULL, null=True, related_name="children")
    base = models.CharField(max_length=200, blank=True, help_text="Of the first: where its earliest rows came from.")
    snapshot = models.BigIntegerField(help_text="The newest verification that it knows.")
    sha256 = models.CharField(max_length=64)
    train = models.PositiveIntegerField(help_text="Rows that may be trained on.")
    test = models.PositiveIntegerField(help_text="Rows that are never trained on.")
    counts = models.JSONField(default=dict, help_text="What was added, changed and left out, by why.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.sha256[:12]}"

    @property
    def snapshot_id(self) -> str:
        return f"v{self.snapshot}"


class Retraining(models.Model):
    """One retraining: its run does the work, `comparison` is with what served then, `decision` what came of it."""

    class Trigger(models.TextChoices):
        MANUAL = "manual", "Asked for"
        MONTHLY = "monthly", "Monthly"
        ACCURACY = "accuracy", "Accuracy"
        DRIFT = "drift", "Drift"
        LOW_CONFIDENCE = "low_confidence", "Low confidence"
        TAXONOMY = "taxonomy", "New subtypes"

    class Decision(models.TextChoices):
        PROMOTED = "promoted", "Promoted"
        PASSED = "passed", "Passed, to be promoted"
        KEPT = "kept", "Kept current"
        UNDECIDED = "undecided", "Not enough evidence"
        BY_HAND = "by hand", "Promoted by hand"

    run = models.OneToOneField(TrainingRun, models.CASCADE, related_name="retraining")
    trigger = models.CharField(max_length=16, choices=Trigger, default=Trigger.MANUAL)
    reason = models.CharField(max_length=300, blank=True)
    data_set = models.ForeignKey(DataSet, models.PROTECT, null=True, related_name="retrainings")
    compared_with = models.ForeignKey(ModelVersion, models.SET_NULL, null=True, related_name="+")
    comparison = models.JSONField(default=dict, help_text="{n, only_old, only_new, old, new, difference, interval, p}")
    decision = models.CharField(max_length=10, choices=Decision, blank=True)
    sentence = models.CharField(max_length=500, blank=True, help_text="Why, and what would settle it.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.run.name
