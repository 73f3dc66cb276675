"""Makes the passages of documents and their vectors: in a worker, in batches, found again when a task is lost."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from ml.chunking import PATH, chunk
from ml.chunking import Passage as Cut
from ml.embedding import Embedder
from responses.knowledge.reading import Reading, read_file
from responses.models import Document, KnowledgeState, Passage, PassageVectors
from responses.retrieval.base import retriever
from responses.retrieval.changes import next_revision, state
from responses.retrieval.embedders import chosen_embedder, embedder_of
from reviewdesk.backends import enqueue
from reviewdesk.errors import BackendError, DeskError
from reviewdesk.trouble import Trouble

logger = logging.getLogger(__name__)
index_trouble = Trouble(logger, over="The index is up to date again.")
MAX_CHARACTERS = 5_000_000
BATCH = 16  # passages embedded between two signs of life
WORK = timedelta(seconds=300)  # reading a large file gives no sign of life
MAX_ATTEMPTS = 3
Status = Document.Status


class _Overtaken(Exception):
    """The document was changed, or given to another worker, meanwhile."""


class _EmbedderChanged(Exception):
    """The search went over to another embedder while these vectors were made."""


def index_documents(*, ids: Sequence[int]) -> int:
    """Index the documents that wait and that no other worker has; returns how many."""
    done = sum(index_document(pk=pk) for pk in ids)
    if done:
        catch_up_index()
    return done


def index_document(*, pk: int) -> bool:
    """Make a waiting document's passages; what it had before stays until they are whole."""
    now = timezone.now()
    worn_out = Document.objects.filter(_unheld(now), pk=pk, status=Status.INDEXING, attempt__gte=MAX_ATTEMPTS)
    worn_out.update(status=Status.FAILED, error=f"its worker died {MAX_ATTEMPTS} times; the file may be too large")
    claimed = Document.objects.filter(_unheld(now), pk=pk, status__in=[Status.WAITING, Status.INDEXING])
    until = now + WORK
    if not claimed.update(status=Status.INDEXING, work_until=until, attempt=F("attempt") + 1):
        return False
    document = Document.objects.select_related("department").get(pk=pk)
    document.work_until = until
    try:
        _index(document)
    except _Overtaken:
        return False
    except _EmbedderChanged:
        mine = Document.objects.filter(pk=pk, status=Status.INDEXING, work_until=document.work_until)
        mine.update(status=Status.WAITING, work_until=None, attempt=0)
        return False
    except Exception as error:
        _fail(document, error)
        return False
    return True


def _index(document: Document) -> None:
    reading = _read(document)
    if len(reading.text) > MAX_CHARACTERS:
        raise DeskError(f"holds {len(reading.text):,} characters; allowed: {MAX_CHARACTERS:,}, so split it")
    if not document.details_kept:
        if reading.doc_type in Document.Type.values:
            document.doc_type = reading.doc_type
        document.title = (reading.title or document.title)[:200]
    embedder = embedder_of(state().embedder or settings.EMBEDDER)
    passages = [_under(document.title, p) for p in chunk(reading.text, embedder.tokenizer)]
    vectors: list[np.ndarray] = []
    for start in range(0, len(passages), BATCH):
        _sign_of_life(document, done=start, total=len(passages))
        some = passages[start : start + BATCH]
        vectors += embed(embedder, [_embedded_as(document.title, p) for p in some])
    _store(document, reading, passages, vectors, embedder)


def _under(title: str, passage: Cut) -> Cut:
    """A first heading that only says the title again is left out of the path."""
    first, _, rest = passage.heading.partition(PATH)
    return replace(passage, heading=rest) if first.strip().lower() == title.strip().lower() else passage


def _read(document: Document) -> Reading:
    if not document.file:
        return Reading(document.text)
    with document.file.open("rb") as stream:
        return read_file(document.filename, stream.read())


def embed(embedder: Embedder, texts: Sequence[tuple[str, str]]) -> list[np.ndarray]:
    """float32 (windows, dimension) for each (prefix, text); the windows of all go through the encoder together."""
    windows = [embedder.windows(prefix, text) for prefix, text in texts]
    flat = embedder.encode([w for some in windows for w in some])
    return np.split(flat, np.cumsum([len(some) for some in windows])[:-1]) if windows else []


def _sign_of_life(document: Document, **fields: int) -> None:
    until = timezone.now() + WORK
    mine = Document.objects.filter(pk=document.pk, status=Status.INDEXING, work_until=document.work_until)
    if not mine.update(work_until=until, **fields):
        raise _Overtaken
    document.work_until = until


