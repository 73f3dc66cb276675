"""A test between two model versions: its phases, who is in which arm, and what was measured.

Units, versions, departments and emails are plain text here: no foreign key leads out of this package.
"""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

ARMS = A, B = "A", "B"


class Experiment(models.Model):
    """`control` (arm A) serves; `treatment` (arm B) might. At most one is active in a department."""

    class Mode(models.TextChoices):
        SHADOW = "shadow", "Shadow: B scores every email unseen, people judge where the two disagree"
        SPLIT = "split", "Split: B answers a share of the mail, people judge a sample of both"

    class Status(models.TextChoices):
        DRAFT = "draft", "Not started"
        RUNNING = "running", "Running"
        ENDED = "ended", "Ended"
        ROLLOUT = "rollout", "Rolling out"
        DEPLOYED = "deployed", "Deployed"
        ROLLED_BACK = "rolled_back", "Rolled back"

    class Unit(models.TextChoices):
        THREAD = "thread", "Conversation"
        CUSTOMER = "customer", "Customer"

    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=80, unique=True)
    mode = models.CharField(max_length=6, choices=Mode, default=Mode.SHADOW)
    control = models.CharField(max_length=80)
    treatment = models.CharField(max_length=80)
    departments = models.JSONField(default=list, blank=True, help_text="Slugs; none: all.")
    unit = models.CharField(max_length=8, choices=Unit, default=Unit.THREAD)
    share = models.FloatField(
        default=0.1,
        validators=[MinValueValidator(0.01), MaxValueValidator(0.5)],
        help_text="Of the mail that B answers, in a split test.",
    )
    gain = models.FloatField(
        default=0.02,
        validators=[MinValueValidator(0.001), MaxValueValidator(0.5)],
        help_text="By how much B must be more often right.",
    )
    disagreement = models.FloatField(
        default=0.06,
        validators=[MinValueValidator(0.001), MaxValueValidator(1)],
        help_text="Share of emails on which the models are expected to differ; what a shadow test is planned with.",
    )
    weeks = models.PositiveSmallIntegerField(default=4, validators=[MinValueValidator(1), MaxValueValidator(52)])
    guardrails = models.JSONField(default=dict, blank=True, help_text="Metric to the worst that is allowed.")
    status = models.CharField(max_length=12, choices=Status, default=Status.DRAFT)
    trouble = models.CharField(max_length=300, blank=True, help_text="Why it did not start, or was taken back.")
    held = models.BooleanField(default=False, help_text="A rollout stays at its stage.")
    starts_at = models.DateTimeField(null=True, blank=True, help_text="Starts by itself then.")
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    created_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def active(self) -> bool:
        return self.status in (self.Status.RUNNING, self.Status.ROLLOUT)


class Phase(models.Model):
    """A time of one split: a change of it begins another, and figures of two are never pooled."""

    experiment = models.ForeignKey(Experiment, models.CASCADE, related_name="phases")
    number = models.PositiveSmallIntegerField()
    share = models.FloatField(help_text="Of the units that B serves.")
    sample_a = models.FloatField(default=0.0, help_text="Share of arm A's emails that people label.")
    sample_b = models.FloatField(default=0.0)
    planned = models.PositiveIntegerField(
        default=0, help_text="Labels over both arms, or emails scored by both; nought in a stage of a rollout."
    )
    complete = models.BooleanField(default=False, help_text="As many as planned were asked for; no more are.")
    trouble = models.CharField(max_length=300, blank=True, help_text="Why its figures are not to be used.")
    verdict = models.CharField(
        max_length=20, blank=True, help_text="Kept when it ended, until something more comes in."
    )
    sentence = models.CharField(max_length=400, blank=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["experiment", "number"], name="phase_number_per_experiment")]

    def __str__(self) -> str:
        return f"{self.experiment} phase {self.number}"

    @property
    def shadow(self) -> bool:
        """B answers nothing: it scores what A answers."""
        return self.share == 0

    @property
    def stage(self) -> bool:
        """Of a rollout: it asks nobody for labels."""
        return self.planned == 0


class Assignment(models.Model):
    """The arm of a unit, from the phase in which it first came: it keeps it when the split changes."""

    experiment = models.ForeignKey(Experiment, models.CASCADE, related_name="assignments")
    phase = models.ForeignKey(Phase, models.CASCADE, related_name="+")
    unit = models.CharField(max_length=40)
    arm = models.CharField(max_length=1)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["experiment", "unit"], name="one_arm_per_unit")]
        indexes = [models.Index(fields=["phase", "arm"])]

    def __str__(self) -> str:
        return f"{self.unit} in {self.arm}"


class Outcome(models.Model):
    """A value measured on a subject (an email) in an arm."""

    class Metric(models.TextChoices):
        CONFIDENCE = "confidence", "Mean confidence"
        LATENCY = "latency_ms", "Latency, 95th percentile"
        LOW = "low_confidence", "Share of low confidence"
        ERROR = "error", "Error rate"
        EDIT = "edit_distance", "Edit distance of drafts"
        CORRECT = "correct", "Right, by people"
        DISAGREE = "disagree", "The arms disagree"
        PAIR = "pair", "Only B right less only A right"

    phase = models.ForeignKey(Phase, models.CASCADE, related_name="outcomes")
    arm = models.CharField(max_length=1, blank=True, help_text="Empty: of both, in a shadow test.")
    subject = models.CharField(max_length=40)
    metric = models.CharField(max_length=16, choices=Metric)
    value = models.FloatField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["phase", "subject", "arm", "metric"], name="one_outcome_per_subject")
        ]
        indexes = [
            models.Index(fields=["phase", "metric", "arm", "value"]),
            models.Index(fields=["subject", "metric"]),
        ]

    def __str__(self) -> str:
        return f"{self.metric} {self.value} of {self.subject}"
