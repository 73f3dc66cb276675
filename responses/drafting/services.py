"""Asks for drafts and writes them, each email's by one worker at a time."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from time import perf_counter

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from classifier.models import Email, Thread
from ml.tokenizing import email_text
from responses.drafting.base import PASSAGE_BAR, PASSAGES, Reply, Request, drafter
from responses.drafting.grounding import Evidence, Passage, check_draft
from responses.models import Draft, DraftAttachment, DraftJob, DraftSource, OutgoingMessage
from responses.models.job import MAX_ATTEMPTS
from responses.retrieval.base import Query
from responses.retrieval.search import find, serving_embedder
from reviewdesk.backends import enqueue
from reviewdesk.errors import BackendError, DeskError
from reviewdesk.switches.models import Switch
from reviewdesk.switches.queries import is_paused
from reviewdesk.trouble import Trouble

logger = logging.getLogger(__name__)
backend_trouble = Trouble(logger, over="The drafter works again.")
email_trouble = Trouble(logger)

WORK = timedelta(seconds=90)
PATIENCE = timedelta(seconds=60)
LONG = 1_000  # characters of an email from which it is summarised for retrieval
TURNS = 6  # of the thread, that the drafter sees
CUSTOMER, AGENT = "customer", "agent"
LIVE = (Draft.Status.READY, Draft.Status.NO_SOURCE)


def request_draft(*, email: Email) -> bool:
    """Note that the email wants a draft; False when it wants none, or one was asked for.

    After a move to another department a draft that nobody has edited is asked for again.
    """
    if email.prediction_id is None or not email.wants_reply or email.thread.status != Thread.Status.OPEN:
        return False
    now = timezone.now()
    job, created = DraftJob.objects.get_or_create(
        email=email, defaults={"department": email.department, "queued_at": now}
    )
    if created:
        return True
    if job.department_id == email.department_id or email.drafts.filter(edited_by__isnull=False).exists():
        return False
    _ask_again(job, email)
    return True


def request_redraft(*, email: Email, hint: str = "") -> DraftJob:
    """Let the drafter try again, as the hint asks; the live draft stays until the new one is there."""
    if not email.wants_reply:
        raise DeskError("No draft is written for spam, automatic or unreadable mail; write the reply yourself.")
    job, created = DraftJob.objects.get_or_create(
        email=email, defaults={"department": email.department, "queued_at": timezone.now(), "hint": hint}
    )
    if not created:
        _ask_again(job, email, hint)
    enqueue("workflow.write_drafts", [email.pk])
    return job


def _ask_again(job: DraftJob, email: Email, hint: str = "") -> None:
    DraftJob.objects.filter(pk=job.pk).update(
        department=email.department,
        queued_at=timezone.now(),
        work_until=None,
        done_at=None,
        attempts=0,
        error="",
        partial="",
        hint=hint,
    )


def write_drafts(*, ids: Sequence[int]) -> int:
    """Write the drafts that are asked for and that no other task writes; returns how many."""
    return 0 if is_paused(Switch.Part.DRAFTING) else sum(_write(pk) for pk in ids)


def _write(email_id: int) -> bool:
    now = timezone.now()
    mine = DraftJob.objects.filter(_unheld(now), email_id=email_id, done_at__isnull=True, attempts__lt=MAX_ATTEMPTS)
    if not mine.update(work_until=now + WORK):
        return False
    asked = DraftJob.objects.values_list("queued_at", flat=True).get(email=email_id)
    email = Email.objects.select_related(
        "department", "customer", "subtype", "thread", "draft_job", "mailbox__department"
    ).get(pk=email_id)
    start = perf_counter()
    try:
        request = _request(email)
        reply = drafter.get().draft(request, _tell(email))
        took = (perf_counter() - start) * 1000
        store_draft(
            email=email, reply=reply, asked=asked, latency_ms=took, best_score=request.best_score, hint=request.hint
        )
    except Exception as error:
        _note_failure(email_id, error)
        return False
    backend_trouble.over()
    return True


def _request(email: Email) -> Request:
    topic = email.subtype.name if email.subtype else ""
    earlier = _earlier(email)
    said = [text for speaker, text in reversed(earlier) if speaker == CUSTOMER]
    written = _short(email_text(email.subject, email.body))
    asked = f"{topic}: {written}" if topic else written
    hits = find(Query([asked, *map(_short, said)], email.department_id), k=PASSAGES, internal=False)
    return Request(
        subject=email.subject,
        body=email.body,
        type=email.type,
        topic=topic,
        customer_name=email.customer.name.split(",")[0].strip(),
        signature=email.mailbox.signed,
        question=written,
        hits=[h for h in hits if h.score >= PASSAGE_BAR],
        best_score=max((h.score for h in hits), default=None),
        earlier=earlier,
        hint=email.draft_job.hint,
    )


def _short(text: str) -> str:
    """What is searched for: a long email in its most telling sentences."""
    return text if len(text) <= LONG else drafter.get().summarise(text, LONG)


def _earlier(email: Email) -> list[tuple[str, str]]:
    """The thread's turns before the email, oldest first, as (speaker, text)."""
    same = {"department": email.department_id}  # what was said in another department stays there
    came = email.thread.emails.filter(received_at__lte=email.received_at, **same).exclude(pk=email.pk)
    turns = [(e.received_at, CUSTOMER, email_text("", e.body)) for e in came.order_by("-received_at")[:TURNS]]
    replies = OutgoingMessage.objects.filter(kind=OutgoingMessage.Kind.REPLY, email__thread=email.thread_id)
    replies = replies.filter(email__department=email.department_id)
    left = replies.filter(status=OutgoingMessage.Status.SENT)
    turns += [(m.sent_at or m.changed_at, AGENT, m.body) for m in left.order_by("-pk")[:TURNS]]
    turns = sorted(t for t in turns if t[0] <= email.received_at)[-TURNS:]
    return [(speaker, text) for _, speaker, text in turns]