def _store(document: Document, reading: Reading, passages, vectors: Sequence[np.ndarray], embedder: Embedder) -> None:
    with transaction.atomic():
        mine = Document.objects.filter(pk=document.pk, status=Status.INDEXING, work_until=document.work_until)
        if not mine.update(
            status=Status.READY, work_until=None, revision=next_revision(), text=reading.text, title=document.title,
            doc_type=document.doc_type, error=reading.note, done=len(passages), total=len(passages),
        ):  # fmt: skip
            raise _Overtaken
        if state().embedder not in ("", embedder.name):  # the revision's row is held: it cannot change any more
            raise _EmbedderChanged
        Passage.objects.filter(document=document).delete()
        rows = Passage.objects.bulk_create(
            Passage(document=document, position=i, heading=p.heading[:500], text=p.text, start=p.start, end=p.end)
            for i, p in enumerate(passages)
        )
        _store_vectors(rows, vectors, embedder)
        KnowledgeState.objects.filter(pk=1, embedder="").update(embedder=embedder.name)


def _embedded_as(title: str, passage: Cut | Passage) -> tuple[str, str]:
    """(what stands before each window, text) of a passage."""
    return f"{title}. {passage.heading}".strip(". "), passage.text


def _store_vectors(passages: Sequence[Passage], vectors: Sequence[np.ndarray], embedder: Embedder) -> None:
    """Another worker may have stored some already; theirs stay."""
    rows = [
        PassageVectors(
            passage=p, embedder=embedder.name, dimension=v.shape[1], windows=v.astype(np.float16).tobytes()
        )
        for p, v in zip(passages, vectors, strict=True)
    ]  # fmt: skip
    PassageVectors.objects.bulk_create(rows, ignore_conflicts=True)


def _fail(document: Document, error: Exception) -> None:
    """A file that cannot be read has failed for good; anything else is tried again."""
    known = isinstance(error, DeskError)
    if not known:
        logger.exception("document %s could not be indexed", document.pk)
    permanent = (known and not (isinstance(error, BackendError) and not error.permanent)) or (
        document.attempt >= MAX_ATTEMPTS
    )
    message = error.message if isinstance(error, DeskError) else f"{type(error).__name__}: {error}"
    mine = Document.objects.filter(pk=document.pk, status=Status.INDEXING, work_until=document.work_until)
    mine.update(
        status=Status.FAILED if permanent else Status.INDEXING,
        error=message[:2000],
        work_until=None if permanent else timezone.now() + timedelta(seconds=10 * 2**document.attempt),
    )


def sweep_documents() -> int:
    """Queue again the documents that no worker has; and move the vectors to the embedder of the settings."""
    now = timezone.now()
    waiting = Document.objects.filter(_unheld(now), status__in=[Status.WAITING, Status.INDEXING])
    ids = list(waiting.filter(changed_at__lt=now - timedelta(seconds=10)).values_list("pk", flat=True)[:100])
    if ids:
        enqueue("responses.index_documents", ids)
    if state().embedder not in ("", settings.EMBEDDER):
        enqueue("responses.change_embedder")
    return len(ids)


def change_embedder(*, most: int = 2_000) -> bool:
    """Embed with the embedder of the settings beside the vectors that are searched; the last batch swaps them.

    True once the new ones are searched. Does at most so many passages, since a task shall end.
    """
    new, old = chosen_embedder(), state().embedder
    if old == new.name:
        return True
    lacking = Passage.objects.exclude(vectors__embedder=new.name).select_related("document").order_by("pk")
    for _ in range(-(-most // BATCH)):
        some = list(lacking[:BATCH])
        if not some:
            break
        vectors = embed(new, [_embedded_as(p.document.title, p) for p in some])
        _store_vectors(some, vectors, new)
    with transaction.atomic():
        next_revision()  # holds the row: no document is stored with the old embedder from here on
        if lacking.exists():
            return False
        KnowledgeState.objects.filter(pk=1).update(embedder=new.name)
        PassageVectors.objects.exclude(embedder=new.name).delete()
    logger.info("passages are searched with %s from now on, no more with %s", new.name, old)
    return True


def catch_up_index() -> None:
    """Bring the index to the database's state; out of reach, the sweeper tries again."""
    try:
        retriever.get().catch_up()
    except BackendError as error:
        index_trouble.report(f"The index lags behind: {error.message}")
    else:
        index_trouble.over()


def _unheld(now) -> Q:
    return Q(work_until__isnull=True) | Q(work_until__lt=now)
