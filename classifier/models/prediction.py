"""What a model said about an email: append-only."""

from django.db import models

from classifier.models.email import Email
from classifier.models.registry import ModelVersion
from classifier.models.taxonomy import Department, EmailType, Subtype


class Prediction(models.Model):
    """The full answer, kept also where the threshold hides the subtype (`withheld`).

    `distribution` is `[[subtype slug, probability], …]` over the department, best first.
    """

    email = models.ForeignKey(Email, models.CASCADE, related_name="predictions")
    department = models.ForeignKey(Department, models.PROTECT, related_name="+")
    model_version = models.ForeignKey(ModelVersion, models.PROTECT, related_name="predictions")
    runtime = models.CharField(max_length=20)
    type = models.CharField(max_length=12, choices=EmailType)
    type_confidence = models.FloatField()
    subtype = models.ForeignKey(Subtype, models.PROTECT, null=True, related_name="+")
    subtype_confidence = models.FloatField()
    threshold = models.FloatField()
    withheld = models.BooleanField()
    scope_score = models.FloatField(
        null=True, help_text="How well anything in the department fits; under the bar nothing does."
    )
    scope_bar = models.FloatField(null=True)
    distribution = models.JSONField(default=list)
    latency_ms = models.FloatField()
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    def __str__(self) -> str:
        return f"{self.type} {self.type_confidence:.2f}"

    @property
    def out_of_scope(self) -> bool:
        return self.scope_score is not None and self.scope_bar is not None and self.scope_score < self.scope_bar
