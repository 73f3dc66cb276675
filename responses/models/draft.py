"""A reply being prepared."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from classifier.models import Email
from responses.models.knowledge import Passage


class Draft(models.Model):
    """One proposed reply; `version` grows with every save, so that a late save is noticed."""

    class Status(models.TextChoices):
        READY = "ready", "Draft ready"
        NO_SOURCE = "no_source", "No source found"
        APPROVED = "approved"
        SENT = "sent"
        REJECTED = "rejected"
        REPLACED = "replaced"

    email = models.ForeignKey(Email, models.CASCADE, related_name="drafts")
    status = models.CharField(max_length=10, choices=Status)
    body = models.TextField(blank=True)
    cc = models.TextField(blank=True, help_text="Addresses, separated by commas.")
    bcc = models.TextField(blank=True)
    closes = models.BooleanField(default=False, help_text="Closes the thread once the reply has left.")
    version = models.PositiveIntegerField(default=1)
    generated_body = models.TextField(blank=True, help_text="What the drafter wrote, before anybody edited it.")
    backend = models.CharField(max_length=40, help_text="extractive, mistral, or person")
    model = models.CharField(max_length=120, blank=True)
    prompt_version = models.CharField(max_length=40, blank=True)
    tokens_in = models.PositiveIntegerField(default=0)
    tokens_out = models.PositiveIntegerField(default=0)
    latency_ms = models.FloatField(default=0)
    best_score = models.FloatField(
        null=True, help_text="Cosine of the best passage found, also where none was good enough."
    )
    grounding = models.JSONField(default=list, help_text="One entry a sentence; see responses.drafting.grounding.")
    hint = models.CharField(max_length=300, blank=True, help_text="What an agent asked the drafter for.")
    rating = models.SmallIntegerField(null=True, help_text="1: thumb up, -1: thumb down.")
    rating_reason = models.CharField(max_length=500, blank=True)
    edited_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    reject_reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    saved_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["email"],
                condition=Q(status__in=["ready", "no_source", "approved"]),
                name="one_live_draft_per_email",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_status_display()} for {self.email_id}"


class DraftSource(models.Model):
    """A numbered source of a draft: `[1]` in the body is the source with number 1."""

    draft = models.ForeignKey(Draft, models.CASCADE, related_name="sources")
    number = models.PositiveSmallIntegerField()
    passage = models.ForeignKey(Passage, models.SET_NULL, null=True)
    title = models.CharField(max_length=200)
    doc_type = models.CharField(max_length=10)
    quote = models.TextField()
    score = models.FloatField()

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["draft", "number"], name="source_number_per_draft")]

    def __str__(self) -> str:
        return f"{self.number} {self.title}"


class DraftAttachment(models.Model):
    """A file that leaves with a reply."""

    draft = models.ForeignKey(Draft, models.CASCADE, related_name="attachments")
    filename = models.CharField(max_length=255)
    content_type = models.CharField(max_length=120)
    size = models.PositiveIntegerField(help_text="bytes")
    file = models.FileField(upload_to="replies")

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.filename
