"""Drafts quote the knowledge base and nothing else."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from classifier.models import Thread
from responses.drafting.services import request_draft, request_redraft, sweep_undrafted, write_drafts
from responses.knowledge.services import store_document
from responses.models import Draft, DraftJob
from responses.retrieval.fusion import reciprocal_rank_fusion
from reviewdesk.errors import DeskError
from tests.factories import make_classified, make_department

ARTICLE = """## Resetting a password

A forgotten password is reset on the sign-in page with the link "Forgot password". The link in the email is valid for 30 minutes.

## Outages

During an outage the status page shows the expected time of repair. Service credits are paid for outages longer than four hours.
"""


@pytest.fixture
def article(db):
    return store_document(
        department=make_department("it"), slug="a", title="Passwords and outages", doc_type="faq", text=ARTICLE
    )


def drafted(**fields) -> Draft:
    email = make_classified(**fields)
    assert request_draft(email=email)
    assert write_drafts(ids=[email.pk]) == 1
    return email.drafts.get(status__in=["ready", "no_source"])


def test_every_sentence_of_a_draft_stands_in_its_source(article):
    draft = drafted(subject="Password", body="I forgot my password. How long is the reset link valid?")
    assert draft.status == Draft.Status.READY
    cited = re.findall(r"^(.+) \[(\d+)\]$", draft.body, flags=re.MULTILINE)
    assert cited
    for sentence, number in cited:
        source = draft.sources.get(number=int(number))
        assert sentence in " ".join(source.passage.text.split())
    assert "valid for 30 minutes" in draft.body
    assert draft.body.startswith("Dear Ann Example,") and draft.body.endswith("IT support")


def test_what_no_article_answers_gets_no_words(article):
    draft = drafted(subject="Wedding", body="Do you cater for a wedding of 80 people with vegan cake?")
    assert (draft.status, draft.body) == (Draft.Status.NO_SOURCE, "")


@pytest.mark.parametrize("fields", [{"subtype": "ad_spam"}, {"automatic": "list"}, {"body": "?!", "subject": ""}])
def test_spam_automatic_and_unreadable_mail_gets_none(article, fields):
    email = make_classified(**fields)
    assert not request_draft(email=email)
    with pytest.raises(DeskError, match="No draft is written"):
        request_redraft(email=email)


def test_a_closed_thread_gets_none(article):
    email = make_classified()
    email.thread.status = Thread.Status.CLOSED
    assert not request_draft(email=email)


def test_asked_twice_it_is_written_once(article):
    draft = drafted()
    assert not request_draft(email=draft.email)
    assert write_drafts(ids=[draft.email_id]) == 0


def test_a_redraft_replaces_the_live_one(article):
    first = drafted()
    request_redraft(email=first.email)
    write_drafts(ids=[first.email_id])
    first.refresh_from_db()
    assert first.status == Draft.Status.REPLACED
    assert Draft.objects.filter(status__in=["ready", "no_source"]).count() == 1


def test_moved_to_another_department_it_is_drafted_anew_unless_edited(article, agent):
    draft = drafted()
    email = draft.email
    email.department = make_department("retail")
    email.save()
    Draft.objects.update(edited_by=agent)
    assert not request_draft(email=email)
    Draft.objects.update(edited_by=None)
    assert request_draft(email=email)


def test_a_failing_drafter_is_noted_and_tried_again(article, monkeypatch):
    email = make_classified()
    request_draft(email=email)
    with monkeypatch.context() as patch:
        patch.setattr("responses.drafting.extractive.ExtractiveDrafter.draft", lambda *a: 1 / 0)
        assert write_drafts(ids=[email.pk]) == 0
    job = DraftJob.objects.get()
    assert (job.attempts, "ZeroDivisionError" in job.error) == (1, True)
    DraftJob.objects.update(work_until=None, queued_at=timezone.now() - timedelta(minutes=2))
    assert sweep_undrafted() == 1
    assert write_drafts(ids=[email.pk]) == 1


def test_reciprocal_rank_fusion():
    assert reciprocal_rank_fusion([["a", "b", "c"], ["c", "b"]]) == ["c", "b", "a"]
    assert reciprocal_rank_fusion([[], []]) == []


def test_a_draft_that_comes_after_approval_or_an_edit_is_dropped(article, agent):
    first = drafted()
    request_redraft(email=first.email)
    Draft.objects.update(edited_by=agent, saved_at=timezone.now() + timedelta(seconds=1))
    write_drafts(ids=[first.email_id])
    assert Draft.objects.get() == first
    request_redraft(email=first.email)
    Draft.objects.update(status=Draft.Status.APPROVED)
    write_drafts(ids=[first.email_id])
    assert Draft.objects.get() == first
    assert DraftJob.objects.get().done_at


def test_internal_knowledge_is_never_quoted(article):
    from responses.models import Document

    Document.objects.update(internal=True)
    draft = drafted(subject="Password", body="I forgot my password. How long is the reset link valid?")
    assert (draft.status, draft.body) == (Draft.Status.NO_SOURCE, "")


def test_what_the_customer_said_before_is_part_of_the_question(article):
    first = make_classified(subject="Password", body="I forgot my password for the sign-in page.", message_id="<a@x>")
    draft = drafted(subject="Re: Password", body="How long is it valid, please?", in_reply_to="<a@x>",
                    sender_address=first.customer.address)  # fmt: skip
    assert draft.email.thread == first.thread
    assert "valid for 30 minutes" in draft.body


def test_a_long_email_is_searched_for_by_its_telling_sentences(article):
    chat = "By the way, the weather here is lovely and my garden is full of roses and bees this week. " * 20
    draft = drafted(
        subject="Hello", body=f"{chat} I forgot my password. How long is the password reset link valid? {chat}"
    )
    assert "valid for 30 minutes" in draft.body


def test_a_draft_that_was_never_asked_for_is_found(article):
    make_classified()
    assert not DraftJob.objects.exists()
    sweep_undrafted()
    assert DraftJob.objects.count() == 1
