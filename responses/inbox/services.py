"""What an agent does with a draft and a thread."""

from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from classifier.models import Email, Thread
from responses.models import Draft
from reviewdesk.audit.services import record
from reviewdesk.errors import Conflict, DeskError
from reviewdesk.people.models import User

MAX_BODY = 100_000
EDITABLE = (Draft.Status.READY, Draft.Status.NO_SOURCE)


def save_draft(
    *,
    draft: Draft,
    version: int,
    body: str,
    user: User,
    cc: str | None = None,
    bcc: str | None = None,
    closes: bool | None = None,
) -> Draft:
    """Store an edit made on top of `version`; None leaves copies, and whether the thread is closed then, as they are.

    Raises Conflict when somebody saved in between. Copies are checked when the reply is approved, not while they are typed.
    """
    rest = {
        "cc": draft.cc if cc is None else cc.strip(),
        "bcc": draft.bcc if bcc is None else bcc.strip(),
        "closes": draft.closes if closes is None else closes,
    }
    if len(body) > MAX_BODY:
        message = f"The reply has {len(body):,} characters; allowed: {MAX_BODY:,}"
        raise DeskError(message, fields={"body": [message]})
    edited = Draft.objects.filter(pk=draft.pk, version=version, status__in=EDITABLE).update(
        body=body.replace("\r\n", "\n"), version=version + 1, edited_by=user, saved_at=timezone.now(), **rest
    )
    now = Draft.objects.select_related("edited_by").get(pk=draft.pk)
    if edited:
        return now
    same = {"cc": now.cc, "bcc": now.bcc, "closes": now.closes} == rest and now.body == body.replace("\r\n", "\n")
    if now.status in EDITABLE and same:
        return now  # the same words came twice
    if now.status not in EDITABLE:
        raise Conflict(f"This draft is {now.get_status_display().lower()} by now.", code="already_done")
    raise Conflict(f"{now.edited_by or 'Somebody'} has changed this draft since you opened it.", code="changed")


def resolve_conflict(
    *, email: Email, draft: Draft | None, version: int | None, overwrite: bool, user: User, body: str, **copies: Any
) -> None:
    """Go on with one of two texts of a draft; the other one is stored among the earlier drafts.

    `draft` and `version` are what the person saw of the other text. Raises Conflict when that has changed again.
    """
    with transaction.atomic():
        if draft is None or draft.status not in EDITABLE or not overwrite:
            _store_aside(email, body, user, cc=copies.get("cc", ""), bcc=copies.get("bcc", ""))
            return
        _store_aside(email, draft.body, draft.edited_by, cc=draft.cc, bcc=draft.bcc)
        save_draft(draft=draft, version=version or 0, body=body, user=user, **copies)


def use_text(*, draft: Draft, version: int, body: str, user: User) -> Draft:
    """Put other words in the place of a draft's; those it held stay with the earlier drafts. Raises Conflict."""
    with transaction.atomic():
        before = Draft.objects.select_related("email").get(pk=draft.pk)
        saved = save_draft(draft=draft, version=version, body=body, user=user)
        if before.body != saved.body:
            _store_aside(before.email, before.body, before.edited_by, cc=before.cc, bcc=before.bcc)
    return saved


def _store_aside(email: Email, body: str, author: User | None, *, cc: str, bcc: str) -> None:
    """Keep a text that lost its place, with its copies, where `earlier_drafts` shows it."""
    text = {"body": body.replace("\r\n", "\n")[:MAX_BODY], "cc": cc.strip(), "bcc": bcc.strip()}
    if text["body"].strip() and not email.drafts.filter(status=Draft.Status.REPLACED, **text).exists():
        Draft.objects.create(email=email, status=Draft.Status.REPLACED, backend="person", edited_by=author, **text)


def start_reply(*, email: Email, user: User) -> Draft:
    """A blank reply of the agent's own; the live draft, if there is one, instead."""
    if email.automatic:
        raise DeskError("Automatic mail is never answered.")
    live = email.drafts.filter(status__in=[*EDITABLE, Draft.Status.APPROVED]).first()
    if live is not None:
        return live
    try:
        return Draft.objects.create(email=email, status=Draft.Status.READY, backend="person", edited_by=user)
    except IntegrityError:  # a colleague or the drafter was faster
        return email.drafts.get(status__in=[*EDITABLE, Draft.Status.APPROVED])


def rate_draft(*, draft: Draft, rating: int, reason: str, user: User) -> None:
    """Say whether a generated draft was of use; the last word counts."""
    if draft.backend == "person":
        raise DeskError("Only drafts of a drafter are rated.")
    with transaction.atomic():
        Draft.objects.filter(pk=draft.pk).update(rating=rating, rating_reason=reason.strip()[:500])
        record(action="rate draft", target=draft.email, actor=user, draft=draft.pk, rating=rating)


def reject_draft(*, draft: Draft, version: int, reason: str, user: User) -> None:
    """Throw a draft away, saying why; the reason is kept for whoever improves the drafter."""
    if not reason.strip():
        raise DeskError("Say why the draft is of no use.", fields={"reason": ["is missing"]})
    with transaction.atomic():
        live = Draft.objects.filter(pk=draft.pk, version=version, status__in=EDITABLE)
        if not live.update(status=Draft.Status.REJECTED, reject_reason=reason.strip()[:500]):
            raise Conflict("This draft has changed since you opened it. Reload to see it.", code="changed")
        record(action="reject draft", target=draft.email, actor=user, draft=draft.pk)


def set_status(*, threads: Sequence[int], status: str, user: User) -> int:
    """Close or reopen threads; returns how many changed."""
    if status not in (Thread.Status.OPEN, Thread.Status.CLOSED):
        raise DeskError(f"status is {status!r}; allowed: open, closed")
    with transaction.atomic():
        changed = list(Thread.objects.filter(pk__in=threads).exclude(status=status))
        for thread in changed:
            Thread.objects.filter(pk=thread.pk).update(status=status)
            record(action=f"thread {status}", target=thread, actor=user, before=thread.status)
    return len(changed)
