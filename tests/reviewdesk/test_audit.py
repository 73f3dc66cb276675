"""The trail: what people did, filtered, paged and downloaded."""

import csv
import io

import pytest

from classifier.models import Department
from classifier.review import leases
from classifier.review.services import undo, verify
from reviewdesk.audit.models import AuditEvent
from reviewdesk.audit.queries import Filters, events, walk
from reviewdesk.audit.services import record
from reviewdesk.csv_cells import csv_cells
from tests.classifier.test_review import answer
from tests.factories import make_department, make_item


def test_a_review_leaves_who_claimed_answered_and_took_back(reviewer):
    make_item()
    item = leases.claim_next(user=reviewer)
    verify(item=item, user=reviewer, answer=answer(item))
    undo(user=reviewer)
    found = list(AuditEvent.objects.order_by("pk").values_list("action", "actor", "object_type"))
    assert found == [
        ("claim", reviewer.pk, "reviewitem"),
        ("review confirm", reviewer.pk, "email"),
        ("review undo", reviewer.pk, "email"),
    ]


def test_a_change_in_the_django_admin_is_on_the_trail(client, admin):
    admin.is_staff = admin.is_superuser = True
    admin.save()
    department = make_department()
    client.force_login(admin)
    fields = {"slug": "it", "name": "Computers", "review_threshold": "0.4", "active": "on"}
    assert client.post(f"/admin/classifier/department/{department.pk}/change/", fields).status_code == 302
    assert Department.objects.get(pk=department.pk).name == "Computers"
    event = AuditEvent.objects.get()
    assert (event.action, event.actor, event.detail["changed"]) == (
        "change department",
        admin,
        ["name", "review_threshold"],
    )


@pytest.fixture
def trail(admin, agent):
    for n in range(250):
        record(action="tag" if n % 2 else "assign", target=admin, actor=agent if n % 5 else None, n=n)


def test_filters_and_pages(client, trail, admin, agent):
    assert events(Filters(person=agent.username)).count() == 200
    assert events(Filters(action="tag", object=f"user {admin.pk}")).count() == 125
    assert events(Filters(object="thread")).count() == 0
    assert [e.pk for e in walk(Filters())] == [e.pk for e in events(Filters())]
    client.force_login(admin)
    page = client.get("/settings/audit/", {"action": "tag"}).content.decode()
    assert page.count("<tr>") == 101 and "before=" in page
    assert "No event passes" in client.get("/settings/audit/", {"object": "thread 9"}).content.decode()


def test_the_download_is_the_whole_of_what_is_filtered(client, trail, admin):
    client.force_login(admin)
    text = b"".join(client.get("/settings/audit/audit.csv", {"action": "tag"}).streaming_content).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 125 and {r["action"] for r in rows} == {"tag"} and '"n": 249' in rows[0]["detail"]


def test_a_cell_that_a_spreadsheet_would_run_is_text():
    assert csv_cells(["=1+1", "@sum", "-5", -5, None, "fine"]) == ["'=1+1", "'@sum", "'-5", -5, "", "fine"]
