"""The knowledge pages: upload, preview, replace, retire, search, gaps; and who may."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from responses.knowledge.services import store_document
from responses.models import Document
from tests.factories import make_classified, make_department, make_draft
from tests.responses.test_reading import make_pdf

STATUS = Document.Status
FIELDS = {"department": "it", "doc_type": "guide"}


@pytest.fixture
def desk(client, admin):
    make_department("it")
    client.force_login(admin)
    return client


@pytest.fixture
def document(db):
    text = "## Passwords\n\nThe reset link is valid for 30 minutes."
    return store_document(department=make_department("it"), title="Help", slug="help", doc_type="faq", text=text)


def upload(desk, *files, **fields):
    return desk.post(reverse("document-add"), {**FIELDS, "uploads": list(files), **fields})


def test_files_are_taken_over_and_shown_with_their_passages(desk, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        answer = upload(desk, SimpleUploadedFile("opening-hours.pdf", make_pdf("We open at nine.")), internal="on")
    document = Document.objects.get()
    assert answer.url == reverse("knowledge-document", args=[document.pk])
    assert (document.title, document.status, document.internal) == ("Opening hours", STATUS.READY, True)
    page = desk.get(answer.url).content.decode()
    assert "We open at nine." in page and "in use" in page and "agents only" in page


def test_a_zip_and_a_written_text(desk, tmp_path):
    import io
    import zipfile

    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("a.md", "One.")
        archive.writestr("sub/b.txt", "Two.")
    answer = upload(desk, SimpleUploadedFile("all.zip", data.getvalue()), title="Three", text="Written here.")
    assert answer.url == reverse("knowledge")
    assert sorted(Document.objects.values_list("slug", flat=True)) == ["a-md", "sub-b-txt", "three"]
    page = desk.get(reverse("knowledge")).content.decode()
    assert page.count("every 1s") == 3, "rows ask again while they wait"
    row = desk.get(reverse("document-row", args=[Document.objects.first().pk])).content.decode()
    assert "waiting" in row


@pytest.mark.parametrize(
    ("files", "fields", "message"),
    [
        ([], {}, "Choose files, or write a text."),
        ([SimpleUploadedFile("a.exe", b"x")], {}, "a.exe cannot be read; allowed: .pdf"),
        ([], {"text": "words"}, "A text needs a title."),
        ([SimpleUploadedFile("a.zip", b"x")], {}, "a.zip: is no zip that can be read"),
        ([SimpleUploadedFile("a.md", b"x")], {"department": "moon"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_taken_over_is_said_on_the_page(desk, files, fields, message):
    answer = upload(desk, *files, **fields)
    assert answer.status_code == 400 and message in answer.content.decode()
    assert not Document.objects.exists()


def test_replace_change_retire_and_delete(desk, document, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        desk.post(reverse("document-replace", args=[document.pk]), {"text": "It is valid for one hour."})
    assert document.passages.get().text == "It is valid for one hour."
    make_department("retail")
    details = {"title": "New title", "department": "retail", "doc_type": "policy"}
    with django_capture_on_commit_callbacks(execute=True):
        desk.post(reverse("document-details", args=[document.pk]), details)
    document.refresh_from_db()
    assert (document.title, document.department.slug, document.status) == ("New title", "retail", STATUS.READY)
    desk.post(reverse("document-move", args=[document.pk, "retire"]))
    assert "No document passes" not in desk.get(reverse("knowledge"), {"status": "retired"}).content.decode()
    desk.post(reverse("document-move", args=[document.pk, "restore"]))
    desk.post(reverse("document-move", args=[document.pk, "delete"]))
    assert desk.get(reverse("knowledge-document", args=[document.pk])).status_code == 404


def test_a_name_that_the_other_department_has_is_refused(desk, document):
    store_document(department=make_department("retail"), title="Help", slug="help", text="Other.")
    fields = {"title": "Help", "department": "retail", "doc_type": "faq"}
    answer = desk.post(reverse("document-details", args=[document.pk]), fields)
    assert answer.status_code == 400 and "has a document named" in answer.content.decode()


def test_the_playground_shows_both_lists_and_their_fusion(desk, document):
    page = desk.get(
        reverse("knowledge-search"), {"q": "How long is the link valid?", "department": "it"}
    ).content.decode()
    assert "By words" in page and "30 minutes" in page and "<td>1</td><td>1</td><td>1</td>" in page
    fragment = desk.get(
        reverse("knowledge-search"), {"q": "link", "department": "it"}, headers={"HX-Request": "true"}
    ).content.decode()
    assert "<html" not in fragment and "Passwords" in fragment
    assert "This field is required" in desk.get(reverse("knowledge-search"), {"q": ""}).content.decode()


def test_what_the_knowledge_lacks_is_counted_by_department(desk, document):
    for i in range(3):
        make_draft(make_classified(subject=f"Wedding {i}"), status="no_source", body="", best_score=0.11)
    make_draft(make_classified(), generated_body="Found.")
    page = desk.get(reverse("knowledge")).content.decode()
    assert "3 of 4 emails" in page and "Wedding 2" in page and "0.11" in page


def test_filters(desk, document):
    store_document(department=make_department("retail"), title="Tills", text="Tills close at eight.", doc_type="policy")
    for filters, titles in (
        ({"q": "reset link"}, {"Help"}), ({"department": "retail"}, {"Tills"}), ({"doc_type": "faq"}, {"Help"}),
        ({"status": "failed"}, set()), ({}, {"Help", "Tills"}),
    ):  # fmt: skip
        found = desk.get(reverse("knowledge"), filters).context["documents"]
        assert {d.title for d in found} == titles


def test_agents_read_and_do_not_change(client, agent, reviewer, document):
    client.force_login(agent)
    page = client.get(reverse("knowledge-document", args=[document.pk])).content.decode()
    assert "30 minutes" in page and "Delete" not in page
    assert upload(client, SimpleUploadedFile("a.md", b"x")).status_code == 403
    assert client.post(reverse("document-move", args=[document.pk, "delete"])).status_code == 403
    client.force_login(reviewer)
    assert client.get(reverse("knowledge")).status_code == 403
