"""Writes the audit trail."""

from typing import Any

from django.db.models import Model

from reviewdesk.audit.models import AuditEvent
from reviewdesk.people.models import User
from reviewdesk.prepared import insert


def record(*, action: str, target: Model, actor: User | None = None, **detail: Any) -> AuditEvent:
    """Note that `actor` did `action` to `target`, in the caller's transaction."""
    kind, key = str(target._meta.model_name), str(target.pk)
    return insert(AuditEvent(actor=actor, action=action, object_type=kind, object_id=key, detail=detail))
