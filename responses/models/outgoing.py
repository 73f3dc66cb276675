"""The outbox: a message leaves at most once."""

from collections.abc import Sequence

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from classifier.models import Attachment, Email
from responses.models.draft import Draft, DraftAttachment


class OutgoingMessage(models.Model):
    """An approved reply, or an email forwarded, on its way: approved → sending → sent | failed | unknown.

    `unknown` means that the process died between the mail server's yes and our commit; an
    agent decides. Taken back, it is `cancelled` and another may be approved. A reply has a draft, a
    forwarded email has none.
    """

    class Kind(models.TextChoices):
        REPLY = "reply"
        FORWARD = "forward"

    class Status(models.TextChoices):
        APPROVED = "approved"
        SENDING = "sending"
        SENT = "sent"
        FAILED = "failed"
        UNKNOWN = "unknown"
        CANCELLED = "cancelled"

    kind = models.CharField(max_length=7, choices=Kind, default=Kind.REPLY)
    draft = models.ForeignKey(Draft, models.PROTECT, null=True, related_name="outgoing")
    email = models.ForeignKey(Email, models.PROTECT, related_name="outgoing")
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    from_address = models.CharField(max_length=400)
    to = models.CharField(max_length=254)
    cc = models.TextField(blank=True)
    bcc = models.TextField(blank=True)
    subject = models.CharField(max_length=1000)
    body = models.TextField()
    message_id = models.CharField(max_length=200, unique=True)
    with_files = models.BooleanField(default=False, help_text="A forwarded email with the files that came with it.")
    in_reply_to = models.CharField(max_length=500, blank=True)
    references = models.TextField(blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.APPROVED)
    error = models.TextField(blank=True)
    send_after = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["draft"], condition=~Q(status__in=["cancelled", "failed"]), name="a_reply_leaves_at_most_once"
            ),
            models.CheckConstraint(
                condition=Q(kind="reply", draft__isnull=False) | Q(kind="forward", draft__isnull=True),
                name="a_reply_has_a_draft",
            ),
        ]
        indexes = [models.Index(fields=["send_after"], name="outgoing_due", condition=Q(status="approved"))]

    def __str__(self) -> str:
        return f"{self.subject} ({self.status})"

    @property
    def seconds_left(self) -> float:
        """How long it can still be taken back; 0 once it may leave."""
        return round(max(0.0, (self.send_after - timezone.now()).total_seconds()), 1)

    @property
    def files(self) -> Sequence[Attachment | DraftAttachment]:
        """What leaves with it."""
        if self.draft is not None:
            return list(self.draft.attachments.all())
        return list(self.email.attachments.all()) if self.with_files else []
