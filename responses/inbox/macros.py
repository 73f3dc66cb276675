"""Macros: which fit an email, and one applied, whole or not at all; kept by admins."""

from django.db import transaction
from django.db.models import Q, QuerySet

from classifier.models import Department, Email, Thread
from responses.inbox.services import save_draft, set_status, start_reply
from responses.inbox.threads import assign, set_tags
from responses.models import Document, Draft, Macro
from reviewdesk.audit.services import record
from reviewdesk.errors import Conflict, DeskError
from reviewdesk.people.models import User


def macros_for(email: Email) -> QuerySet[Macro]:
    """Those of the email's department and those for all; a reply of another department is never put in."""
    own = Q(department=None) | Q(department=email.department_id)
    readable = Q(reply=None) | Q(reply__department=email.department_id)
    return Macro.objects.filter(own, readable).select_related("reply", "assignee")


def apply_macro(*, macro: Macro, email: Email, user: User) -> None:
    """Take all steps of a macro. Raises Conflict where a reply is on its way already, and then takes none."""
    thread = email.thread
    with transaction.atomic():
        if macro.reply is not None:
            _write(macro.reply, email, user, closes=macro.closes)
        elif macro.closes:
            set_status(threads=[thread.pk], status=Thread.Status.CLOSED, user=user)
        if macro.tags:
            set_tags(thread=thread, tags=[*thread.tag_list, *macro.tags.split(",")], by=user)
        if macro.to_me or macro.assignee:
            assign(thread=thread, to=user if macro.to_me else macro.assignee, by=user)
        record(action="apply macro", target=email, actor=user, macro=macro.name)


def _write(reply: Document, email: Email, user: User, *, closes: bool) -> None:
    """Its words take the place of a draft that nobody has edited, and follow an agent's own."""
    draft = start_reply(email=email, user=user)
    if draft.status == Draft.Status.APPROVED:
        raise Conflict("A reply to this email is on its way already.", code="already_done")
    own = draft.body.strip() if draft.edited_by_id else ""
    body = f"{own}\n\n{reply.text.strip()}".strip()
    save_draft(draft=draft, version=draft.version, body=body, user=user, closes=closes or draft.closes)


def save_macro(
    *,
    by: User,
    name: str,
    macro: Macro | None = None,
    department: Department | None = None,
    reply: Document | None = None,
    tags: str = "",
    to_me: bool = False,
    assignee: User | None = None,
    closes: bool = False,
) -> Macro:
    """Make a macro, or change one. Raises DeskError for one that does nothing or whose name is taken."""
    if not (reply or tags.strip() or to_me or assignee or closes):
        raise DeskError("A macro needs at least one step: a reply, tags, somebody in charge, or closing.")
    if reply and department and reply.department_id != department.pk:
        raise DeskError(f"“{reply.title}” is a reply of {reply.department}, not of {department}.")
    kept = macro or Macro()
    if Macro.objects.filter(name=name).exclude(pk=kept.pk).exists():
        raise DeskError(f"There is a macro called {name!r} already.", fields={"name": ["is taken"]})
    kept.name, kept.department, kept.reply, kept.closes = (
        name,
        department or (reply.department if reply else None),
        reply,
        closes,
    )
    kept.tags, kept.to_me, kept.assignee = ", ".join(t.strip() for t in tags.split(",") if t.strip()), to_me, assignee
    with transaction.atomic():
        kept.save()
        record(action="change macro" if macro else "add macro", target=kept, actor=by, steps=kept.steps)
    return kept


def delete_macro(*, macro: Macro, by: User) -> None:
    with transaction.atomic():
        record(action="delete macro", target=macro, actor=by, name=macro.name, steps=macro.steps)
        macro.delete()
