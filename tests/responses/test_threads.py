"""A thread assigned, put off, tagged, noted; copies; an answer that came too late; a colleague who is there too."""

from datetime import timedelta

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from classifier.models import Mailbox, Thread
from responses.drafting.services import request_draft, request_redraft, write_drafts
from responses.inbox import threads
from responses.inbox.attachments import attach
from responses.inbox.forms import FilterForm
from responses.inbox.joining import merge, split
from responses.inbox.queries import page_of
from responses.inbox.services import save_draft
from responses.knowledge.services import store_document
from responses.models import DraftJob, OutgoingMessage, Presence
from responses.sending.services import addresses, approve, send_due
from reviewdesk.audit.models import AuditEvent
from reviewdesk.errors import Conflict, DeskError
from tests.factories import make_classified, make_department, make_draft, make_email, make_user


@pytest.fixture
def desk(client, agent):
    client.force_login(agent)
    return client


@pytest.fixture
def thread(db) -> Thread:
    return make_classified(subject="Printer", sender_address="ann@example.com", message_id="<1@x>").thread


def shown(user=None, **filters) -> set[str]:
    seen = page_of(FilterForm(filters), user=user or make_user(role="agent"))
    return {t.subject for t in seen.threads}


def post(desk, name: str, thread, **fields) -> str:
    return desk.post(reverse(name, args=[thread.pk]), fields, headers={"HX-Request": "true"}).content.decode()


def test_assigned_it_is_mine_and_not_nobodys(desk, agent, thread):
    make_classified(subject="Other")
    post(desk, "thread-assign", thread, to=agent.username)
    assert shown(agent, assignee="me") == {"Printer"} and shown(agent, assignee="nobody") == {"Other"}
    post(desk, "thread-assign", thread, to="")
    assert shown(agent, assignee="me") == set()
    assert AuditEvent.objects.filter(action="assign").count() == 2
    with pytest.raises(DeskError, match="is no agent of IT; allowed"):
        threads.assign(thread=thread, to=make_user(role="reviewer"), by=agent)


def test_put_off_it_is_out_of_sight_until_its_time_or_until_mail_comes(desk, agent, thread):
    assert "snoozed until" in post(desk, "thread-snooze", thread, how_long="tomorrow")
    assert shown() == set() and shown(status="snoozed") == {"Printer"}
    Thread.objects.update(snoozed_until=timezone.now() - timedelta(seconds=1))
    assert shown() == {"Printer"}
    threads.snooze(thread=thread, how_long="week", by=agent)
    make_email(sender_address="ann@example.com", in_reply_to="<1@x>", subject="Re: Printer")
    assert shown() == {"Printer"}, "the customer wrote"
    threads.snooze(thread=thread, how_long="hour", by=agent)
    post(desk, "thread-snooze", thread, how_long="")
    assert shown() == {"Printer"}
    with pytest.raises(DeskError, match="allowed: hour, tomorrow, week"):
        threads.snooze(thread=thread, how_long="forever", by=agent)


def test_tags_are_found_whole(desk, agent, thread):
    assert 'value="vip, größe"' in post(desk, "thread-tags", thread, tags=" VIP, vip ,Größe,, ")
    assert shown(tag="vip") == shown(tag="größe") == {"Printer"} and shown(tag="vi") == set()
    with pytest.raises(DeskError, match="allowed: 10 of 30"):
        threads.set_tags(thread=thread, tags=["x" * 31], by=agent)


def test_notes_stand_in_the_thread_and_do_not_leave(desk, agent, thread):
    page = post(desk, "thread-note", thread, text="Careful: a lawyer.")
    assert "Careful: a lawyer." in page and "for colleagues only" in page
    approve(draft=make_draft(thread.latest_email), version=1, user=agent)
    OutgoingMessage.objects.update(send_after=timezone.now())
    send_due()
    assert "lawyer" not in str(mail.outbox[0].message())


def test_the_customers_earlier_threads_are_beside(desk, thread):
    make_classified(subject="Scanner", sender_address="ann@example.com")
    page = desk.get(reverse("inbox-thread", args=[thread.pk])).content.decode()
    assert "Earlier from" in page and "Scanner" in page


def test_a_colleague_who_has_it_open_is_named(desk, agent, thread):
    other = make_user(role="agent", username="olga")
    threads.note_presence(thread=thread, user=other)
    assert "olga is here too" in post(desk, "thread-presence", thread)
    Presence.objects.filter(user=other).update(seen_at=timezone.now() - timedelta(minutes=2))
    assert "olga" not in post(desk, "thread-presence", thread)


