"""The inbox: filters, search, paging, and nobody's words overwritten."""

import pytest
from django.urls import reverse

from classifier.models import Email, Thread
from responses.drafting.base import Reply
from responses.drafting.services import request_redraft, store_draft
from responses.inbox.forms import FilterForm
from responses.inbox.queries import PAGE, page_of
from responses.inbox.services import save_draft, start_reply
from responses.inbox.threads import add_note
from responses.models import Draft
from responses.sending.services import approve, take_back
from reviewdesk.errors import Conflict
from tests.factories import make_classified, make_draft, make_email, make_item, make_user

pytestmark = pytest.mark.django_db


def rows(**filters) -> list[Thread]:
    return list(page_of(FilterForm(filters), user=make_user(role="agent")).threads)


def subjects(**filters) -> set[str]:
    return {t.subject for t in rows(**filters)}


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
    assert [t.subject for t in rows() if t.unsent] == ["lost"]


def test_search_by_words_prefixes_and_sender():
    make_email(subject="Grüße from Łódź", body="the router reboots", sender_address="zoe@acme.example")
    make_email(subject="other", body="nothing")
    assert subjects(q="grusse") == set() and subjects(q="Grüße") == subjects(q="rout reb") == subjects(q="acme") == {
        "Grüße from Łódź"
    }
    assert subjects(q='"; DROP -- * NEAR(') == set()


def test_search_finds_every_email_reply_and_note_of_a_thread(agent):
    first = make_classified(
        subject="Printer", body="It shows error paperjam", sender_address="a@x.example", message_id="<1@x>"
    )
    again = make_classified(
        subject="Re: Printer", body="Still broken", sender_address="a@x.example", in_reply_to="<1@x>"
    )
    assert again.thread_id == first.thread_id
    make_email(subject="other")
    add_note(thread=first.thread, text="Ask the Zürich office", by=agent)
    message = approve(draft=make_draft(again, body="Try the rear tray"), version=1, user=agent)
    assert subjects(q="paperjam") == subjects(q="still brok") == subjects(q="zürich") == {"Printer"}
    assert subjects(q="rear tray", status="all") == {"Printer"}
    take_back(message=message, user=agent)
    assert subjects(q="rear tray", status="all") == set(), "it was taken back: nobody wrote that to the customer"
    assert subjects(q="paperjam zürich") == set(), "all words stand in one email, reply or note"


def test_paging_shows_every_thread_once(agent, django_assert_max_num_queries):
    for _ in range(PAGE * 2 + 5):
        make_email()
    seen, after = [], ""
    while True:
        with django_assert_max_num_queries(3):
            page = page_of(FilterForm({}), user=agent, after=after)
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
    with django_assert_max_num_queries(33):
        assert client.get(reverse("inbox-thread", args=[Thread.objects.first().pk])).status_code == 200


def test_a_late_save_is_refused_and_both_texts_survive(agent):
    draft = make_draft()
    assert save_draft(draft=draft, version=1, body="mine", user=agent).version == 2
    assert save_draft(draft=draft, version=1, body="mine", user=agent).version == 2, "the same words twice"
    with pytest.raises(Conflict, match="has changed this draft"):
        save_draft(draft=draft, version=1, body="late", user=agent)
    assert Draft.objects.get().body == "mine"


def resolve(client, draft: Draft, keep: str, body: str, version: int) -> str:
    fields = {"draft": draft.pk, "version": version, "keep": keep, "body": body}
    answer = client.post(reverse("draft-resolve", args=[draft.email_id]), fields, headers={"HX-Request": "true"})
    return answer.content.decode()


def test_two_texts_of_a_draft_are_shown_and_the_one_not_chosen_is_kept(client, agent):
    client.force_login(agent)
    draft = save_draft(draft=make_draft(), version=1, body="her words", user=make_user(role="agent"))
    mine = {"version": 1, "body": "my words"}
    assert (
        client.post(reverse("draft-save", args=[draft.pk]), mine, headers={"Accept": "application/json"}).status_code
        == 409
    )
    page = client.post(reverse("draft-approve", args=[draft.pk]), mine)  # without scripts
    assert page.status_code == 409 and "her words" in page.content.decode() and "my words" in page.content.decode()
    panel = resolve(client, draft, "mine", "my words", version=2)
    draft.refresh_from_db()
    assert draft.body == "my words" and "her words" in panel and "1 earlier draft" in panel
    panel = resolve(client, draft, "theirs", "words of a third", version=3)
    draft.refresh_from_db()
    assert draft.body == "my words" and "words of a third" in panel and "2 earlier drafts" in panel


