"""Celery tasks of the knowledge base; each is one call."""

from celery import shared_task

from responses.knowledge import indexing


@shared_task(name="responses.index_documents")
def index_documents(ids: list[int]) -> None:
    indexing.index_documents(ids=ids)


@shared_task(name="responses.catch_up_index")
def catch_up_index() -> None:
    indexing.catch_up_index()


@shared_task(name="responses.change_embedder")
def change_embedder() -> None:
    indexing.change_embedder()


@shared_task(name="responses.sweep_documents")
def sweep_documents() -> None:
    indexing.sweep_documents()
    indexing.catch_up_index()
