"""Knowledge that replies are grounded in; passages and their vectors here are the truth, every index a cache."""

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q

from classifier.models import Department


class KnowledgeState(models.Model):
    """One row: how often the knowledge changed, and whose vectors are searched.

    Whoever changes documents raises `revision` in the same transaction and holds the row until it commits, so that
    revisions become visible in their order. `identity` tells this database's indexes from another's.
    """

    revision = models.BigIntegerField(default=0)
    embedder = models.CharField(max_length=200, blank=True)
    identity = models.UUIDField(default=uuid4)
    index_until = models.DateTimeField(null=True, help_text="Until when a process may write to a shared index.")

    def __str__(self) -> str:
        return f"revision {self.revision}"


class Document(models.Model):
    """A text that replies may quote. Retired it is kept and not searched; deleted only its name is kept."""

    class Type(models.TextChoices):
        POLICY = "policy"
        FAQ = "faq", "FAQ"
        GUIDE = "guide"
        CANNED = "canned", "Canned reply"

    class Status(models.TextChoices):
        WAITING = "waiting"
        INDEXING = "indexing"
        READY = "ready"
        FAILED = "failed"
        RETIRED = "retired"
        DELETED = "deleted"

    department = models.ForeignKey(Department, models.PROTECT, related_name="documents")
    slug = models.CharField(max_length=120)
    title = models.CharField(max_length=200)
    doc_type = models.CharField(max_length=10, choices=Type)
    internal = models.BooleanField(default=False, help_text="Shown to agents, never quoted to customers.")
    text = models.TextField(blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    file = models.FileField(upload_to="knowledge", blank=True)
    filename = models.CharField(max_length=255, blank=True)
    status = models.CharField(max_length=8, choices=Status, default=Status.READY)
    error = models.TextField(blank=True)
    done = models.PositiveIntegerField(default=0, help_text="Passages embedded so far.")
    total = models.PositiveIntegerField(default=0)
    details_kept = models.BooleanField(
        default=False, help_text="Title and kind were set by a person: a file's own are ignored."
    )
    attempt = models.PositiveIntegerField(default=0)
    work_until = models.DateTimeField(null=True)
    revision = models.BigIntegerField(default=0, db_index=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["department", "slug"], condition=~Q(status="deleted"), name="one_document_per_slug"
            )
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def searched(self) -> bool:
        return self.status not in (self.Status.RETIRED, self.Status.DELETED)

    @property
    def active(self) -> bool:
        """Whether a worker is or will be at it."""
        return self.status in (self.Status.WAITING, self.Status.INDEXING)


class Passage(models.Model):
    """A stretch of a document: `text` is `document.text[start:end]`."""

    document = models.ForeignKey(Document, models.CASCADE, related_name="passages")
    position = models.PositiveIntegerField()
    heading = models.CharField(max_length=500, blank=True)
    text = models.TextField()
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["document", "position"], name="passage_position")]

    def __str__(self) -> str:
        return f"{self.document} #{self.position}"


class PassageVectors(models.Model):
    """A passage in the space of one embedder: float16 bytes of shape (windows, dimension), each window of length one.

    While the embedder changes, those of the old and the new one stand side by side.
    """

    passage = models.ForeignKey(Passage, models.CASCADE, related_name="vectors")
    embedder = models.CharField(max_length=200)
    dimension = models.PositiveIntegerField()
    windows = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["passage", "embedder"], name="vectors_per_embedder")]

    def __str__(self) -> str:
        return f"{self.passage_id} by {self.embedder}"
