"""A department is deleted with all that belongs to it, and nothing of another one."""

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from classifier.models import (
    Attachment,
    Customer,
    Department,
    Email,
    Mailbox,
    Prediction,
    Subtype,
    Thread,
    Verification,
)
from classifier.review.services import correct
from responses.inbox.macros import save_macro
from responses.inbox.threads import add_note
from responses.knowledge.services import store_document
from responses.models import Document, Draft, Macro, Note, OutgoingMessage
from responses.sending.services import approve, send_due
from reviewdesk.department_delete import delete_department, deletion_effect, request_deletion
from reviewdesk.errors import DeskError
from tests.classifier.test_sampling import answer_all
from tests.factories import make_classified, make_department, make_draft, make_item


@pytest.fixture
def retail(db, admin, agent):
    """A department with one of each."""
    make_item(department="retail")
    answer_all(admin, ["bug_complaint"])
    email = make_classified(department="retail", subject="Zanzibar", sender_address="only@retail.example")
    correct(email=email, user=agent, type="", subtype="bug_complaint")
    message = approve(draft=make_draft(email), version=1, user=agent)
    OutgoingMessage.objects.filter(pk=message.pk).update(send_after=message.created_at)
    send_due()
    add_note(thread=email.thread, text="a note", by=agent)
    department = Department.objects.get(slug="retail")
    store_document(department=department, title="Help", slug="h", text="## Help\n\nHelp is here.")
    save_macro(by=admin, name="m", department=department, tags="x")
    return department


def test_everything_goes_and_the_others_stay(retail, admin, agent):
    other = make_classified(department="it", subject="Printer")
    make_draft(other)
    effect = deletion_effect(retail)
    assert (effect.emails, effect.labels, effect.replies, effect.documents) == (2, 2, 1, 1)
    with pytest.raises(DeskError, match="Give a reason"):
        request_deletion(department=retail, by=admin, reason=" ")
    request_deletion(department=retail, by=admin, reason="it was the demo")
    retail.refresh_from_db()
    assert not retail.active, "no new mail comes in while it is being deleted"
    assert delete_department(department=retail)
    assert Email.objects.get() == other and Thread.objects.get() == other.thread
    assert Draft.objects.get().email == other and Prediction.objects.get().email == other
    for model in (Verification, OutgoingMessage, Note, Document, Macro, Attachment):
        assert not model.objects.exists(), model
    assert set(Department.objects.values_list("slug", flat=True)) == {"it"}
    assert not Subtype.objects.exclude(department__slug="it").exists()
    assert Mailbox.objects.get().name == "it" and Customer.objects.count() == 1
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM email_search WHERE email_search MATCH 'zanzibar'")
            assert cursor.fetchone() == (0,), "its words are gone too"


def test_a_name_stays_where_mail_of_elsewhere_was_labelled_in_it(retail, admin):
    moved = make_classified(department="retail")
    Email.objects.filter(pk=moved.pk).update(department=make_department("it"))
    retail.active = False
    retail.save()
    assert not delete_department(department=retail)
    assert Email.objects.get() == moved and Department.objects.filter(slug="retail", active=False).exists()


def test_by_page_and_by_command(client, retail, admin, django_capture_on_commit_callbacks, capsys):
    client.force_login(admin)
    address = f"/settings/taxonomy/{retail.pk}/delete/"
    assert "2 emails" in client.get(address).content.decode().replace("\n", " ").replace("  ", " ")
    assert client.post(address).status_code == 400
    with django_capture_on_commit_callbacks(execute=True):
        client.post(address, {"reason": "it was the demo"})
    assert not Department.objects.filter(slug="retail").exists()
    make_classified(department="it")
    with pytest.raises(CommandError, match="--reason is missing"):
        call_command("delete_department", "it")
    with pytest.raises(CommandError, match="department zz is unknown; allowed: it"):
        call_command("delete_department", "zz", reason="x")
    call_command("delete_department", "it", reason="x", yes=True)
    assert not Department.objects.exists() and "IT: 1 emails deleted" in capsys.readouterr().out