def test_copies_are_saved_checked_and_sent(desk, agent, thread):
    draft = make_draft(thread.latest_email)
    saved = save_draft(draft=draft, version=1, body="Hi", cc="Bob <bob@x.example>; eve@x.example", bcc="boss@x.example", user=agent)  # fmt: skip
    half = save_draft(draft=saved, version=2, body="Hi", cc="bob@", user=agent)
    with pytest.raises(DeskError, match="is no address"):
        approve(draft=half, version=3, user=agent)
    saved = save_draft(draft=half, version=3, body="Hi", cc="Bob <bob@x.example>; eve@x.example", user=agent)
    approve(draft=saved, version=4, user=agent)
    OutgoingMessage.objects.update(send_after=timezone.now())
    send_due()
    (sent,) = mail.outbox
    assert sent.cc == ["bob@x.example", "eve@x.example"] and sent.bcc == ["boss@x.example"]
    assert "boss" not in str(sent.message())
    assert addresses("") == []


def test_files_leave_with_a_reply(desk, agent, thread):
    draft = make_draft(thread.latest_email)
    files = [SimpleUploadedFile("../../größe.pdf", b"%PDF", "text/html"), SimpleUploadedFile("a.txt", b"words")]
    panel = post(desk, "draft-attach", draft, uploads=files)
    assert "größe.pdf" in panel and "a.txt" in panel
    post(desk, "draft-detach", draft.attachments.get(filename="a.txt"))
    with pytest.raises(Conflict, match="has changed this draft"):
        approve(draft=draft, version=1, user=agent)
    draft.refresh_from_db()
    approve(draft=draft, version=draft.version, user=agent)
    with pytest.raises(Conflict, match="approved by now"):
        attach(draft=draft, files=files, user=agent)
    OutgoingMessage.objects.update(send_after=timezone.now())
    send_due()
    ((name, content, kind),) = mail.outbox[0].attachments
    assert (name, content, kind) == ("größe.pdf", b"%PDF", "application/pdf"), "its name tells its type"


def test_too_much_is_not_attached(desk, agent, thread, monkeypatch):
    monkeypatch.setattr("responses.inbox.attachments.MAX_BYTES", 3)
    draft = make_draft(thread.latest_email)
    with pytest.raises(DeskError, match="1 files make 5 bytes; allowed: 3 bytes in 20 files"):
        attach(draft=draft, files=[SimpleUploadedFile("a.txt", b"words")], user=agent)
    assert not draft.attachments.exists()


def test_reply_to_all_takes_the_others(desk, agent, db):
    email = make_classified(to="Desk <it@desk.example>, Carl <carl@x.example>", sender_address="ann@example.com")
    Mailbox.objects.update(address="it@desk.example")
    make_draft(email)
    page = desk.get(reverse("inbox-thread", args=[email.thread_id])).content.decode()
    assert 'data-everybody="carl@x.example"' in page


def test_an_answer_to_what_is_no_longer_the_last_word_is_stale(agent, thread):
    draft = make_draft(thread.latest_email)
    later = timezone.now() + timedelta(minutes=1)
    make_email(sender_address="ann@example.com", in_reply_to="<1@x>", subject="Re: Printer", received_at=later)
    with pytest.raises(Conflict, match="has written again") as error:
        approve(draft=draft, version=1, user=agent)
    assert error.value.code == "stale"


def test_what_was_written_for_an_earlier_email_can_be_used_for_the_newer(desk, agent, thread):
    written = save_draft(draft=make_draft(thread.latest_email), version=1, body="My own words.", user=agent)
    later = timezone.now() + timedelta(minutes=1)
    newer = make_email(sender_address="ann@example.com", in_reply_to="<1@x>", subject="Re: Printer", received_at=later)
    live = make_draft(newer)
    page = desk.get(reverse("inbox-thread", args=[thread.pk])).content.decode()
    assert "1 unsent text for an earlier email" in page and "My own words." in page
    desk.post(reverse("draft-take", args=[live.pk, written.pk]), {"version": 1})
    live.refresh_from_db()
    assert live.body == "My own words."


