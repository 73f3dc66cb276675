"""The demo desk: real predictions on emails that the starter model was not trained on."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from email.utils import parseaddr

from django.contrib.auth.models import Group
from django.utils import timezone

from classifier.accuracy.sampling import draw_weekly_sample
from classifier.intake.parsed import ParsedEmail
from classifier.intake.services import BATCH, Intake
from classifier.models import Department, Email, ModelAlias, SampleDraw
from classifier.registry.building import ensure_starter
from classifier.taxonomy import load_starter_taxonomy
from ml.data import load_articles, load_corpus
from responses.drafting.services import write_drafts
from responses.knowledge.services import store_document
from responses.models import Document, DraftJob
from reviewdesk import workflow
from reviewdesk.people.models import ADMIN, AGENT, REVIEWER, User

SAMPLE = 24
DRAFTED = 80
SPREAD = timedelta(hours=70)  # the demo's emails came in over the last three days

ODD = (
    ("it", "", "", "noreply-kiosk@example.com"),
    ("retail", "", "?!?!?!?!!!!", "m.lindqvist@example.net"),
    ("hospitality", "", "😡😡😡👎👎", "Ana <ana.b@example.org>"),
    ("travel", "asdf", "sdkjfh skjdfhks jdfhwe qpwoeir zmxncb qwpeori lkjasdf", "test <kb@example.com>"),
    ("ecommerce", "xxxxxxxx", "ghghghgh " * 60, "unknown <gh@example.org>"),
    ("hospitals", "-", "--- *** --- /// ---", "fax2mail@example.com"),
)


def seed(*, say: Callable[[str], object], limit: int | None = None) -> None:
    """Make the demo desk; every step is skipped where it was done before."""
    load_starter_taxonomy()
    make_people()
    version = ensure_starter()
    say(f"model {version.version} is in production")
    if Document.objects.count() < len(load_articles()):
        index_articles()
        say(f"{Document.objects.count()} articles indexed")
    if limit != 0 and not is_seeded():
        receive_emails(limit)
        say(
            f"{Email.objects.count()} emails received, {Email.objects.filter(prediction__isnull=False).count()} classified"
        )


def is_seeded() -> bool:
    """Whether the demo desk is whole: drawing a weekly sample is its last step."""
    return ModelAlias.objects.exists() and SampleDraw.objects.exists()


def make_people() -> None:
    """agent, reviewer and admin, each with its own name as password. Never in production."""
    for role in (AGENT, REVIEWER, ADMIN):
        user, created = User.objects.get_or_create(
            username=role, defaults={"is_staff": role == ADMIN, "is_superuser": role == ADMIN}
        )
        if created:
            user.set_password(role)
            user.save()
            user.groups.add(Group.objects.get(name=role))


def index_articles() -> None:
    departments = {d.slug: d for d in Department.objects.all()}
    for a in load_articles():
        store_document(
            department=departments[a.department], slug=a.slug, title=a.title, doc_type=a.doc_type, text=a.text
        )


def receive_emails(limit: int | None = None) -> None:
    """The corpus's test split and a few odd ones, classified here, the newest drafted for too."""
    known = set(Email.objects.values_list("message_id", flat=True))  # of a start that was broken off
    parsed = [p for p in demo_emails(limit) if p.message_id not in known]
    intake = Intake()
    for start in range(0, len(parsed), BATCH):
        received = intake.receive(parsed[start : start + BATCH])
        ids = [r.email.pk for r in received if r.email]
        workflow.process(ids=ids)
    newest = DraftJob.objects.filter(done_at__isnull=True).order_by("-email__received_at")
    write_drafts(ids=list(newest.values_list("email_id", flat=True)[:DRAFTED]))  # the worker writes the others
    draw_weekly_sample(size=SAMPLE)


def demo_emails(limit: int | None = None) -> list[ParsedEmail]:
    """Emails with senders and times, the departments mixed as in a real inbox."""
    test = load_corpus("test")
    rows = [(e.department, e.subject, e.body, e.sender) for e in test]
    mixed = sorted(range(len(rows)), key=lambda i: (i * 7919) % 10_007)
    rows = [rows[i] for i in mixed][:limit]
    for i, odd in enumerate(ODD):
        rows.insert(len(rows) * (i + 1) // (len(ODD) + 1), odd)
    step = SPREAD / len(rows)
    start = timezone.now() - SPREAD
    return [_demo_email(row, number, start + step * number) for number, row in enumerate(rows)]


def _demo_email(row: tuple[str, str, str, str], number: int, at) -> ParsedEmail:
    department, subject, body, sender = row
    name, address = parseaddr(sender)
    slug = re.sub(r"[^a-z0-9]+", "-", f"{department}-{number}")
    email = ParsedEmail(sender_name=name, sender_address=address, subject=subject, body=body, department=department)
    return replace(email, message_id=f"<{slug}@demo.example.com>", received_at=at)
