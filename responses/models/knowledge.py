"""Knowledge that replies are grounded in; passages and their vectors here are the truth."""

from django.db import models

from classifier.models import Department


class Document(models.Model):
    class Type(models.TextChoices):
        POLICY = "policy"
        FAQ = "faq", "FAQ"
        GUIDE = "guide"

    department = models.ForeignKey(Department, models.PROTECT, related_name="documents")
    slug = models.CharField(max_length=120)
    title = models.CharField(max_length=200)
    doc_type = models.CharField(max_length=10, choices=Type)
    text = models.TextField()
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["department", "slug"], name="document_slug_per_department")]

    def __str__(self) -> str:
        return self.title


class Passage(models.Model):
    """A stretch of a document: `text` is `document.text[start:end]`.

    `embedding` is float32 bytes of length `dimension`, made by `embedder`.
    """

    document = models.ForeignKey(Document, models.CASCADE, related_name="passages")
    position = models.PositiveIntegerField()
    heading = models.CharField(max_length=200, blank=True)
    text = models.TextField()
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    embedder = models.CharField(max_length=120)
    dimension = models.PositiveIntegerField()
    embedding = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["document", "position"], name="passage_position")]

    def __str__(self) -> str:
        return f"{self.document} #{self.position}"
