"""People are invited, change roles, get a new password, and are deactivated in the middle of their work."""

import pytest
from django.contrib.auth import get_user
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.core import mail
from django.db import connection
from django.http import HttpRequest
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from classifier.models import ReviewItem
from classifier.review import leases
from reviewdesk.accounts import change_person, invite, set_active
from reviewdesk.audit.models import AuditEvent
from reviewdesk.errors import Conflict, DeskError
from reviewdesk.people.models import User
from reviewdesk.people.sessions import SessionStore
from tests.factories import make_item


def test_an_invitation_leads_to_a_login(client, admin):
    client.force_login(admin)
    fields = {"username": "olga", "name": "Olga", "email": "olga@example.com", "roles": ["reviewer"]}
    page = client.post("/settings/people/invite/", fields)
    link = page.context["link"]
    assert link in page.content.decode() and link in mail.outbox[0].body
    client.logout()
    form = client.get(link, follow=True)
    assert "Set your password" in form.content.decode()
    new = {"new_password1": "correct-horse-9", "new_password2": "correct-horse-9"}
    assert client.post(form.redirect_chain[-1][0], new).status_code == 302
    assert client.login(username="olga", password="correct-horse-9")
    assert User.objects.get(username="olga").roles == {"reviewer"}
    client.logout()
    assert "has been used" in client.get(link, follow=True).content.decode()


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"username": "admin user!"}, "admin user!"),
        ({"username": "TAKEN"}, "already"),
        ({"roles": ["boss"]}, "unknown"),
    ],
)
def test_an_invitation_that_will_not_do(admin, fields, said):
    User.objects.create_user("taken")
    with pytest.raises(DeskError, match=said):
        invite(by=admin, **{"username": "olga", "name": "", "email": "", "roles": [], **fields})


@pytest.mark.parametrize(
    "groups, superuser, roles",
    [
        ([], False, set()),
        (["agent", "reviewer", "bookkeeping"], False, {"agent", "reviewer"}),
        (["admin"], False, {"agent", "reviewer", "admin"}),
        ([], True, {"agent", "reviewer", "admin"}),
    ],
)
def test_who_asks_is_known_with_their_roles_by_two_queries(client, db, groups, superuser, roles):
    user = User.objects.create_user("olga", is_superuser=superuser)
    user.groups.set(Group.objects.get_or_create(name=name)[0] for name in groups)
    client.force_login(user)
    request = HttpRequest()
    request.session = SessionStore(client.cookies["sessionid"].value)
    with CaptureQueriesContext(connection) as queries:
        found = get_user(request)
        assert (found, found.roles) == (user, roles)
    assert len(queries) == 2
    Session.objects.update(expire_date=timezone.now())
    request.session = SessionStore(client.cookies["sessionid"].value)
    assert not get_user(request).is_authenticated


def test_a_deactivated_reviewer_is_out_at_once_and_what_they_held_is_free(client, admin, reviewer):
    make_item()
    item = leases.claim_next(user=reviewer)
    client.force_login(reviewer)
    set_active(user=reviewer, active=False, by=admin)
    sent = {"lease": item.lease, "idempotency_key": "k", "action": "confirm", "subtype": "bug_complaint"}
    answer = client.post(f"/review/{item.pk}/answer/", sent, headers={"HX-Request": "true"})
    assert answer.status_code == 401 and "What you wrote is still here" in answer.json()["message"]
    item = ReviewItem.objects.get()
    assert (item.status, item.holder) == ("open", None)
    set_active(user=reviewer, active=True, by=admin)
    assert [e.action for e in AuditEvent.objects.filter(object_type="user").order_by("pk")] == [
        "deactivate",
        "activate",
    ]


def test_the_last_admin_stays_and_nobody_locks_themselves_out(admin, reviewer):
    with pytest.raises(Conflict, match="only admin"):
        change_person(user=admin, name="", email="", roles=["agent"], by=admin)
    with pytest.raises(Conflict, match="your own"):
        set_active(user=admin, active=False, by=admin)
    change_person(user=reviewer, name="R", email="", roles=["reviewer", "admin"], by=admin)
    change_person(user=admin, name="", email="", roles=["agent"], by=reviewer)
    assert User.objects.get(pk=admin.pk).roles == {"agent"}


def test_the_page_changes_and_makes_links(client, admin, reviewer):
    client.force_login(admin)
    assert reviewer.username in client.get("/settings/people/").content.decode()
    client.post(f"/settings/people/{reviewer.pk}/change/", {"name": "Rita", "roles": ["agent", "reviewer"]})
    assert User.objects.get(pk=reviewer.pk).roles == {"agent", "reviewer"}
    assert "/welcome/" in client.post(f"/settings/people/{reviewer.pk}/link/").context["link"]
    client.post(f"/settings/people/{reviewer.pk}/active/", {})
    assert not User.objects.get(pk=reviewer.pk).is_active
