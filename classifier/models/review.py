"""The review queue and what people answered."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from classifier.models.email import Email
from classifier.models.prediction import Prediction
from classifier.models.taxonomy import EmailType, Subtype


class SampleDraw(models.Model):
    """One weekly random draw; `week` (its Monday) keeps it from being drawn twice."""

    week = models.DateField(unique=True)
    population = models.PositiveIntegerField()
    size = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.size} of {self.population}, week of {self.week}"


class Source(models.TextChoices):
    """Why an email was labelled by a person; exported as `source`."""

    LOW_CONFIDENCE = "low_confidence", "Low confidence"
    UNREADABLE = "unreadable", "Unreadable"
    OUT_OF_SCOPE = "out_of_scope", "Nothing fits"
    WEEKLY = "weekly", "Weekly sample"
    EXPERIMENT = "experiment", "Experiment sample"
    FLAGGED = "flagged", "Flagged"
    AGENT = "agent", "Agent correction"
    GOLD = "gold", "Gold label"


class ReviewItem(models.Model):
    """An email that a person shall check; held by one reviewer at a time.

    The claim is one conditional UPDATE on `lease`, `holder` and `lease_until`.
    """

    class Status(models.TextChoices):
        OPEN = "open"
        DONE = "done"

    email = models.ForeignKey(Email, models.CASCADE, related_name="review_items")
    prediction = models.ForeignKey(Prediction, models.PROTECT, related_name="+")
    source = models.CharField(max_length=16, choices=Source)
    reason = models.CharField(max_length=200)
    status = models.CharField(max_length=6, choices=Status, default=Status.OPEN)
    priority = models.SmallIntegerField(default=0, help_text="Higher first.")
    margin = models.FloatField(default=0, help_text="Best minus second-best subtype confidence; smaller first.")
    draw = models.ForeignKey(SampleDraw, models.PROTECT, null=True, related_name="items")
    stratum = models.CharField(max_length=40, blank=True)
    sampling_probability = models.FloatField(null=True)
    flag_reason = models.CharField(max_length=500, blank=True)
    flagged = models.BooleanField(default=False, help_text="Waits for an admin.")
    holder = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="held_items")
    lease = models.CharField(max_length=32, blank=True)
    lease_until = models.DateTimeField(null=True)
    claimed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["email"], condition=Q(status="open"), name="one_open_item_per_email"),
        ]
        indexes = [
            models.Index(fields=["-priority", "margin", "id"], name="review_open", condition=Q(status="open")),
            models.Index(fields=["holder", "lease_until"], name="review_held", condition=Q(status="open")),
        ]

    def __str__(self) -> str:
        return f"{self.get_source_display()}: {self.email_id}"


class Verification(models.Model):
    """What a person answered: append-only. An undo is a new row that supersedes."""

    class Action(models.TextChoices):
        CONFIRM = "confirm"
        SKIP = "skip"
        FLAG = "flag"
        MOVE = "move"
        UNDO = "undo"

    email = models.ForeignKey(Email, models.CASCADE, related_name="verifications")
    item = models.ForeignKey(ReviewItem, models.SET_NULL, null=True, related_name="verifications")
    prediction = models.ForeignKey(Prediction, models.PROTECT, null=True, related_name="+")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="verifications")
    action = models.CharField(max_length=8, choices=Action)
    type = models.CharField(max_length=12, choices=EmailType, blank=True)
    subtype = models.ForeignKey(Subtype, models.PROTECT, null=True, related_name="+")
    second_subtype = models.ForeignKey(Subtype, models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=500, blank=True)
    seconds = models.FloatField(null=True)
    source = models.CharField(max_length=16, choices=Source)
    sampling_probability = models.FloatField(null=True)
    idempotency_key = models.CharField(max_length=64, unique=True)
    supersedes = models.OneToOneField("self", models.PROTECT, null=True, related_name="superseded_by")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["reviewer", "-created_at"]), models.Index(fields=["email", "-id"])]

    def __str__(self) -> str:
        return f"{self.action} {self.type}"