def test_copies_of_a_text_that_is_not_chosen_are_kept_too(client, agent):
    client.force_login(agent)
    draft = save_draft(draft=make_draft(), version=1, body="same", user=make_user(role="agent"), cc="hers@x.example")
    fields = {"draft": draft.pk, "version": 2, "keep": "theirs", "body": "same", "cc": "mine@x.example"}
    shown = client.post(reverse("draft-conflict", args=[draft.pk]), fields, headers={"HX-Request": "true"})
    assert "Cc hers@x.example" in shown.content.decode()
    client.post(reverse("draft-resolve", args=[draft.email_id]), fields, headers={"HX-Request": "true"})
    assert draft.email.drafts.get(status="replaced").cc == "mine@x.example"


def test_a_text_for_a_reply_that_is_on_its_way_is_kept(client, agent):
    client.force_login(agent)
    draft = make_draft()
    approve(draft=draft, version=1, user=make_user(role="agent"))
    answer = client.post(
        reverse("draft-conflict", args=[draft.pk]), {"body": "too late"}, headers={"HX-Request": "true"}
    ).content.decode()
    assert "it is on its way" in answer and "Keep my text" not in answer
    resolve(client, draft, "theirs", "too late", version=1)
    assert draft.email.drafts.get(status="replaced").body == "too late"


def test_what_changes_a_thread_sends_its_row_too(client, agent):
    client.force_login(agent)
    email = make_classified(subject="Printer")
    headers = {"HX-Request": "true", "HX-Current-URL": f"http://testserver/inbox/{email.thread_id}/?status=all"}

    def row(name: str, pk: int, **fields) -> str:
        page = client.post(reverse(name, args=[pk]), fields, headers=headers).content.decode()
        return page[page.index(f'id="thread-row-{email.thread_id}"') :]

    assert ">vip<" in row("thread-tags", email.thread_id, tags="vip")
    assert f">{agent}<" in row("thread-assign", email.thread_id, to=agent.username)
    assert "snoozed until" in row("thread-snooze", email.thread_id, how_long="hour")
    assert "Access query" in row("label-correct", email.pk, subtype="access_query")
    closed = row("thread-status", email.thread_id, status="closed")
    assert ">closed<" in closed and "?status=all" in closed and 'hx-swap-oob="true"' in closed


def test_an_approved_reply_is_taken_back_from_any_page(client, agent):
    client.force_login(agent)
    draft = make_draft()
    fields = {"version": 1, "body": draft.body}
    answer = client.post(reverse("draft-approve", args=[draft.pk]), fields, headers={"HX-Request": "true"})
    message = draft.outgoing.get()
    assert f'id="undo-{message.pk}"' in answer.content.decode()
    assert f'id="undo-{message.pk}"' in client.get(reverse("knowledge")).content.decode()
    answer = client.post(reverse("outgoing-undo", args=[message.pk]), headers={"HX-Request": "true"})
    assert answer.status_code == 204 and f"#draft-panel-{draft.email_id}" in answer["HX-Trigger"]
    assert f'id="undo-{message.pk}"' not in client.get(reverse("knowledge")).content.decode()


def test_a_redraft_leaves_the_field_alone_until_it_is_ready(client, agent):
    client.force_login(agent)
    draft = make_draft()
    request_redraft(email=draft.email)
    url = reverse("redraft-progress", args=[draft.email_id])
    shown = client.get(url, {"draft": draft.pk}).content.decode()
    assert "Drafting again" in shown and "<textarea" not in shown
    assert client.get(url, {"draft": draft.pk, "was": "drafting-0-0"}).status_code == 204
    reply = Reply(body="new", sources=[], model="m", own=[])
    store_draft(email=draft.email, reply=reply, asked=draft.email.draft_job.queued_at, latency_ms=1)
    assert "The new draft is ready" in client.get(url, {"draft": draft.pk}).content.decode()


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
