"""Documents: added, replaced, retired, deleted; passages and vectors made by workers that may die; an embedder changed."""

import os
from datetime import timedelta

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from ml.embedding import Embedder
from responses.knowledge import indexing
from responses.knowledge.indexing import change_embedder, index_document, index_documents, sweep_documents
from responses.knowledge.services import (
    add_document,
    change_document,
    delete,
    replace_document,
    restore,
    retire,
    slug_of,
    store_document,
)
from responses.models import Document, KnowledgeState, Passage, PassageVectors
from responses.retrieval import base, embedders
from responses.retrieval.base import Query
from responses.retrieval.search import find
from reviewdesk.audit.models import AuditEvent
from reviewdesk.errors import DeskError
from tests.factories import make_department

TEXT = "## Passwords\n\nThe reset link is valid for 30 minutes.\n\n## Outages\n\nCredits are paid after four hours."
STATUS = Document.Status


def add(text: str = TEXT, **fields) -> Document:
    defaults = {"department": make_department("it"), "title": "Help", "slug": "help", "doc_type": "faq"}
    return add_document(**{**defaults, "text": text, **fields})


def texts(question: str = "How long is the reset link valid?", department: str = "it") -> list[str]:
    return [h.text for h in find(Query([question], make_department(department).pk))]


@pytest.fixture
def document(db) -> Document:
    document = add()
    assert index_document(pk=document.pk)
    document.refresh_from_db()
    return document


def test_a_document_is_findable_by_its_passages(document):
    assert document.status == STATUS.READY and document.done == document.total == 2
    hit = find(Query(["How long is the reset link valid?"], document.department_id))[0]
    assert (hit.heading, hit.text) == ("Passwords", "The reset link is valid for 30 minutes.")
    assert (hit.rank_by_words, hit.rank_by_vector) == (1, 1) and 0.5 < hit.score <= 1
    for p in Passage.objects.all():
        assert document.text[p.start : p.end] == p.text


def test_unchanged_it_is_left_alone_and_replaced_the_old_stays_until_the_new_is_there(document):
    assert add() == document and Document.objects.get().status == STATUS.READY
    assert add("The link is valid for one hour.").status == STATUS.WAITING
    assert "30 minutes" in texts()[0], "not indexed yet"
    index_documents(ids=[document.pk])
    assert texts() == ["The link is valid for one hour."]
    assert AuditEvent.objects.filter(action="add document").count() == 2


def test_retired_restored_and_deleted_it_is_gone_at_once(document, admin):
    retire(document=document, by=admin)
    assert texts() == []
    restore(document=document, by=admin)
    assert len(texts()) == 2
    delete(document=document, by=admin)
    assert texts() == [] and not Passage.objects.exists() and Document.objects.get().text == ""
    with pytest.raises(DeskError, match="is deleted; allowed"):
        retire(document=document)
    again = add()
    assert again.pk != document.pk, "the slug is free again"


def test_a_search_between_a_deletion_and_the_indexs_catching_up_shows_nothing_deleted(document, monkeypatch):
    assert texts()
    monkeypatch.setattr("responses.retrieval.embedded.changes_since", lambda *a, **k: iter(()))
    delete(document=document)
    assert texts() == []


def test_a_moved_or_other_departments_document_is_not_found(document):
    assert texts(department="retail") == []


def test_the_same_text_stands_once(document):
    other = add(slug="copy", title="Copy of help")
    index_document(pk=other.pk)
    assert sorted(texts()) == sorted(set(texts()))


def test_a_worker_that_died_is_followed_by_another(db, monkeypatch):
    document = add()
    Document.objects.update(
        status=STATUS.INDEXING, work_until=timezone.now() - timedelta(seconds=1),
        changed_at=timezone.now() - timedelta(minutes=5),
    )  # fmt: skip
    assert sweep_documents() == 1
    assert index_document(pk=document.pk)
    assert not index_document(pk=document.pk), "done is done"


def test_a_worker_that_was_overtaken_writes_nothing(db, monkeypatch):
    document = add()
    embed = indexing.embed

    def slow(*args):
        add("Something else altogether.")  # replaced meanwhile
        return embed(*args)

    monkeypatch.setattr(indexing, "embed", slow)
    assert not index_document(pk=document.pk)
    assert not Passage.objects.exists() and Document.objects.get().status == STATUS.WAITING


