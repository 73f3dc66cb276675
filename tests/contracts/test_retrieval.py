"""What every retrieval back end must do: the embedded one, Elasticsearch by a server of our own, and a real one on demand.

`make live-test ELASTICSEARCH_URL=http://…` runs the same on a real server.
"""

import os
from uuid import uuid4

import pytest

from responses.knowledge.indexing import change_embedder
from responses.knowledge.services import delete, restore, retire, store_document
from responses.models import KnowledgeState
from responses.retrieval import base
from responses.retrieval.base import Query
from responses.retrieval.elastic import ElasticRetriever
from responses.retrieval.embedded import EmbeddedRetriever
from responses.retrieval.search import find
from reviewdesk.errors import BackendError
from tests.contracts.fake_elasticsearch import FakeElasticsearch
from tests.factories import make_department
from tests.responses.test_knowledge import Reversed

LIVE = os.environ.get("ELASTICSEARCH_URL", "")
TEXT = """## Passwords

The reset link is valid for 30 minutes.

## Printers

Paper is in the cupboard on the second floor.
"""


@pytest.fixture
def fake():
    with FakeElasticsearch() as server:
        yield server
    assert server.violations == []


def elastic(url: str) -> ElasticRetriever:
    from elasticsearch import Elasticsearch

    alias = f"test-{uuid4().hex[:8]}"
    return ElasticRetriever(lambda: Elasticsearch(url, request_timeout=5, max_retries=0), alias)


@pytest.fixture(params=["embedded", "elasticsearch", *(["live"] if LIVE else [])])
def retriever(request, db, monkeypatch):
    if request.param == "embedded":
        backend = EmbeddedRetriever()
    elif request.param == "live":
        backend = elastic(LIVE)
    else:
        backend = elastic(request.getfixturevalue("fake").url)
    monkeypatch.setattr(base.retriever, "_value", backend)
    yield backend
    if request.param == "live":
        backend._client.indices.delete(index=f"{backend._alias}-*", ignore_unavailable=True)


@pytest.fixture
def document(retriever):
    document = store_document(department=make_department("it"), title="Help", slug="help", text=TEXT)
    store_document(department=make_department("retail"), title="Tills", slug="tills", text="Tills close at eight.")
    assert retriever.catch_up() in (0, 2)
    return document


def texts(question: str, department: str = "it") -> list[str]:
    return [h.text for h in find(Query([question], make_department(department).pk))]


def test_both_lists_find_what_answers(retriever, document):
    hit = find(Query(["How long is the reset link valid?"], document.department_id))[0]
    assert "30 minutes" in hit.text
    assert (hit.rank_by_words, hit.rank_by_vector) == (1, 1) and 0.5 < hit.score <= 1
    vector = Query(["reset link"], 1).vector(base_embedder())
    found = retriever.candidates(Query(["reset link"], document.department_id), vector)
    assert dict(found.by_vector)[hit.passage_id] == pytest.approx(find(Query(["reset link"], document.department_id))[0].score, abs=0.01)  # fmt: skip


def base_embedder():
    from responses.retrieval.embedders import chosen_embedder

    return chosen_embedder()


def test_other_departments_are_not_searched(retriever, document):
    assert texts("When do the tills close?", "retail") == ["Tills close at eight."]
    assert not any("Tills" in text for text in texts("When do the tills close?"))


def test_meaning_finds_what_no_word_says(retriever, document):
    assert "cupboard" in texts("sheets for copying documents")[0]


def test_words_with_query_syntax_are_only_words(retriever, document):
    assert "30 minutes" in texts('NEAR( "reset" OR link* ^ -- : AND {"match_all": {}}')[0]


def test_replaced_retired_restored_and_deleted_it_is_up_to_date(retriever, document):
    store_document(
        department=document.department, title="Help", slug="help", text="The reset link is valid for an hour."
    )
    retriever.catch_up()
    assert texts("How long is the reset link valid?") == ["The reset link is valid for an hour."]
    retire(document=document)
    retriever.catch_up()
    assert texts("reset link") == []
    restore(document=document)
    retriever.catch_up()
    assert texts("reset link") == ["The reset link is valid for an hour."]
    delete(document=document)
    retriever.catch_up()
    assert texts("reset link") == []


def test_what_is_there_is_not_taken_over_again(retriever, document):
    assert retriever.catch_up() == 0


def test_a_long_passage_is_found_by_its_best_window_and_once(retriever, document):
    words = "The office opens at nine and closes at five on every working day of the week. " * 25
    store_document(department=document.department, title="Office", text=f"{words} Parking permits cost 40 euros.")
    retriever.catch_up()
    found = [
        h for h in find(Query(["What does a parking permit cost?"], document.department_id)) if "40 euros" in h.text
    ]
    assert len(found) == 1


