"""Stores parsed emails: each exactly once, before anything else happens to it."""

import json
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from uuid import uuid4

from django.core.files.base import ContentFile
from django.db import DataError, IntegrityError, transaction
from django.utils import timezone

from classifier.intake.html import clean_html
from classifier.intake.parsed import ParsedEmail
from classifier.intake.search import index_email
from classifier.intake.threads import add_to_thread, thread_for
from classifier.intake.unreadable import unreadable_kind
from classifier.labels import find_label, label_by_person
from classifier.models import Attachment, Customer, Department, Email, Mailbox, Source, Verification
from classifier.taxonomy import create_label
from classifier.visibility import sees, visible_departments
from reviewdesk.backends import enqueue_emails
from reviewdesk.errors import DeskError, NotAllowed
from reviewdesk.people.models import ADMIN, User

logger = logging.getLogger(__name__)
BATCH = 100
NO_DEPARTMENTS = "none yet; make one under Settings, Taxonomy, or import with --create-labels"


@dataclass(frozen=True)
class Received:
    """What became of one parsed email; `error` is (field, reason)."""

    status: str  # new, duplicate or rejected
    email: Email | None = None
    error: tuple[str, str] = ("", "")


class Intake:
    """Receives the emails of one file or request.

    `occurrences` counts equal emails without a Message-ID, since two customers may write the
    same line; so one Intake must see a whole file. With `create_labels`, departments and
    labels that rows name are made. `user` is on whose behalf mail comes in, None for the desk
    itself: it reaches only departments that they may see, and labels only come from admins.
    """

    def __init__(self, *, department: Department | None = None, create_labels: bool = False, user: User | None = None):
        if create_labels and user is not None and ADMIN not in user.roles:
            raise NotAllowed("Only an admin imports departments and labels that are not there yet.")
        self.department = department
        self.create_labels = create_labels
        self.user = user
        self._occurrences: Counter[tuple[int, str]] = Counter()
        self._mailboxes: dict[str, Mailbox] = {}

    def receive(self, parsed: Sequence[ParsedEmail]) -> list[Received]:
        """Store a batch in one transaction and ask the worker to go on with the new ones.

        Where the database refuses a row, the batch is stored email by email, so that the others are kept.
        """
        counted = self._occurrences.copy()
        try:
            return self._store_all(parsed)
        except (DataError, IntegrityError):
            self._occurrences, self._mailboxes = counted, {}
            return [self._store_alone(p) for p in parsed]

    def _store_alone(self, parsed: ParsedEmail) -> Received:
        try:
            return self._store_all([parsed])[0]
        except (DataError, IntegrityError) as error:
            self._mailboxes = {}
            logger.exception("an email could not be stored")
            return Received("rejected", error=("email", f"the database refuses it: {type(error).__name__}"))

    def _store_all(self, parsed: Sequence[ParsedEmail]) -> list[Received]:
        with transaction.atomic():
            received = [self._receive(p) for p in parsed]
            new = [r.email.pk for r in received if r.status == "new" and r.email]
            Email.objects.filter(pk__in=new).update(queued_at=timezone.now())
            enqueue_emails(new)
        return received

    def _receive(self, parsed: ParsedEmail) -> Received:
        try:
            mailbox = self._mailbox(parsed.department)
            label = self._label(parsed, mailbox.department)
        except DeskError as error:
            return Received("rejected", error=(next(iter(error.fields), ""), error.message))
        content = content_hash(parsed)
        identity, reused, known = self._identity(parsed, mailbox, content)
        if known is not None and not self._may_see(known.department_id):
            return Received("rejected", error=("message_id", "this email is in a department you do not see already"))
        if known is not None:
            return Received("duplicate", known)
        closed = label is not None
        email = _store(parsed, mailbox, identity, content, reused, closed=closed, may_join=self._may_see)
        if label is not None:
            _store_gold(email, *label)
        return Received("new", email)

    def _mailbox(self, slug: str) -> Mailbox:
        if not slug and self.department is None:
            raise DeskError("department is missing", fields={"department": ["is missing"]})
        slug = slug or (self.department.slug if self.department else "")
        if slug not in self._mailboxes:
            if self.user is not None:
                self._check_department(slug)
            mailbox = mailbox_of(slug, create=self.create_labels)
            if not self._may_see(mailbox.department_id):  # the mailbox may have been given to another department
                raise _unknown_department(slug, self.user)
            self._mailboxes[slug] = mailbox
        return self._mailboxes[slug]

    def _check_department(self, slug: str) -> None:
        """Before anything is made for it; whether a hidden department exists is not told."""
        department = Department.objects.filter(slug=slug).first()
        if department is not None and not self._may_see(department.pk):
            raise _unknown_department(slug, self.user)

    def _may_see(self, department_id: int) -> bool:
        return self.user is None or sees(self.user, department_id)

    def _label(self, parsed: ParsedEmail, department: Department) -> tuple | None:
        if not parsed.type and not parsed.subtype:
            return None
        if self.user is not None and ADMIN not in self.user.roles:
            message = "only an admin imports labels; leave the columns type and subtype out"
            raise DeskError(message, fields={"type" if parsed.type else "subtype": [message]})
        if self.create_labels and parsed.type and parsed.subtype:
            create_label(department=department, type=parsed.type, slug=parsed.subtype)
        return find_label(department=department, type=parsed.type, subtype=parsed.subtype)

    def _identity(self, parsed: ParsedEmail, mailbox: Mailbox, content: str) -> tuple[str, bool, Email | None]:
        """(identity, whether its Message-ID is another email's, the stored email if it is the same)."""
        if parsed.message_id:
            base = "m:" + _digest(parsed.message_id)
            other = f"{base}:{content[:16]}"
            known = {e.identity: e for e in Email.objects.filter(mailbox=mailbox, identity__in=[base, other])}
            if base not in known:
                return base, False, None
            if known[base].content_sha256 == content:
                return base, False, known[base]
            return other, True, known.get(other)
        key = _digest(content)
        self._occurrences[mailbox.pk, key] += 1
        identity = f"h:{key}:{self._occurrences[mailbox.pk, key]}"
        return identity, False, Email.objects.filter(mailbox=mailbox, identity=identity).first()