def test_a_lost_reply_to_an_earlier_email_can_be_settled(desk, agent, thread):
    message = approve(draft=make_draft(thread.latest_email), version=1, user=agent)
    OutgoingMessage.objects.update(status="unknown", error="cut off")
    later = timezone.now() + timedelta(minutes=1)
    make_email(sender_address="ann@example.com", in_reply_to="<1@x>", subject="Re: Printer", received_at=later)
    page = desk.get(reverse("inbox-thread", args=[thread.pk])).content.decode()
    assert "may not have left" in page and reverse("outgoing-settle", args=[message.pk]) in page


def test_a_redraft_keeps_copies_and_files(agent, thread):
    store_document(
        department=make_department("it"), title="Help", text="The printer on the second floor is repaired on Mondays."
    )
    request_draft(email=thread.latest_email)
    write_drafts(ids=[thread.latest_email_id])
    first = thread.latest_email.drafts.get()
    save_draft(draft=first, version=1, body=first.body, cc="bob@x.example", user=agent)
    attach(draft=first, files=[SimpleUploadedFile("a.txt", b"words")], user=agent)
    request_redraft(email=thread.latest_email)
    write_drafts(ids=[thread.latest_email_id])
    second = thread.latest_email.drafts.latest("pk")
    assert second != first and second.cc == "bob@x.example" and second.attachments.get().filename == "a.txt"


def test_a_worker_whose_request_was_overtaken_stores_nothing(agent, thread, monkeypatch):
    store_document(
        department=make_department("it"), title="Help", text="The printer on the second floor is repaired on Mondays."
    )
    request_draft(email=thread.latest_email)
    from responses.drafting.extractive import ExtractiveDrafter

    draft = ExtractiveDrafter.draft

    def slow(self, request, say):
        request_redraft(email=thread.latest_email, hint="shorter")
        return draft(self, request, say)

    with monkeypatch.context() as patch:
        patch.setattr(ExtractiveDrafter, "draft", slow)
        write_drafts(ids=[thread.latest_email_id])
    assert not thread.latest_email.drafts.exists() and DraftJob.objects.get().hint == "shorter"
    write_drafts(ids=[thread.latest_email_id])
    assert thread.latest_email.drafts.get().hint == "shorter"


def test_sender_and_signature_are_the_mailboxs(agent, db):
    store_document(department=make_department("it"), title="Help", text="The reset link is valid for 30 minutes.")
    email = make_classified(subject="Password", body="How long is the password reset link valid?")
    Mailbox.objects.update(sender_name="IT desk", signature="Your IT desk\nRoom 7")
    request_draft(email=email)
    write_drafts(ids=[email.pk])
    draft = email.drafts.get()
    assert draft.body.endswith("Kind regards,\nYour IT desk\nRoom 7")
    approve(draft=draft, version=1, user=agent)
    assert OutgoingMessage.objects.get().from_address.startswith("IT desk <")


def test_threads_of_one_customer_are_merged_and_split(desk, agent, thread):
    second = make_classified(subject="Printer again", sender_address="ann@example.com", message_id="<2@x>")
    threads.add_note(thread=second.thread, text="same thing", by=agent)
    answer = desk.post(reverse("thread-merge", args=[second.thread_id]), {"into": thread.pk})
    assert answer.url == reverse("inbox-thread", args=[thread.pk])
    thread.refresh_from_db()
    assert thread.emails.count() == 2 and thread.latest_email_id == second.pk and thread.notes.count() == 1
    assert Thread.objects.count() == 1
    later = make_email(sender_address="ann@example.com", in_reply_to="<2@x>")
    assert later.thread == thread, "what answers the merged one joins there"
    page = desk.get(answer.url).content.decode()
    assert page.count("Give it a thread of its own") == 3
    moved = desk.post(reverse("email-split", args=[second.pk]), headers={"HX-Request": "true"})
    second.refresh_from_db()
    assert moved["HX-Redirect"] == reverse("inbox-thread", args=[second.thread_id])
    assert (
        second.thread != thread
        and make_email(sender_address="ann@example.com", in_reply_to="<2@x>").thread == second.thread
    )
    assert Thread.objects.get(pk=thread.pk).latest_email == later


def test_strangers_are_not_merged_and_the_only_email_is_not_split(agent, thread):
    stranger = make_classified(sender_address="eve@example.net")
    with pytest.raises(DeskError, match="one customer in one mailbox"):
        merge(thread=stranger.thread, into=thread, by=agent)
    with pytest.raises(DeskError, match="with itself"):
        merge(thread=thread, into=thread, by=agent)
    with pytest.raises(DeskError, match="only email"):
        split(email=stranger, by=agent)