def test_a_change_of_embedder_is_followed(retriever, document, settings, monkeypatch):
    from responses.retrieval import embedders

    settings.EMBEDDER = "other"
    new = Reversed("all-MiniLM-L6-v2")
    assert new.dimension and new.tokenizer
    new.name = "other"
    build = embedders._built
    monkeypatch.setattr(embedders, "_built", lambda name: new if name == "other" else build(name))
    assert change_embedder()
    retriever.catch_up()
    assert KnowledgeState.objects.get().embedder == "other" and "30 minutes" in texts("reset link valid")[0]


# --- Elasticsearch alone -----------------------------------------------------------------------


@pytest.fixture
def server(fake, db, monkeypatch):
    fake.retriever = elastic(fake.url)
    monkeypatch.setattr(base.retriever, "_value", fake.retriever)
    store_document(department=make_department("it"), title="Help", slug="help", text=TEXT)
    fake.retriever.catch_up()
    return fake


def test_the_mapping_is_the_customers(server):
    (index,) = server.indexes.values()
    mappings = index["mappings"]
    assert mappings["dynamic"] == "strict" and mappings["_meta"] == {"reviewdesk": {"revision": 1}}
    vector = mappings["properties"]["embedding"]
    assert (vector["type"], vector["dims"], vector["similarity"]) == ("dense_vector", 384, "cosine")
    assert vector["index_options"]["type"] == "int8_hnsw"
    assert mappings["properties"]["content"]["type"] == "text"
    assert set(mappings["properties"]["metadata"]["properties"]) == {"department", "doc_type"}


def test_a_search_is_one_request(server):
    before = len(server.requests)
    texts("reset link")
    assert server.requests[before:] == [("POST", "/_msearch")]


def test_the_alias_moves_and_the_old_index_goes(server):
    (old,) = server.indexes
    KnowledgeState.objects.update(identity=uuid4())
    server.retriever.catch_up()
    (new,) = server.indexes
    assert new != old and server.aliases[server.retriever._alias] == {new}
    assert "30 minutes" in texts("reset link")[0]


def test_an_index_that_lost_its_disk_is_built_again(server):
    server.indexes.clear()
    server.aliases.clear()
    with pytest.raises(BackendError, match="no such index") as error:
        texts("reset link")
    assert not error.value.permanent
    assert server.retriever.catch_up() == 1
    assert "30 minutes" in texts("reset link")[0]


def test_one_process_writes_at_a_time(server):
    from django.utils import timezone

    KnowledgeState.objects.update(index_until=timezone.now() + timezone.timedelta(minutes=1), identity=uuid4())
    assert server.retriever.catch_up() == 0
    KnowledgeState.objects.update(index_until=timezone.now() - timezone.timedelta(minutes=1))
    assert server.retriever.catch_up() == 1


@pytest.mark.parametrize(
    ("status", "permanent"), [(401, True), (403, True), (400, False), (429, False), (500, False), (503, False)]
)
def test_a_refusal_says_whether_to_wait(server, status, permanent):
    server.fail = (status, "not now")
    with pytest.raises(BackendError, match=f"Elasticsearch answered {status}") as error:
        texts("reset link")
    assert error.value.permanent is permanent


def test_out_of_reach_drafting_waits_and_goes_on(server):
    from responses.drafting.services import request_draft, write_drafts
    from responses.models import DraftJob
    from tests.factories import make_classified

    email = make_classified(subject="Password", body="How long is the password reset link valid?")
    request_draft(email=email)
    server.fail = (503, "not now")
    for _ in range(8):
        DraftJob.objects.update(work_until=None)
        assert write_drafts(ids=[email.pk]) == 0
    job = DraftJob.objects.get()
    assert not job.failed and "Elasticsearch answered 503" in job.error
    server.fail = None
    DraftJob.objects.update(work_until=None)
    assert write_drafts(ids=[email.pk]) == 1


def test_no_server_at_all_and_no_setting(db, settings):
    store_document(department=make_department("it"), title="Help", text=TEXT)
    retriever = elastic("http://127.0.0.1:9")
    with pytest.raises(BackendError, match="cannot be reached: ConnectionError"):
        retriever.catch_up()
    assert KnowledgeState.objects.get().index_until is None, "the next one may try"
    settings.ELASTICSEARCH_URL = ""
    with pytest.raises(BackendError, match="set ELASTICSEARCH_URL"):
        ElasticRetriever.from_settings()
