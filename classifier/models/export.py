"""One export of the labels, written by a worker, with its progress."""

from django.conf import settings
from django.db import models


class Export(models.Model):
    """All labels as they stood at `snapshot`; the file is there once it is done, with its checksum."""

    class Format(models.TextChoices):
        CSV = "csv", "CSV"
        JSONL = "jsonl", "JSON lines"
        PARQUET = "parquet", "Parquet"
        FASTTEXT = "fasttext", "fastText"
        LABEL_STUDIO = "label-studio", "Label Studio"

    class Status(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    format = models.CharField(max_length=12, choices=Format)
    status = models.CharField(max_length=8, choices=Status, default=Status.WAITING)
    snapshot = models.BigIntegerField(help_text="The newest verification that the export knows.")
    rows = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    file = models.CharField(max_length=200, blank=True, help_text="Under REVIEWDESK_VAR/exports.")
    size = models.BigIntegerField(default=0, help_text="bytes")
    sha256 = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    touched_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"labels-{self.snapshot_id}.{SUFFIXES[self.format]}"

    @property
    def snapshot_id(self) -> str:
        return f"v{self.snapshot}"

    @property
    def finished(self) -> bool:
        return self.status in (self.Status.DONE, self.Status.FAILED)


SUFFIXES: dict[str, str] = {
    Export.Format.CSV: "csv",
    Export.Format.JSONL: "jsonl",
    Export.Format.PARQUET: "parquet",
    Export.Format.FASTTEXT: "txt",
    Export.Format.LABEL_STUDIO: "json",
}
