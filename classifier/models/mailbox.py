"""Where mail arrives and from which address replies leave."""

from django.db import models

from classifier.models.taxonomy import Department


class Mailbox(models.Model):
    """One address of the company; mail in it belongs to the department unless moved."""

    name = models.CharField(max_length=80, unique=True)
    address = models.EmailField()
    sender_name = models.CharField(
        max_length=80, blank=True, help_text="Stands before the address; empty: the department."
    )
    signature = models.TextField(blank=True, help_text="Under every reply; empty: the department and 'support'.")
    department = models.ForeignKey(Department, models.PROTECT, related_name="mailboxes")

    class Meta:
        verbose_name_plural = "mailboxes"

    def __str__(self) -> str:
        return self.name

    @property
    def signed(self) -> str:
        """What stands under a reply."""
        return self.signature.strip() or f"{self.department.name} support"
