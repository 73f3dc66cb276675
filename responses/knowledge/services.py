"""Stores documents with their passages and vectors."""

from hashlib import sha256
from pathlib import Path

from django.conf import settings
from django.db import transaction

from classifier.models import Department
from ml.chunking import chunk
from ml.embedding import Embedder
from responses.models import Document, Passage
from reviewdesk.backends import Lazy
from reviewdesk.errors import DeskError

embedder: Lazy[Embedder] = Lazy(lambda: Embedder(settings.EMBEDDER))


def store_document(*, department: Department, slug: str, title: str, doc_type: str, text: str) -> Document:
    """Store a document, or a new text of one; unchanged, it is left as it is."""
    if doc_type not in Document.Type.values:
        raise DeskError(f"doc_type is {doc_type!r}; allowed: {', '.join(Document.Type.values)}")
    digest = sha256(f"{title}\n{text}".encode()).hexdigest()
    known = Document.objects.filter(department=department, slug=slug).first()
    if known is not None and known.sha256 == digest and not known.passages.exclude(embedder=settings.EMBEDDER).exists():
        return known
    passages = chunk(text)
    vectors = embedder.get().encode([f"{title}. {p.heading}. {p.text}" for p in passages])
    with transaction.atomic():
        document, _ = Document.objects.update_or_create(
            department=department,
            slug=slug,
            defaults={"title": title, "doc_type": doc_type, "text": text, "sha256": digest},
        )
        document.passages.all().delete()
        Passage.objects.bulk_create(
            Passage(
                document=document,
                position=i,
                heading=p.heading[:200],
                text=p.text,
                start=p.start,
                end=p.end,
                embedder=settings.EMBEDDER,
                dimension=len(vector),
                embedding=vector.tobytes(),
            )
            for i, (p, vector) in enumerate(zip(passages, vectors, strict=True))
        )
    return document


def read_document(file: Path, doc_type: str) -> dict[str, str]:
    """The fields of a Markdown or text file; a `---` head may give `title` and `doc_type`."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DeskError(f"{file}: cannot be read as UTF-8 text: {error}") from None
    fields = {"slug": file.stem[:120], "title": file.stem.replace("-", " ").capitalize()[:200], "doc_type": doc_type}
    if text.startswith("---\n") and text.count("---\n") >= 2:
        _, head, text = text.split("---\n", 2)
        given = dict(line.split(": ", 1) for line in head.strip().splitlines() if ": " in line)
        fields |= {k: v.strip() for k, v in given.items() if k in ("title", "doc_type")}
    if not text.strip():
        raise DeskError(f"{file}: holds no text")
    return fields | {"text": text.strip()}
