"""The review queue and what people answered."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from classifier.models.email import Email
from classifier.models.prediction import Prediction
from classifier.models.sample import SampleDraw
from classifier.models.taxonomy import Department, EmailType, Subtype


class Source(models.TextChoices):
    """Why an email was labelled by a person; exported as `source`."""

    LOW_CONFIDENCE = "low_confidence", "Low confidence"
    UNREADABLE = "unreadable", "Unreadable"
    OUT_OF_SCOPE = "out_of_scope", "Nothing fits"
    WEEKLY = "weekly", "Weekly sample"
    EXPERIMENT = "experiment", "Experiment sample"
    FLAGGED = "flagged", "Flagged"
    OVERLAP = "overlap", "Second reviewer"
    SECOND_LOOK = "second_look", "Second look"
    ADJUDICATION = "adjudication", "Adjudication"
    AGENT = "agent", "Agent correction"
    GOLD = "gold", "Gold label"


class ReviewItem(models.Model):
    """An answer that one person shall give about an email; held by one reviewer at a time.

    The claim is one conditional UPDATE on `lease`, `holder` and `lease_until`. An email that several people
    shall answer has an item for each, told apart by `seat`; nobody answers two of them.
    """

    class Status(models.TextChoices):
        OPEN = "open"
        DONE = "done"

    email = models.ForeignKey(Email, models.CASCADE, related_name="review_items")
    prediction = models.ForeignKey(Prediction, models.PROTECT, related_name="+")
    source = models.CharField(max_length=16, choices=Source)
    reason = models.CharField(max_length=200)
    status = models.CharField(max_length=6, choices=Status, default=Status.OPEN)
    seat = models.PositiveSmallIntegerField(default=0)
    independent = models.BooleanField(
        default=False, help_text="Compared with other people's answers, not put over them."
    )
    blind = models.BooleanField(default=False, help_text="The reviewer does not see what the model said.")
    priority = models.SmallIntegerField(default=0, help_text="Higher first.")
    position = models.FloatField(default=0, help_text="Within its priority, by the order of its queue; smaller first.")
    margin = models.FloatField(default=0, help_text="Best minus second-best subtype confidence.")
    lottery = models.FloatField(default=0, help_text="0 to 1, drawn when it was opened, for queues in random order.")
    fingerprint = models.BigIntegerField(default=0, help_text="Equal for most near-copies of a text.")
    copies = models.PositiveSmallIntegerField(default=0, help_text="Near-copies that were open before it.")
    draw = models.ForeignKey(SampleDraw, models.PROTECT, null=True, related_name="items")
    stratum = models.CharField(max_length=40, blank=True)
    origin = models.CharField(
        max_length=16,
        choices=Source,
        blank=True,
        help_text="The queue that a sample took it from and gives it back to.",
    )
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
            models.UniqueConstraint(
                fields=["email", "seat"], condition=Q(status="open"), name="one_open_item_per_seat"
            ),
        ]
        indexes = [
            models.Index(fields=["-priority", "position", "id"], name="review_order", condition=Q(status="open")),
            models.Index(fields=["fingerprint"], name="review_near_copies", condition=Q(status="open")),
            models.Index(
                fields=["holder", "lease_until"], name="review_holder", condition=Q(status="open", holder__isnull=False)
            ),
            models.Index(
                fields=["lease_until"], name="review_leases", condition=Q(status="open", lease_until__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_source_display()}: {self.email_id}"


class WithoutSubtype(models.TextChoices):
    """Why a person gave a type and no subtype."""

    NONE_FITS = "none_fits", "No subtype fits"
    UNDECIDED = "undecided", "Type only"


class Verification(models.Model):
    """What a person answered: append-only. An undo is a new row that supersedes."""

    came_again = False  # whether this request only repeated an answer that was stored before

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
    without_subtype = models.CharField(
        max_length=10, choices=WithoutSubtype, blank=True, help_text="Why there is no subtype, where the type has some."
    )
    second_subtype = models.ForeignKey(Subtype, models.PROTECT, null=True, related_name="+")
    moved_from = models.ForeignKey(Department, models.PROTECT, null=True, related_name="+", help_text="Of a move.")
    moved_to = models.ForeignKey(Department, models.PROTECT, null=True, related_name="+", help_text="Of a move.")
    reason = models.CharField(max_length=500, blank=True, help_text="Of a skip or flag; a comment beside a label.")
    blind = models.BooleanField(default=False, help_text="Whether what the model said was hidden.")
    independent = models.BooleanField(default=False, help_text="Compared with other answers, not put over them.")
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

    @property
    def label(self) -> tuple[str, int | None]:
        """What two answers are compared by: the subtype as it is counted today, else the type."""
        return ("", self.subtype.final_id) if self.subtype else (f"{self.type} {self.without_subtype}".strip(), None)

    @property
    def label_text(self) -> str:
        """The label in words."""
        if self.subtype:
            return str(self.subtype.final)
        reason = self.get_without_subtype_display().lower()
        return f"{self.get_type_display()}, {reason}" if reason else self.get_type_display()


class Disagreement(models.Model):
    """People labelled one email differently: somebody decides. Settled it keeps the deciding answer."""

    email = models.ForeignKey(Email, models.CASCADE, related_name="disagreements")
    opened_at = models.DateTimeField(auto_now_add=True)
    settled_by = models.OneToOneField(Verification, models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["email"], condition=Q(settled_by=None), name="one_open_disagreement")
        ]

    def __str__(self) -> str:
        return f"about {self.email_id}"
