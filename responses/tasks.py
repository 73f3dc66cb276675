"""Where Celery finds the replies' tasks."""

from responses.knowledge.tasks import catch_up_index, change_embedder, index_documents, sweep_documents
from responses.sending.tasks import send_due

__all__ = ["catch_up_index", "change_embedder", "index_documents", "send_due", "sweep_documents"]
