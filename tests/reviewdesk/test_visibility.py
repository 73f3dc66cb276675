"""A person whom a department lists sees the mail of theirs alone, wherever mail is shown."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from classifier.accuracy.figures import FIGURES
from classifier.intake.tasks import import_upload
from classifier.models import Attachment, Department, Email, ImportRun, Mailbox, ReviewItem, Subtype, Verification
from classifier.review import leases
from classifier.review.queries import can_undo, undoable
from classifier.review.services import Answer, move_email, verify
from classifier.visibility import departments_of
from responses.inbox.macros import save_macro
from responses.inbox.threads import add_note, assign
from responses.knowledge.services import store_document
from responses.models import Draft, DraftAttachment, Note, OutgoingMessage
from responses.sending.services import approve
from reviewdesk.errors import Conflict, DeskError
from reviewdesk.people.services import create_token
from tests.classifier.test_sampling import answer_all
from tests.factories import make_classified, make_department, make_draft, make_item, make_prediction, make_user
from tests.reviewdesk.test_access import OBJECT_PAGES, PAGES, POSTS

OPENED = {
    "inbox-thread": "thread",
    "draft-panel": "email",
    "thread-forwards": "thread",
    "draft-grounding": "draft",
    "email-html": "email",
    "attachment": "attachment",
}


@pytest.fixture
def theirs(db):
    """An email of IT, with all that hangs on it."""
    email = make_classified(department="it")
    Attachment.objects.create(email=email, filename="a.txt", content_type="text/plain", size=1, file="a.txt")
    return {
        "email": email.pk,
        "thread": email.thread_id,
        "draft": make_draft(email).pk,
        "attachment": email.attachments.get().pk,
    }


@pytest.fixture
def outsider(db):
    """An agent and reviewer of retail."""
    user = make_user(role="agent")
    user.groups.add(Group.objects.get_or_create(name="reviewer")[0])
    make_department("retail").people.add(user)
    return user


@pytest.mark.parametrize("name", OPENED)
def test_nothing_of_another_department_opens(client, theirs, outsider, name):
    client.force_login(outsider)
    headers = {"HX-Request": "true"}
    assert client.get(reverse(name, args=[theirs[OPENED[name]]]), headers=headers).status_code == 404


SECRET = "Zanzibar"  # stands in everything of the hidden department


@pytest.fixture
def hidden(db, admin) -> dict[str, object]:
    """One of each thing of a department that the outsider may not see, with its key by the name in a URL."""
    department = make_department("law")
    Subtype.objects.filter(department=department).update(guideline=SECRET, examples=SECRET)
    item = make_item(department="law", subject=SECRET, body=f"{SECRET} goes on", sender_name=SECRET)
    email = make_classified(department="law", subject=SECRET, body=SECRET, sender_name=SECRET)
    draft = make_draft(email, body=SECRET)
    make_draft(make_classified(department="law", subject=SECRET), status="no_source", body="")
    add_note(thread=email.thread, text=SECRET, by=admin)
    document = store_document(department=department, title=SECRET, slug="x", text=f"## {SECRET}\n\n{SECRET}")
    save_macro(by=admin, name=SECRET, department=department, tags=SECRET)
    rejected = [{"line": 1, "field": "body", "reason": SECRET, "file": SECRET}]
    run = ImportRun.objects.create(
        user=admin, department=department, file="x.csv", filename=SECRET, status="done", result={"rejected": rejected}
    )
    answer_all(admin, ["bug_complaint"])
    return {
        "thread": email.thread_id, "email": email.pk, "draft": draft.pk, "item": item.pk, "document": document.pk,
        "macro": 1, "run": run.pk, "subtype": department.subtypes.first().pk, "department": department.pk,
    }  # fmt: skip


ADDRESSES = [
    *((name, None) for name, roles in {**PAGES}.items() if roles),
    ("inbox-thread", "thread"), ("thread-forwards", "thread"), ("draft-panel", "email"), ("redraft-progress", "email"),
    ("draft-grounding", "draft"), ("email-html", "email"), ("import-panel", "run"), ("knowledge-document", "document"),
    ("document-row", "document"), ("subtype-examples", "subtype"),
    *((f"accuracy-table:{slug}", None) for slug in FIGURES),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind"), ADDRESSES)
def test_no_page_shows_anything_of_a_hidden_department(client, hidden, outsider, name, kind):
    client.force_login(outsider)
    name, _, slug = name.partition(":")
    address = reverse(name, args=[slug] if slug else [hidden[kind]] if kind else [])
    word = SECRET[:5]  # a search finds it by its beginning
    for query in ("", f"?q={word}&status=all&department=law", f"?q={word}&department=retail", "?days=90"):
        answer = client.get(address + query, headers={"HX-Request": "true"} if kind else {})
        assert answer.status_code in (200, 400, 404)
        assert SECRET not in answer.content.decode(), f"{address}{query}"


def test_every_object_page_of_agents_and_reviewers_is_walked():
    admins_only = {"experiment", "experiment-live", "experiment-plan", "experiment-report", "document-move",
                   "retraining-run", "data-set-download", "export-row", "export-download", "model", "model-move",
                   "threshold-preview", "taxonomy-department", "subtype-effect", "subtype-merge-effect", "department-moves", "models-compare",
                   "training-run", "training-log"}  # fmt: skip
    walked = {name.partition(":")[0] for name, _ in ADDRESSES} | set(OPENED) | {"draft-take"}
    assert OBJECT_PAGES - admins_only <= walked


def test_a_thread_with_mail_of_two_departments_shows_each_person_their_own(client, admin, outsider):
    first = make_classified(department="retail", subject="Bill", message_id="<1@x>", sender_address="a@x.example")
    second = make_classified(
        department="retail",
        subject="Re: Bill",
        body="Now about the till",
        in_reply_to="<1@x>",
        sender_address="a@x.example",
    )
    assert second.thread_id == first.thread_id
    add_note(thread=first.thread, text="an open note", by=admin)
    law = make_department("law")
    Email.objects.filter(pk=first.pk).update(department=law, body=SECRET)
    Note.objects.create(thread=first.thread, author=admin, department=law, text=f"{SECRET} note")
    draft = make_draft(first, body=f"{SECRET} draft", edited_by=admin)
    OutgoingMessage.objects.create(
        email=first, draft=draft, approved_by=admin, to="x@x.example", subject="s", body=f"{SECRET} sent",
        message_id="<out@x>", status="failed", send_after=timezone.now(),
    )  # fmt: skip
    client.force_login(outsider)
    page = client.get(reverse("inbox-thread", args=[first.thread_id])).content.decode()
    assert "Now about the till" in page and "an open note" in page and "departments you do not see" in page
    assert SECRET not in page
    assert (
        SECRET
        not in client.get(reverse("draft-panel", args=[second.pk]), headers={"HX-Request": "true"}).content.decode()
    )
    assert not client.get(reverse("inbox"), {"q": SECRET, "status": "all"}).context["page"].threads
    other = make_classified(department="retail", sender_address="a@x.example", subject="Other").thread
    for source, into in ((first.thread, other), (other, first.thread)):
        client.post(reverse("thread-merge", args=[source.pk]), {"into": into.pk})
    assert other.emails.count() == 1 and first.thread.emails.count() == 2


def upload(client, text: str, **fields) -> ImportRun:
    file = SimpleUploadedFile("x.csv", text.encode())
    client.post(reverse("import-upload"), {"file": file, **fields})
    run = ImportRun.objects.latest("pk")
    import_upload(run.pk)
    run.refresh_from_db()
    return run


def test_an_import_reaches_no_hidden_department_and_makes_no_labels(client, outsider, agent):
    law = make_department("law")
    client.force_login(outsider)
    run = upload(client, "department,subject,body,type,subtype\nlaw,a,b,,\nnew_one,a,b,,\nretail,a,b,,\n")
    assert run.result["new"] == 1 and len(run.result["rejected"]) == 2
    assert "law" not in run.result["rejected"][0]["reason"].partition("allowed:")[2]
    answer = client.post(
        reverse("import-upload"),
        {"file": SimpleUploadedFile("y.csv", b"x"), "department": "law", "create_labels": "on"},
    )
    assert answer.status_code == 400 and "Only an admin creates" in answer.content.decode()
    client.force_login(agent)  # sees all departments, and is no admin
    run = upload(client, "department,subject,body,type,subtype\nlaw,a,c,query,access_query\nlaw,d,e,,\n")
    assert run.result["new"] == 1 and "only an admin imports labels" in run.result["rejected"][0]["reason"]
    assert not Verification.objects.exists() and not Department.objects.filter(slug="new_one").exists()
    assert Email.objects.filter(department=law).count() == 1
    Mailbox.objects.filter(name="retail").update(department=law)
    client.force_login(outsider)
    assert upload(client, "department,body\nretail,hello\n").result["new"] == 0, (
        "the mailbox is another department's now"
    )


def test_the_api_takes_mail_into_visible_departments_alone(client, outsider):
    theirs = make_classified(department="law", message_id="<1@x>", sender_address="a@x.example", subject="Secret")
    headers = {"Authorization": f"Bearer {create_token(user=outsider)}"}

    def send(**fields) -> dict:
        answer = client.post("/api/v1/emails", fields, content_type="application/json", headers=headers)
        return answer.json()["results"][0]

    assert send(department="law", body="x")["status"] == "rejected"
    classify = {"department": "law", "email": "x"}
    assert (
        client.post("/api/v1/classify", classify, content_type="application/json", headers=headers).status_code == 403
    )
    Email.objects.filter(pk=theirs.pk).update(mailbox=Mailbox.objects.get_or_create(
        name="retail", defaults={"department": make_department("retail"), "address": "r@x.example"})[0])  # fmt: skip
    theirs.thread.mailbox = Mailbox.objects.get(name="retail")
    theirs.thread.save()
    joined = send(**{"department": "retail", "body": "y", "in_reply_to": "<1@x>", "from": "a@x.example"})
    assert Email.objects.get(pk=joined["id"]).thread_id != theirs.thread_id


def test_a_lease_ends_when_the_email_moves_away(client, admin, outsider):
    item = make_item(department="retail")
    held = leases.claim_next(user=outsider)
    law = make_department("law")
    move_email(email=item.email, department=law, user=admin)
    make_prediction(item.email, confidence=0.2)
    assert leases.held_by(outsider) is None
    with pytest.raises(Conflict):
        verify(item=item, user=outsider, answer=Answer(held.lease, "k", "confirm", subtype="access_query"))
    ReviewItem.objects.update(holder=outsider, lease="l", lease_until=timezone.now() + timedelta(minutes=5))
    with pytest.raises(Conflict, match="department you do not see"):
        verify(item=item, user=outsider, answer=Answer("l", "k2", "confirm", subtype="access_query"))
    assert leases.held_by(outsider) is None


def test_an_answer_on_mail_that_moved_away_is_not_taken_back(admin, outsider):
    make_item(department="retail")
    answer_all(outsider, ["bug_complaint"])
    Email.objects.update(department=make_department("law"))
    assert undoable(user=outsider) == [] and not can_undo(user=outsider)


def test_a_macro_of_another_department_does_not_apply(client, admin, outsider):
    mine = make_classified(department="retail")
    macro = save_macro(by=admin, name="m", department=make_department("law"), tags="x")
    client.force_login(outsider)
    assert client.post(reverse("macro-apply", args=[mine.pk]), {"macro": macro.pk}).status_code == 400


def test_after_a_move_out_of_sight_the_agent_is_back_in_the_inbox(client, outsider):
    mine = make_classified(department="retail")
    make_department("law")
    client.force_login(outsider)
    answer = client.post(reverse("email-move", args=[mine.pk]), {"department": "law"}, headers={"HX-Request": "true"})
    assert answer.status_code == 200 and answer["HX-Redirect"] == "/inbox/"


def test_a_thread_is_assigned_to_nobody_who_may_not_see_it(admin, agent, outsider):
    thread = make_classified(department="law").thread
    with pytest.raises(DeskError, match="is no agent of LAW; allowed"):
        assign(thread=thread, to=outsider, by=admin)
    assign(thread=thread, to=agent, by=admin)


def test_saving_a_person_does_not_widen_what_they_see(client, admin, outsider):
    """The form offers a department out of use that lists the person: without its tick they would see everything."""
    retail = Department.objects.get(slug="retail")
    Department.objects.filter(pk=retail.pk).update(active=False)
    client.force_login(admin)
    page = client.get(reverse("people")).content.decode()
    assert f'name="departments" value="{retail.pk}" checked' in page
    client.post(reverse("person-change", args=[outsider.pk]), {"roles": ["agent"], "departments": [retail.pk]})
    assert departments_of(outsider) == [retail.pk]


OTHER_KEYS = ("outgoing-undo", "outgoing-settle", "draft-detach")
CHANGES = [n for n, (_, kind) in POSTS.items() if kind in ("thread", "email", "draft") and n not in OTHER_KEYS]


@pytest.mark.parametrize("name", CHANGES)
def test_nothing_of_another_department_is_changed(client, theirs, outsider, name):
    client.force_login(outsider)
    assert client.post(reverse(name, args=[theirs[POSTS[name][1]]]), {"status": "closed"}).status_code == 404


def test_nothing_on_its_way_is_taken_back_and_no_file_removed(client, theirs, outsider, agent):
    draft = Draft.objects.get()
    file = DraftAttachment.objects.create(draft=draft, filename="a", content_type="text/plain", size=1, file="a")
    message = approve(draft=draft, version=1, user=agent)
    client.force_login(outsider)
    for name, pk in (("outgoing-undo", message.pk), ("outgoing-settle", message.pk), ("draft-detach", file.pk)):
        assert client.post(reverse(name, args=[pk])).status_code == 404


def test_lists_counts_and_search_hold_their_own_alone(client, theirs, outsider):
    mine = make_classified(department="retail", subject="Mine")
    client.force_login(outsider)
    page = client.get(reverse("inbox"))
    assert [t.pk for t in page.context["page"].threads] == [mine.thread_id]
    assert 'id="rail-count-inbox">1<' in page.content.decode()
    client.post(reverse("inbox-bulk"), {"threads": [theirs["thread"], mine.thread_id], "status": "closed"})
    assert Department.objects.get(slug="it").emails.get().thread.status == "open"
    mine.thread.refresh_from_db()
    assert mine.thread.status == "closed"


def test_the_queue_hands_out_their_own_alone(outsider):
    make_item(department="it")
    assert leases.claim_next(user=outsider) is None
    item = make_item(department="retail")
    assert leases.claim_next(user=outsider) == item


def test_the_api_too(client, theirs, outsider):
    headers = {"Authorization": f"Bearer {create_token(user=outsider)}"}
    assert client.get(f"/api/v1/emails/{theirs['email']}", headers=headers).status_code == 404
    assert client.get(f"/api/v1/drafts/{theirs['draft']}", headers=headers).status_code == 404
    assert client.post(f"/api/v1/drafts/{theirs['draft']}/undo", headers=headers).status_code == 409


def test_who_is_listed_nowhere_and_an_admin_see_all(client, theirs, agent, admin):
    make_department("retail").people.add(admin)
    for user in (agent, admin):
        client.force_login(user)
        assert client.get(reverse("inbox-thread", args=[theirs["thread"]])).status_code == 200


def test_the_people_page_sets_it(client, admin, outsider):
    client.force_login(admin)
    it = make_department("it")
    client.post(reverse("person-change", args=[outsider.pk]), {"roles": ["agent"], "departments": [it.pk]})
    assert list(outsider.departments.all()) == [it]
    assert "Sees the mail of" in client.get(reverse("people")).content.decode()
