"""Departments and their subtypes; the four types are fixed."""

import re

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

EXAMPLE_SEPARATOR = re.compile(r"^[ \t]*-{3,}[ \t\r]*$", re.MULTILINE)


class EmailType(models.TextChoices):
    """What an email is, whatever the sector."""

    SPAM = "spam"
    QUERY = "query"
    COMPLAINT = "complaint"
    SUGGESTION = "suggestion"


class Department(models.Model):
    """A sector; `review_threshold` overrides the desk's own (REVIEWDESK_REVIEW_THRESHOLD)."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=80)
    review_threshold = models.FloatField(null=True, blank=True, validators=[MinValueValidator(0), MaxValueValidator(1)])
    active = models.BooleanField(default=True)
    merged_into = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="+")
    people = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        blank=True,
        related_name="departments",
        help_text="Who sees its mail. A person whom no department lists sees all.",
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Subtype(models.Model):
    """A leaf of the taxonomy, with the sentence that reviewers decide by."""

    department = models.ForeignKey(Department, models.PROTECT, related_name="subtypes")
    slug = models.SlugField(max_length=80)
    name = models.CharField(max_length=100)
    type = models.CharField(max_length=12, choices=EmailType)
    guideline = models.TextField(blank=True)
    examples = models.TextField(
        blank=True,
        help_text="Emails that show it, with a line of --- between them. A subtype that the model was not trained on "
        "is recognised by these, and by emails that people labelled with it.",
    )
    active = models.BooleanField(default=True)
    merged_into = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="+")
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["department", "type", "name"]
        constraints = [models.UniqueConstraint(fields=["department", "slug"], name="subtype_slug_per_department")]

    def __str__(self) -> str:
        return self.name

    @property
    def example_texts(self) -> list[str]:
        """The written examples, one by one: a line of three or more dashes and nothing else stands between two."""
        return [text.strip() for text in EXAMPLE_SEPARATOR.split(self.examples) if text.strip()]

    @property
    def final(self) -> "Subtype":
        """This subtype, or the one that took it over."""
        return self.merged_into or self

    @property
    def final_id(self) -> int:
        return self.merged_into_id or self.pk
