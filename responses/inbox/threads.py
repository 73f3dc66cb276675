"""What agents do with a thread as a whole: assign it, snooze it, tag it, note something, see who else is there."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from classifier.models import Department, Thread
from classifier.visibility import sees
from responses.models import Note, Presence
from responses.text_indexes import index_note
from reviewdesk.audit.services import record
from reviewdesk.errors import DeskError
from reviewdesk.people.models import ADMIN, AGENT, User

MAX_TAGS, MAX_TAG = 10, 30
PRESENT = timedelta(seconds=40)
SNOOZES = {
    "hour": ("in an hour", timedelta(hours=1)),
    "tomorrow": ("tomorrow at 9", None),
    "week": ("in a week", timedelta(days=7)),
}


def agents(department: Department | None = None) -> list[User]:
    """Who a thread of a department can be assigned to: agents who may see it."""
    found = User.objects.filter(is_active=True, groups__name=AGENT).order_by("username").distinct()
    if department is None:
        return list(found)
    listed = Q(departments=None) | Q(departments=department) | Q(pk__in=User.objects.filter(groups__name=ADMIN))
    return list(found.filter(listed))


def assign(*, thread: Thread, to: User | None, by: User) -> None:
    """Make a thread somebody's, or nobody's. Raises DeskError for somebody who is no agent of its department."""
    department = thread.latest_email.department if thread.latest_email else None
    if to is not None and (AGENT not in to.roles or (department and not sees(to, department.pk))):
        allowed = ", ".join(str(a) for a in agents(department)) or "nobody"
        raise DeskError(f"{to} is no agent of {department or 'the desk'}; allowed: {allowed}")
    with transaction.atomic():
        Thread.objects.filter(pk=thread.pk).update(assignee=to)
        record(action="assign", target=thread, actor=by, to=to.username if to else None)


def snooze(*, thread: Thread, how_long: str, by: User) -> datetime | None:
    """Put a thread out of sight until a moment, or until the customer writes; `how_long` empty brings it back."""
    if how_long and how_long not in SNOOZES:
        raise DeskError(f"how_long is {how_long!r}; allowed: {', '.join(SNOOZES)}, or empty")
    until = _until(how_long) if how_long else None
    with transaction.atomic():
        Thread.objects.filter(pk=thread.pk).update(snoozed_until=until)
        record(action="snooze", target=thread, actor=by, until=until.isoformat() if until else None)
    return until


def _until(how_long: str) -> datetime:
    span = SNOOZES[how_long][1]
    if span is not None:
        return timezone.now() + span
    tomorrow = timezone.localtime() + timedelta(days=1)
    return tomorrow.replace(hour=9, minute=0, second=0, microsecond=0)


def set_tags(*, thread: Thread, tags: Sequence[str], by: User) -> list[str]:
    """Replace a thread's tags; they are kept in small letters, each once."""
    kept = list(dict.fromkeys(t for t in (re.sub(r"[\s|]+", " ", tag).strip().lower() for tag in tags) if t))
    if len(kept) > MAX_TAGS or any(len(tag) > MAX_TAG for tag in kept):
        raise DeskError(f"{len(kept)} tags; allowed: {MAX_TAGS} of {MAX_TAG} characters each")
    with transaction.atomic():
        Thread.objects.filter(pk=thread.pk).update(tags=f"|{'|'.join(kept)}|" if kept else "")
        record(action="tag", target=thread, actor=by, tags=kept)
    return kept


def add_note(*, thread: Thread, text: str, by: User) -> Note:
    if not text.strip():
        raise DeskError("The note is empty.", fields={"text": ["is empty"]})
    department = thread.latest_email.department if thread.latest_email else None
    with transaction.atomic():
        note = Note.objects.create(thread=thread, author=by, department=department, text=text.strip()[:10_000])
        index_note(note)
    return note


def note_presence(*, thread: Thread, user: User) -> list[str]:
    """Tell that an agent has the thread open; returns the names of the others who have."""
    now = timezone.now()
    Presence.objects.update_or_create(thread=thread, user=user, defaults={"seen_at": now})
    others = Presence.objects.filter(thread=thread, seen_at__gt=now - PRESENT).exclude(user=user)
    return list(others.order_by("user__username").values_list("user__username", flat=True))
