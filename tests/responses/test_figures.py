"""Figures of drafts, worked by hand; bounces that come back to their thread; canned replies."""

from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.urls import reverse
from django.utils import timezone

from classifier.models import Thread
from responses.figures.queries import changed, groups
from responses.knowledge.services import store_document
from responses.models import OutgoingMessage
from responses.sending.bounces import note_bounces
from responses.sending.services import approve, send_due, settle_unknown
from tests.factories import make_classified, make_department, make_draft, make_email


def sent(agent, **fields) -> OutgoingMessage:
    draft = make_draft(make_classified(), **fields)
    message = approve(draft=draft, version=1, user=agent)
    OutgoingMessage.objects.update(send_after=timezone.now())
    send_due()
    message.refresh_from_db()
    return message


def test_the_figures_of_a_group(agent):
    words = "Dear Ann it is fixed now"
    for body in (words, words, "Dear Ann it is broken now"):
        message = sent(agent, body=body, generated_body=words, model="m", rating=1)
        message.email.received_at = message.sent_at - timedelta(minutes=30)
        message.email.save()
    make_draft(make_classified(), status="rejected", generated_body=words, model="m", rating=-1)
    make_draft(make_classified(), status="no_source", body="", model="m")
    make_draft(make_classified(), backend="person")
    tables = groups(agent)
    (g,) = tables["Department"]
    assert (g.name, g.drafts, g.no_source, g.decided, g.accepted, g.unchanged) == ("IT", 5, 1, 4, 3, 2)
    assert g.edited == 0 and g.minutes == pytest.approx(30) and (g.up, g.down) == (3, 1)
    assert g.acceptance == 0.75 and g.acceptance_interval[0] < 0.75 < g.acceptance_interval[1]
    assert [g.name for g in tables["Drafter"]] == ["extractive · m"] and "Prompt" not in tables


def test_words_changed():
    assert changed("a b c d", "a b c d") == 0 and changed("a b", "c d") == 1 and changed("", "") == 0
    assert changed("one two three four", "one two three five") == 0.25


def test_the_page(client, agent, db):
    client.force_login(agent)
    assert "No drafts yet" in client.get(reverse("draft-figures")).content.decode()
    sent(agent, generated_body="x")
    assert "100%" in client.get(reverse("draft-figures")).content.decode()


BOUNCE = """Reporting-MTA: dns; mail.example.com

Final-Recipient: rfc822; {to}
Action: {action}
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such
  user here

Message-ID: {id}
Subject: Re: Printer
"""


def bounced(message: OutgoingMessage, to: str = "", action: str = "failed") -> str:
    return BOUNCE.format(id=message.message_id, to=to or message.to, action=action)


@pytest.mark.parametrize("fields", [{"action": "delayed"}, {"action": "delivered"}, {"to": "copy@x.example"}])
def test_a_delay_and_a_copy_that_came_back_change_nothing(agent, fields):
    message = sent(agent)
    notice = make_email(automatic="bounce", body=bounced(message, **fields))
    assert note_bounces(ids=[notice.pk]) == 0


def test_a_bounce_beside_another_live_draft_can_be_settled(agent):
    message = sent(agent)
    other = make_draft(message.email, body="Another one.")
    note_bounces(ids=[make_email(automatic="bounce", body=bounced(message)).pk])
    message.refresh_from_db()
    settle_unknown(message=message, sent=False, user=agent)
    other.refresh_from_db()
    assert other.status == "replaced"


@pytest.mark.parametrize("raw", [True, False])
def test_a_bounce_comes_back_to_its_thread(agent, raw):
    message = sent(agent)
    assert message.status == "sent" and Thread.objects.get(pk=message.email.thread_id).status == "answered"
    bounce = make_email(automatic="bounce", sender_address="mailer-daemon@example.com", body=bounced(message))
    if raw:
        bounce.body = "see attached"
        bounce.raw.save("b.eml", ContentFile(bounced(message).encode()))
    assert note_bounces(ids=[bounce.pk]) == 1 and note_bounces(ids=[bounce.pk]) == 0
    message.refresh_from_db()
    assert message.status == "failed" and "550 5.1.1 no such user here" in message.error
    assert Thread.objects.get(pk=message.email.thread_id).status == "open"
    settle_unknown(message=message, sent=False, user=agent)
    message.draft.refresh_from_db()
    assert message.draft.status == "ready", "it can be mended and sent again"


def test_what_bounces_without_our_id_changes_nothing(agent):
    message = sent(agent)
    stranger = make_email(automatic="bounce", body=bounced(message).replace(message.message_id, "<other@x>"))
    person = make_email(body=bounced(message))
    assert note_bounces(ids=[stranger.pk, person.pk]) == 0


def test_canned_replies_are_offered_and_found(client, agent):
    client.force_login(agent)
    store_document(
        department=make_department("it"), title="Closed on Sundays", text="We are closed on Sundays.", doc_type="canned"
    )
    draft = make_draft(make_classified())
    page = client.get(reverse("inbox-thread", args=[draft.email.thread_id])).content.decode()
    assert 'data-insert="We are closed on Sundays."' in page
