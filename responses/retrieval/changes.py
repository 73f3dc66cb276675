"""The knowledge's revision, and what an index must take over since one: changed documents, as rows to index."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from django.db.models import F

from responses.models import Document, KnowledgeState, PassageVectors
from responses.retrieval.index_file import Row

BATCH = 50


@dataclass(frozen=True)
class Change:
    """The state of some documents at `revision`: all of their rows, none for those that are searched no more."""

    revision: int
    documents: Sequence[Document]
    rows: Sequence[Row]


def state() -> KnowledgeState:
    return KnowledgeState.objects.get_or_create(pk=1)[0]


def next_revision() -> int:
    """Raise the knowledge's revision; within a transaction, since the row is held until it commits."""
    state()
    KnowledgeState.objects.filter(pk=1).update(revision=F("revision") + 1)
    return KnowledgeState.objects.get(pk=1).revision


def changes_since(revision: int, *, embedder: str) -> Iterator[Change]:
    """Documents by rising revision, in batches, up to the state of now."""
    while True:
        changed = list(Document.objects.filter(revision__gt=revision).order_by("revision", "pk")[:BATCH])
        if not changed:
            return
        if len(changed) == BATCH:  # documents of one revision stay together
            last = changed[-1].revision
            changed += Document.objects.filter(revision=last, pk__gt=changed[-1].pk).order_by("pk")
        revision = changed[-1].revision
        yield Change(revision, changed, _rows(changed, embedder))


def _rows(documents: Sequence[Document], embedder: str) -> list[Row]:
    searched = {d.pk: d for d in documents if d.searched}
    found = PassageVectors.objects.filter(passage__document__in=searched, embedder=embedder).select_related("passage")
    rows = []
    for vectors in found.order_by("passage_id"):
        passage, document = vectors.passage, searched[vectors.passage.document_id]
        words = f"{document.title} {passage.heading} {passage.text}"
        windows = np.frombuffer(vectors.windows, np.float16).reshape(-1, vectors.dimension)
        rows.append(Row(passage.pk, document.department_id, document.pk, words, windows))
    return rows
