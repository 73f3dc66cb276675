"""One incoming email, stored before anything else happens to it."""

from django.db import models
from django.db.models import Q

from classifier.models.mailbox import Mailbox
from classifier.models.taxonomy import Department, EmailType, Subtype
from classifier.models.thread import Customer, Thread


class Email(models.Model):
    """The message as it came, and the label in force.

    `prediction` and `verification` point at the rows in force; `type`, `subtype`, `confidence`
    repeat what they say so that the inbox can filter by an index. `classifier.labels` is the
    only writer of these five.
    """

    class Automatic(models.TextChoices):
        """Mail that no person wrote to us; never drafted for, never answered."""

        AUTO_REPLY = "auto_reply", "Automatic reply"
        BOUNCE = "bounce", "Bounce"
        LIST = "list", "List mail"

    class Unreadable(models.TextChoices):
        """Mail whose label means little; it goes to review, whatever the model says."""

        EMPTY = "empty", "Empty"
        SYMBOLS = "symbols", "Symbols only"
        EMOJI = "emoji", "Emoji only"
        GIBBERISH = "gibberish", "Gibberish"
        BROKEN = "broken", "Could not be parsed"

    mailbox = models.ForeignKey(Mailbox, models.PROTECT, related_name="emails")
    department = models.ForeignKey(Department, models.PROTECT, related_name="emails")
    thread = models.ForeignKey(Thread, models.CASCADE, related_name="emails")
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="emails")

    identity = models.CharField(max_length=80, help_text="What makes it the same email when imported again.")
    content_sha256 = models.CharField(max_length=64)
    message_id = models.CharField(max_length=500, blank=True, db_index=True)
    message_id_reused = models.BooleanField(default=False, help_text="Same Message-ID as another email, other bytes.")
    external_id = models.CharField(max_length=200, blank=True)
    in_reply_to = models.CharField(max_length=500, blank=True, db_index=True)
    references = models.TextField(blank=True)

    to = models.TextField(blank=True)
    subject = models.CharField(max_length=1000, blank=True)
    body = models.TextField(blank=True)
    html = models.TextField(blank=True)
    clean_html = models.TextField(blank=True, help_text="What may be shown of it, cleaned when it came in.")
    raw = models.FileField(upload_to="mail", blank=True)
    received_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)

    automatic = models.CharField(max_length=12, choices=Automatic, blank=True)
    unreadable = models.CharField(max_length=12, choices=Unreadable, blank=True)
    defects = models.JSONField(default=list, blank=True)

    queued_at = models.DateTimeField(null=True, help_text="When a task was last asked to classify it.")
    work_until = models.DateTimeField(null=True, help_text="A task holds it for classification until then.")
    prediction = models.ForeignKey("Prediction", models.SET_NULL, null=True, related_name="+")
    verification = models.ForeignKey("Verification", models.SET_NULL, null=True, related_name="+")
    type = models.CharField(max_length=12, choices=EmailType, blank=True)
    subtype = models.ForeignKey(Subtype, models.PROTECT, null=True, related_name="+")
    confidence = models.FloatField(null=True, help_text="Subtype confidence; empty once a person has answered.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["mailbox", "identity"], name="email_once_per_mailbox")]
        indexes = [
            models.Index(fields=["id"], name="email_unclassified", condition=Q(prediction__isnull=True)),
            models.Index(fields=["thread", "received_at"]),
            models.Index(fields=["department", "type", "subtype"]),
        ]

    def __str__(self) -> str:
        return self.subject or "(no subject)"

    @property
    def wants_reply(self) -> bool:
        """Whether a reply may be drafted: a readable email that a person wrote and that is not spam."""
        return not self.automatic and not self.unreadable and self.type not in ("", EmailType.SPAM)