def test_what_cannot_be_read_has_failed_with_the_reason_and_what_was_there_stays(document):
    add(file=("help.pdf", b"%PDF-1.4 garbage"), text="")
    assert not index_document(pk=document.pk)
    document.refresh_from_db()
    assert document.status == STATUS.FAILED and "help.pdf: is no PDF that can be read" in document.error
    assert "30 minutes" in texts()[0]


def test_another_failure_is_tried_three_times(db, monkeypatch):
    document = add()
    monkeypatch.setattr(indexing, "chunk", lambda *a: 1 / 0)
    for attempt in (1, 2, 3):
        Document.objects.update(work_until=None)
        assert not index_document(pk=document.pk)
        document.refresh_from_db()
        assert document.status == (STATUS.FAILED if attempt == 3 else STATUS.INDEXING)
    assert "ZeroDivisionError" in document.error


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"doc_type": "poem"}, "doc_type is 'poem'; allowed: policy, faq, guide, canned"),
        ({"text": "  "}, "holds no text"),
        ({"file": ("a.exe", b"x")}, "a.exe cannot be read; allowed: .pdf, .docx"),
    ],
)
def test_what_is_not_allowed_is_said(db, fields, message):
    with pytest.raises(DeskError, match=message):
        add(**fields)


class Reversed(Embedder):
    """Another embedder: the same encoder with its axes in reverse order."""

    def encode(self, texts, batch_size=16):
        return np.ascontiguousarray(super().encode(texts, batch_size)[:, ::-1])


def test_a_change_of_embedder_embeds_beside_and_swaps(document, settings, monkeypatch):
    settings.EMBEDDER = "other"
    new = Reversed("all-MiniLM-L6-v2")
    assert new.dimension and new.tokenizer  # loaded under its real name
    new.name = "other"
    build = embedders._built
    monkeypatch.setattr(embedders, "_built", lambda name: new if name == "other" else build(name))
    assert not change_embedder(most=0)
    assert "30 minutes" in texts()[0], "the old vectors serve while the new ones are made"
    assert change_embedder()
    assert KnowledgeState.objects.get().embedder == "other"
    assert set(PassageVectors.objects.values_list("embedder", flat=True)) == {"other"}
    assert "30 minutes" in texts()[0]


def test_a_passage_longer_than_the_embedder_reads_is_found_by_its_end(db):
    words = "The office opens at nine and closes at five on every working day of the week. " * 25
    document = add(f"{words}\n\nParking permits for the garage cost 40 euros a month.")
    index_document(pk=document.pk)
    vectors = PassageVectors.objects.first()
    assert len(vectors.windows) // (2 * vectors.dimension) > 1, "more windows than one"
    hit = find(Query(["What does a parking permit cost?"], document.department_id))[0]
    embedder = embedders.chosen_embedder()
    cut = float((embedder.encode([hit.text]) @ embedder.encode_query("What does a parking permit cost?"))[0])
    assert "40 euros" in hit.text and hit.score > cut + 0.1, "the last window, not the first tokens"


def test_the_command_takes_folders_and_zips_and_names_what_it_cannot_read(db, tmp_path, capsys):
    import zipfile

    make_department("it")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("---\ntitle: Refunds\ndoc_type: policy\n---\nRefunds take five days.")
    (tmp_path / "docs" / "b.pdf").write_bytes(b"no pdf")
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.writestr("c.csv", "question,answer\nHow long?,Two weeks.\n")
    call_command("index_documents", tmp_path / "docs", tmp_path / "more.zip", department="it")
    out = capsys.readouterr()
    assert "2 of 3 documents indexed" in out.out and "b.pdf: is no PDF" in out.err
    refunds = Document.objects.get(title="Refunds")
    assert (refunds.doc_type, refunds.passages.get().text) == ("policy", "Refunds take five days.")
    assert Document.objects.get(slug="c-csv").passages.get().heading == "How long?"
    with pytest.raises(CommandError, match="no document could be indexed"):
        call_command("index_documents", tmp_path / "docs" / "b.pdf", department="it")
    with pytest.raises(CommandError, match="hold no file"):
        (tmp_path / "empty").mkdir()
        call_command("index_documents", tmp_path / "empty", department="it")


