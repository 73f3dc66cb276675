"""A conversation with one customer."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from classifier.models.mailbox import Mailbox


class Customer(models.Model):
    """Whoever writes from an address."""

    address = models.CharField(max_length=254, unique=True)
    name = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return self.name or self.address


class Thread(models.Model):
    """Emails joined by In-Reply-To and References; what agents open, answer and close."""

    class Status(models.TextChoices):
        OPEN = "open"
        ANSWERED = "answered"
        CLOSED = "closed"

    mailbox = models.ForeignKey(Mailbox, models.PROTECT, related_name="threads")
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="threads")
    subject = models.CharField(max_length=500, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    assignee = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    snoozed_until = models.DateTimeField(
        null=True, blank=True, help_text="Out of sight until then, or until mail comes."
    )
    tags = models.CharField(max_length=400, blank=True, help_text="As |vip|legal|, so that one can be searched for.")
    latest_email = models.ForeignKey("Email", models.SET_NULL, null=True, related_name="+")
    last_message_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["status", "-last_message_at", "-id"]),
            models.Index(fields=["-last_message_at", "-id"]),
        ]

    def __str__(self) -> str:
        return self.subject or "(no subject)"

    @property
    def is_snoozed(self) -> bool:
        return self.snoozed_until is not None and self.snoozed_until > timezone.now()

    @property
    def tag_list(self) -> list[str]:
        return [tag for tag in self.tags.split("|") if tag]


class ThreadReference(models.Model):
    """A Message-ID that belongs to a thread, ours or the customer's: a reply that names it joins."""

    thread = models.ForeignKey(Thread, models.CASCADE, related_name="references")
    message_id = models.CharField(max_length=500, db_index=True)

    def __str__(self) -> str:
        return self.message_id