def mailbox_of(slug: str, *, create: bool = False) -> Mailbox:
    """The mailbox of a department; made on first use, as is the department where `create` says so."""
    department = Department.objects.filter(slug=slug).first()
    if department is None and create:
        department = create_label(department=slug)
    if department is None:
        raise _unknown_department(slug)
    address = f"{slug.replace('_', '-')}@support.example.com"
    mailbox, _ = Mailbox.objects.get_or_create(name=slug, defaults={"department": department, "address": address})
    return mailbox


def _unknown_department(slug: str, user: User | None = None) -> DeskError:
    departments = Department.objects.filter(active=True) if user is None else visible_departments(user)
    allowed = ", ".join(departments.order_by("slug").values_list("slug", flat=True))
    message = f"department is {slug!r}; allowed: {allowed or NO_DEPARTMENTS}"
    return DeskError(message, fields={"department": [message]})


def content_hash(parsed: ParsedEmail) -> str:
    """SHA-256 of the raw bytes, line ends and trailing blank lines aside; of the fields where there are none."""
    if parsed.raw:
        return sha256(parsed.raw.replace(b"\r\n", b"\n").rstrip(b"\n")).hexdigest()
    date = parsed.received_at.isoformat() if parsed.received_at else ""
    fields = [parsed.sender_address, parsed.sender_name, date, parsed.subject, parsed.body, parsed.external_id]
    return sha256(json.dumps(fields).encode("utf-8", "surrogatepass")).hexdigest()


def _store(
    parsed: ParsedEmail,
    mailbox: Mailbox,
    identity: str,
    content: str,
    reused: bool,
    *,
    closed: bool,
    may_join: Callable[[int], bool],
) -> Email:
    received_at = parsed.received_at or timezone.now()
    customer, _ = Customer.objects.get_or_create(address=parsed.sender_address, defaults={"name": parsed.sender_name})
    kind = "broken" if parsed.broken else unreadable_kind(parsed.subject, parsed.body)
    thread = thread_for(
        mailbox=mailbox, customer=customer, parsed=parsed, received_at=received_at, closed=closed, may_join=may_join
    )
    email = Email.objects.create(
        mailbox=mailbox,
        department=mailbox.department,
        thread=thread,
        customer=customer,
        identity=identity,
        content_sha256=content,
        message_id=parsed.message_id,
        message_id_reused=reused,
        external_id=parsed.external_id,
        in_reply_to=parsed.in_reply_to,
        references=" ".join(parsed.references),
        to=parsed.to,
        subject=parsed.subject,
        body=parsed.body,
        html=parsed.html,
        clean_html=clean_html(parsed.html) if parsed.html else "",
        raw=ContentFile(parsed.raw, name=f"{uuid4().hex}.eml") if parsed.raw else "",
        received_at=received_at,
        automatic=parsed.automatic,
        unreadable=kind,
        defects=list(parsed.defects),
    )
    _store_attachments(email, parsed)
    add_to_thread(thread=thread, email=email, closed=closed)
    index_email(email)
    return email


def _store_attachments(email: Email, parsed: ParsedEmail) -> None:
    for part in parsed.attachments:
        Attachment.objects.create(
            email=email,
            filename=part.filename,
            content_type=part.content_type,
            content_id=part.content_id,
            size=len(part.content),
            file=ContentFile(part.content, name=f"{uuid4().hex}.bin"),
        )


def _store_gold(email: Email, type_: str, subtype) -> None:
    """A label that came with the data: in force at once, and never asked again."""
    gold = Verification.objects.create(
        email=email,
        action=Verification.Action.CONFIRM,
        type=type_,
        subtype=subtype,
        source=Source.GOLD,
        idempotency_key=f"gold:{email.pk}",
    )
    label_by_person(email=email, verification=gold)


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:40]
