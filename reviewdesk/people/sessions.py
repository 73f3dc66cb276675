"""Who asks: the session and the person behind it, Django's own but for their two queries, which every request makes."""

from datetime import datetime
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.db.models import F, QuerySet
from django.utils import timezone

from reviewdesk.people.models import User
from reviewdesk.prepared import prepared


class SessionStore(db.SessionStore):
    def _get_session_from_db(self) -> Session | None:
        found = _sessions(key=self.session_key or "", now=timezone.now())
        if not found:
            self._session_key = None
        return found[0] if found else None


@prepared
def _sessions(*, key: str, now: datetime) -> QuerySet[Session]:
    return Session.objects.filter(session_key=key, expire_date__gt=now)


class PeopleBackend(ModelBackend):
    """Logs people in by name and password; reads them together with their roles."""

    def get_user(self, user_id: Any) -> User | None:
        rows = _with_groups(user=user_id)
        if not rows or not self.user_can_authenticate(rows[0]):
            return None
        user = rows[0]
        user.in_groups({row.group for row in rows})  # type: ignore[attr-defined]
        return user


@prepared
def _with_groups(*, user: int) -> QuerySet[User]:
    """A row for each group of theirs, one with none for somebody without."""
    return User.objects.filter(pk=user).annotate(group=F("groups__name"))
