"""How each review queue works: its order, how many people see an email, who may."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from classifier.models.review import Source
from classifier.models.taxonomy import Department


class ReviewQueue(models.Model):
    """The settings of one queue; a queue without a row works by DEFAULTS.

    They hold for items opened from then on; priority and order also for those that are open.
    """

    class Order(models.TextChoices):
        MARGIN = "margin", "Least sure first, near-copies apart"
        RANDOM = "random", "At random"
        OLDEST = "oldest", "Oldest first"

    source = models.CharField(max_length=16, choices=Source, unique=True)
    active = models.BooleanField(default=True, help_text="Whether its items are handed out.")
    priority = models.SmallIntegerField(
        default=0, validators=[MinValueValidator(0), MaxValueValidator(9)], help_text="0 to 9; higher comes first."
    )
    order = models.CharField(max_length=6, choices=Order, default=Order.MARGIN)
    reviews = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(3)],
        help_text="How many people answer each email.",
    )
    blind = models.BooleanField(default=False, help_text="Reviewers do not see what the model said.")
    lease_minutes = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(240)],
        help_text="How long an email is held for a reviewer whose page is silent; empty: the desk's own.",
    )
    overlap_share = models.FloatField(
        default=0.1,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text="Share of its answers that a second reviewer checks blind.",
    )
    departments = models.ManyToManyField(
        Department, blank=True, related_name="+", help_text="None: those of every department are handed out."
    )
    people = models.ManyToManyField(
        settings.AUTH_USER_MODEL, blank=True, related_name="+", help_text="None: every reviewer may work it."
    )

    class Meta:
        ordering = ["-priority", "source"]

    def __str__(self) -> str:
        return self.get_source_display()


_Order = ReviewQueue.Order
DEFAULTS: dict[str, dict] = {
    Source.FLAGGED: {"priority": 8, "order": _Order.OLDEST, "overlap_share": 0.0},
    Source.LOW_CONFIDENCE: {"priority": 5},
    Source.OUT_OF_SCOPE: {"priority": 4},
    Source.WEEKLY: {"priority": 3, "order": _Order.RANDOM, "blind": True},
    Source.EXPERIMENT: {"priority": 3, "order": _Order.RANDOM, "blind": True},
    Source.OVERLAP: {"priority": 2, "order": _Order.OLDEST, "blind": True, "overlap_share": 0.0},
    Source.SECOND_LOOK: {"priority": 1, "blind": True, "overlap_share": 0.0},
    Source.UNREADABLE: {"priority": 0, "overlap_share": 0.0},
}
