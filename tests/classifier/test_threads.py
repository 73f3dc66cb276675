"""Conversations: joined by ids, never across senders."""

import pytest

from classifier.models import Email, Thread
from tests.factories import make_email

pytestmark = pytest.mark.django_db
ANN = {"sender_address": "ann@example.com"}


def test_a_reply_joins_its_thread_and_reopens_it_even_when_closed():
    first = make_email(message_id="<1@x>", **ANN)
    Thread.objects.update(status="closed")
    second = make_email(message_id="<2@x>", in_reply_to="<1@x>", **ANN)
    assert second.thread == first.thread
    thread = Thread.objects.get()
    assert (thread.status, thread.latest_email) == ("open", second)


def test_references_are_enough():
    first = make_email(message_id="<1@x>", **ANN)
    assert make_email(references=("<0@x>", "<1@x>"), **ANN).thread == first.thread


def test_a_stranger_who_names_the_id_starts_a_thread_of_their_own():
    first = make_email(message_id="<1@x>", **ANN)
    assert make_email(in_reply_to="<1@x>", sender_address="eve@example.net").thread != first.thread


def test_a_follow_up_that_was_read_first_is_joined():
    later = make_email(message_id="<2@x>", in_reply_to="<1@x>", **ANN)
    earlier = make_email(message_id="<1@x>", received_at=later.received_at.replace(year=2025), **ANN)
    assert earlier.thread == later.thread
    assert Thread.objects.get().latest_email == later


def test_an_automatic_answer_does_not_reopen():
    make_email(message_id="<1@x>", **ANN)
    Thread.objects.update(status="answered")
    make_email(in_reply_to="<1@x>", automatic="auto_reply", **ANN)
    thread = Thread.objects.get()
    assert (thread.status, thread.latest_email.message_id) == ("answered", "<1@x>"), "the question stays in front"
    assert Email.objects.count() == 2
