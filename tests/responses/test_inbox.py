"""The inbox: filters, search, paging, and nobody's words overwritten."""

import pytest
from django.urls import reverse

from classifier.models import Email, Thread
from responses.inbox.forms import FilterForm
from responses.inbox.queries import PAGE, page_of
from responses.inbox.services import save_draft, start_reply
from responses.models import Draft
from responses.sending.services import approve
from reviewdesk.errors import Conflict
from tests.factories import make_classified, make_draft, make_email, make_item

pytestmark = pytest.mark.django_db


def subjects(**filters) -> set[str]:
    return {t.subject for t in page_of(FilterForm(filters)).threads}


def test_filters():
    make_classified(subject="outage", subtype="outage_complaint")
    make_classified(subject="access", subtype="access_query", department="retail", confidence=0.4)
    make_draft(make_classified(subject="with draft"))
    make_classified(subject="gone")
    Thread.objects.filter(subject="gone").update(status="closed")
    assert subjects() == {"outage", "access", "with draft"}
    assert subjects(department="retail") == subjects(type="query") == subjects(confidence="low") == {"access"}
    assert subjects(status="ready") == {"with draft"}
    assert subjects(status="closed") == {"gone"}
    assert subjects(subtype="outage_complaint", confidence="high") == {"outage", "with draft"}
    assert subjects(department="nowhere", type="nonsense") == subjects()


def test_a_reply_that_was_not_sent_is_seen_in_the_list(agent):
    draft = make_draft(make_classified(subject="lost"))
    make_classified(subject="fine")
    message = approve(draft=draft, version=1, user=agent)
    assert subjects(status="unsent") == set()
    type(message).objects.update(status="unknown")
    assert subjects(status="unsent") == {"lost"}
    assert [t.subject for t in page_of(FilterForm({})).threads if t.unsent] == ["lost"]


def test_search_by_words_prefixes_and_sender():
    make_email(subject="Grüße from Łódź", body="the router reboots", sender_address="zoe@acme.example")
    make_email(subject="other", body="nothing")
    assert subjects(q="grusse") == set() and subjects(q="Grüße") == subjects(q="rout reb") == subjects(q="acme") == {
        "Grüße from Łódź"
    }
    assert subjects(q='"; DROP -- * NEAR(') == set()


def test_paging_shows_every_thread_once(django_assert_max_num_queries):
    for _ in range(PAGE * 2 + 5):
        make_email()
    seen, after = [], ""
    while True:
        with django_assert_max_num_queries(3):
            page = page_of(FilterForm({}), after=after)
        seen += [t.pk for t in page.threads]
        after = page.after
        if not after:
            break
    assert len(seen) == len(set(seen)) == PAGE * 2 + 5


def test_the_pages_queries_do_not_grow(client, agent, django_assert_max_num_queries):
    client.force_login(agent)
    for _ in range(30):
        make_draft(make_classified())
    with django_assert_max_num_queries(12):
        assert client.get(reverse("inbox")).status_code == 200
    with django_assert_max_num_queries(31):
        assert client.get(reverse("inbox-thread", args=[Thread.objects.first().pk])).status_code == 200


def test_a_late_save_is_refused_and_both_texts_survive(agent):
    draft = make_draft()
    assert save_draft(draft=draft, version=1, body="mine", user=agent).version == 2
    assert save_draft(draft=draft, version=1, body="mine", user=agent).version == 2, "the same words twice"
    with pytest.raises(Conflict, match="has changed this draft"):
        save_draft(draft=draft, version=1, body="late", user=agent)
    assert Draft.objects.get().body == "mine"


def test_a_reply_without_a_draft(agent):
    email = make_classified(subtype="ad_spam")
    assert start_reply(email=email, user=agent) == start_reply(email=email, user=agent)


def test_bulk_close_and_reopen(client, agent):
    client.force_login(agent)
    threads = [make_email().thread_id for _ in range(3)]
    client.post(reverse("inbox-bulk"), {"threads": threads[:2], "status": "closed"})
    assert Thread.objects.filter(status="closed").count() == 2
    client.post(reverse("inbox-bulk"), {"threads": threads, "status": "open"})
    assert Thread.objects.filter(status="closed").count() == 0


def test_correcting_in_the_page_closes_the_review(client, agent):
    client.force_login(agent)
    item = make_item()
    client.post(reverse("label-correct", args=[item.email_id]), {"subtype": "access_query"})
    assert Email.objects.get().type == "query"
    item.refresh_from_db()
    assert item.status == "done"


def test_html_mail_is_shown_under_its_own_policy(client, agent):
    client.force_login(agent)
    email = make_email(html="<p>hi<script>x()</script></p>")
    response = client.get(reverse("email-html", args=[email.pk]))
    assert response["Content-Security-Policy"].startswith("default-src 'none'")
    assert b"<script" not in response.content and b"<p>hi" in response.content
