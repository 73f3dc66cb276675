"""An email passed on to somebody else: with its files, once, and without answering the customer."""

from datetime import timedelta

import pytest
from django.core import mail
from django.core.files.base import ContentFile
from django.urls import reverse
from django.utils import timezone

from classifier.models import Attachment, Thread
from responses.inbox.queries import forwards, reply_state
from responses.models import OutgoingMessage
from responses.sending.forwarding import forward
from responses.sending.services import approve, send_due, settle_unknown, take_back
from reviewdesk.audit.models import AuditEvent
from reviewdesk.errors import DeskError
from tests.factories import make_classified, make_draft


@pytest.fixture
def email(db):
    email = make_classified(
        message_id="<q@x>", subject="Printer", sender_address="ann@example.com", body="It smokes.\nPlease help."
    )
    Attachment.objects.create(
        email=email, filename="smoke.txt", content_type="text/plain", size=4, file=ContentFile(b"grey", "smoke.txt")
    )
    return email


def due():
    OutgoingMessage.objects.update(send_after=timezone.now() - timedelta(seconds=1))


def test_it_leaves_with_note_headers_and_files_and_answers_nobody(email, agent):
    make_draft(email)
    forward(email=email, to="Bob <bob@vendor.example>, carl@vendor.example", note="Yours, I think.", user=agent)
    due()
    assert send_due() == 1 and send_due() == 0
    (sent,) = mail.outbox
    assert (sent.to, sent.cc, sent.subject) == (["bob@vendor.example"], ["carl@vendor.example"], "Fwd: Printer")
    assert sent.body.startswith("Yours, I think.\n\n---------- Forwarded message")
    assert "From: Ann Example <ann@example.com>" in sent.body and sent.body.endswith("It smokes.\nPlease help.")
    assert [a[0] for a in sent.attachments] == ["smoke.txt"]
    assert "In-Reply-To" not in sent.message()
    assert Thread.objects.get().status == "open"
    state = reply_state(email)
    assert state.outgoing is None and state.draft is not None, "the reply is still to be written"
    assert AuditEvent.objects.filter(action="forward").count() == 1


def test_the_reply_leaves_beside_it(email, agent):
    draft = make_draft(email)
    forward(email=email, to="bob@vendor.example", user=agent)
    approve(draft=draft, version=1, user=agent)
    due()
    assert send_due() == 2
    assert reply_state(email).outgoing.kind == "reply"


def test_without_its_files(email, agent):
    forward(email=email, to="bob@vendor.example", user=agent, with_files=False)
    due()
    send_due()
    assert mail.outbox[0].attachments == []


def test_taken_back_in_time(email, agent):
    take_back(message=forward(email=email, to="bob@vendor.example", user=agent), user=agent)
    due()
    assert send_due() == 0 and forwards(email.thread, agent) == []


def test_one_that_failed_is_shown_until_somebody_settles_it(email, agent, monkeypatch):
    message = forward(email=email, to="bob@vendor.example", user=agent)
    monkeypatch.setattr("responses.sending.services._deliver", lambda message: 1 / 0)
    due()
    assert send_due() == 0
    (lost,) = forwards(email.thread, agent)
    assert lost.status == "unknown"
    settle_unknown(message=message, sent=False, user=agent)
    assert forwards(email.thread, agent) == []


@pytest.mark.parametrize(
    "to, said",
    [("", "to whom"), ("nobody", "is no address"), ("it@reviewdesk.example", "is a mailbox of this desk")],
)
def test_addresses_that_will_not_do(email, agent, to, said):
    email.mailbox.address = "it@reviewdesk.example"
    email.mailbox.save()
    with pytest.raises(DeskError, match=said):
        forward(email=email, to=to, user=agent)
    assert not OutgoingMessage.objects.exists()


def test_a_huge_file_is_said(email, agent):
    email.attachments.update(size=30 * 2**20)
    with pytest.raises(DeskError, match="without them"):
        forward(email=email, to="bob@vendor.example", user=agent)


def test_the_page_forwards_shows_the_countdown_and_takes_back(client, email, agent):
    client.force_login(agent)
    answer = client.post(
        reverse("email-forward", args=[email.pk]), {"to": "bob@vendor.example", "note": "", "with_files": "on"}
    )
    assert answer.status_code == 302
    page = client.get(reverse("inbox-thread", args=[email.thread_id])).content.decode()
    assert "Forwarded to bob@vendor.example; leaves in" in page
    message = OutgoingMessage.objects.get()
    fragment = client.get(reverse("thread-forwards", args=[email.thread_id]), headers={"HX-Request": "true"})
    assert "every 1s" in fragment.content.decode()
    client.post(reverse("outgoing-undo", args=[message.pk]))
    message.refresh_from_db()
    assert message.status == "cancelled"


def test_once_sent_it_stands_in_the_thread(client, email, agent):
    forward(email=email, to="bob@vendor.example", user=agent)
    due()
    send_due()
    client.force_login(agent)
    page = client.get(reverse("inbox-thread", args=[email.thread_id])).content.decode()
    assert "forwarded to bob@vendor.example" in page and "With smoke.txt" in page
    fragment = client.get(reverse("thread-forwards", args=[email.thread_id]), headers={"HX-Request": "true"})
    assert "Forwarded to bob@vendor.example" in fragment.content.decode()
