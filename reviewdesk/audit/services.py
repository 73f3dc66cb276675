"""Writes the audit trail."""

from typing import Any

from django.db.models import Model

from reviewdesk.audit.models import AuditEvent
from reviewdesk.people.models import User


def record(*, action: str, target: Model, actor: User | None = None, **detail: Any) -> AuditEvent:
    """Note that `actor` did `action` to `target`, in the caller's transaction."""
    return AuditEvent.objects.create(
        actor=actor, action=action, object_type=str(target._meta.model_name), object_id=str(target.pk), detail=detail
    )
