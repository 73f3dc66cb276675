"""A draft that somebody or something asked for: the row that a sweeper finds when the task is lost."""

from django.db import models

from classifier.models import Department, Email

MAX_ATTEMPTS = 5


class DraftJob(models.Model):
    """One per email; done when `done_at` is set. Asking again (a redraft) clears it."""

    email = models.OneToOneField(Email, models.CASCADE, related_name="draft_job")
    department = models.ForeignKey(Department, models.PROTECT, related_name="+")
    queued_at = models.DateTimeField()
    swept_at = models.DateTimeField(
        null=True, help_text="When the sweeper queued it again; `queued_at` is when it was asked for."
    )
    work_until = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)
    hint = models.CharField(max_length=300, blank=True)
    partial = models.TextField(blank=True, help_text="What a streaming drafter has written so far.")

    class Meta:
        indexes = [models.Index(fields=["queued_at"], name="draft_job_open", condition=models.Q(done_at__isnull=True))]

    def __str__(self) -> str:
        return f"draft for {self.email_id}"

    @property
    def failed(self) -> bool:
        """Given up; somebody has to ask again."""
        return self.done_at is None and self.attempts >= MAX_ATTEMPTS
