"""A reply leaves at most once, threaded, after the undo window."""

from datetime import timedelta
from smtplib import SMTPRecipientsRefused
from unittest.mock import patch

import pytest
from django.core import mail
from django.utils import timezone

from abtests.models import Experiment, Outcome, Phase
from abtests.services import Metric, record_outcomes
from classifier.models import Thread
from responses.inbox.services import save_draft, start_reply
from responses.models import Draft, OutgoingMessage
from responses.sending.services import approve, send_due, settle_unknown, take_back
from reviewdesk.errors import Conflict, DeskError
from tests.factories import make_classified, make_draft, make_email


@pytest.fixture
def draft(db):
    draft = make_draft(
        make_classified(message_id="<q@x>", references=("<p@x>",), subject="Printer", sender_address="ann@example.com")
    )
    draft.sources.create(number=1, title="T", doc_type="faq", quote="It is fixed.", score=0.9)
    return draft


def due():
    OutgoingMessage.objects.update(send_after=timezone.now() - timedelta(seconds=1))


def test_a_reply_leaves_once_threaded_and_without_source_numbers(draft, agent):
    approve(draft=draft, version=1, user=agent)
    assert send_due() == 0, "the undo window is open"
    due()
    assert send_due() == 1 and send_due() == 0
    (sent,) = mail.outbox
    assert sent.to == ["ann@example.com"] and sent.subject == "Re: Printer"
    assert sent.body == "Dear Ann,\n\nIt is fixed.\n\nBye"
    headers = sent.message()
    assert headers["In-Reply-To"] == "<q@x>" and headers["References"] == "<p@x> <q@x>"
    assert Thread.objects.get().status == "answered"


def test_how_much_an_agent_changed_goes_to_the_test_whose_model_served(draft, agent):
    old, new = ({"name": "Heads", "slug": s, "control": "old", "treatment": "new"} for s in ("split", "shadow"))
    for fields, share in ((old, 0.5), (new, 0.0)):
        phase = Phase.objects.create(
            experiment=Experiment.objects.create(**fields), number=1, share=share, started_at=timezone.now()
        )
        record_outcomes(phase=phase.pk, subject=str(draft.email_id), arm="B", values={Metric.CONFIDENCE: 0.8})
    Draft.objects.filter(pk=draft.pk).update(generated_body="one two three four", body="one two three five")
    approve(draft=draft, version=1, user=agent)
    due()
    send_due()
    edited = Outcome.objects.get(metric=Metric.EDIT)
    assert (edited.phase.experiment.slug, edited.arm, edited.value) == ("split", "B", 0.25)


def test_the_customers_answer_to_our_reply_joins_the_thread(draft, agent):
    approve(draft=draft, version=1, user=agent)
    due()
    send_due()
    ours = OutgoingMessage.objects.get().message_id
    answer = make_email(in_reply_to=ours, sender_address="ann@example.com")
    assert answer.thread == draft.email.thread
    assert Thread.objects.get().status == "open"


def test_taken_back_in_time_it_does_not_leave_and_may_be_approved_again(draft, agent):
    message = approve(draft=draft, version=1, user=agent)
    take_back(message=message, user=agent)
    assert Draft.objects.get(pk=draft.pk).status == Draft.Status.READY
    due()
    assert send_due() == 0
    approve(draft=draft, version=1, user=agent)
    due()
    assert send_due() == 1
    with pytest.raises(Conflict, match="Too late"):
        take_back(message=OutgoingMessage.objects.latest("pk"), user=agent)


def test_two_agents_approve_once(draft, agent):
    approve(draft=draft, version=1, user=agent)
    with pytest.raises(Conflict) as error:
        approve(draft=draft, version=1, user=agent)
    assert error.value.code == "already_done"
    assert OutgoingMessage.objects.count() == 1


def test_a_stale_version_is_refused(draft, agent):
    with pytest.raises(Conflict, match="changed this draft"):
        approve(draft=draft, version=7, user=agent)


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"automatic": "list"}, "never answered"), ({"sender_address": ""}, "no sender address")],
)
def test_what_cannot_be_answered_is_said(agent, fields, message):
    with pytest.raises(DeskError, match=message):
        approve(draft=make_draft(make_classified(**fields)), version=1, user=agent)


def test_an_empty_reply_is_refused(agent, db):
    with pytest.raises(DeskError, match="empty"):
        approve(draft=make_draft(body="  "), version=1, user=agent)


def test_a_refused_message_is_failed_and_can_be_mended(draft, agent):
    message = approve(draft=draft, version=1, user=agent)
    due()
    with patch("django.core.mail.EmailMessage.send", side_effect=SMTPRecipientsRefused({"a": (550, b"no such user")})):
        assert send_due() == 0
    message.refresh_from_db()
    assert (message.status, "550" in message.error) == ("failed", True)
    settle_unknown(message=message, sent=False, user=agent)
    assert Draft.objects.get(pk=draft.pk).status == Draft.Status.READY


def test_killed_while_sending_it_is_unknown_and_never_sent_again(draft, agent):
    message = approve(draft=draft, version=1, user=agent)
    OutgoingMessage.objects.update(status="sending", changed_at=timezone.now() - timedelta(minutes=6))
    assert send_due() == 0
    message.refresh_from_db()
    assert message.status == "unknown"
    assert send_due() == 0 and mail.outbox == []
    settle_unknown(message=message, sent=True, user=agent)
    message.refresh_from_db()
    assert message.status == "sent"


def test_a_lost_connection_is_unknown_since_the_server_may_have_said_yes(draft, agent):
    message = approve(draft=draft, version=1, user=agent)
    due()
    with patch("django.core.mail.EmailMessage.send", side_effect=TimeoutError("timed out")):
        assert send_due() == 0
    message.refresh_from_db()
    assert message.status == "unknown"
    assert send_due() == 0


def test_newer_mail_keeps_the_thread_open(draft, agent):
    approve(draft=draft, version=1, user=agent)
    make_email(in_reply_to="<q@x>", sender_address="ann@example.com")
    due()
    send_due()
    assert Thread.objects.get().status == "open"


def test_a_second_reply_can_be_written_after_the_first(draft, agent):
    approve(draft=draft, version=1, user=agent)
    due()
    send_due()
    second = start_reply(email=draft.email, user=agent)
    assert second.pk != draft.pk
    save_draft(draft=second, version=1, body="One more thing.", user=agent)
    approve(draft=second, version=2, user=agent)
    due()
    assert send_due() == 1 and len(mail.outbox) == 2
