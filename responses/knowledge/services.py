"""What people do with documents: add, replace, retire, restore, delete."""

import re
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Any

from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models.fields.files import FieldFile
from django.utils.text import slugify

from classifier.models import Department
from responses.knowledge.indexing import index_document
from responses.knowledge.reading import READERS
from responses.models import Document, Passage
from responses.retrieval.changes import next_revision
from reviewdesk.audit.services import record
from reviewdesk.backends import enqueue
from reviewdesk.errors import DeskError
from reviewdesk.people.models import User

Status = Document.Status


def add_document(
    *,
    department: Department,
    title: str,
    slug: str = "",
    doc_type: str = Document.Type.GUIDE,
    internal: bool | None = None,
    details_kept: bool = False,
    text: str = "",
    file: tuple[str, bytes] | None = None,
    by: User | None = None,
) -> Document:
    """Take over a text or a file (name, content), in the place of the document with the same slug if there is one.

    What is there already stays findable until a worker has made the new passages. Unchanged, nothing is done.
    `internal` None leaves it as it was. `details_kept`: a title or kind that the file itself names is ignored.
    Raises DeskError for a type or file that is not allowed.
    """
    _check(doc_type, file, text)
    slug = slug_of(slug or title)
    content = file[1] if file else text.encode()
    with transaction.atomic():
        known = Document.objects.select_for_update().filter(department=department, slug=slug)
        document = known.exclude(status=Status.DELETED).first()
        internal = bool(document and document.internal) if internal is None else internal
        digest = sha256(repr((title, doc_type, internal)).encode() + content).hexdigest()
        if (
            document
            and document.sha256 == digest
            and document.status in (Status.READY, Status.WAITING, Status.INDEXING)
        ):
            return document
        fields: dict[str, Any] = {
            "title": title[:200], "doc_type": doc_type, "internal": internal, "sha256": digest, "error": "", "attempt": 0,
            "status": Status.WAITING, "work_until": None, "done": 0, "total": 0, "created_by": by, "details_kept": details_kept,
            "filename": file[0][:255] if file else "",
        }  # fmt: skip
        document = document or Document(department=department, slug=slug)
        _remove_on_commit(document.file)
        for name, value in fields.items():
            setattr(document, name, value)
        if file:
            document.file.save(f"{slug[:60]}{PurePosixPath(file[0]).suffix.lower()}", ContentFile(file[1]), save=False)
        else:
            document.file, document.text = "", text
        document.save()
        record(action="add document", target=document, actor=by, title=title, department=department.slug)
        enqueue("responses.index_documents", [document.pk])
    return document


def slug_of(name: str) -> str:
    """A name for an address, in any script; what has no letters at all is named by its hash."""
    slug = slugify(re.sub(r"[/\\.]+", "-", name), allow_unicode=True)[:120].strip("-")
    return slug or f"document-{sha256(name.encode()).hexdigest()[:10]}"


def _remove_on_commit(file: FieldFile) -> None:
    """Take a file off the disk once the change that drops it is final."""
    if file:
        storage, name = file.storage, str(file.name)
        transaction.on_commit(lambda: storage.delete(name))


def _check(doc_type: str, file: tuple[str, bytes] | None, text: str) -> None:
    if doc_type not in Document.Type.values:
        raise DeskError(f"doc_type is {doc_type!r}; allowed: {', '.join(Document.Type.values)}")
    if file is None and not text.strip():
        raise DeskError("the document holds no text", fields={"text": ["is empty"]})
    if file and PurePosixPath(file[0]).suffix.lower() not in READERS:
        raise DeskError(
            f"{file[0]} cannot be read; allowed: {', '.join(READERS)}", fields={"file": ["is of no known kind"]}
        )


def store_document(**fields: Any) -> Document:
    """`add_document`, and make its passages in this process, at once."""
    document = add_document(**fields)
    if document.active:
        index_document(pk=document.pk)
        document.refresh_from_db()
    return document


def replace_document(
    *, document: Document, text: str = "", file: tuple[str, bytes] | None = None, by: User | None = None
) -> Document:
    """Put another text or file in a document's place, under its name."""
    return add_document(
        department=document.department, title=document.title, slug=document.slug, doc_type=document.doc_type,
        internal=document.internal, details_kept=True, text=text, file=file, by=by,
    )  # fmt: skip


def change_document(
    *, document: Document, title: str, department: Department, doc_type: str, internal: bool, by: User | None = None
) -> None:
    """Change what is known about a document; its passages are made anew, since they carry its title.

    Raises DeskError when the other department has a document of that name.
    """
    _check(doc_type, None, title)
    taken = Document.objects.filter(department=department, slug=document.slug).exclude(status=Status.DELETED)
    if taken.exclude(pk=document.pk).exists():
        raise DeskError(f"{department} has a document named {document.slug!r} already")
    before = {"title": document.title, "department": document.department.slug, "doc_type": document.doc_type}
    fields: dict[str, Any] = {
        "title": title[:200], "department": department, "doc_type": doc_type, "internal": internal, "sha256": "",
        "details_kept": True, "attempt": 0, "work_until": None, "error": "",
    }  # fmt: skip
    with transaction.atomic():
        fields["revision"] = next_revision()
        mine = Document.objects.filter(pk=document.pk)
        retired = mine.filter(status=Status.RETIRED).update(**fields)
        if not retired and not mine.exclude(status=Status.DELETED).update(**fields, status=Status.WAITING):
            raise DeskError(f"{document} was deleted meanwhile")
        record(action="change document", target=document, actor=by, before=before)
        enqueue("responses.index_documents", [document.pk])


def retire(*, document: Document, by: User | None = None) -> None:
    """Keep a document and search it no more, from the next search on."""
    _set_status(document, Status.RETIRED, {Status.READY, Status.FAILED, Status.WAITING, Status.INDEXING}, by)


def restore(*, document: Document, by: User | None = None) -> None:
    """Search a retired document again; its passages are made anew, since its details may have changed."""
    _set_status(document, Status.WAITING, {Status.RETIRED}, by)
    enqueue("responses.index_documents", [document.pk])


def delete(*, document: Document, by: User | None = None) -> None:
    """Remove text, file and passages for good; drafts keep what they quoted."""
    with transaction.atomic():
        file = document.file
        _set_status(document, Status.DELETED, set(Status) - {Status.DELETED}, by)
        Document.objects.filter(pk=document.pk).update(text="", file="")
        Passage.objects.filter(document=document).delete()
        _remove_on_commit(file)


def _set_status(document: Document, status: str, allowed: set, by: User | None) -> None:
    with transaction.atomic():
        changed = Document.objects.filter(pk=document.pk, status__in=allowed)
        if not changed.update(status=status, revision=next_revision(), work_until=None):
            document.refresh_from_db()
            raise DeskError(f"{document} is {document.status}; allowed: {', '.join(sorted(allowed))}")
        record(action=f"document {status}", target=document, actor=by, title=document.title)
        enqueue("responses.catch_up_index")
    document.refresh_from_db()
