"""Random samples that the accuracy figure comes from, how they are drawn, and the alerts they raise."""

from datetime import date, timedelta

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce

from classifier.models.registry import ModelVersion
from classifier.models.taxonomy import Department


class SamplePlan(models.Model):
    """How the weekly sample is drawn and when accuracy raises an alert; one row, by default these values."""

    class Design(models.TextChoices):
        UNIFORM = "uniform", "Every email alike"
        DEPARTMENT = "department", "By department, each at least a few"

    size = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(10), MaxValueValidator(2_000)],
        help_text="Emails a week; empty: the desk's own.",
    )
    design = models.CharField(max_length=12, choices=Design, default=Design.UNIFORM)
    bar = models.FloatField(
        default=0.85,
        validators=[MinValueValidator(0.5), MaxValueValidator(0.99)],
        help_text="Subtype accuracy below which an alert is raised.",
    )

    def __str__(self) -> str:
        return "weekly sample"


class SampleDraw(models.Model):
    """One random draw from the emails classified between `since` and `until`; the same seed draws the same ones.

    A week (named by its Monday) has one draw, and more rounds where somebody asked for more labels.
    """

    week = models.DateField()
    round = models.PositiveSmallIntegerField(default=1)
    population = models.PositiveIntegerField()
    size = models.PositiveIntegerField()
    design = models.CharField(max_length=12, choices=SamplePlan.Design, default=SamplePlan.Design.UNIFORM)
    seed = models.BigIntegerField(default=0)
    since = models.DateTimeField()
    until = models.DateTimeField()
    sizes = models.JSONField(
        default=list, help_text="Of the week's emails: [department, version, under the threshold, how many]."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    reminded_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True, help_text="Every email was answered, or its time was over.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["week", "round"], name="one_draw_a_week_and_round")]

    def __str__(self) -> str:
        return f"{self.size} of {self.population}, week of {self.week}"


class AccuracyAlert(models.Model):
    """Accuracy of a version, in all or in one department, was below the bar by its upper bound."""

    version = models.ForeignKey(ModelVersion, models.CASCADE, related_name="alerts")
    department = models.ForeignKey(Department, models.CASCADE, null=True, related_name="+")
    bar = models.FloatField()
    weeks = models.PositiveSmallIntegerField(help_text="How many were pooled.")
    value = models.FloatField()
    low = models.FloatField()
    high = models.FloatField()
    n = models.PositiveIntegerField()
    opened_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                Coalesce("department", 0), condition=Q(closed_at=None), name="one_open_accuracy_alert"
            )
        ]

    def __str__(self) -> str:
        return f"{self.department or 'all departments'} at {self.value:.1%}"

    @property
    def first_week(self) -> date:
        """None of the samples it rests on is older: they close after two weeks at most."""
        return (self.opened_at - timedelta(weeks=self.weeks + 2)).date()
