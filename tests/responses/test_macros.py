"""A macro takes all its steps or none; its words are a canned reply; admins keep them."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from classifier.models import Thread
from responses.inbox.macros import apply_macro, macros_for, save_macro
from responses.inbox.services import save_draft
from responses.models import Document, Draft, Macro, OutgoingMessage
from responses.sending.services import approve, send_due
from reviewdesk.audit.models import AuditEvent
from reviewdesk.errors import Conflict, DeskError
from tests.factories import make_classified, make_department, make_draft


@pytest.fixture
def email(db):
    return make_classified()


@pytest.fixture
def reply(email):
    return Document.objects.create(
        department=email.department,
        slug="sorry",
        title="Sorry",
        doc_type="canned",
        text="We are sorry.",
        status="ready",
    )


def test_it_writes_tags_assigns_and_closes_once_the_reply_has_left(email, reply, agent, admin):
    macro = save_macro(by=admin, name="Refund", reply=reply, tags="refund, vip", to_me=True, closes=True)
    make_draft(email)
    apply_macro(macro=macro, email=email, user=agent)
    draft, thread = Draft.objects.get(), Thread.objects.get()
    assert draft.body == "We are sorry." and draft.closes, "a draft nobody has edited gives way"
    assert thread.tag_list == ["refund", "vip"] and thread.assignee == agent and thread.status == "open"
    approve(draft=draft, version=draft.version, user=agent)
    OutgoingMessage.objects.update(send_after=timezone.now() - timedelta(seconds=1))
    assert send_due() == 1
    thread.refresh_from_db()
    assert thread.status == "closed"
    assert AuditEvent.objects.filter(action="apply macro").count() == 1


def test_its_words_follow_an_agents_own(email, reply, agent, admin):
    draft = make_draft(email)
    save_draft(draft=draft, version=1, body="Dear Ann,", user=agent)
    apply_macro(macro=save_macro(by=admin, name="Refund", reply=reply), email=email, user=agent)
    assert Draft.objects.get().body == "Dear Ann,\n\nWe are sorry."


def test_without_a_reply_it_closes_at_once(email, agent, admin):
    apply_macro(macro=save_macro(by=admin, name="Done", closes=True, tags="done"), email=email, user=agent)
    thread = Thread.objects.get()
    assert thread.status == "closed" and thread.tag_list == ["done"] and not Draft.objects.exists()


def test_with_a_reply_on_its_way_nothing_is_done(email, reply, agent, admin):
    approve(draft=make_draft(email), version=1, user=agent)
    macro = save_macro(by=admin, name="Refund", reply=reply, tags="refund", to_me=True)
    with pytest.raises(Conflict, match="on its way"):
        apply_macro(macro=macro, email=email, user=agent)
    thread = Thread.objects.get()
    assert thread.tag_list == [] and thread.assignee is None


def test_those_of_another_department_are_not_offered(email, reply, admin):
    mine = save_macro(by=admin, name="Mine", reply=reply)
    save_macro(by=admin, name="Theirs", department=make_department("retail"), tags="x")
    everybodys = save_macro(by=admin, name="Everybody's", tags="x")
    assert list(macros_for(email)) == [everybodys, mine]


@pytest.mark.parametrize(
    "fields, said", [({}, "at least one step"), ({"tags": " "}, "at least one step"), ({"tags": "x"}, "already")]
)
def test_a_macro_that_will_not_do(email, admin, fields, said):
    Macro.objects.create(name="There")
    with pytest.raises(DeskError, match=said):
        save_macro(by=admin, name="There", **fields)


def test_the_pages(client, email, reply, agent, admin):
    client.force_login(admin)
    assert "No macros yet" in client.get(reverse("macros")).content.decode()
    client.post(reverse("macro-add"), {"name": "Refund", "reply": reply.pk, "tags": "refund", "closes": "on"})
    page = client.get(reverse("macros")).content.decode()
    assert "writes “Sorry”, tags refund, closes it once the reply has left" in page
    macro = Macro.objects.get()
    client.post(reverse("macro-change", args=[macro.pk]), {"name": "Refund 2", "tags": "money"})
    macro.refresh_from_db()
    assert (macro.name, macro.reply, macro.tags, macro.closes) == ("Refund 2", None, "money", False)

    client.force_login(agent)
    assert "Refund 2" in client.get(reverse("inbox-thread", args=[email.thread_id])).content.decode()
    client.post(reverse("macro-apply", args=[email.pk]), {"macro": macro.pk})
    assert Thread.objects.get().tag_list == ["money"]

    client.force_login(admin)
    client.post(reverse("macro-delete", args=[macro.pk]))
    assert not Macro.objects.exists()
