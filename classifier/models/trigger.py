"""What may call for a retraining, as it was read each day."""

from django.db import models


class TriggerReading(models.Model):
    """A trigger's value on a day; `detail` says it in words."""

    class Trigger(models.TextChoices):
        ACCURACY = "accuracy", "Accuracy below the bar"
        DRIFT = "drift", "The mail has changed"
        LOW_CONFIDENCE = "low_confidence", "Too much low confidence"
        TAXONOMY = "taxonomy", "Subtypes the model never learnt"

    trigger = models.CharField(max_length=16, choices=Trigger)
    day = models.DateField()
    value = models.FloatField(null=True)
    fired = models.BooleanField(default=False)
    detail = models.CharField(max_length=300)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-day", "trigger"]
        constraints = [
            models.UniqueConstraint(fields=["trigger", "day"], name="one_reading_a_day"),
        ]

    def __str__(self) -> str:
        return f"{self.get_trigger_display()} on {self.day}"