def _tell(email: Email) -> Callable[[str], None]:
    """Keeps what is written so far on the job, for the page to show."""

    def tell(text: str) -> None:
        DraftJob.objects.filter(email=email).update(partial=text, work_until=timezone.now() + WORK)

    return tell


def store_draft(
    *, email: Email, reply: Reply, asked: datetime, latency_ms: float, best_score: float | None = None, hint: str = ""
) -> Draft | None:
    """Put a new draft in the place of the live one, and close the job.

    None, and the live one stays, when it was approved or edited after the new one was asked for. `asked` is when the job
    was queued that this answers. Copies and files move over to the new draft.
    """
    with transaction.atomic():
        jobs = DraftJob.objects.filter(email=email, queued_at=asked)
        kept = Q(status=Draft.Status.APPROVED) | Q(status__in=LIVE, edited_by__isnull=False, saved_at__gt=asked)
        if not jobs.update(done_at=timezone.now(), work_until=None, error="", partial=""):
            return None  # asked for anew meanwhile: the next one is written to that
        if email.drafts.filter(kept).exists():
            return None
        before = email.drafts.filter(status__in=LIVE).first()
        email.drafts.filter(status__in=LIVE).update(status=Draft.Status.REPLACED)
        draft = Draft.objects.create(
            email=email,
            status=Draft.Status.READY if reply.sources else Draft.Status.NO_SOURCE,
            body=reply.body,
            generated_body=reply.body,
            backend=drafter.get().name,
            model=reply.model,
            prompt_version=reply.prompt_version,
            tokens_in=reply.tokens_in,
            tokens_out=reply.tokens_out,
            latency_ms=latency_ms,
            best_score=best_score,
            hint=hint,
            grounding=_checked(email, reply),
            cc=before.cc if before else "",
            bcc=before.bcc if before else "",
            closes=before.closes if before else False,
        )
        DraftAttachment.objects.filter(draft=before).update(draft=draft)
        DraftSource.objects.bulk_create(
            DraftSource(
                draft=draft,
                number=s.number,
                passage_id=s.hit.passage_id,
                title=s.hit.title,
                doc_type=s.hit.doc_type,
                quote=s.quote,
                score=s.hit.score,
            )
            for s in reply.sources
        )
    return draft


def _checked(email: Email, reply: Reply) -> list[dict]:
    """What each sentence of the reply rests on."""
    embedder = serving_embedder()
    if not reply.body or embedder is None:
        return []
    passages = [Passage(s.number, f"{s.hit.heading}\n\n{s.hit.text}") for s in reply.sources]
    evidence = Evidence(passages, email_text(email.subject, email.body), embedder.encode)
    return [sentence.as_json() for sentence in check_draft(reply.body, evidence, reply.own)]


def _note_failure(email_id: int, error: Exception) -> None:
    """Keep the error on the job. A permanent one is not tried again until somebody asks; a back end that is away is
    waited for, however long it takes."""
    job = DraftJob.objects.get(email_id=email_id)
    if isinstance(error, BackendError):
        backend_trouble.report(f"The drafter fails: {error.message}")
        job.attempts = MAX_ATTEMPTS if error.permanent else min(job.attempts + 1, MAX_ATTEMPTS - 1)
        job.error = error.message
    else:
        message = f"the draft for email {email_id} failed: {type(error).__name__}: {error}"
        email_trouble.report(message, key=email_id, exc_info=True)
        job.attempts += 1
        job.error = f"{type(error).__name__}: {error}"
    job.work_until = timezone.now() + timedelta(seconds=10 * 2**job.attempts)
    job.save()


def sweep_undrafted() -> int:
    """Queue again the drafts that no task is working on; returns how many."""
    now = timezone.now()
    forgotten = DraftJob.objects.filter(
        _unheld(now), Q(swept_at__isnull=True) | Q(swept_at__lt=now - PATIENCE), done_at__isnull=True,
        attempts__lt=MAX_ATTEMPTS, queued_at__lt=now - PATIENCE,
    )  # fmt: skip
    _note_wanted()
    ids = list(forgotten.order_by("id").values_list("email_id", flat=True)[:500])
    DraftJob.objects.filter(email_id__in=ids).update(swept_at=now)
    for pk in ids:
        enqueue("workflow.write_drafts", [pk])
    return len(ids)


def _note_wanted() -> None:
    """Ask for the drafts that are wanted and were never asked for, such as after a lost task."""
    wanted = Email.objects.filter(
        draft_job__isnull=True, prediction__isnull=False, automatic="", unreadable="", thread__status=Thread.Status.OPEN
    ).exclude(type__in=["", "spam"])
    for email in wanted.select_related("thread")[:200]:
        if request_draft(email=email):
            enqueue("workflow.write_drafts", [email.pk])


def _unheld(now) -> Q:
    return Q(work_until__isnull=True) | Q(work_until__lt=now)
