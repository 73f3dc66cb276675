"""A person whom a department lists sees the mail of theirs alone, wherever mail is shown."""

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse

from classifier.models import Attachment, Department
from classifier.review import leases
from responses.models import Draft, DraftAttachment
from responses.sending.services import approve
from reviewdesk.people.services import create_token
from tests.factories import make_classified, make_department, make_draft, make_item, make_user
from tests.reviewdesk.test_access import POSTS

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