def test_the_embedder_changing_under_a_worker_sends_it_back(db, monkeypatch):
    document = add()
    embed = indexing.embed

    def swapped(*args):
        KnowledgeState.objects.update_or_create(pk=1, defaults={"embedder": "other"})
        return embed(*args)

    monkeypatch.setattr(indexing, "embed", swapped)
    KnowledgeState.objects.update_or_create(pk=1, defaults={"embedder": "all-MiniLM-L6-v2"})
    assert not index_document(pk=document.pk)
    document.refresh_from_db()
    assert document.status == STATUS.WAITING and not Passage.objects.exists()


def test_a_document_that_kills_its_workers_is_given_up(db):
    document = add()
    Document.objects.update(status=STATUS.INDEXING, attempt=3, work_until=timezone.now() - timedelta(seconds=1))
    assert not index_document(pk=document.pk)
    document.refresh_from_db()
    assert document.status == STATUS.FAILED and "died 3 times" in document.error


@pytest.mark.parametrize(
    "names", [("退款政策", "運送"), ("terms.pdf", "terms.docx"), ("a/b.md", "c/b.md"), ("!!!", "???")]
)
def test_different_names_are_different_documents(names):
    assert len({slug_of(name) for name in names}) == 2 and all(map(slug_of, names))


def test_details_that_a_person_set_outlive_the_files_own(document):
    file = ("help.md", b"---\ntitle: From the file\ndoc_type: policy\n---\nWords.")
    add(file=file, text="")
    index_document(pk=document.pk)
    document.refresh_from_db()
    assert (document.title, document.doc_type) == ("From the file", "policy")
    it = document.department
    change_document(document=document, title="Mine", department=it, doc_type="faq", internal=True)
    index_document(pk=document.pk)
    replace_document(document=Document.objects.get(), file=("new.md", file[1] + b" More."))
    index_document(pk=document.pk)
    document.refresh_from_db()
    assert (document.title, document.doc_type, document.internal) == ("Mine", "faq", True)
    add(text="Again.")
    assert Document.objects.get().internal, "adding it again does not make it public"


def test_details_of_a_retired_document_leave_it_retired_and_a_deleted_one_stays_deleted(document):
    fields = {"title": "T", "department": document.department, "doc_type": "faq", "internal": False}
    retire(document=document)
    change_document(document=document, **fields)
    assert Document.objects.get().status == STATUS.RETIRED and texts() == []
    delete(document=document)
    with pytest.raises(DeskError, match="was deleted meanwhile"):
        change_document(document=document, **fields)


def test_files_of_earlier_versions_leave_the_disk(document, django_capture_on_commit_callbacks):
    paths = []
    for words in (b"One.", b"Two."):
        with django_capture_on_commit_callbacks(execute=True):
            paths.append(add(file=("help.md", words), text="").file.path)
    assert [os.path.exists(p) for p in paths] == [False, True]
    with django_capture_on_commit_callbacks(execute=True):
        delete(document=Document.objects.get())
    assert not os.path.exists(paths[1])


def test_an_index_that_is_ahead_of_a_restored_database_starts_anew(document):
    for _ in range(3):
        retire(document=document)
        restore(document=document)
    assert texts()
    KnowledgeState.objects.update(revision=1)
    Document.objects.update(revision=1)
    add(slug="new", title="New", text="Parking costs 40 euros.")
    index_document(pk=Document.objects.get(slug="new").pk)
    assert "40 euros" in texts("What does parking cost?")[0]


def test_a_damaged_page_of_the_index_is_noticed_in_a_search(document):
    assert texts()
    backend = base.retriever.get()
    file = backend._file
    file._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = file.path.stat().st_size
    with file.path.open("r+b") as stream:
        stream.seek(8192)
        stream.write(b"\xff" * (size - 8192))
    backend._matrix = None
    assert "30 minutes" in texts()[0]


def test_store_document_indexes_at_once(db):
    assert store_document(department=make_department("it"), title="Now", text="At once.").status == STATUS.READY
